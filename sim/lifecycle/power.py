"""The power states of a VM: what the platform shows, whether a host is held, and which state may follow which.

The order of `PowerState` is the order of states everywhere: in ledgers, tables, figures.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStatus:
    """One entry of an instance view's status list, as far as it doesn't depend on the moment."""

    code: str
    level: Level
    display_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFacts:
    """One row of the power table: everything that is true of a state wherever it occurs."""

    code: str | None  # as the instance view writes it; None: no power entry is shown
    level: Level | None
    display_status: str | None
    on_host: bool  # hardware is held
    goes_to: frozenset[PowerState]
    may_vanish: bool = False  # the VM may cease to exist while it is in this state
    also_shows: ShownStatus | None = None  # a further entry of the instance view
    in_source: bool = True  # one of the six states of the source document
    description: str
    source: str


def _shown(state: PowerState) -> tuple[str, Level, str]:
    """Code, level and display status, which the platform forms alike for all states that it shows."""
    return f"PowerState/{state}", Level.INFO, f"VM {state}"


def _row(
    shown_as: PowerState | None,
    *goes_to: PowerState,
    on_host: bool,
    description: str,
    source: str = sources.POWER_SECTION,
    may_vanish: bool = False,
    also_shows: ShownStatus | None = None,
    in_source: bool = True,
) -> PowerFacts:
    code, level, display_status = (None, None, None) if shown_as is None else _shown(shown_as)
    return PowerFacts(
        code=code,
        level=level,
        display_status=display_status,
        on_host=on_host,
        goes_to=frozenset(goes_to),
        may_vanish=may_vanish,
        also_shows=also_shows,
        in_source=in_source,
        description=description,
        source=source,
    )


# Deallocating follows every state on a host, since a delete is always accepted and gives the host back.
POWER: Mapping[PowerState, PowerFacts] = MappingProxyType(
    {
        PowerState.CREATING: _row(
            None,
            PowerState.STARTING,
            on_host=False,
            may_vanish=True,  # the create failed, or was overtaken by a delete
            in_source=False,
            description="The platform has accepted the VM and looks for hardware; no power state is shown.",
            source=sources.STATES_2023,
        ),
        PowerState.STARTING: _row(
            PowerState.STARTING,
            PowerState.RUNNING,
            PowerState.STOPPED,  # VMStartTimedOut: not up in the allotted time, still on its host (assumption)
            PowerState.DEALLOCATING,
            on_host=True,
            description="VM is starting up.",
        ),
        PowerState.RUNNING: _row(
            PowerState.RUNNING,
            PowerState.STOPPING,
            PowerState.DEALLOCATING,
            PowerState.STARTING,  # its host is lost or emptied, and the platform starts it on another one
            on_host=True,
            description="Normal working state for a VM",
        ),
        PowerState.STOPPING: _row(
            PowerState.STOPPING,
            PowerState.STOPPED,
            PowerState.DEALLOCATING,
            on_host=True,
            description="This is a transitional state. When completed, it will show as Stopped.",
        ),
        PowerState.STOPPED: _row(
            PowerState.STOPPED,
            PowerState.STARTING,
            PowerState.DEALLOCATING,
            on_host=True,
            description=(
                "The VM has been shut down from within the guest OS or using the PowerOff APIs. "
                "Hardware is still allocated to the VM and it remains on the host."
            ),
        ),
        PowerState.DEALLOCATING: _row(
            PowerState.DEALLOCATING,
            PowerState.DEALLOCATED,
            PowerState.HIBERNATED,
            on_host=True,
            may_vanish=True,  # the end of a delete
            description="Transitional state. When completed, the VM will show as Deallocated.",
        ),
        PowerState.DEALLOCATED: _row(
            PowerState.DEALLOCATED,
            PowerState.STARTING,
            on_host=False,
            may_vanish=True,
            description="The VM has been stopped successfully and removed from the host.",
        ),
        PowerState.HIBERNATED: _row(
            PowerState.DEALLOCATED,  # the power entry is that of a deallocated VM
            PowerState.STARTING,
            PowerState.DEALLOCATED,  # a deallocate discards the memory image
            on_host=False,
            may_vanish=True,
            also_shows=ShownStatus(
                code="HibernationState/Hibernated", level=Level.INFO, display_status="VM hibernated"
            ),
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
