"""`vmfleet from-azure`: what people save of a subscription becomes a scenario that plays like it, and nothing vanishes unnamed."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from scripts import load_tool
from typer.testing import CliRunner

from sim import load, run
from sim.azure.answer import as_object, scenario_text, write
from sim.azure.fleet import Vm
from sim.azure.habits import Member, scheduled
from sim.azure.identity import Key
from sim.azure.importing import Imported, import_fleet
from sim.azure.schedules import find_schedule, find_weekdays
from sim.azure.time_zones import holiday_country
from sim.azure.timelines import Timeline
from sim.catalog import load_bundled, save
from sim.cli.app import app
from sim.errors import UsageError

NEAR = 0.03  # of the truth, as billed hours must be


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A synthetic tenant: the folder of its files, and its truth."""
    folder = tmp_path_factory.mktemp("tenant")
    truth = load_tool("make_tenant").make_tenant(folder, days=28, seed=1)
    return folder / "in", truth


@pytest.fixture(scope="module")
def found(tenant: tuple[Path, dict[str, Any]]) -> Imported:
    """The whole folder, imported."""
    return import_fleet([tenant[0]], first=None, last=None, stem="fleet")


def hours(found: Imported) -> Counter[str]:
    """Billed hours in the period, by the first part of a VM's name."""
    counts: Counter[str] = Counter()
    for group in found.groups:
        for member in group.members:
            counts[member.vm.name.split("-")[0]] += member.time.on_h
    return counts


# --- the whole way


