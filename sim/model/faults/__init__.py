"""What goes wrong: one module for each fault kind. Importing it registers the kind, in the order of the file's keys."""

# isort: off
from sim.model.faults.base import GROUP_FAULTS, PLATFORM_FAULTS, Circumstances, GroupFault, PlatformFault
from sim.model.faults.failing import Failing
from sim.model.faults.maintenance import Maintenance
from sim.model.faults.throttle import Throttle
from sim.model.faults.shortage import Shortage, ShortageSection
from sim.model.faults.guest_crash import GuestCrash
from sim.model.faults.fall_back import FallBack, FallBackRule
from sim.model.faults.spot import Spot
# isort: on

__all__ = [
    "GROUP_FAULTS", "PLATFORM_FAULTS", "Circumstances", "Failing", "FallBack", "FallBackRule", "GroupFault", "GuestCrash", "Maintenance",
    "PlatformFault", "Shortage", "ShortageSection", "Spot", "Throttle",
]  # fmt: skip
