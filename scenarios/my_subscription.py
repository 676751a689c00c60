"""From a subscription's saved files to answers: what do nights off save, what should we reserve, how far off were we last month?

Covers: `from_azure`, a back-test on days that were held back, a what-if on an imported scenario, a recommendation of commitments.
Question: eight developer VMs are deallocated at night, if no one forgets. What does that save, which commitments pay, and how far off
    would the forecast of the last week have been?
Expect: the developers' VMs are on for some 11 of 24 hours on working days, so nights and weekends off save more than half of their
    compute. What is always billed is worth a reservation for a year: the stopped VM, the web servers and the VM that came to stay;
    the developers' VMs are not (used in 30 % of the hours, where 59 % are needed). The week's compute is predicted within 10 %.
Input: a tenant made by `tools/make_tenant.py` (nothing in it is real), or a folder of your own (docs/from-azure.md): its path as argument.
"""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sim import Scenario, backtest, compare, from_azure, recommend

MAKER = Path(__file__).parents[1] / "tools" / "make_tenant.py"
HELD_BACK = 7  # days


def made_tenant(folder: Path) -> Path:
    """The files that people save, of a tenant that is made up."""
    subprocess.run([sys.executable, str(MAKER), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder / "in"


def always_on(fleet: Scenario, groups: list[str]) -> Scenario:
    """The same fleet without its schedules."""
    for group in groups:
        for key in ("people", "calendar", "when_off", "schedule"):
            fleet = fleet.replace(f"group.{group}.{key}", None)
    return fleet


def main(saved: Path | None = None, replications: int | None = None) -> dict[str, float]:
    """Import, look back, compare and recommend; print one line for each answer."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        files = made_tenant(folder) if saved is None else saved
        fleet = from_azure([files], folder / "fleet.toml")
        days = round(fleet.horizon_s / 86_400)
        last = fleet.start.date() + timedelta(days=days - 1)
        first = last - timedelta(days=HELD_BACK - 1)
        exports = [each for each in sorted(files.iterdir()) if "focus" in each.name or "amortized" in each.name][:1]
        fitted = from_azure([files], folder / "fit.toml", last=first - timedelta(days=1))
        looked_back = backtest(fitted, exports, first=first, last=last, replications=replications)
        return answers(fleet, replications, (first, last), looked_back.summary()["totals"]["compute"])


def answers(fleet: Scenario, replications: int | None, week: tuple[date, date], compute: dict) -> dict[str, float]:
    """What-if, recommendation and look back, in figures and in words."""
    currency = fleet.prices.currency
    scheduled = [group["name"] for group in fleet.document["group"] if "schedule" in group]
    nights = compare(fleet, {"always on": always_on(fleet, scheduled)}, replications=replications)
    saved = nights.difference("always on", "cost.total")
    advice = recommend(fleet, replications=replications)
    print(f"{fleet.name}: {len(fleet.document['group'])} groups, {fleet.horizon_s / 86_400:.0f} days")
    print(
        f"Nights off ({', '.join(scheduled)}) save {saved.mean:,.0f} {currency} ({saved.low:,.0f} to {saved.high:,.0f}) in these days"
    )
    print(advice.words)
    between = f"{compute['interval']['low']:,.2f} to {compute['interval']['high']:,.2f}"
    print(
        f"{week[0]} to {week[1]}: {compute['simulated']['list']:,.2f} predicted ({between}), {compute['actual']['list']:,.2f} invoiced: "
        f"{compute['error']:+.1%}"
    )
    return {"nights": saved.mean, "error": compute["error"], "reserved": advice.best["1y"].saving.mean}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
