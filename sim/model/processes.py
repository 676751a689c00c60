"""A process that a script passes in: it runs beside the VMs in SimPy, and asks the fleet for operations."""

import secrets
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, is_dataclass
from inspect import isfunction
from typing import Any

from sim.errors import InputError
from sim.fields.registry import note_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What is started at t = 0 of each replication, and what results depend on: name, parameters, source."""

    name: str  # of its module and its own
    parameters: object  # the object of a dataclass; None: a function
    source: str  # a digest
    start: Callable[[Any], Generator[Any, Any, None]] = field(compare=False)


def process_of(what: Any) -> Process:
    """A function `(fleet)` of a module, or an object of a frozen dataclass with `__call__(fleet)`: a SimPy generator.

    Raises InputError for anything else: two closures of one function could not be told apart.
    """
    kind = what if isfunction(what) else type(what)
    parameters: Any = getattr(kind, "__dataclass_params__", None)
    is_fit = isfunction(what) or (callable(what) and is_dataclass(kind) and parameters.frozen)
    if not is_fit or "<" in kind.__qualname__:
        raise InputError(
            f"process {what!r}: it is to be a function of a module, or an object of a frozen dataclass with __call__(fleet)"
        )
    module = sys.modules[kind.__module__]
    file = getattr(module, "__file__", None)
    source = note_source(kind.__module__, file)
    return Process(
        name=f"{kind.__module__}.{kind.__qualname__}",
        parameters=None if isfunction(what) else what,
        source=source if file else secrets.token_hex(),  # of a notebook: it may be written anew
        start=what,
    )
