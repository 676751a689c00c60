"""Words, numbers and refusals that few scenarios need."""

from __future__ import annotations

import io
import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run_command

import sim
from sim.billing.newsvendor import best_quantity
from sim.errors import InputError, UsageError
from sim.fields.messages import show_value
from sim.fields.metrics import Metric, Unit
from sim.fields.numbers import length
from sim.fields.plugins import import_again
from sim.fields.types import read_seconds
from sim.files import json_items
from sim.model.demand.replay import Sizes, TraceSection
from sim.recognise import of_value
from sim.runs import estimate
from sim.statistics.intervals import bounded_ratio, variance_of
from sim.units import format_duration

WEEK: dict[str, Any] = {"name": "f", "horizon": "7d", "start": "2026-01-05T00:00:00Z"}
SHIFTS = {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00"}
OFFICE = {"name": "web", "count": 2, "schedule": SHIFTS}


def said(group: dict[str, Any], **more: Any) -> str:
    """What is said of a scenario, with plain blanks."""
    return "\n".join(sim.from_dict({**WEEK, "group": [group], **more}).describe()).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("people", "words", "without"),
    [
        ({"absent": 0.1}, "On 10.0 % of days a VM is not needed.", "forgotten"),
        (
            {"forgets": 0.2, "auto_off": "21:00:00"},
            "is forgotten: left on until 21:00, when it is switched off.",
            "not needed",
        ),
        (
            {"forgets": 0.2},
            "is forgotten: left on until the end of the next window at which it is needed.",
            "not needed",
        ),
    ],
)
def test_what_people_do_is_told_and_nothing_else(people: dict[str, Any], words: str, without: str) -> None:
    """Who is absent forgets nothing, unless it is said."""
    text = said({**OFFICE, "people": people})
    assert words in text
    assert without not in text


def test_days_off_are_told_with_and_without_holidays() -> None:
    """Single days as dates, holidays by their number in the first year."""
    days = [f"2026-01-{day:02}" for day in (6, 7)]
    assert "No window begins on 2026-01-06 and 2026-01-07." in said({**OFFICE, "calendar": {"except": days}})
    both = said({**OFFICE, "calendar": {"holidays": ["NL"], "except": days[:1]}})
    assert "No window begins on public holidays of NL (" in both
    assert ") and on 2026-01-06." in both
    assert (
        " and on "
        not in said({**OFFICE, "calendar": {"holidays": ["NL"]}}).partition("No window")[2].partition("\n")[0]
    )


def test_vms_that_are_never_needed_are_told() -> None:
    """What is there at the start goes at once."""
    assert "Never needed; the VMs are deleted at once." in said(
        {"name": "web", "count": 2, "wanted": False, "when_off": "delete", "initial": "stopped"}
    )


def test_spot_vms_beside_regular_ones_are_told_when_they_go() -> None:
    """On hosts without a rate of evictions; without hosts there are none."""
    hosts = {"hosts": [{"name": "rack", "count": 1, "vcpus": 64, "memory_gib": 512}]}
    spot = {"name": "web", "count": 2, "priority": "spot"}
    assert "Evicted when regular VMs need the room, never by chance; not requested again." in said(spot, platform=hosts)
    assert "Spot prices, but no evictions: there is no [group.spot]." in said(spot)
    assert "Evicted VMs never come back" not in said({**spot, "schedule": SHIFTS, "when_off": "delete"}, platform=hosts)


def test_a_trace_may_name_one_size_and_an_instant() -> None:
    """A pattern without brackets is a list of one; an instant counts from 1970."""
    at = datetime.fromisoformat("2026-01-05T01:00:00+01:00")
    section = TraceSection.model_validate(
        {"file": "t.csv", "format": "columns", "sizes": "Standard_D*s_v5", "origin": at}
    )
    assert section.sizes == Sizes(pool=("Standard_D*s_v5",))
    assert section.origin == 1767571200.0


# --- numbers


