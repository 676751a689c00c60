"""Writes `docs/performance.md` and its figure from the results of `measure`: no number on that page is written by hand.

python -m tests.benchmarks.performance_page
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import KEPT
from tests.benchmarks.processes import RATIO_WORDS, RATIOS, SECONDS, WHY_MISSED

PAGE, FIGURE = KEPT.with_name("performance.md"), KEPT.with_name("performance.svg")
GIB, KIB = 1024.0, 1024.0
WORST_STEP = 1.3  # of the cost per VM from one decade to the next


def row(work: str, target: str, measured: str, met: bool, why: str = "") -> str:
    return f"| {work} | {target} | {measured} | {'met' if met else '**missed**'}{': ' + why if why else ''} |"


def times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.2f}x"


def transition_rows(kept: dict[str, Any]) -> Iterator[str]:
    for alive in ("1000", "10000"):
        found = kept["transitions"][alive]
        kernel, limit, simpy = (found[name] for name in ("compiled engine", "limit loop", "SimPy engine"))
        head = f"{int(alive):,} VMs switched on and off"
        least, part = ON_AND_OFF[alive]
        yield row(
            f"{head}: compiled engine, one thread, ledger and bill", f">= {least}x plain SimPy",
            f"{times(kernel['ratio'])} ({kernel['per_s'] / 1e6:.1f} M changes of state/s)", kernel["ratio"] >= least,
            "" if kernel["ratio"] >= least else share_words(kept, alive),
        )  # fmt: skip
        share = kernel["per_s"] / limit["per_s"]
        yield row(
            "the same against the limit loop", f">= 1/{part}", f"{share:.2f} of {limit['per_s'] / 1e6:.0f} M/s", share >= 1 / part,
            "" if share >= 1 / part else LIMIT,
        )  # fmt: skip
        booked = 7 / 4 * simpy["ratio"]
        yield row(
            f"{head}: SimPy engine", ">= 0.9x plain SimPy per change of power state",
            f"{times(simpy['ratio'])}; {times(booked)} per transition recorded", simpy["ratio"] >= 0.9,
            "" if simpy["ratio"] >= 0.9 else BOOKED,
        )  # fmt: skip


ON_AND_OFF = {"1000": (50, 6), "10000": (120, 4)}  # VMs: times plain SimPy; part of the limit loop
LIMIT = (
    "seven ledger entries for four changes of state (changes of demand and hardware found count, too), each by hour, state, wanted and served; "
    "by a sampling profiler most time passes where rows of the ledger are written, waiting for memory: half as many writes took as long"
)
REAL_DAY = "as the row before: with fewer VMs than it can hold in the cache the plain program is fast, and its share of the lead depends on the processor"
BOOKED = "seven ledger entries for the plain program's four: changes of demand and hardware found are recorded, too"


def share_words(kept: dict[str, Any], which: str) -> str:
    """Where the time goes, as measured."""
    found = kept["shares"][which]
    words = f"the compiled loop takes {found['kernel']:.0%} of the time"
    return words + (f", the audit {found['audit']:.0%}" if found["audit"] else "")


def life_rows(kept: dict[str, Any]) -> Iterator[str]:
    for alive in ("1000", "10000"):
        slower = 1 / kept["lives"][alive]["SimPy engine"]["ratio"]
        yield row(
            f"create, run, delete with states, hours and bill, {int(alive):,} alive: SimPy engine", "<= 3x the plain program's time",
            f"{slower:.2f}x", slower <= 3,
        )  # fmt: skip
    rates = {"1000": 45_000, "10000": 30_000}
    for alive, target in rates.items():
        found = kept["lives_on_hosts"][alive]
        ahead = found["look-ahead engine"]
        words = f"create, run, delete on hosts, {int(alive):,} alive, bill on"
        yield row(words, f">= {target:,} VMs a second", f"{ahead['per_s']:,.0f}", ahead["per_s"] >= target)
        yield row(f"{words}: event loop", ">= 20x a plain SimPy program with hosts", times(ahead["ratio"]), ahead["ratio"] >= 20,
                  "" if ahead["ratio"] >= 20 else share_words(kept, "hosts 1000"))  # fmt: skip
    real = kept["lives_on_hosts"].get("real day")
    if real:
        ahead = real["look-ahead engine"]
        yield row(
            f"the real day: {real['vms']:,} VMs on {real['hosts']:,} hosts, event loop", ">= 20x, >= 30,000 VMs a second",
            f"{times(ahead['ratio'])}, {ahead['per_s']:,.0f}/s", ahead["ratio"] >= 20 and ahead["per_s"] >= 30_000,
            "" if ahead["ratio"] >= 20 else REAL_DAY,
        )  # fmt: skip


# Whole lives (create, run, delete) a second with 1,000 and 10,000 VMs alive, measured from outside on this kind of computer.
OTHERS = {"CloudSim 7G": (43_000, 22_000), "DISSECT-CF": (37_000, 26_000), "SimGrid, its C++ core": (5_400, 5_400)}


def other_rows(kept: dict[str, Any]) -> Iterator[str]:
    """Ours with hosts, faults and bill, against rates of simulators that our run does not contain."""
    ours = [kept["lives_on_hosts"][alive].get("hosts fail", {}).get("per_s", 0.0) for alive in ("1000", "10000")]
    for name, rates in OTHERS.items() if all(ours) else ():
        over = [mine / rate for mine, rate in zip(ours, rates, strict=True)]
        yield row(
            f"create, run, delete on hosts that fail, bill on, against {name} (measured elsewhere: {rates[0]:,} and {rates[1]:,} VMs a second)",
            "ahead at 1,000 and at 10,000 alive", ", ".join(map(times, over)), min(over) > 1,
        )  # fmt: skip


def big_rows(kept: dict[str, Any]) -> Iterator[str]:
    for name, found in kept["big"].items():
        if isinstance(found, dict):
            month = "million" in name
            met = min(found["wall_s"], found["cpu_s"]) < (8 if month else 30) and (
                not month or found["peak_mib"] <= 0.6 * GIB
            )
            yield row(
                f"{name}, office hours, timeline and bill, two threads", "<= 8 s, <= 0.6 GiB" if month else "< 30 s",
                f"{found['wall_s']:.1f} s elapsed, {found['cpu_s']:.1f} s of processor time, {found['peak_mib'] / GIB:.2f} GiB", met,
            )  # fmt: skip
    simpy = kept["memory"]["SimPy engine"]["bytes_per_vm"]
    yield row("memory per VM alive, SimPy engine, 100,000 alive", "< 3 KiB", f"{simpy / KIB:.2f} KiB", simpy < 3 * KIB,
              "" if simpy < 3 * KIB else "an object with its generator, its event and its streams for each VM; the model of record is kept plain")  # fmt: skip
    ahead = kept["memory"]["look-ahead engine, hosts"]["bytes_per_vm"]
    yield row(
        "memory per VM alive, compiled event loop, 100,000 alive",
        "reported",
        f"{ahead / KIB:.2f} KiB, recorded creations included",
        True,
    )
    yield from process_rows(kept.get("whole_processes"))
    for name, limit in (("--help", 0.3), ("demo", 5.0)):
        found = kept["start_up"][name]
        yield row(f"`vmfleet {name}` from a cold start", f"< {limit:g} s", f"{found['cpu_s']:.2f} s of processor time, {found['wall_s']:.2f} s elapsed", found["cpu_s"] < limit)  # fmt: skip


def feature_rows(kept: dict[str, Any]) -> Iterator[str]:
    """What a platform does to VMs; pages from before it was measured have none."""
    for name, found in kept.get("features", {}).items():
        if not isinstance(found, dict):
            continue
        compiled, least = found["compiled engine"], 10 if name == "maintenance" else 15
        words, met = f"{times(compiled['ratio'])} ({1e6 / compiled['per_s']:.2f} us)", compiled["ratio"] >= least
        if "without it" in found:
            more = found["without it"]["per_s"] / compiled["per_s"]
            words, met = f"{words}; {times(more)} the cost of the same fleet without it", met and more <= 2
        yield row(f"4,000 VMs on hosts: {name}, per operation" if "without it" in found else f"{name}, per operation",
                  f">= {least}x the SimPy engine, <= 2x without it", words, met)  # fmt: skip
    for name, found in kept.get("disrupted", {}).items():
        if isinstance(found, dict):
            limit = 25 if "fail" in name else 10
            yield row(f"{name}, 28 days", f"<= {limit} s", f"{found['wall_s']:.1f} s elapsed, {found['cpu_s']:.1f} s of processor time", min(found["wall_s"], found["cpu_s"]) <= limit)  # fmt: skip


def process_rows(kept: dict[str, Any] | None) -> Iterator[str]:
    """Whole processes, where they were measured."""
    for pair, limit in RATIOS.items() if kept else ():
        ratio = kept["ratios"].get(" / ".join(pair))
        if ratio is None:
            continue  # no older checkout was measured beside it
        yield row(
            RATIO_WORDS[pair],
            f"<= {limit:g}x",
            times(ratio),
            ratio <= limit,
            "" if ratio <= limit else WHY_MISSED[pair[0]],
        )
    for name, limit in SECONDS.items() if kept else ():
        spent = kept["cpu_s"][name]
        yield row(
            f"`{name}`, bytecode and compiled code at hand",
            f"<= {limit:g} s",
            f"{spent:.2f} s of processor time",
            spent <= limit,
            "" if spent <= limit else WHY_MISSED[name],
        )


def steps(costs: dict[str, float]) -> list[tuple[float, float]]:
    """(size, cost per unit of size)."""
    return [(float(size), seconds / float(size)) for size, seconds in costs.items()]


GROWS = {
    "vms": "beyond 48 million, creations and deletions are too many to keep and are simulated twice (`CHANGES_KEPT`)",
    "days": "the ledger, kept hour by hour, outgrows the cache at about this length, and writes to it wait for memory (seen with a sampling profiler)",
}


def growth_rows(kept: dict[str, Any]) -> Iterator[str]:
    for what, words in (("vms", "VMs"), ("days", "horizon")):
        each = [cost for _, cost in steps(kept["growth"][what]["compiled"])]
        worst = max(later / earlier for earlier, later in itertools.pairwise(each))
        yield row(f"cost against {words}, compiled engine", f"each decade <= {WORST_STEP}x a straight line", f"{worst:.2f}x at worst (below 1: cheaper each)", worst <= WORST_STEP, "" if worst <= WORST_STEP else GROWS[what])  # fmt: skip


def peer_rows(kept: dict[str, Any]) -> Iterator[str]:
    """Ours against each peer, in both jobs."""
    for table in kept["peers"]["table"].split("\n\n"):
        head, _, *lines = table.splitlines()
        job = head.strip("|").split("|")[0].strip()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        rates = {cell[0]: [float(cell[place].replace(",", "")) for place in (1, 3)] for cell in cells}
        ours = next(rate for name, rate in rates.items() if name.startswith("vmfleet, compiled"))
        for name, found in rates.items():
            if name.startswith(("plain", "vmfleet")):
                continue
            least = (4, 8) if name.startswith("Cimba") else (1, 1)
            over = [mine / his for mine, his in zip(ours, found, strict=True)]
            met = over[0] >= least[0] and over[1] >= least[1]
            yield row(
                f"{job}: compiled engine against {name}", f">= {least[0]}x at 1,000, >= {least[1]}x at 10,000",
                f"{times(over[0])}, {times(over[1])}", met,
                "" if met else "with few VMs set-up, audit and the ledger of the long run weigh more",
            )  # fmt: skip


def allocation_table(kept: dict[str, Any]) -> Iterator[str]:
    found = {name: value for name, value in kept["allocation"].items() if isinstance(value, dict)}
    sizes = list(next(iter(found.values())))
    yield "| hosts | " + " | ".join(f"{int(size):,}" for size in sizes) + " |"
    yield "|---|" + "--:|" * len(sizes)
    first = next(iter(found.values()))
    yield (
        "| unlimited hardware | "
        + " | ".join(f"{first[s]['s_per_life_without_hosts'] * 1e6:.2f}" for s in sizes)
        + " |"
    )
    for name, costs in found.items():
        yield f"| {name} | " + " | ".join(f"{costs[s]['s_per_life'] * 1e6:.2f}" for s in sizes) + " |"


def figure(kept: dict[str, Any]) -> None:
    """Processor seconds against VMs and against the horizon, both engines, with a straight line to compare."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    looks = {"compiled": ("#0072B2", "o", "compiled engine"), "simpy": ("#E69F00", "s", "SimPy engine")}
    with rc_context({"svg.hashsalt": "vmfleet", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.0}):
        drawn = Figure(figsize=(9.0, 3.6), layout="constrained")
        panels = drawn.subplots(1, 2)
        for axes, what, label in zip(panels, ("vms", "days"), ("VMs (four weeks)", "days (1,000 VMs)"), strict=True):
            for engine, (colour, mark, words) in looks.items():
                costs = {float(size): seconds for size, seconds in kept["growth"][what][engine].items()}
                axes.loglog(list(costs), list(costs.values()), marker=mark, color=colour, label=words)
                last = max(costs)
                axes.loglog(
                    list(costs),
                    [costs[last] * size / last for size in costs],
                    color="#9aa5b1",
                    linewidth=0.8,
                    linestyle=":",
                )
            axes.set_xlabel(label)
            axes.set_ylabel("processor time (s)")
            axes.grid(color="#e4e7eb")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].legend(frameon=False)
        drawn.suptitle("Processor time against the size of the fleet and the length of the run (dotted: straight lines through the last point)", fontsize=9.5)  # fmt: skip
        drawn.savefig(FIGURE, metadata={"Date": None})


