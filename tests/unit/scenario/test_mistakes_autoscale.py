"""Mistakes in a scenario file. The load that a number of VMs follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import DAY, RULES, SCHEDULE, Bad, bad, check_mistake, scaled

MISTAKES: dict[str, Bad] = {
    "a load without hours": bad(
        *scaled("load = {}", per_vm=100.0, min=2, max=50), "group.dev.autoscale.load", "exactly one of hourly, weekly, file"
    ),
    "a load of two kinds": bad(
        *scaled(f'load = {{ hourly = {DAY}, file = "load.csv" }}', per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load",
        "given: hourly and file",
    ),
    "a load of 23 hours": bad(
        *scaled(f"load = {{ hourly = {[1.0] * 23} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.hourly",
        "23 values",
        "exactly 24",
    ),
    "a load of 24 hours for a week": bad(
        *scaled(f"load = {{ weekly = {DAY} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.weekly",
        "24 values",
        "exactly 168",
    ),
    "a negative load": bad(
        *scaled(f"load = {{ hourly = {[-1.0, *[1.0] * 23]} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.hourly[1]",
        "-1.0",
        "0 or more",
    ),
    "a load from a file that is not there": bad(
        *scaled('load = { file = "none.csv" }', per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load",
        "there is no file",
        "none.csv",
    ),
    "no load at all": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f"[group.autoscale] #!\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}",
        "group.dev.autoscale.load",
        "is missing",
    ),
    "a VM that serves nothing": bad(
        *scaled("per_vm = 0.0", load={"hourly": DAY}, min=2, max=50), "group.dev.autoscale.per_vm", "0.0", "more than 0"
    ),
    "fewest VMs above the most": bad(
        *scaled("min = 51", load={"hourly": DAY}, per_vm=1.0, max=50), "group.dev.autoscale.min", "51", "max = 50", "min <= max"
    ),
    "a maximum of none": bad(
        *scaled("max = 0", load={"hourly": DAY}, per_vm=1.0, min=0), "group.dev.autoscale.max", "0", "1 or more"
    ),
    "a tick of nothing": bad(
        *scaled('tick = "0s"', load={"hourly": DAY}, per_vm=1.0, min=1, max=2), "group.dev.autoscale.tick", "longer than nothing"
    ),
    "no rule": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f"[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n",
        "group.dev.autoscale",
        "there is no rule",
    ),
    "thresholds that chase each other": bad(
        *scaled("scale_in = { below = 0.7 }", rules="scale_out = { above = 0.7 }", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_in",
        "below = 0.7 is not under above = 0.7",
    ),
    "the highest of several scale-out rules is not the one that counts": bad(
        *scaled(
            "scale_in = [{ below = 0.6 }, { below = 0.55 }]",
            rules="scale_out = [{ above = 0.9, by = 3 }, { above = 0.5 }]",
            load={"hourly": DAY}, per_vm=1.0, min=1, max=2,
        ),
        "group.dev.autoscale.scale_in",
        "below = 0.55 is not under above = 0.5",
    ),
    "a misspelt threshold": bad(
        *scaled("scale_out = { abvoe = 0.7 }", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out.abvoe",
        'did you mean "above"?',
    ),
    "a rule by none": bad(
        *scaled("scale_out = [{ above = 0.7, by = 0 }]", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out[1].by",
        "0",
        "1 or more",
    ),
    "a rule without threshold": bad(
        *scaled("scale_out = { by = 1 }", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out.above",
        "is missing",
    ),
    "autoscale and arrivals": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}',
        "group.dev.autoscale",
        "arrivals and autoscale contradict each other",
    ),
    "kept VMs that are deleted": bad(
        *scaled("keep_at_most = 5", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.keep_at_most",
        "has no effect",
        'when_off = "deallocate"',
    ),
    "more VMs by hour than the most": bad(
        *scaled(f"min_weekly = {[*[1] * 167, 3]}", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.min_weekly[168]",
        "3 is above max = 2",
    ),
    "a number of a week of 24 hours": bad(
        *scaled(f"min_weekly = {[1] * 24}", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.min_weekly",
        "exactly 168",
    ),
    "a mix and a priority": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'priority = "spot" #!\n[group.autoscale]\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\nregular_base = 2\n{RULES}',
        "group.dev.priority",
        "regular_base contradict each other",
    ),
    "a mix without autoscale": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { regular_base = 2 } #!',
        "group.dev.spot.regular_base",
        "belongs to [group.autoscale]",
    ),
    "a mix in the group itself": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        'regular_above_base = "30 %" #!\n' + SCHEDULE,
        "group.dev.regular_above_base",
        "belongs to [group.autoscale]",
    ),
    "when_off of the group beside an autoscaler": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'when_off = "deallocate" #!\n[group.autoscale]\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}',
        "group.dev.when_off",
        "write it under [group.autoscale]",
    ),
    "autoscale and cycle": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'[group.cycle]\non = "1h"\noff = "1h"\n[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}',
        "group.dev.autoscale",
        "cycle and autoscale contradict each other",
    ),
    "a column of no file": bad(
        *scaled(f'load = {{ hourly = {DAY}, column = "cpu" }}', per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load", "column names a column of a file, and there is no file", "leave it out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
