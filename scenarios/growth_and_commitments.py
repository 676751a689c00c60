"""A fleet that grows by 3 % a month: how many reservations for a year, and what if the growth ends in September?

Covers: growth by month, a number of VMs that falls (the highest numbers go), reservations, cost by month.
Question: reservations are bought on 1 January for a year. How many: what is needed today, on average, or in December?
Expect: a reservation pays off if it is used in more than 59 % of the hours (reserved price over pay-as-you-go price). The fleet
    has 113 VMs or more from May on, 67 % of the year, and 114 or more from June on, 58.6 %: 113 reservations are the
    cheapest, 150,575 USD. Reserving for today (100) costs 155,680, for December (138) 164,082. If 40 VMs go in September, the VMs
    beyond 100 are there too short a time: 100 reservations cost 133,942, and 113 cost 3,650 more.
"""

from datetime import UTC, datetime
from math import floor
from pathlib import Path

from sim import RunResult, load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
COUNT, GROWTH, MONTHS = 100, 0.03, 12
USD_PER_H, RESERVED_USD_PER_H = 0.23, 0.1357305936  # Standard_D4s_v5, Linux, westeurope, read 2026-08-22
RESERVED = (90, 100, 106, 113, 116, 122, 130, 138)
HOURS = [
    (datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC) - datetime(2026, month, 1, tzinfo=UTC)).total_seconds()
    / 3600
    for month in range(1, MONTHS + 1)
]
GROWING = [floor(COUNT * (1 + GROWTH) ** month + 0.5) for month in range(MONTHS)]
ENDING = [vms if month < 8 else vms - 40 for month, vms in enumerate(GROWING)]  # a project ends on 1 September


def by_hand(vms: list[int], reserved: int) -> float:
    """USD of the year: reservations are paid whether used or not, the VMs beyond them as they go."""
    beyond = sum(hours * max(0, own - reserved) for own, hours in zip(vms, HOURS, strict=True))
    return reserved * sum(HOURS) * RESERVED_USD_PER_H + beyond * USD_PER_H


def simulate(vms: list[int], reserved: int, replications: int | None = None) -> RunResult:
    """A year with so many VMs in each month, and so many reservations."""
    changes = [f"commitment.ri.quantity={reserved}"]
    if vms is not GROWING:
        steps = ", ".join(f"{{ at = 2026-{month:02d}-01, count = {own} }}" for month, own in enumerate(vms, start=1))
        changes += ["group.web.growth_per_month=none", f"group.web.count_steps=[{steps}]"]
    return run(load(SCENARIO, changes), replications=replications)


def main(
    replications: int | None = None, folder: Path | str = "results/growth-and-commitments"
) -> dict[str, dict[int, RunResult]]:
    """Simulate both years with each number of reservations; print the year's cost, and that of each month at the best number."""
    fleets = {"growth goes on": GROWING, "40 VMs go in September": ENDING}
    found = {name: {each: simulate(vms, each, replications) for each in RESERVED} for name, vms in fleets.items()}
    print("100 x Standard_D4s_v5 in January, 3 % more each month, westeurope, reserved for a year; USD")
    print(f"{'reserved':>9}" + "".join(f"{name:>26} {'by hand':>10}" for name in fleets))
    for each in RESERVED:
        costs = (
            f"{found[name][each].estimate('cost.total').mean:>26,.0f} {by_hand(vms, each):>10,.0f}"
            for name, vms in fleets.items()
        )
        print(f"{each:>9}" + "".join(costs))
    for name, runs in found.items():
        best = min(RESERVED, key=lambda each: runs[each].estimate("cost.total").mean)
        months = ", ".join(f"{month[5:]}: {cost.mean:,.0f}" for month, cost in runs[best].cost_by_month().items())
        print(f"{name}: {best} reservations are the cheapest. By month: {months}")
    lines = {name: {each: one.estimate("cost.total") for each, one in runs.items()} for name, runs in found.items()}
    lines |= {f"{name}, by hand": {each: by_hand(vms, each) for each in RESERVED} for name, vms in fleets.items()}
    plot(
        folder,
        "cost_by_reservations",
        "How many reservations for a fleet that grows?",
        lines,
        x="reserved VMs",
        y="USD in a year",
        note=f"{found['growth goes on'][RESERVED[0]].n} replications, 95 % intervals",
    )
    return found


if __name__ == "__main__":
    main()
