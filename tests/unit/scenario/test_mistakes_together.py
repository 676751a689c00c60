"""Mistakes in a scenario file. Several at once, and what only follows from another."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import RIGHT, bad, faults_of, group_key

from sim.scenario.scenario import load


@pytest.fixture
def write(tmp_path):
    """Writes a scenario file and gives its path."""

    def _write(text: str | bytes, name: str = "scenario.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


def test_the_right_file_is_right(write):
    """Every bad file is this one with one change, so this one must load."""
    assert load(write(RIGHT)).name == "office"


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_the_file(write):
    """A user mends a file once, not once per mistake; wrong values don't hide contradictions or unknown sizes."""
    text = """\
naem = "x"
horizon = "0s"
replications = 0
[prices]
region = "mars"
[[group]]
name = "a"
size = "Standard_D4s_v55"
zones = [7]
[group.schedule]
days = "Mon-Fry"
on = 08:00:00
off = 19:00:00
[group.cycle]
on = "8h"
off = { dist = "uniform", low = "9h", high = "3h" }
[group.failures]
AllocationFailed = 2
[[group]]
name = "a"
count = 0
[[commitment]]
name = "q"
kind = "reservation"
size = "nope"
quantity = -3
term = "5y"
"""
    faults = faults_of(write(text))
    assert [(fault.line, fault.field) for fault in faults] == [
        (1, "naem"),
        (2, "horizon"),
        (3, "replications"),
        (5, "prices.region"),
        (8, "group.a.size"),
        (9, "group.a.zones[1]"),
        (11, "group.a.schedule.days"),
        (14, "group.a.cycle"),
        (16, "group.a.cycle.off"),
        (18, "group.a.failures.AllocationFailed"),
        (20, "group.a.name"),
        (21, "group.a.count"),
        (25, "commitment.q.size"),
        (26, "commitment.q.quantity"),
        (27, "commitment.q.term"),
    ]


def test_a_misspelt_kind_or_key_does_not_hide_what_stands_beside_it(write):
    """The kind that was meant tells what else is wrong; of two keys that exclude each other one may be wrong in itself."""
    text = """\
name = "x"
horizon = "1d"
[[group]]
name = "a"
  [group.arrivals]
  rate = 3
  hourly = [1, 2]
  lifetime = "2h"
[[commitment]]
name = "q"
kind = "reservatio"
size = "Standard_D4s_v5"
quantity = 1
term = "2y"
"""
    faults = faults_of(write(text))
    assert [(fault.line, fault.field) for fault in faults] == [
        (5, "group.a.arrivals"),
        (7, "group.a.arrivals.hourly"),
        (11, "commitment.q.kind"),
        (14, "commitment.q.term"),
    ]


def test_nothing_is_said_of_what_only_follows_from_another_mistake(write):
    """`billing_policy` is misspelt: whether hibernate fits it can't be known, so only the policy is named."""
    text = RIGHT.replace("seed = 1", 'billing_policy = "2023-01"').replace(
        "count = 200", 'count = 200\nwhen_off = "hibernate"'
    )
    assert [fault.field for fault in faults_of(write(text))] == ["billing_policy"]


def test_the_same_file_with_windows_line_ends_has_the_same_lines(write):
    """Line numbers count lines, however they end."""
    mistake = bad(*group_key('when_off = "sleep"'), "group.dev.when_off", "there is no such choice")
    (fault,) = faults_of(write(mistake.text.replace("\n", "\r\n")))
    assert fault.line == mistake.line
