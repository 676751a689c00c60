"""How to read the file of a trace: its format, and what the file itself does not say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from sim.traces.external_sort import ExternalSort
from sim.traces.rows import VmSizeTable

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "azure-2017": "vmtable.csv of the Azure Public Dataset V1: 11 columns without a header, 30 days",
        "azure-2019": "vmtable.csv of the Azure Public Dataset V2: the same with buckets of vCPUs and memory",
        "azure-packing-2020": "the sqlite file of Azure Traces for Packing 2020: 14 days, lifetimes followed for 90",
        "columns": "a CSV file with a header: created, deleted or lifetime, vCPUs, memory; priority and size if given",
    }
)
"""Formats of traces, and what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the user says about a trace besides its format; None is for the format or the file to say."""

    window_s: float | None = None  # length of the window that was watched, from its beginning
    origin_s: float | None = None  # the file's own time that is t = 0
    stamp_s: float | None = None  # its times are whole multiples of this
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)  # meaning -> name in the file's header
    machine_vcpus: float = 96.0  # of a whole machine, where a trace gives shares of one
    machine_memory_gib: float = 768.0
    over_vcpus: float = 30.0  # stands for the open bucket ">24", as in the publisher's own notebook
    over_memory_gib: float = 70.0  # and this one for ">64"

    def __post_init__(self) -> None:
        for name in ("window_s", "stamp_s", "machine_vcpus", "machine_memory_gib", "over_vcpus", "over_memory_gib"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} = {value!r} is out of range: it must be a finite number above 0")
        object.__setattr__(self, "columns", dict(self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a reader found besides the rows, which it put into the sorter."""

    origin_s: float  # the file's time that is t = 0
    window_s: float  # from the origin
    follow_up_s: float  # until when ends were recorded, from the origin; the window, or later
    watched_s: float | None = None  # a VM seen until then was watched to the window's end; None: until that end itself
    stamp_s: float = 0.0  # 0: times are as fine as they are written
    start: datetime | None = None  # the instant of t = 0, if the file tells
    assumptions: tuple[str, ...] = ()


Reader = Callable[[Path, Reading, ExternalSort, VmSizeTable], Content]

_READERS = MappingProxyType(
    {
        "azure-2017": ("sim.traces.azure", "read_2017"),
        "azure-2019": ("sim.traces.azure", "read_2019"),
        "azure-packing-2020": ("sim.traces.packing", "read_packing"),
        "columns": ("sim.traces.columns", "read_columns"),
    }
)


def get_reader(format_name: str) -> Reader:
    """The reader of a format; ValueError with all of them for an unknown one."""
    if format_name not in _READERS:
        raise ValueError(f"{format_name!r} is not a format of traces: there are {', '.join(FORMATS)}")
    module, name = _READERS[format_name]
    reader: Reader = getattr(import_module(module), name)
    return reader
