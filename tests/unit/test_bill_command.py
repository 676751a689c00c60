"""`vmfleet bill` and `vmfleet run --focus`: an invoice, its rating and a simulation side by side."""

from __future__ import annotations

import csv
import json
from contextlib import chdir
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim.billing.focus import write_focus
from sim.cli.app import app, main
from sim.errors import InputError

SCENARIO = """\
name = "small"
start = 2026-01-05T00:00:00Z
horizon = "2d"
replications = 3
[[group]]
name = "dev"
size = "Standard_D4s_v5"
os = "windows"
count = 3
disks = ["P10"]
  [group.cycle]
  on = { dist = "exponential", mean = "8h" }
  off = "8h"
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 2
term = "1y"
"""
STAYS = """vm,state,start,end
a,running,2026-01-05T08:00:00Z,2026-01-05T18:00:30Z
a,deallocated,2026-01-05T18:00:30Z,2026-01-06T08:00:00Z
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its result folder and its invoice, and a list of stays."""
    folder = tmp_path_factory.mktemp("bill")
    (folder / "small.toml").write_text(SCENARIO)
    (folder / "stays.csv").write_text(STAYS)
    reported = asked(folder, "run", "small.toml", "--focus", "invoice.csv", "--no-report", "--quiet", "--out", "result")
    assert reported.exit_code == 0, reported.output
    assert reported.output == ""
    return folder


def asked(folder: Path, *arguments: str):
    """One call in a folder; a mistake of the user's is in `exception`."""
    with chdir(folder):
        return CliRunner().invoke(app, list(arguments))


def test_run_writes_replication_0s_invoice(here: Path) -> None:
    """It comes to what the result folder says of that replication, to the last digit."""
    with (here / "invoice.csv").open(newline="") as file:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(file))
    with (here / "result" / "bill.csv").open(newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["replication"] == "0"]
    assert billed == sum(round(Decimal(row["amount"]), 9) for row in lines)


def test_our_own_invoice_rated_again_comes_to_the_same(here: Path) -> None:
    """Every kind of meter but compute: daily rows give a reservation's hours on average only, and the output says so."""
    reported = asked(here, "bill", "invoice.csv", "--scenario", "small.toml", "--json")
    assert reported.exit_code == 0, reported.output
    found = json.loads(reported.stdout)
    for kind in ("license", "disk", "network", "commitment"):
        assert found["invoiced"][kind]["difference"] == pytest.approx(0.0, abs=1e-6), kind
    assert found["invoiced"]["compute"]["difference"] < 0.0
    assert found["commitments"]["ri"]["bought"] == 2 * 48
    assert set(found["invoiced"]) == {"compute", "license", "disk", "network", "commitment", "total"}
    assert "on average" in reported.stderr


BOUND = """\
name = "bound"
start = 2026-01-05T00:00:00Z
horizon = "1d"
replications = 1
[[group]]
name = "web"
size = "Standard_D2s_v5"
count = 3
disks = ["P10"]
[[group]]
name = "other"
size = "Standard_D2s_v5"
count = 2
[[commitment]]
name = "room"
kind = "capacity-reservation"
size = "Standard_D2s_v5"
quantity = 4
groups = ["web"]
[[commitment]]
name = "own"
kind = "dedicated-host"
quantity = 1
hourly = 4.0
vcpus = 8
groups = ["other"]
"""


