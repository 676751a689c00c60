"""How many operations a subscription may request: `[platform.throttle]`."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sim.fields.types import Positive, default_field
from sim.model.faults.base import PLATFORM_FAULTS, PlatformFacts, PlatformFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """A token bucket for each class of operation (create; update; delete), per subscription."""

    burst: float
    refill_per_min: float


@PLATFORM_FAULTS.register("throttle")
class ThrottleSection(PlatformFault):
    """How many operations the subscription may ask for: a token bucket each for creates, updates and deletes."""

    key = "throttle"
    needs_hosts = False

    burst: Annotated[Positive, Field(ge=1, le=1e9)] = default_field("platform.throttle.burst", "Operations at once.")
    refill_per_min: Annotated[Positive, Field(le=1e9)] = default_field(
        "platform.throttle.refill_per_min", "Operations per minute after that."
    )

    def to_plan(self) -> Throttle:
        """The bucket's size and refill."""
        return Throttle(burst=self.burst, refill_per_min=self.refill_per_min)

    def describe(self, platform: PlatformFacts) -> list[str]:
        """Burst and refill."""
        return [
            (
                f"Throttled to {self.burst:g} operations at once and {self.refill_per_min:g} a minute, "
                "creates, updates and deletes each."
            )
        ]
