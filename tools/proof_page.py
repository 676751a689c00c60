"""Writes docs/proof.md and the badges from docs/proof/*.json: no figure there is written by hand.

    python -m tools.proof_page

The program that makes a part's figures ends with `record`, which keeps them with the date, command, machine, version and commit, and
writes the page again. A part more is a function here, from its figures to Markdown, and a row in `PARTS`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sim.files import write_whole
from sim.version import __version__
from tools.badges import pictures

ROOT = Path(__file__).parents[1]
PAGE, KEPT = ROOT / "docs" / "proof.md", ROOT / "docs" / "proof"
Figures = Mapping[str, Any]

HEAD = """# Proof

Written by `python -m tools.proof_page` from the files in `docs/proof`. Under each part stands the run that its figures come from.
[Validation](validation.md) says how far off forecasts are, [Engines](engines.md) why both engines give the same bits, and
[the tests](../tests/README.md) what each kind of test shows."""


def machine() -> dict[str, str]:
    """Where and with what something was measured."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    packages = {name: version(name) for name in ("simpy", "numpy", "numba")}
    made = {"cpu": cpu, "cores": str(os.cpu_count()), "system": platform.system(), "python": platform.python_version()}
    return made | packages


def commit() -> str:
    """The commit that is measured."""
    call = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def record(name: str, command: str, figures: Figures) -> None:
    """Keep the figures of one part, with the run that made them, and write the page again."""
    made = {"date": time.strftime("%Y-%m-%d"), "command": command, "version": __version__, "commit": commit()}
    KEPT.mkdir(exist_ok=True)
    write_whole(KEPT / f"{name}.json", json.dumps({"made": made | {"machine": machine()}, **figures}, indent=1) + "\n")
    write_page()


def write_page() -> None:
    """The page and the badges, from what is kept."""
    found = kept()
    write_whole(PAGE, page(found))
    for name, picture in pictures(found).items():
        write_whole(KEPT / f"{name}.svg", picture)


def kept() -> dict[str, Figures]:
    """The figures of every part that has some."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(KEPT.glob("*.json"))}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; columns after the first hold figures."""
    ruler = "| --- |" + " ---: |" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(map(str, row)) + " |" for row in [head]] + [ruler] + ["| " + " | ".join(map(str, row)) + " |" for row in rows])  # fmt: skip


def reproducibility(found: Figures) -> str:
    """Other versions of Python."""
    rows = [
        (name, each["replications"], len(each["unlike"]), len(each["engines_differ"]), "the same" if each["committed_same"] else "**differ**")
        for name, each in found["versions"].items()
    ]  # fmt: skip
    return f"""Replication 0 of every bundled scenario, simulated in both engines (the largest in the compiled engine only) with each version of Python
and the pinned libraries; and the committed results, made again. Figures are compared to the last bit, with those of {rows[0][0]} and
between engines.

{table(("interpreter", "replications", "unlike the first", "engines differ", "committed results"), rows)}"""


def mutation(found: Figures) -> str:
    """Changes of the program that a test should see."""
    low, high = found["interval"]
    drawn, killed, alike = found["drawn"], found["killed"], found["equivalent"]
    ends = ", ".join(f"{number} {end}" for end, number in found["ends"].items())
    rows = [(f"`sim/{name}`", of, seen, f"{seen / max(of, 1):.0%}") for name, (of, seen) in found["packages"].items()]
    survivors = [
        f"- `{each['file'].removeprefix('sim/')}` line {each['line']}: `{each['change'].replace('`', '')}`. {each['reason']}".strip()
        for each in found["survivors"]
    ]
    return f"""The program is changed in one place, and the fast tests that run this place must fail: an operator swapped, a number one higher, an
argument dropped or None, a condition forced, a text of a table changed (the changes of mutmut, also in tables outside functions; not
in prose). Of {found["mutants"]:,} possible changes, {_drawn(found)}; earlier
samples with other seeds had shown what was untested before. **{killed} of {drawn} were seen: {killed / drawn:.1%}, 95 % interval {low:.1%} to
{high:.1%}** (Wilson): {ends}. No test can see {alike} of the others: these are equivalent{_without_alike(found)}.{found.get("note", "")}

{table(("package", "changes", "seen by a test", "share"), rows)}

Not seen:

{chr(10).join(survivors)}"""


