"""Who wants VMs on, and when: one module for each demand kind. Importing it registers the kind, in the order of messages."""

# isort: off
from sim.model.demand.base import (
    Calendar,
    DEMAND_KINDS,
    REFINEMENTS,
    Demand,
    DemandSection,
    EdgeContext,
    RequestContext,
)
from sim.model.demand.always_on import AlwaysOn
from sim.model.demand.parked import Parked
from sim.model.demand.schedule import Schedule
from sim.model.demand.people import People
from sim.model.demand.windows import Windows
from sim.model.demand.schedule_section import ScheduleSection
from sim.model.demand.cycle import Cycle
from sim.model.demand.arrivals import Arrivals
from sim.model.demand.replay import Replay
from sim.model.demand.autoscale import Autoscale, ScalingRule
# isort: on

__all__ = [
    "DEMAND_KINDS", "REFINEMENTS", "AlwaysOn", "Arrivals", "Autoscale", "Calendar", "Cycle", "Demand", "DemandSection",
    "EdgeContext", "Parked", "People", "Replay", "RequestContext", "ScalingRule", "Schedule", "ScheduleSection", "Windows",
]  # fmt: skip
