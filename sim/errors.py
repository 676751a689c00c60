"""Errors, each with what the reader can do about it.

Two families: an `InputError` is the user's to mend (exit status 2); everything else is a defect of ours (exit status 1)
and is never caught on the way up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

MOST_SHOWN = 1_000  # letters of a problem: it may quote a cell of a hostile file


class VmfleetError(Exception):
    """Root of every error that this package raises on purpose."""


class InputError(VmfleetError):
    """Something the user gave us is wrong; the message says what, where, and what would be right."""


class MachineError(InputError):
    """The machine, or a cluster, refuses: memory, disk, a worker that was killed; the user's to mend, as wrong input is."""


class PlugInError(InputError):
    """A plug-in doesn't do what its contract says; its author's to mend."""


class VmfleetWarning(UserWarning):
    """Something the user should know of, though the answer holds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one input: where it stands, what it is, and what would be right."""

    field: str
    problem: str
    hint: str = ""
    value: object = None
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line is not None else "")
        problem = (
            self.problem
            if len(self.problem) <= MOST_SHOWN
            else f"{self.problem[: MOST_SHOWN - 200]} ... {self.problem[-200:]}"
        )
        parts = [part for part in (where, self.field, problem) if part]
        return ": ".join(parts) + (f" ({self.hint})" if self.hint else "")


class FaultyInput(InputError):
    """An input with faults in it, all reported at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Fault, ...]]]:
        # An error raised in a worker process arrives as what it was.
        return type(self), (self.faults,)


class ScenarioError(FaultyInput):
    """A scenario (or an override of one) that can't be simulated; carries every fault found at once."""


class CatalogueError(InputError):
    """A size, region, price or price file that the catalogue can't serve."""


class TraceError(FaultyInput):
    """A trace of a real fleet that can't be read as it is; carries every fault found so far."""


class UsageError(FaultyInput):
    """A usage file that can't be rated; carries every fault found at once."""


class ResultError(InputError):
    """A result folder that can't be read or written."""


class LifecycleError(VmfleetError):
    """A move that the lifecycle tables don't know: our defect. The message has the VM's latest moves."""


class AuditError(VmfleetError):
    """The ledgers of a run don't add up: our defect."""


class OperationNotAllowed(VmfleetError):
    """The control plane refuses an operation (HTTP 409), as the platform would; custom processes may catch it."""