def _drawn(found: Figures) -> str:
    """How many were drawn, and judged in the time that there was."""
    asked = re.search(r"--count (\d+)", found["made"]["command"])
    count = found["drawn"] if asked is None else int(asked[1])
    judged = "" if count == found["drawn"] else f"; {found['drawn']} of them were judged in the time that there was"
    return f"{count} were drawn with seed {found['seed']}, from each module its share{judged}"


def _without_alike(found: Figures) -> str:
    real = found["drawn"] - found["equivalent"]
    return f"; without these it is {found['killed'] / real:.1%}" if found["equivalent"] else ""


def branches(found: Figures) -> str:
    """Ways through the program that a test takes."""
    packages = found["packages"]
    sums = [sum(each) for each in zip(*packages.values(), strict=True)]
    rows = [
        (name, f"{run} of {lines}", f"{run / lines:.1%}", f"{taken} of {of}", f"{taken / max(of, 1):.1%}")
        for name, (lines, run, of, taken) in [
            *((f"`{name}`", each) for name, each in packages.items()),
            ("**together**", sums),
        ]
    ]
    rest: dict[str, list[str]] = {}
    for each in found["untaken"]:
        file, function = each["place"].split(" ")
        package = file.split("/")[0] if "/" in file else "top level"
        words = f"`{file.rpartition('/')[2]}` {function} ({', '.join(map(str, sorted(set(each['branches']))))})"
        rest.setdefault(package, []).append(words + (f": {each['reason']}" if each["reason"] else ""))
    named = [f"- **{package}**: {'; '.join(places)}." for package, places in rest.items()]
    return f"""Which ways out of each `if`, loop and `match` of `sim/` the fast tests take, in Python also where the program usually runs
compiled (coverage.py can't see into machine code); processes that tests start count. {found["tests"]}.

{table(("package", "lines run", "", "branches taken", ""), rows)}

Not taken, by file, function and line:

{chr(10).join(named)}"""


def second_opinion(found: Figures) -> str:
    """Ciw and salabim."""
    parts = []
    for scenario, rows in found["scenarios"].items():
        programs = sorted({name for row in rows.values() for name in row} - {"ours"})
        cells = [
            (name, f"{row['ours']:,.2f}", *(_apart(row["ours"], row[of]) if of in row else "" for of in programs))
            for name, row in rows.items()
        ]
        parts.append(f"`tests/second_opinion/{scenario}.toml`:\n\n{table(('figure', 'vmfleet', *programs), cells)}")
    wrong = [(name, each["scenario"], each["replications"], f"{each['differ']} of {each['of']}") for name, each in found["wrong"].items()]  # fmt: skip
    return f"""Two scenarios were written again for two other simulators, Ciw (a queueing network) and salabim (a process for each VM), from the
documentation alone: `tests/second_opinion`. They share with vmfleet the numbers of the scenario file, and no code. Below are the mean of vmfleet
over {found["ours"]:,} replications, and how far the mean of the other program's {found["replications"]:,} is from it. Behind ± stands the half-width of
Welch's interval, simultaneous for all figures of a program and scenario: with the same rules, one of them excludes 0 in
{found["false_alarm"]:.0%} of comparisons.

{(chr(10) * 2).join(parts)}

Wrong models in salabim, and how many figures differ:

{table(("wrong model", "scenario", "replications", "figures that differ"), wrong)}

Two rules were not in the documentation when the programs were written, and are now: an eviction that deletes takes `deleting` and counts as a
delete; and what becomes of a start whose attempts are used up."""


def _apart(ours: float, each: Figures) -> str:
    if ours == 0.0:
        return f"{each['difference']:+g} ± {each['half_width']:g}"
    differs = "" if abs(each["difference"]) <= each["half_width"] + 1e-9 * abs(ours) else " **differs**"
    return f"{each['difference'] / ours:+.2%} ± {each['half_width'] / ours:.2%}{differs}"