def test_the_scenario_plays_like_the_tenant(
    found: Imported, tenant: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Billed hours of the replayed period are those of the truth, fleet-wide and for each way of running VMs."""
    out = tmp_path / "fleet.toml"
    write(found, out, scenario_text(found, "fleet"))
    answer = run(load(out), replications=10)
    truth = {name: value for name, value in tenant[1]["billed_hours"].items() if name != "odd"}
    assert answer.metrics["billed_hours"].mean == pytest.approx(sum(truth.values()), rel=NEAR)
    simulated: Counter[str] = Counter()
    for name in answer.groups:
        simulated[name.split("-")[0]] += answer.estimate("billed_hours", name).mean
    for name in ("web", "old", "dev", "new"):
        assert simulated[name] == pytest.approx(truth[name], rel=NEAR), name
    for name in ("calc", "vmss"):
        assert simulated[name] == pytest.approx(truth[name], rel=3 * NEAR), name


def test_every_vm_is_placed_or_listed_with_its_reason(found: Imported, tenant: tuple[Path, dict[str, Any]]) -> None:
    """Also VMs that were deleted meanwhile."""
    answer = as_object(found, "fleet.toml")
    assert sorted(vm["name"] for vm in answer["vms"]) == sorted(tenant[1]["vms"])
    assert all((vm["group"] is not None) == vm["placed"] == (vm["reason"] is None) for vm in answer["vms"])
    left_out = [vm for vm in answer["vms"] if not vm["placed"]]
    assert [vm["name"] for vm in left_out] == ["odd-01"]
    assert "no list price" in left_out[0]["reason"]
    assert answer["counts"] == {"vms": len(tenant[1]["vms"]), "placed": len(tenant[1]["vms"]) - 1, "listed": 1}


def test_every_charge_is_used_or_named(found: Imported, tenant: tuple[Path, dict[str, Any]]) -> None:
    """The costs of what is no part of the scenario, and of VMs and their disks, add up to the invoice."""
    with (tenant[0] / "focus.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert found.charges.rows == len(rows)
    others = sum(sum(costs) for costs in found.charges.others.values())
    used = sum(float(row["BilledCost"]) for row in rows if row["ResourceId"])
    assert others + used == pytest.approx(sum(float(row["BilledCost"]) for row in rows))


def test_a_schedule_is_found_with_what_people_make_of_it(found: Imported) -> None:
    """Windows in local time, absences and forgotten evenings, from edges that jitter."""
    tool = load_tool("make_tenant")
    text = scenario_text(found, "fleet")
    assert 'days = "Mon-Fri"' in text
    assert "on = 08:00:00" in text
    assert f"Mon-Fri {tool.ON:%H:%M}-{tool.OFF:%H:%M} (Europe/Amsterdam)" in text
    remark = next(line for line in text.splitlines() if line.startswith("# absent on"))
    absent, of, forgotten, ends = (int(word) for word in remark.split() if word.isdigit())
    assert absent / of == pytest.approx(tool.ABSENT, abs=3 * (tool.ABSENT * (1 - tool.ABSENT) / of) ** 0.5)
    assert forgotten / ends == pytest.approx(tool.FORGETS, abs=3 * (tool.FORGETS * (1 - tool.FORGETS) / ends) ** 0.5)


def test_every_number_says_what_it_rests_on(found: Imported) -> None:
    """Each value of a group has evidence with a known degree of trust; durations say of how many operations."""
    for group in as_object(found, "fleet.toml")["groups"]:
        for row in group["evidence"]:
            assert row["trust"] in ("measured", "default", "assumed", "stated", "documented"), row
            assert row["rests_on"] or row["key"] in ("trace.origin", "name"), row
    evidence = {row["key"]: row for group in found.groups for row in group.as_object()["evidence"]}
    assert "starts" in evidence["durations.starting"]["rests_on"]
    assert "evictions" in evidence["spot.eviction_per_hour"]["rests_on"]


@pytest.mark.parametrize(("band", "per_hour"), [("0-5", 0.025), ("15-20", 0.175), ("20+", 0.2), ("unknown", None)])
def test_the_eviction_rate_of_a_size_and_region_is_taken_where_no_eviction_was_seen(
    tmp_path: Path, band: str, per_hour: float | None
) -> None:
    """From a saved answer of Resource Graph, as an assumption: the middle of the band. Of other sizes and regions it says nothing."""

    def vm(name: str, size: str, priority: str) -> dict[str, Any]:
        return {
            "name": name, "resourceGroup": "rg", "location": "eastus", "priority": priority, "powerState": "VM running",
            "hardwareProfile": {"vmSize": size}, "storageProfile": {"osDisk": {"osType": "Linux"}},
        }  # fmt: skip

    def rate(size: str, region: str, words: str) -> dict[str, Any]:
        kind = "microsoft.compute/skuspotevictionrate/location"
        return {"type": kind, "location": region, "sku": {"name": size}, "properties": {"evictionRate": words}}

    vms = [
        vm("s", "Standard_D4s_v5", "Spot"),
        vm("r", "Standard_D4s_v5", "Regular"),
        vm("t", "Standard_D2s_v5", "Spot"),
    ]
    (tmp_path / "vms.json").write_text(json.dumps(vms), encoding="utf-8")
    rates = [rate("standard_d4s_v5", "eastus", band), rate("standard_d4s_v5", "westeurope", "5-10")]
    (tmp_path / "rates.json").write_text(json.dumps({"count": 2, "data": rates}), encoding="utf-8")
    found = import_fleet([tmp_path], first=None, last=None, stem="fleet")
    key = "spot.eviction_per_hour"
    rows = {
        group.members[0].vm.name: {row["key"]: row for row in group.as_object()["evidence"]} for group in found.groups
    }
    assert [key in rows[name] for name in "srt"] == [per_hour is not None, False, False]
    if per_hour is not None:
        assert (float(rows["s"][key]["value"]), rows["s"][key]["trust"]) == (pytest.approx(per_hour), "assumed")
        assert f"the platform says {band} % an hour" in rows["s"][key]["rests_on"]
        assert "rates.json" in rows["s"][key]["rests_on"]


def test_evictions_are_counted_though_no_operation_tells_of_them(
    found: Imported, tenant: tuple[Path, dict[str, Any]]
) -> None:
    """Resource health says Preempted; the start after it is the automation's."""
    calc = next(group for group in found.groups if group.name == "calc")
    assert sum(len(member.time.evictions) for member in calc.members) == tenant[1]["evictions"]


# --- mixtures


def test_what_two_files_tell_counts_once(tenant: tuple[Path, dict[str, Any]], found: Imported, tmp_path: Path) -> None:
    """The portal's CSV holds the same events as the REST list: correlation ids make them one; so do days of two exports."""
    folder = tmp_path / "again"
    folder.mkdir()
    for name in ("vm_list.json", "activity_log.json", "focus.csv"):
        (folder / name).write_bytes((tenant[0] / name).read_bytes())
    (folder / "focus copy.csv.gz").write_bytes(gzip.compress((tenant[0] / "focus.csv").read_bytes()))
    again = import_fleet([folder], first=None, last=None, stem="fleet")
    assert len(again.fleet.operations) == len(found.fleet.operations)
    assert hours(again) == hours(found)
    exports = [each for each in again.inputs if each.seen.kind == "cost-export"]
    assert sorted(each.used for each in exports) == [False, True]
    assert "the same charges" in next(each.reason for each in exports if not each.used)


@pytest.mark.parametrize(
    "names", [("activity_log.csv", "focus.csv"), ("activity_log.csv", "vm_list.json"), ("focus.csv",)]
)
def test_half_of_the_files_give_the_same_hours(
    tenant: tuple[Path, dict[str, Any]], found: Imported, names: tuple[str, ...]
) -> None:
    """A portal log without ids finds its VMs in the list or the invoice; without a log, the hours of each day are known."""
    half = import_fleet([tenant[0] / name for name in names], first=None, last=None, stem="fleet")
    for name, whole in hours(found).items():
        if name == "vmss" and "focus.csv" not in names:
            assert all(
                vm.reason for vm in half.vms if vm.name.startswith("vmss")
            )  # nothing says of what size they were
        else:
            assert hours(half)[name] == pytest.approx(whole, rel=NEAR), name
    assert half.warnings


def test_days_outside_the_period_are_not_looked_at(tenant: tuple[Path, dict[str, Any]]) -> None:
    """--from and --to are days, both included; a VM that came later is named, and not placed."""
    week = import_fleet([tenant[0]], first=None, last=datetime(2026, 3, 8, tzinfo=UTC).date(), stem="fleet")
    assert week.length_s == 7 * 86_400
    later = next(vm for vm in week.vms if vm.name == "new-01")
    assert later.reason == "it was not there in the period"
    assert hours(week)["web"] == pytest.approx(3 * 7 * 24)


def test_sizes_that_no_list_has_are_placed_with_a_catalogue_of_ones_own(
    tenant: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The scenario names it by a relative path, and can be run."""
    prices = load_bundled()
    size = prices.get_size("Standard_D4s_v5")
    own = replace(prices, sizes={**prices.sizes, "Standard_D4s_v99": replace(size, name="Standard_D4s_v99")})
    save(own.with_overrides("westeurope", {"Standard_D4s_v99": {"linux": 0.5}}), tmp_path / "mine.json")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "fleet.toml"
    done = CliRunner().invoke(
        app, ["from-azure", str(tenant[0]), "--out", str(out), "--catalogue", str(tmp_path / "mine.json"), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["counts"]["listed"] == 0
    assert 'catalogue = "../mine.json"' in out.read_text(encoding="utf-8")
    assert load(out).catalogue().price_per_h("Standard_D4s_v99", "westeurope", "linux") == 0.5


def test_a_file_of_another_kind_is_named_and_stops_nothing(tenant: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Notes and pictures lie in such folders, too; half a log is no log."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "notes.txt").write_text("call the FinOps team", encoding="utf-8")
    (folder / "half.json").write_text('[{"eventTimestamp": "2026-03-02T08:00:00Z", "correlationId": ', encoding="utf-8")
    (folder / "vm_list.json").write_bytes((tenant[0] / "vm_list.json").read_bytes())
    mixed = import_fleet([folder], first=None, last=None, stem="fleet")
    reasons = {each.path.name: each.reason for each in mixed.inputs}
    assert reasons["vm_list.json"] == ""
    assert reasons["notes.txt"]
    assert "JSON" in reasons["half.json"]


def test_a_folder_without_anything_is_refused_in_words(tmp_path: Path) -> None:
    """Exit status 2, with what would be right; nothing is written."""
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(UsageError, match="no file names VMs"):
        import_fleet([tmp_path], first=None, last=None, stem="fleet")
    out = tmp_path / "fleet.toml"
    answer = CliRunner().invoke(app, ["from-azure", str(tmp_path), "--out", str(out)])
    assert isinstance(answer.exception, UsageError)
    assert not out.exists()


def test_an_existing_file_is_not_overwritten(tenant: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """A user's edits are worth more than an import; --json says nothing but JSON."""
    out = tmp_path / "fleet.toml"
    out.write_text("mine", encoding="utf-8")
    refused = CliRunner().invoke(app, ["from-azure", str(tenant[0]), "--out", str(out)])
    assert refused.exit_code != 0
    assert out.read_text(encoding="utf-8") == "mine"
    done = CliRunner().invoke(app, ["from-azure", str(tenant[0]), "--out", str(out), "--force", "--json"])
    assert json.loads(done.stdout)["scenario"] == str(out)


def test_edits_survive_a_second_import(tenant: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """What a user changed, added or took out stays; what they left alone is the new import's."""
    out = tmp_path / "fleet.toml"
    first = ["from-azure", str(tenant[0]), "--to", "2026-03-15", "--out", str(out), "-q"]
    assert CliRunner().invoke(app, first).exit_code == 0
    text = out.read_text(encoding="utf-8")
    edited = text.replace("count = 3 ", "count = 5 # we plan two more\n#", 1).replace("replications", "")
    edited = edited.replace('billing_policy = "2023-10"', 'replications = 7\nbilling_policy = "2023-10"')
    edited += '\n[[group]]\nname = "mine"\nsize = "Standard_D2s_v5"\n'
    out.write_text(edited, encoding="utf-8")
    done = CliRunner().invoke(app, ["from-azure", str(tenant[0]), "--out", str(out), "--update", "--json"])
    assert done.exit_code == 0, done.output
    kept = json.loads(done.stdout)["kept"]
    assert any(line.startswith("group.web.count = 5") for line in kept), kept
    assert {"replications is yours", "group.mine is yours"} <= set(kept)
    again = load(out)
    groups = {group.name: group for group in again.groups}
    assert again.horizon_s == 28 * 86_400  # the user left it alone: the new period
    assert again.replications == 7
    assert groups["web"].count == 5
    assert groups["mine"].count == 1
    assert "we plan two more" in out.read_text(encoding="utf-8")
    assert "new" in groups  # the VM that came later


def test_an_update_without_edits_is_the_new_import(tenant: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """To the letter."""
    out, other = tmp_path / "fleet.toml", tmp_path / "two" / "fleet.toml"
    other.parent.mkdir()
    for arguments in (["--to", "2026-03-15"], ["--update"]):
        assert (
            CliRunner().invoke(app, ["from-azure", str(tenant[0]), "--out", str(out), "-q", *arguments]).exit_code == 0
        )
    assert CliRunner().invoke(app, ["from-azure", str(tenant[0]), "--out", str(other), "-q"]).exit_code == 0
    assert out.read_text(encoding="utf-8") == other.read_text(encoding="utf-8")


# --- schedules alone


def _office(days: range, on_h: float, off_h: float) -> Timeline:
    """A VM that is on at the same hours of some days, UTC."""
    spans = [(24 * 3600.0 * day + 3600 * on_h, 24 * 3600.0 * day + 3600 * off_h) for day in days if day % 7 < 5]
    made = Timeline((0.0, 28 * 86_400.0), on=spans)
    made.starts, made.stops = [on for on, _ in spans], [off for _, off in spans]
    return made


MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
LENGTH_S = 28 * 86_400.0


def test_exact_edges_give_the_exact_schedule() -> None:
    """Without jitter, absence or forgetting there is nothing to estimate."""
    schedule = find_schedule([_office(range(28), 8, 17.5)] * 3, MONDAY, LENGTH_S, "UTC")
    assert schedule is not None
    assert [(each.days, each.on, each.off) for each in schedule.windows] == [((0, 1, 2, 3, 4), time(8), time(17, 30))]
    assert schedule.jitter_s == 0
    assert schedule.absent[0] == schedule.forgotten[0] == 0


def test_days_on_which_no_vm_starts_are_days_off() -> None:
    """A holiday is no absence: it goes into the calendar."""
    kept = [_office(range(28), 8, 17) for _ in range(4)]
    for vm in kept:
        del vm.on[3], vm.starts[3], vm.stops[3]
    schedule = find_schedule(kept, MONDAY, LENGTH_S, "UTC")
    assert schedule is not None
    assert [day.isoformat() for day in schedule.days_off] == ["2026-01-08"]
    assert schedule.absent[0] == 0


def test_days_off_that_are_public_holidays_are_called_so() -> None:
    """Of the region's country if they are just these, else of another one; other days are dates."""
    january = date(2026, 1, 1), date(2026, 1, 31)
    workdays = range(5)
    assert holiday_country([date(2026, 1, 1)], workdays, "westeurope", january) == "NL"
    assert holiday_country([date(2026, 1, 1), date(2026, 1, 6)], workdays, "westeurope", january) == "AT"
    assert holiday_country([date(2026, 1, 8)], workdays, "westeurope", january) == ""


def test_starts_by_hand_keep_their_weekdays_and_their_hours() -> None:
    """Between 8 and 11 on half of the workdays: no schedule, but no weekend either; hours on are those that were."""
    made = Timeline((0.0, LENGTH_S))
    for day in range(0, 28, 2):
        if day % 7 < 5:
            begin = 86_400.0 * day + 3600 * (8 + day * 7919 % 180 / 60)
            made.on.append((begin, begin + 3600 * (5 + day % 3)))
    made.starts, made.stops = [on for on, _ in made.on], [off for _, off in made.on]
    schedule = find_weekdays([made], MONDAY, LENGTH_S, "UTC")
    assert schedule is not None
    window = schedule.windows[0]
    assert window.days == (0, 1, 2, 3, 4)
    assert schedule.absent == (10, 20)
    length_h = (window.off.hour - window.on.hour) + (window.off.minute - window.on.minute) / 60
    assert length_h * len(made.starts) == pytest.approx(made.on_h, rel=0.01)


def test_a_schedule_in_utc_is_told_by_the_change_of_the_clocks() -> None:
    """Edges at 06:00 UTC before and after the last Sunday of March are at two local times."""
    start = datetime(2026, 3, 16, tzinfo=UTC)
    member = Member(Vm(key=Key("s", "rg", "vm", "a-1"), name="a-1", region="westeurope"), _office(range(28), 6, 16))
    other = Member(Vm(key=Key("s", "rg", "vm", "a-2"), name="a-2", region="westeurope"), _office(range(28), 6, 16))
    vms = {member.vm.name: member, other.vm.name: other}
    found = scheduled(list(vms.values()), start, LENGTH_S, "Europe/Amsterdam", "the region")
    assert found is not None
    assert found.schedule is not None
    assert found.schedule.time_zone == "UTC"
    assert found.schedule.windows[0].on == time(6)


def test_starts_at_any_hour_are_no_schedule() -> None:
    """A wrong model is refused: a VM that is switched on at hours without a pattern is run by hand."""
    made = Timeline((0.0, LENGTH_S))
    for day in range(28):
        begin = 86_400.0 * day + (day * 7919 % 20) * 3600
        made.on.append((begin, begin + 7200))
    made.starts, made.stops = [on for on, _ in made.on], [off for _, off in made.on]
    assert find_schedule([made], MONDAY, LENGTH_S, "UTC") is None
    assert find_weekdays([made], MONDAY, LENGTH_S, "UTC") is None
