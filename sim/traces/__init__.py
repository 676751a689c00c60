"""Records of real fleets: one VM a row, read as a stream, mapped to sizes of the catalogue, fitted with laws."""

from sim.traces.formats import FORMATS, Reading
from sim.traces.rows import ROW, Shape
from sim.traces.trace import Trace, open_trace
from sim.traces.vm_sizes import map_sizes

__all__ = ["FORMATS", "ROW", "Reading", "Shape", "Trace", "map_sizes", "open_trace"]