def interval_coverage(found: Figures) -> str:
    """Every interval that is printed."""
    low, high = found["band"]
    words = {"holds": "", "short": " **short**", "wide": " wide"}
    rows = [
        (
            each["interval"], each["observations"], each["n"], f"{each['studies']:,}", f"{each['covered']:.1%}{words[each['found']]}", each["wrong"],
            "" if each["wrong_covered"] is None else f"{each['wrong_covered']:.1%}{', refused' if each['refused'] else ''}",
        )
        for each in found["cases"]
    ]  # fmt: skip
    head = ("interval", "observations", "n", "studies", "covered", "a wrong interval", "covered")
    return f"""How many of the {found["stated"]:.0%} intervals hold the truth, where the truth is known: observations with a known law are given to the functions
that the program itself uses, and a fleet with a known answer is simulated. n is the number of replications, trajectories, points or hours of
a study. With a true share of {found["stated"]:.0%}, counts of 2,000 studies lie between {low:.1%} and {high:.1%} but for {found["beyond"]:g} on either side. *Wide* is above
it, and only where a method is made to cover at least as much; **short** is below it.

{table(head, rows)}

**Few replications.** Below five, no skewness can be seen, and Student's interval stands alone: of skewed figures it covers as the table
shows. From five on, the bound on the side of the long tail is moved out (Hall), which is enough from seven on unless tails are as heavy as
those of a lognormal with sigma 1 (20 and fewer cover too little). The default is 20 replications. Differences of `compare` have
the same kind of interval, and a p value that is below 5 % where it excludes 0: interval and verdict say the same. Of a
quantile, too few replications give no bound; of a probability, `--fail-if` and `size` decide by Clopper and Pearson's bounds.

`size` has no interval: covered are searches whose answer is right or *undecided*. Ranges of back-tests on whole synthetic tenants are
in [Validation](validation.md). Intervals of `vmfleet fit` come from the fits without each cluster; of a sigma from a dozen clusters they cover
a little too rarely."""


def soak(found: Figures) -> str:
    """Memory over time."""
    rows = [
        (name, f"{each['replications']:,}", f"{each['samples']:,}", *(f"{peak:,.0f}" for peak in (*each["quarters_mib"], each["writing_mib"])),
         "yes" if each["is_flat"] and each["exit_status"] == 0 else "**no**")
        for name, each in found["works"].items()
    ]  # fmt: skip
    return f"""Whole runs of `vmfleet run` without a report. Resident memory is sampled ten times a second; the table has the peak of each quarter of
the samples while it simulates, and the peak while it writes the tables, in MiB. Flat: the third quarter's peak is at most
{found["growth"] - 1:.0%} above the second's; the first has the start-up, the last reads all replications for the summary. The same holds while the
tables are written, where that takes four seconds or more. `tests/unit/test_soak.py` has a process that leaks, and is found not to be flat.

{table(("run", "replications", "samples", "1st", "2nd", "3rd", "4th", "writing", "flat"), rows)}"""


PARTS: Mapping[str, tuple[str, Callable[[Figures], str]]] = {
    "reproducibility": ("Reproducibility", reproducibility),
    "mutation": ("Mutation testing", mutation),
    "branches": ("Branch coverage", branches),
    "second_opinion": ("Second opinion", second_opinion),
    "interval_coverage": ("Coverage of intervals", interval_coverage),
    "soak": ("Soak", soak),
}
"""By the name of its file: heading and text of each part, in the order of the page."""


def page(found: Mapping[str, Figures]) -> str:
    """The page, from the figures of its parts."""
    sections = [HEAD]
    for name, (heading, text) in PARTS.items():
        if name in found:
            sections += [f"## {heading}", text(found[name]), _source(found[name]["made"])]
    return re.sub(r"(?<=\d)%", " %", "\n\n".join(sections) + "\n")


def _source(made: Figures) -> str:
    where = made["machine"]
    return (
        f"*{made['date']}, `{made['command']}`, vmfleet {made['version']} at commit {made['commit']}; {where['cpu']}, "
        f"{where['cores']} cores, {where['system']}, Python {where['python']}, numpy {where['numpy']}, numba {where['numba']}.*"
    )


if __name__ == "__main__":
    write_page()