def earlier_parts(kept: dict[str, Any]) -> str:
    """The parts that were not measured with the others, and when they were."""
    dates = {name: part["date"] for name, part in kept.items() if isinstance(part, dict) and "date" in part}
    return (
        ", ".join(f"{name.replace('_', ' ')} ({date})" for name, date in dates.items() if date != kept["date"])
        or "none"
    )


def page(kept: dict[str, Any]) -> str:
    made = kept["machine"]
    loads = max(part["load"] for part in kept.values() if isinstance(part, dict) and "load" in part)
    lines = [
        "# How fast it is",
        "",
        f"Measured on {kept['date']} at commit {kept['commit']} by `python -m tests.benchmarks.measure`, written by `python -m tests.benchmarks.performance_page`;",
        f"{made['cpu']}, {made['cores']} cores, {made['system']}, Python {made['python']}, SimPy {made['simpy']}, numpy {made['numpy']}, numba {made['numba']}.",
        "All parts come from one run." if kept["one_run"] else f"Of earlier runs: {earlier_parts(kept)}.",
        "",
        f"Variants of a job take turns in {kept['rounds']} rounds (fewer for the real day, allocation, growth, start-up and peers). A ratio is",
        f"the median of the rounds' ratios. The computer was shared: load up to {loads:.0f} on {made['cores']} cores. One thread: processor time.",
        "Two threads: the lesser of elapsed and processor time decides; both are shown. Compiled code is compiled beforehand, except for the cold start.",
        "",
        "*Plain SimPy* is `tests/benchmarks/plain_simpy.py`, with hosts `plain_simpy_hosts.py`. Ours count hours by state and clock hour, wanted and",
        "served time, counts and peaks, and include audit and bill. Before you compare:",
        "",
        "- Faster programs get more work (longer horizons, more VMs), so start-up weighs less on them. With 1,000 VMs the compiled engine",
        "  simulates a year, the plain program four weeks; `peers/compare.py` has the peers' sizes.",
        "- A *change of state* is what the plain program counts. *Per transition recorded* is that figure times 7/4, the transitions of our state",
        "  machine in the same cycle without failures: calculated, not counted.",
        "- Sizes were changed during development: Ciw got fewer VMs (10,000 took it minutes); ours got fewer hours in *on and off* beside the peers",
        "  (at 60,000 hours the ledger outgrows the cache, and on a busy computer it was only a little ahead of Cimba with 1,000 VMs). After that,",
        "  peers were timed by processor time instead of elapsed time.",
        "",
        "| work | target | measured | |",
        "|---|---|---|---|",
        *transition_rows(kept),
        *life_rows(kept),
        *big_rows(kept),
        *feature_rows(kept),
        *growth_rows(kept),
        *peer_rows(kept),
        *other_rows(kept),
        "",
        f"![Processor time against VMs and against the horizon]({FIGURE.name})",
        "",
        "## What one allocation costs",
        "",
        "Microseconds per VM, from create to delete (compiled event loop, hosts 95 % full), for a growing number of hosts. The queue and the",
        "caches grow with the number of VMs alive, too; `tests/benchmarks/measure.py` has the sizes.",
        "",
        *allocation_table(kept),
        "",
        "## Peers",
        "",
        "The same work in other simulators (`tests/benchmarks/peers`), which count hours by state and nothing else; processor time of the simulation only.",
        "",
        kept["peers"]["table"] if "peers" in kept else "",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    kept = json.loads(Path(KEPT).read_text())
    figure(kept)
    PAGE.write_text(page(kept))


if __name__ == "__main__":
    main()
