"""`[defaults]` holds where a group is silent; `group.*` means every group."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.errors import ScenarioError

HEAD = 'name = "fleet"\nhorizon = "2d"\n'
GROUPS = """
[[group]]
name = "a"
[[group]]
name = "b"
count = 3
[[group]]
name = "c"
[group.cycle]
on = "2h"
off = "3h"
"""


def fleet(tmp_path: Path, defaults: str, *overrides: str) -> sim.Scenario:
    """Three groups under some defaults."""
    file = tmp_path / "fleet.toml"
    file.write_text(HEAD + defaults + GROUPS, encoding="utf-8")
    return sim.load(file, overrides)


def test_a_default_holds_where_a_group_is_silent(tmp_path: Path) -> None:
    """The group's own word wins."""
    found = fleet(tmp_path, '[defaults]\ncount = 5\nos = "windows"\n')
    assert [(group.count, group.os) for group in found.groups] == [(5, "windows"), (3, "windows"), (5, "windows")]


def test_tables_merge_key_by_key_and_distributions_are_replaced_whole(tmp_path: Path) -> None:
    """One duration of the default stays, the other is the group's."""
    steps = '[defaults.durations]\nstarting = { dist = "exponential", mean = "9s" }\nstopping = "3s"\n'
    found = fleet(tmp_path, steps, "group.a.durations.starting=30s")
    assert [group.durations.starting if group.name == "a" else group.durations.starting.mean for group in found.groups] == [30, 9, 9]  # type: ignore[union-attr]  # fmt: skip
    assert [group.durations.stopping for group in found.groups] == [3, 3, 3]


def test_a_part_of_a_default_is_set_with_the_rest_of_it(tmp_path: Path) -> None:
    """As with the defaults of the program; `defaults.` is a place too."""
    steps = '[defaults.durations]\nstarting = { dist = "exponential", mean = "9s", max = "1min" }\n'
    found = fleet(tmp_path, steps, "group.a.durations.starting.mean=20s", "defaults.durations.stopping.sigma=0.9")
    starts = [group.durations.starting for group in found.groups]
    assert [(start.mean, start.max) for start in starts] == [(20, 60), (9, 60), (9, 60)]  # type: ignore[union-attr]
    assert all(group.durations.stopping.sigma == 0.9 for group in found.groups)  # type: ignore[union-attr]


def test_a_demand_of_its_own_puts_the_default_aside(tmp_path: Path) -> None:
    """Group c keeps its cycle."""
    found = fleet(tmp_path, '[defaults.schedule]\ndays = "Mon-Fri"\non = 08:00:00\noff = 18:00:00\n')
    assert [type(group.demand_section).__name__.removesuffix("Section") for group in found.groups] == ["Schedule", "Schedule", "Cycle"]  # fmt: skip


def test_parked_vms_have_no_part_in_the_default_s_schedule_and_people(tmp_path: Path) -> None:
    """Group b is never wanted; a list of windows is a default, too."""
    windows = "".join(
        f'[[defaults.schedule]]\ndays = "{day}"\non = 08:00:00\noff = 18:00:00\n' for day in ("Mon", "Fri")
    )
    found = fleet(tmp_path, windows + "[defaults.people]\nforgets = 0.1\n", "group.b.wanted=false")
    assert [group.people is None for group in found.groups] == [False, True, True]
    a, b, _ = found.groups
    assert len(a.schedule) == 2  # type: ignore[attr-defined]
    assert b.demand_section is None


def test_a_default_that_does_not_fit_a_group_is_left_out_there(tmp_path: Path) -> None:
    """Only a Windows VM has a licence to bring along."""
    found = fleet(tmp_path, "[defaults]\nhybrid_benefit = true\n", "group.b.os=windows")
    assert [group.hybrid_benefit for group in found.groups] == [False, True, False]


@pytest.mark.parametrize(
    ("defaults", "field", "line"),
    [
        ('[defaults]\ncount = "x"\n', "defaults.count", 4),
        ("[defaults]\nos = 'linux'\nnonsense = 5\n", "defaults.nonsense", 5),
        ('[defaults]\nname = "z"\n', "defaults.name", 4),
        ('[defaults]\nregion = "moon"\n', "defaults.region", 4),
        ('[defaults]\ndisks = ["P99"]\n', "defaults.disks[1]", 4),
        ("defaults = 3\n", "defaults", 3),
    ],
)
def test_a_default_that_fits_no_group_is_refused_once(tmp_path: Path, defaults: str, field: str, line: int) -> None:
    """At its own place."""
    with pytest.raises(ScenarioError) as caught:
        fleet(tmp_path, defaults)
    (fault,) = caught.value.faults
    assert (fault.field, fault.line) == (field, line)


def test_the_file_that_is_written_says_the_same(tmp_path: Path) -> None:
    """`[defaults]` stays a table of its own."""
    found = fleet(tmp_path, '[defaults]\ncount = 5\n[defaults.durations]\nstopping = "3s"\n')
    again = tmp_path / "again.toml"
    again.write_text(found.to_toml(), encoding="utf-8")
    assert "[defaults]" in again.read_text(encoding="utf-8")
    assert sim.load(again).groups == found.groups


def test_a_star_means_every_group(tmp_path: Path) -> None:
    """In overrides and in what a study varies."""
    assert [group.count for group in fleet(tmp_path, "", "group.*.count=7").groups] == [7, 7, 7]
    swept = sim.sweep(fleet(tmp_path, ""), {"group.*.count": [1, 2]}, replications=1)
    one, two = (row["mean"] for row in swept.rows() if (row["metric"], row["group"]) == ("vms.created", ""))
    assert (one, two) == (3, 6)
    with pytest.raises(ScenarioError, match="names a whole table"):
        fleet(tmp_path, "", "group.*=3")
