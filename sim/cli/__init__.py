"""The command line: the only package that talks to a terminal.

Start-up: heavy libraries are imported inside the commands that need them, so that `vmfleet --help` answers at once.
"""

from sim.cli.app import main

__all__ = ["main"]
