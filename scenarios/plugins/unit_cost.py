"""Metrics: what an hour of service costs (FinOps calls it a unit cost), and how often VMs are started each day.

A ratio is one of means over all replications, of two metrics; any other is computed from one group's rated usage.
"""

from sim.fields.metrics import LOWER, Metric, Unit, add_metrics
from sim.runs.metrics import RatedUsage

DAY_S = 86_400.0


def starts_per_day(rated: RatedUsage) -> float:
    """Starts that succeeded, over the days that are counted."""
    return rated.count("operations.start.succeeded") / ((rated.usage.end_s - rated.usage.start_s) / DAY_S)


add_metrics(
    Metric(
        name="cost.per_served_hour", label="cost per hour of service", unit=Unit.MONEY, section="cost", better=LOWER,
        definition="the cost over the VM hours that were ready while needed", ratio_of=("cost.total", "served_hours"),
    ),
    Metric(
        name="starts_per_day", label="starts a day", unit=Unit.COUNT, section="events",
        definition="starts that succeeded, a day", compute=starts_per_day,
    ),
)  # fmt: skip
