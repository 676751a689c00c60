"""The power states of a VM: what the platform shows, whether a host is held, and which state may follow which.

The order of `PowerState` is the order of states everywhere: in ledgers, tables, figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

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


def _on_host(state: PowerState, *goes_to: PowerState, description: str) -> PowerFacts:
    """A state that holds hardware; Deallocating follows it, since a delete is always accepted and gives the host back."""
    followers = frozenset({PowerState.DEALLOCATING, *goes_to})
    return PowerFacts(shows=(_status(state),), on_host=True, goes_to=followers, description=description)


POWER: Mapping[PowerState, PowerFacts] = MappingProxyType(
    {
        PowerState.CREATING: PowerFacts(
            shows=(),
            on_host=False,
            goes_to=frozenset({PowerState.STARTING}),
            may_vanish=True,  # the create failed, or was overtaken by a delete
            in_source=False,
            description="The platform has accepted the VM and looks for hardware; no power state is shown.",
            source=sources.STATES_2023,
        ),
        PowerState.STARTING: _on_host(
            PowerState.STARTING,
            PowerState.RUNNING,
            PowerState.STOPPED,  # VMStartTimedOut: not up in the allotted time, still on its host (assumption)
            description="VM is starting up.",
        ),
        PowerState.RUNNING: _on_host(
            PowerState.RUNNING,
            PowerState.STOPPING,
            PowerState.STARTING,  # its host is lost or emptied, and the platform starts it on another one
            description="Normal working state for a VM",
        ),
        PowerState.STOPPING: _on_host(
            PowerState.STOPPING,
            PowerState.STOPPED,
            description="This is a transitional state. When completed, it will show as Stopped.",
        ),
        PowerState.STOPPED: _on_host(
            PowerState.STOPPED,
            PowerState.STARTING,
            description="The VM has been shut down from within the guest OS or using the PowerOff APIs. "
            "Hardware is still allocated to the VM and it remains on the host.",
        ),
        PowerState.DEALLOCATING: PowerFacts(
            shows=(_status(PowerState.DEALLOCATING),),
            on_host=True,
            goes_to=frozenset({PowerState.DEALLOCATED, PowerState.HIBERNATED}),
            may_vanish=True,  # the end of a delete
            description="Transitional state. When completed, the VM will show as Deallocated.",
        ),
        PowerState.DEALLOCATED: PowerFacts(
            shows=(_status(PowerState.DEALLOCATED),),
            on_host=False,
            goes_to=frozenset({PowerState.STARTING}),
            may_vanish=True,
            description="The VM has been stopped successfully and removed from the host.",
        ),
        PowerState.HIBERNATED: PowerFacts(
            shows=(
                _status(PowerState.DEALLOCATED),
                ShownStatus("HibernationState/Hibernated", Level.INFO, "VM hibernated"),
            ),
            on_host=False,
            goes_to=frozenset({PowerState.STARTING, PowerState.DEALLOCATED}),  # a deallocate discards the memory image
            may_vanish=True,
            in_source=False,
            description="Deallocated, with the memory image on the OS disk.",
            source=sources.HIBERNATE_STATE_VIEW,
        ),
    }
)

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
