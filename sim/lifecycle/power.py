"""The power states of a VM: what the platform shows, whether a host is held, and which state may follow which.

The order of `PowerState` is the order of states everywhere: in ledgers, tables, figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sim.lifecycle import sources


class Level(StrEnum):
    """How grave a status of the instance view is."""

    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


class PowerState(StrEnum):
    """The last known state of a VM's hardware and guest; values are the platform's own code words."""

    CREATING = "creating"  # accepted by the platform, which shows no power state yet
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    HIBERNATED = "hibernated"  # deallocated, with the memory image on the OS disk


@dataclass(frozen=True, slots=True)
class ShownStatus:
    """One entry of an instance view's status list, as far as it doesn't depend on the moment."""

    code: str
    level: Level
    display_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFacts:
    """One row of the power table: everything that is true of a state wherever it occurs."""

    shows: tuple[ShownStatus, ...]  # entries of the instance view; none: no power state is shown
    on_host: bool  # hardware is held
    goes_to: frozenset[PowerState]
    may_vanish: bool = False  # the VM may cease to exist while it is in this state
    in_source: bool = True  # one of the six states of the source document
    description: str
    source: str = sources.POWER_SECTION


def _status(state: PowerState) -> ShownStatus:
    """The power entry, which the platform forms alike for all states that it shows."""
    return ShownStatus(f"PowerState/{state}", Level.INFO, f"VM {state}")


_SHOWN = {  # what the instance view has of states that aren't shown as themselves
    PowerState.CREATING: (),
    PowerState.HIBERNATED: (_status(PowerState.DEALLOCATED), ShownStatus("HibernationState/Hibernated", Level.INFO, "VM hibernated")),
}  # fmt: skip
_CREATING, _STARTING, _RUNNING, _STOPPING, _STOPPED, _DEALLOCATING, _DEALLOCATED, _HIBERNATED = PowerState
_ROWS: Sequence[tuple[PowerState, bool, set[PowerState], str, Mapping[str, Any]]] = (
    # State, whether it is on a host, where it goes to. Deallocating follows each state on a host: a delete is always accepted.
    (_CREATING, False, {_STARTING},  # it may vanish: the create failed, or was overtaken by a delete
     "The platform has accepted the VM and looks for hardware; no power state is shown.",
     {"may_vanish": True, "in_source": False, "source": sources.STATES_2023}),
    (_STARTING, True, {_RUNNING, _STOPPED, _DEALLOCATING},  # Stopped: VMStartTimedOut, still on its host (assumption)
     "VM is starting up.", {}),
    (_RUNNING, True, {_STOPPING, _STARTING, _DEALLOCATING},  # Starting: its host is lost or emptied, and it gets another one
     "Normal working state for a VM", {}),
    (_STOPPING, True, {_STOPPED, _DEALLOCATING},
     "This is a transitional state. When completed, it will show as Stopped.", {}),
    (_STOPPED, True, {_STARTING, _DEALLOCATING},
     ("The VM has been shut down from within the guest OS or using the PowerOff APIs. "
      "Hardware is still allocated to the VM and it remains on the host."), {}),
    (_DEALLOCATING, True, {_DEALLOCATED, _HIBERNATED},  # it may vanish: the end of a delete
     "Transitional state. When completed, the VM will show as Deallocated.", {"may_vanish": True}),
    (_DEALLOCATED, False, {_STARTING},
     "The VM has been stopped successfully and removed from the host.", {"may_vanish": True}),
    (_HIBERNATED, False, {_STARTING, _DEALLOCATED},  # a deallocation discards the memory image
     "Deallocated, with the memory image on the OS disk.",
     {"may_vanish": True, "in_source": False, "source": sources.HIBERNATE_STATE_VIEW}),
)  # fmt: skip
POWER: Mapping[PowerState, PowerFacts] = MappingProxyType(
    {
        state: PowerFacts(
            shows=_SHOWN.get(state, (_status(state),)), on_host=on_host, goes_to=frozenset(goes_to), description=words, **more
        )
        for state, on_host, goes_to, words, more in _ROWS
    }
)  # fmt: skip

STATE_ORDER: tuple[PowerState, ...] = tuple(PowerState)
ON_HOST: frozenset[PowerState] = frozenset(state for state, facts in POWER.items() if facts.on_host)
FIRST_STATE = PowerState.CREATING  # the one way into existence


def is_legal(before: PowerState | None, after: PowerState | None) -> bool:
    """Whether a VM may move from *before* to *after*; None is a VM that doesn't exist.

    >>> is_legal(PowerState.DEALLOCATED, PowerState.RUNNING)
    False
    >>> is_legal(PowerState.DEALLOCATED, PowerState.STARTING)
    True
    """
    if before is None:
        return after is FIRST_STATE
    if after is None:
        return POWER[before].may_vanish
    return after in POWER[before].goes_to