@pytest.mark.parametrize("tags", ['{"group": "%s"}', '"group": "%s"', "group=%s"])
def test_commitments_know_the_groups_of_an_invoice_by_their_tag(tmp_path: Path, tags: str) -> None:
    """As FOCUS and as Azure write tags; from what is neither no VM is known to be of the group, and every unit is empty."""
    (tmp_path / "bound.toml").write_text(BOUND)
    asked(tmp_path, "run", "bound.toml", "--focus", "invoice.csv", "--no-report", "--quiet", "--out", "result")
    with (tmp_path / "invoice.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["Tags"]:
            row["Tags"] = tags % json.loads(row["Tags"])["group"]
    with (tmp_path / "tagged.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    reported = asked(tmp_path, "bill", "tagged.csv", "--scenario", "bound.toml", "--json")
    assert reported.exit_code == 0, reported.output
    found = json.loads(reported.stdout)
    if '"' in tags:
        # A part of the first hour is not billed, so the units aren't quite full.
        assert found["commitments"]["room"]["used_fraction"] == pytest.approx(0.75, abs=0.01)
        assert found["commitments"]["own"]["used_fraction"] == pytest.approx(0.5, abs=0.01)
        assert found["invoiced"]["total"]["difference"] == pytest.approx(0.0, abs=1e-6)
    else:
        assert found["commitments"]["room"]["used_fraction"] == 0.0


def test_without_its_commitments_the_bill_is_another(here: Path) -> None:
    """What a reservation covered is rated as pay as you go, and its own cost is missing: both kinds show it."""
    found = json.loads(asked(here, "bill", "invoice.csv", "--json").stdout)
    assert found["invoiced"]["commitment"]["rated"] == 0.0
    assert found["invoiced"]["compute"]["difference"] > 0.0


def test_an_invoice_is_set_beside_the_simulation(here: Path) -> None:
    """Replication 0 against the mean of three: kind by kind, with the interval, and nothing differs by length."""
    reported = asked(here, "bill", "invoice.csv", "--scenario", "small.toml", "--against", "result")
    assert reported.exit_code == 0, reported.output
    for words in ("rated - invoiced", "simulated", "simulated -", "license", "total", "Commitments"):
        assert words in reported.output
    assert "covers" not in reported.stderr
    found = json.loads(asked(here, "bill", "invoice.csv", "--against", "result", "--json").stdout)
    summary = json.loads((here / "result" / "summary.json").read_text())
    for kind in ("compute", "disk", "total"):
        assert found["simulated"][kind]["mean"] == summary["metrics"][f"cost.{kind}"]["mean"]
        assert found["simulated"][kind]["difference"] == pytest.approx(
            found["simulated"][kind]["mean"] - found["invoiced"][kind]["invoiced"]
        )


def test_bills_of_different_lengths_are_distinguished(here: Path) -> None:
    """A day beside two days: a warning, on standard error."""
    reported = asked(here, "bill", "stays.csv", "--size", "Standard_D4s_v5", "--against", "result")
    assert reported.exit_code == 0
    assert "the file covers" in reported.stderr
    assert "simulated - rated" in reported.output


def test_stays_are_rated_as_the_options_say(here: Path) -> None:
    """Size, system, disks and rounding where the file doesn't say; FOCUS rows by VM on request."""
    options = ["--size", "Standard_D4s_v5", "--os", "windows", "--disk", "P10", "--rounding", "floor-minute"]
    reported = asked(here, "bill", "stays.csv", *options, "--focus", "out.csv", "--json")
    assert reported.exit_code == 0, reported.output
    found = json.loads(reported.stdout)
    by_meter = {line["meter"]: line["quantity"] for line in found["lines"]}
    assert by_meter["compute.Standard_D4s_v5.windows.regular"] == 10.0  # 30 spare seconds are dropped
    assert by_meter["disk.P10"] == 24.0
    with (here / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["ResourceId"] for row in rows} == {"a"}
    assert sum(Decimal(row["BilledCost"]) for row in rows) == round(Decimal(found["total_usd"]), 9)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bill", "nowhere.csv"], "nowhere.csv"),
        (["bill", "stays.csv"], "size"),
        (["bill", "stays.csv", "--size", "Standard_D4s_v55"], "Standard_D4s_v5"),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--os", "beos"], "--os beos: it is one of linux, windows"),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--rounding", "up"], "exact, floor-minute"),
        (
            ["bill", "stays.csv", "--size", "Standard_D4s_v5", "--focus", "f.csv", "--focus-version", "2"],
            "one of 1.2, 1.3",
        ),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--focus-version", "1.3"], "no effect without --focus"),
        (["run", "small.toml", "--focus-version", "1.3"], "no effect without --focus"),
        (["fit", "stays.csv", "--size", "Standard_D4s_v55"], "Standard_D4s_v5"),
        (["fit", "stays.csv", "--window", "soon"], "--window soon: "),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--policy", "1999"], "1999"),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--against", "nowhere"], "nowhere"),
        (["bill", "stays.csv", "--scenario", "small.toml", "--catalogue", "c.json"], "give one of them"),
        (["bill", "stays.csv", "--size", "Standard_D4s_v5", "--focus", "no/where.csv"], "there is no folder"),
        (["bill", "small.toml"], "this is a scenario file"),
        (["run", "small.toml", "--focus", "no/where.csv"], "there is no folder"),
        (["run", "small.toml", "--focus", "result"], "is a folder"),
        (["prices", "import", "stays.csv", "--out", "c.json"], "stays.csv"),
        (["prices", "import", "small.toml", "--out", "no/c.json"], "no/c.json"),
    ],
)
def test_wrong_input_is_explained_with_status_2(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(here)
    before = set(Path().rglob("*"))
    with pytest.raises(SystemExit) as end:
        main(arguments)
    shown = capsys.readouterr()
    assert end.value.code == 2
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert set(Path().rglob("*")) == before


def test_the_bill_says_what_its_prices_are_worth(here: Path) -> None:
    """As `run` does: Windows in East US is estimated, in West Europe it is listed."""
    eastern = asked(here, "bill", "stays.csv", "--size", "Standard_D4s_v5", "--os", "windows", "--region", "eastus")
    assert "51.1\u00a0% of the cost is at list, imported or your own prices" in eastern.output  # 0.192 of 0.376
    western = asked(here, "bill", "stays.csv", "--size", "Standard_D4s_v5", "--os", "windows", "--json")
    assert json.loads(western.stdout)["trusted_share"] == 1.0
    invoice = asked(here, "bill", "invoice.csv")
    assert "All of what was rated is at list prices" in invoice.output


def test_focus_1_3_comes_with_its_contract_commitments(here: Path) -> None:
    """What a reservation of two D4s_v5 is over its year, by hand; the charges are those of 1.2."""
    command = ("bill", "stays.csv", "--size", "Standard_D4s_v5", "--scenario", "small.toml")
    assert asked(here, *command, "--focus", "new.csv", "--focus-version", "1.3").exit_code == 0
    assert asked(here, *command, "--focus", "old.csv").exit_code == 0
    assert (here / "new.contract-commitments.csv").read_text() == (
        "BillingCurrency,ContractCommitmentCategory,ContractCommitmentCost,ContractCommitmentDescription,ContractCommitmentId,"
        "ContractCommitmentPeriodEnd,ContractCommitmentPeriodStart,ContractCommitmentQuantity,ContractCommitmentType,"
        "ContractCommitmentUnit,ContractId,ContractPeriodEnd,ContractPeriodStart\n"
        'USD,Usage,2377.999999872,"ri: 2 of Standard_D4s_v5, 1y",ri,2027-01-05T08:00:00Z,2026-01-05T08:00:00Z,17520.0,'
        "Reservation,Hours,vmfleet-simulation,2027-01-05T08:00:00Z,2026-01-05T08:00:00Z\n"
    )  # 2 x 8,760 h at 0.1357305936
    with (here / "new.csv").open() as new, (here / "old.csv").open() as old:
        rows, before = list(csv.DictReader(new)), list(csv.DictReader(old))
    assert [{key: row[key] for key in row if key in before[0]} for row in rows] == [
        {key: row[key] for key in row if key in rows[0]} for row in before
    ]
    assert list(rows[0]) == sorted(rows[0])
    assert {(row["HostProviderName"], row["ServiceProviderName"], row["AllocatedTags"]) for row in rows} == {
        ("Microsoft", "Microsoft", "")
    }
    for row in rows:
        status = row["CommitmentDiscountStatus"]
        assert bool(row["ContractApplied"]) == (status in ("Used", "Unused"))
        if status:
            (element,) = json.loads(row["ContractApplied"])["Elements"]
            assert (element["ContractID"], element["ContractCommitmentID"]) == ("vmfleet-simulation", "ri")
            assert element["ContractCommitmentAppliedQuantity"] == float(row["CommitmentDiscountQuantity"])
            assert element["ContractCommitmentAppliedUnit"] == "Hours"
    assert {row["CommitmentDiscountStatus"] for row in rows} == {"Used", "Unused", ""}
    again, was = (json.loads(asked(here, "bill", name, "--json").stdout) for name in ("new.csv", "old.csv"))
    assert (again.pop("format"), was.pop("format")) == ("focus-1.3", "focus-1.2")
    assert again | {"file": ""} == was | {"file": ""}


def test_an_invoice_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Rows that break off leave the file that stood there, and nothing beside it."""

    def broken():
        yield {"BilledCost": "1.0"}
        raise OSError(28, "No space left on device")

    file = tmp_path / "invoice.csv"
    file.write_text("as it was")
    with pytest.raises(OSError, match="No space left"):
        write_focus(file, broken())
    assert file.read_text() == "as it was"
    assert [path.name for path in tmp_path.iterdir()] == ["invoice.csv"]
    assert write_focus(file, [{"BilledCost": "1.0"}]) == 1
    assert file.read_text().splitlines()[0].startswith("AvailabilityZone,BilledCost")


def test_a_size_that_has_no_price_is_an_input_error(here: Path) -> None:
    """Through the runner the exception itself can be seen."""
    reported = asked(here, "bill", "stays.csv", "--size", "Standard_Z9", "--json")
    assert isinstance(reported.exception, InputError)


def test_saved_pages_become_a_catalogue_that_bills_are_rated_with(tmp_path: Path) -> None:
    """Import, show, rate: the price on the page is the price on the bill."""
    item = {
        "currencyCode": "USD", "retailPrice": 0.25, "unitPrice": 0.25, "armRegionName": "swedencentral",
        "location": "SE Central", "effectiveStartDate": "2024-05-01T00:00:00Z", "meterName": "D4s v5",
        "productName": "Virtual Machines Dsv5 Series", "skuName": "Standard_D4s_v5", "serviceName": "Virtual Machines",
        "serviceFamily": "Compute", "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_D4s_v5", "tierMinimumUnits": 0.0,
    }  # fmt: skip
    reserved = item | {"type": "Reservation", "reservationTerm": "1 Year", "retailPrice": 1314.0, "unitPrice": 1314.0}
    page = {"BillingCurrency": "USD", "Items": [item, reserved], "NextPageLink": None, "Count": 2}
    (tmp_path / "page.json").write_text(json.dumps(page))
    (tmp_path / "stays.csv").write_text(STAYS)
    reported = asked(tmp_path, "prices", "import", "page.json", "--out", "mine.json")
    assert reported.exit_code == 0, reported.output
    assert "2 items of 1 pages taken" in reported.output
    shown = asked(tmp_path, "prices", "show", "Standard_D4s_v5", "--catalogue", "mine.json", "--json")
    terms = {row["term"]: row["per_h"] for row in json.loads(shown.stdout)}
    assert (terms["linux"], terms["reservation_1y"]) == (0.25, 0.15)
    options = ["--size", "Standard_D4s_v5", "--region", "swedencentral", "--catalogue", "mine.json", "--json"]
    rated = json.loads(asked(tmp_path, "bill", "stays.csv", *options).stdout)
    assert rated["total_usd"] == pytest.approx((10 + 30 / 3600) * 0.25, abs=1e-9)
