"""The version of vmfleet, stated here only: the package's metadata, `sim.__version__` and provenance read it."""

__version__ = "0.2.0"
