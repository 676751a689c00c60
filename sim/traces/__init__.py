"""Traces of real fleets: one VM a row, read in blocks, mapped to sizes of the catalogue, fitted with distributions."""

from sim.traces.formats import FORMATS, Reading
from sim.traces.rows import ROW, VmSize
from sim.traces.trace import Trace, open_trace
from sim.traces.vm_sizes import map_sizes

__all__ = ["FORMATS", "ROW", "Reading", "Trace", "VmSize", "map_sizes", "open_trace"]