def test_the_least_quantity_is_none_where_a_reservation_never_pays() -> None:
    """It costs as much as an hour, or nothing is used."""
    use = np.array([1.0, 2.0])
    assert [best_quantity(use, price, 1.0) for price in (1.0, 1.5)] == [0.0, 0.0]
    assert best_quantity(np.empty(0), 0.5, 1.0) == 0.0
    assert best_quantity(use, 0.5, 1.0) > 0


def test_statistics_of_too_little_are_refused() -> None:
    """A mistake of the caller, with the numbers."""
    with pytest.raises(ValueError, match="a variance needs at least 2 observations, got 1"):
        variance_of([1.0])
    with pytest.raises(ValueError, match="a ratio needs pairs, got 2 tops and 1 bottoms"):
        bounded_ratio([1.0, 2.0], [1.0])


def test_durations_and_values_are_shown_however_odd() -> None:
    """No number, a part of an hour, a number of a hundred digits."""
    assert format_duration(math.nan) == "nan"
    assert [length(hours) for hours in (1.5, 0.5, 1.0)] == ["1.50 hours", "30 minutes", "1 hour"]
    assert show_value(10**100) == "a very large number"
    assert show_value(-(10**100)) == "a very large number"
    with pytest.raises(ValueError, match=r"this is longer than .*, the longest duration in a scenario"):
        read_seconds("99999999d")


# --- refusals


def test_a_metric_of_no_section_is_refused_when_it_is_made() -> None:
    """With the sections that there are."""
    with pytest.raises(ValueError, match=r"metric m: section is 'mine'; it is one of .*ratios"):
        Metric(name="m", label="m", unit=Unit.COUNT, section="mine", definition="")


def test_a_plug_in_of_the_script_itself_is_none_of_a_worker() -> None:
    """Another process has another script."""
    with pytest.raises(InputError, match="a plug-in of the script itself isn't known to worker processes"):
        import_again(["__main__"])


@pytest.mark.parametrize("content", ['"text"', '{"value": 3}', '{"a": [1], "value": {}}'])
def test_json_without_a_list_is_refused(tmp_path: Path, content: str) -> None:
    """Where items were to be read."""
    file = tmp_path / "log.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"log\.json:1: it is not JSON.*no list is in it"):
        list(json_items(file, UsageError))


@pytest.mark.parametrize(("key", "kind"), [("value", "vm-list"), ("data", "resource-graph")])
def test_a_list_of_vms_is_recognised_by_what_holds_it(key: str, kind: str) -> None:
    """The REST API calls it value, Azure Resource Graph data."""
    vm = {"id": "/subscriptions/s/x", "name": "a", "hardwareProfile": {"vmSize": "Standard_D4s_v5"}}
    assert of_value({key: [vm]}).kind == kind


# --- a terminal


class Terminal(io.StringIO):
    """A stream that says it is a terminal; what is read from it was typed."""

    def isatty(self) -> bool:
        """Always."""
        return True


@pytest.mark.parametrize(("typed", "starts"), [("y\n", True), ("n\n", False)])
def test_what_exceeds_the_machine_is_asked_about_on_a_terminal(
    typed: str, starts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yes starts it; no refuses it as without a terminal, and no result is written."""
    monkeypatch.chdir(tmp_path)
    fleet = sim.from_dict({**WEEK, "horizon": "1h", "replications": 2, "group": [OFFICE]})
    Path("s.toml").write_text(fleet.to_toml(), encoding="utf-8")
    monkeypatch.setattr(estimate, "MOST_S", -1.0)
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", shown)
    status = run_command(["run", "s.toml", "--engine", "simpy", "--no-report"])
    assert "that is longer than -1s. Start it? [y/N]:" in shown.getvalue()
    assert (status == 0) is starts
    assert bool([*tmp_path.rglob("summary.json")]) is starts
    assert ("Say --yes to start all the same" in shown.getvalue()) is not starts
