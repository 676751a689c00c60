"""What messages suggest: files, time zones, and one line for what is wrong in many groups."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.errors import InputError, ScenarioError, TraceError
from sim.traces import open_trace
from tests.helpers.command_line import run_command

SCHEDULE = {"days": "Mon-Fri", "on": "08:00:00", "off": "18:00:00"}
THREE = {"name": "three", "horizon": "1d", "group": [{"name": name, "schedule": SCHEDULE} for name in "abc"]}


@pytest.mark.parametrize(
    ("zone", "region"),
    [("CEST", "Europe/Berlin"), ("cet ", "Europe/"), ("PDT", "America/Los_Angeles"), ("IST", "Asia/Kolkata"),
     ("BST", "Europe/London"), ("UTC+2", "Europe/Berlin"), ("+02:00", "Europe/Berlin"), ("XYZT", "Europe/Berlin")],
)  # fmt: skip
def test_a_short_name_of_a_time_zone_gets_a_region(zone: str, region: str) -> None:
    """The nearest name of the list would be another zone: CEST is not EST."""
    with pytest.raises(ScenarioError) as caught:
        sim.from_dict(THREE, [("group.a.schedule.time_zone", zone)])
    (fault,) = caught.value.faults
    assert f"write a region such as {region}" in str(fault)
    assert 'EST"' not in fault.hint


def test_a_typing_error_in_a_region_and_a_city_are_understood_as_before() -> None:
    """They are no short names."""
    for zone, meant in (("Europe/Amsterdan", "Europe/Amsterdam"), ("Amsterdam", "Europe/Amsterdam")):
        with pytest.raises(ScenarioError, match=f'did you mean "{meant}"'):
            sim.from_dict(THREE, [("group.a.schedule.time_zone", zone)])


def test_the_nearest_file_is_named(tmp_path: Path) -> None:
    """Of the same kind, in the same folder; of a scenario, a trace and a price list alike."""
    for name in ("autoscale.toml", "office_hours.toml", "zebra.toml", "office_hour.csv", "vmtable.csv", "prices.json"):
        (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r'did you mean ".*/office_hours\.toml"\?'):
        sim.load(tmp_path / "office_hour.toml")
    with pytest.raises(ScenarioError, match=r"there is .*autoscale\.toml, .*zebra\.toml"):
        sim.load(tmp_path / "quite_another.toml")
    with pytest.raises(TraceError, match=r'did you mean ".*/vmtable\.csv"\?'):
        open_trace(tmp_path / "vm_table.csv", "columns")
    with pytest.raises(InputError, match=r'did you mean ".*/prices\.json"\?'):
        sim.from_dict(THREE, [("prices.catalogue", str(tmp_path / "price.json"))])
    with pytest.raises(ScenarioError, match=r"no such file$"):
        sim.load(tmp_path / "no_folder" / "a.toml")


def test_what_an_override_does_wrong_in_every_group_is_one_line() -> None:
    """With their number; different faults stay apart, and so do groups that were written one by one."""
    with pytest.raises(ScenarioError) as caught:
        sim.from_dict(THREE, ["group.*.when_off=on", "group.*.count=-1"])
    count, when_off = map(str, caught.value.faults)
    assert when_off.startswith(
        '--set group.*.when_off=on: group.a.when_off and of 2 more groups: "on": there is no such'
    )
    assert count.startswith("--set group.*.count=-1: group.a.count and of 2 more groups: -1: out of range")
    with pytest.raises(ScenarioError) as caught:
        sim.from_dict(THREE | {"group": [{"name": name, "os": "x"} for name in "abc"]})
    assert len(caught.value.faults) == 3


def test_a_policy_that_isn_t_there_says_how_one_is_added() -> None:
    """Other choices are no policies: there is nothing to add."""
    hosts = {"name": "rack", "count": 1, "vcpus": 8, "memory_gib": 64}
    platform = {"placement": "mine", "hosts": [hosts]}
    with pytest.raises(ScenarioError, match=r"entry point vmfleet\.plugins"):
        sim.from_dict({**THREE, "platform": platform})
    with pytest.raises(ScenarioError) as caught:
        sim.from_dict({**THREE, "billing_policy": "2019"})
    assert "entry point" not in str(caught.value)


def test_fit_takes_the_names_of_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a scenario does; a meaning that isn't there, or a format with columns of its own, is refused."""
    trace = tmp_path / "t.csv"
    rows = "".join(f"{60 * number},{60 * number + 3600 * (1 + number % 7)},4,16\n" for number in range(200))
    trace.write_text(f"launched,gone,n_cpu,gib\n{rows}", encoding="utf-8")
    call = ["fit", trace, "--quiet", "--figures", tmp_path / "drawn"]
    named = [f"--column={each}" for each in ("created=launched", "deleted=gone", "vcpus=n_cpu", "memory=gib")]
    assert run_command(call) == 2
    assert run_command([*call, *named]) == 0
    assert "lifetime = " in capsys.readouterr().out
    assert run_command([*call, "--column", "birth=launched"]) == 2
    assert "birth is no meaning of a column" in capsys.readouterr().err
    assert run_command([*call, "--column", "created"]) == 2
    assert run_command([*call, *named, "--format", "azure-2017"]) == 2
