"""VMs that are always wanted: the demand of a group without a table about it."""

from dataclasses import dataclass

from sim.model.demand.base import Demand

WORDS = "Always needed."


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysOn(Demand):
    """Wanted from the moment it is requested until the horizon."""
