"""FOCUS export and usage files: rows add up to the bill, and what is written can be read and rated again."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from focus_validator import broken_rules, needs_2, needs_it, verdict_on

from sim.billing import CapacityReservation, DedicatedHost, RatedGroup, Reservation, SavingsPlan
from sim.billing.breakdown import Days, VmBreakdown
from sim.billing.focus import COLUMNS, VALIDATOR_COLUMNS, focus_rows, write_focus
from sim.billing.focus_contracts import COLUMNS_1_3, CONTRACT_COLUMNS, contract_rows, rows_1_3
from sim.billing.invoice import read_invoice
from sim.billing.rating import rate_run, rate_stays
from sim.billing.spot_prices import SpotSteps
from sim.billing.stays import Stay, stays_of
from sim.billing.usage_file import read_stays
from sim.catalog import load_bundled
from sim.errors import UsageError
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import COLUMNS as COLUMNS_OF_LEDGER
from sim.usage.ledger import STATES, TICKS_PER_HOUR, GroupUsage, column, to_ticks

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled().with_overrides(REGION, {D4: {"reservation_1y": 0.1, "savings_plan_3y": 0.12}})
START = datetime(2026, 1, 30, 7, tzinfo=UTC)  # the window crosses midnights and the end of a month
COMMITMENTS = (
    Reservation(name="ri", size=D4, quantity=1, term="1y", region=REGION),
    SavingsPlan(name="plan", hourly_usd=0.3, term="3y"),
    CapacityReservation(name="room", size=D4, quantity=3, region=REGION),
    DedicatedHost(name="host", quantity=1, usd_per_h=5.0, vcpus=64, groups=("housed",)),
)
GROUPS = (
    RatedGroup(name="dev", size=D4, region=REGION, os="windows", disks=("P10",), public_ip=True, keeps_disks=True),
    RatedGroup(name="cheap", size="Standard_D8s_v5", region=REGION, priority="spot"),
    RatedGroup(name="housed", size="Standard_D2s_v5", region=REGION),
)
WEEK_S = 7 * 86400.0


def recorded():
    """Three groups of three VMs, on for ten hours a day at odd minutes; the first is deleted on day five."""
    rows = []
    for number in range(9):
        own = GROUPS[number % 3].name
        for day in range(5 if number == 0 else 7):
            on, off = 86400.0 * day + 617.3 * number, 86400.0 * day + 617.3 * number + 36000.0
            until = 86400.0 * (day + 1) + 617.3 * number if day < 6 else WEEK_S
            stay = [
                (PowerState.RUNNING, on, off - 1800),
                (PowerState.STOPPED, off - 1800, off),
                (PowerState.DEALLOCATED, off, until),
            ]
            rows += [(own, Stay(vm=f"vm-{number}", state=s, start_s=a, end_s=b)) for s, a, b in stay]
    return stays_of(GROUPS, rows)


def export(commitments=COMMITMENTS, by_vm: bool = True):
    """A rating and its FOCUS rows."""
    stays = recorded()
    rating = rate_stays(stays, CATALOGUE, "2018-08", commitments, window_s=(0.0, WEEK_S), start=START)
    days = Days.of(rating, START)
    policy, window = get_policy("2018-08"), (0, to_ticks(WEEK_S))
    spread = VmBreakdown(rating=rating, days=days, stays=stays, policy=policy, window=window) if by_vm else None
    return rating, list(focus_rows(rating, START, spread))


def test_a_run_s_ledgers_export_one_row_per_group_day_and_meter():
    """A simulation keeps no stays: its groups are the resources, and the rows still make its bill."""
    hours, column_of_running = 60, column(STATES.index(PowerState.RUNNING), 1)
    cells = np.zeros((hours, COLUMNS_OF_LEDGER), dtype=np.int64)
    cells[:, column_of_running] = 2 * TICKS_PER_HOUR
    usage = GroupUsage(group="dev", start_s=0.0, end_s=3600.0 * hours, cells=cells)
    rating = rate_run(GROUPS[:1], {"dev": usage}, CATALOGUE, "2018-08", COMMITMENTS[:2])
    rows = list(focus_rows(rating, START))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(rating.bill.amount_nano()) / 10**9
    disk = [row for row in rows if row["SkuMeter"] == "disk.P10"]
    assert [row["ConsumedQuantity"] for row in disk] == pytest.approx([34, 48, 38])  # from 07:00, two VMs


def test_spot_hours_stand_under_the_price_of_their_month():
    """Two VMs for 60 h from 30 January, 07:00: 34 and 48 VM hours at January's price, 38 on 1 February at twice as much."""
    hours, column_of_running = 60, column(STATES.index(PowerState.RUNNING), 1)
    cells = np.zeros((hours, COLUMNS_OF_LEDGER), dtype=np.int64)
    cells[:, column_of_running] = 2 * TICKS_PER_HOUR
    usage = GroupUsage(group="cheap", start_s=0.0, end_s=3600.0 * hours, cells=cells)
    steps = SpotSteps(start=START, factors=(1.0, 2.0))
    rating = rate_run(GROUPS[1:2], {"cheap": usage}, CATALOGUE, "2018-08", (), steps, start=START)
    listed = CATALOGUE.price_per_h("Standard_D8s_v5", REGION, "spot_linux")
    found = [
        (row["ChargePeriodStart"][:10], row["PricingQuantity"], row["ListUnitPrice"])
        for row in focus_rows(rating, START)
    ]
    assert found == [
        ("2026-01-30", pytest.approx(34), pytest.approx(listed)),
        ("2026-01-31", pytest.approx(48), pytest.approx(listed)),
        ("2026-02-01", pytest.approx(38), pytest.approx(2 * listed)),
    ]


@pytest.mark.parametrize("by_vm", [True, False])
def test_billed_and_effective_cost_add_up_to_the_bill_to_the_last_digit(by_vm):
    """Both columns, by VM and by group: what a commitment costs is either bought or used and unused, never both."""
    rating, rows = export(by_vm=by_vm)
    total = Decimal(rating.bill.amount_nano()) / 10**9
    assert sum(Decimal(row["BilledCost"]) for row in rows) == total
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == total


def test_one_row_per_vm_day_and_meter():
    """No two rows of usage describe the same resource, day, meter and commitment."""
    _, rows = export()
    keys = [
        (r["ResourceId"], r["ChargePeriodStart"], r["SkuMeter"], r["ChargeCategory"], r.get("CommitmentDiscountStatus"),
         r.get("CommitmentDiscountId"))
        for r in rows
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert {r["ResourceId"] for r in rows} >= {f"vm-{number}" for number in range(9)}


def test_what_commitments_could_cover_is_what_their_own_vms_used():
    """19 days of 10 h of dev's VMs, 21 of housed's: the room and the host could hold no other group's."""
    uses = {use.commitment.name: use.use() for use in export()[0].allocation.commitments}
    assert (uses["room"].covered, uses["room"].could_cover) == (pytest.approx(190), pytest.approx(190))
    assert (uses["host"].covered, uses["host"].could_cover) == (pytest.approx(210), pytest.approx(210))


def test_unused_commitment_has_rows_of_its_own():
    """At night no VM uses the reservation (empty capacity units would): cost without a resource that consumed it."""
    rating, rows = export(commitments=COMMITMENTS[:2])
    unused = [
        row for row in rows if row.get("CommitmentDiscountStatus") == "Unused" and row["CommitmentDiscountId"] == "ri"
    ]
    line = next(line for line in rating.bill.lines if line.meter == "commitment.ri.unused")
    assert line.amount_nano > 0
    assert sum(Decimal(row["EffectiveCost"]) for row in unused) == Decimal(line.amount_nano) / 10**9
    assert all(row["ConsumedQuantity"] is None and row["ChargeCategory"] == "Usage" for row in unused)


def test_billing_periods_are_calendar_months():
    """A charge on 31 January belongs to January, on 1 February to February."""
    _, rows = export()
    for row in rows:
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    assert {row["BillingPeriodStart"] for row in rows} == {"2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"}


def test_every_row_has_only_known_columns():
    """A misspelt column would be dropped in writing without a word."""
    _, rows = export()
    assert {column for row in rows for column in row} <= set(COLUMNS)
    assert list(COLUMNS) == sorted(COLUMNS)


def test_an_export_read_back_is_rated_to_the_same_bill(tmp_path):
    """Without commitments the hours of a day may be spread as they like; licence, disks and address come back too."""
    rating, rows = export(commitments=())
    write_focus(tmp_path / "focus.csv", rows)
    usage = read_invoice(tmp_path / "focus.csv", CATALOGUE)
    again = usage.rate_hours()
    assert again.bill.total == pytest.approx(rating.bill.total, abs=1e-6)
    for kind, invoiced, rated in usage.differences(again):
        assert rated == pytest.approx(invoiced, abs=1e-6), kind


def test_the_platforms_own_rows_are_understood(tmp_path):
    """One meter for compute and Windows licence, the size's short name, disks by the month: as Azure exports them."""
    head = "ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ConsumedQuantity,ConsumedUnit,BilledCost,ServiceCategory,ServiceName,RegionId,x_SkuMeterName,x_SkuMeterSubcategory,x_SkuMeterCategory"
    day = "2026-01-05T00:00:00Z,2026-01-06T00:00:00Z"
    (tmp_path / "azure.csv").write_text(
        f"{head}\n"
        f"{day},Usage,10,Hours,4.14,Compute,Virtual Machines,westeurope,D4s v5,Virtual Machines Dsv5 Series Windows,Virtual Machines\n"
        f"{day},Usage,24,Hours,5.52,Compute,Virtual Machines,westeurope,D4s v5,Virtual Machines Dsv5 Series,Virtual Machines\n"
        f"{day},Usage,{24 / 730},1/Month,0.71,Storage,Storage,westeurope,P10 LRS Disk,Premium SSD Managed Disks,Storage\n"
        f"{day},Usage,24,Hours,0.12,Networking,Virtual Network,westeurope,Standard IPv4 Static Public IP,IP Addresses,Virtual Network\n"
        f"{day},Usage,3,GB,0.03,Networking,Bandwidth,westeurope,Standard Data Transfer Out,Bandwidth,Bandwidth\n",
        encoding="utf-8",
    )
    usage = read_invoice(tmp_path / "azure.csv", CATALOGUE)
    bill = usage.rate_hours().bill
    linux, windows = (CATALOGUE.price_per_h(D4, REGION, term) for term in ("linux", "windows"))
    assert bill.cost("compute") == pytest.approx(34 * linux)
    assert bill.cost("license") == pytest.approx(10 * (windows - linux))
    assert bill.cost("disk") == pytest.approx(24 / 730 * CATALOGUE.disk("P10", REGION).per_month)
    assert bill.cost("network") == pytest.approx(24 * CATALOGUE.public_ip_per_h(REGION))
    assert [each.row.cost for each in usage.listed] == [pytest.approx(0.03)]  # the traffic is invoiced, and not rated


STAYS = """vm,state,start,end,size,os,disks
a,running,2026-01-05T08:00:00Z,2026-01-05T18:00:00Z,Standard_D4s_v5,windows,P10;E:200
a,deallocated,2026-01-05T18:00:00Z,2026-01-06T08:00:00Z,Standard_D4s_v5,windows,P10;E:200
b,PowerState/running,2026-01-05T09:30:00+01:00,,Standard_D4s_v5,linux,
"""


def test_a_list_of_stays_is_rated_by_hand(tmp_path):
    """Ten hours of Windows, a day of its disks, and Linux from 08:30 UTC to the end of the file."""
    (tmp_path / "stays.csv").write_text(STAYS, encoding="utf-8")
    usage = read_stays(tmp_path / "stays.csv")
    bill = usage.rate(CATALOGUE, "2018-08").bill
    linux, windows = (CATALOGUE.price_per_h(D4, REGION, term) for term in ("linux", "windows"))
    assert usage.start == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert bill.cost("compute") + bill.cost("license") == pytest.approx(10 * windows + 23.5 * linux)
    disks = CATALOGUE.disk("P10", REGION).per_month + CATALOGUE.disk("E15", REGION).per_month
    assert bill.cost("disk") == pytest.approx(24 * disks / 744)  # January has 744 hours


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("a,running", "a,asleep"), r"stays\.csv:2: state: 'asleep' is no power state.*running"),
        (("2026-01-05T18:00:00Z,Standard", "teatime,Standard"), r"stays\.csv:2: end: 'teatime'.*ISO 8601"),
        (("vm,state", "machine,state"), r"stays\.csv:1: vm: no such column"),
        (("windows,P10", "dos,P10"), r"stays\.csv:2: os, priority.*linux or windows"),
        (("2026-01-05T18:00:00Z,2026-01-06", "2026-01-05T17:00:00Z,2026-01-06"), r"VM a, .*begins before"),
        ((STAYS, "vm,state,start,end,size\n"), r"stays\.csv:2: .*has no rows"),
    ],
)
def test_issues_of_a_usage_file_are_reported_with_their_line(tmp_path, change, message):
    """File, line, column, value, and what would be right."""
    (tmp_path / "stays.csv").write_text(STAYS.replace(*change, 1), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_stays(tmp_path / "stays.csv")


@pytest.mark.slow
@needs_it
@pytest.mark.parametrize(("spoil", "verdict"), [(False, "Validation succeeded"), (True, "ServiceCategory")])
def test_focus_validator_accepts_the_export_and_sees_a_spoilt_one(tmp_path, spoil, verdict):
    """The registry's validator judges; it must refuse a file whose service category doesn't exist."""
    path = tmp_path / "focus.csv"
    write_focus(path, export()[1])
    if spoil:
        path.write_text(path.read_text("utf-8").replace(",Compute,", ",Computers,"), encoding="utf-8")
    assert verdict in verdict_on(path)


@pytest.mark.slow
@needs_2
def test_focus_validator_accepts_the_export_by_the_rules_of_1_2(tmp_path):
    """All applicability criteria on; it must refuse a currency that doesn't exist."""
    path = tmp_path / "focus.csv"
    write_focus(path, export()[1], validator_columns=False)
    assert broken_rules(path) == set()
    path.write_text(path.read_text("utf-8").replace(",USD,", ",Dollars,"), encoding="utf-8")
    assert "BillingCurrency-C-003-M" in broken_rules(path)


def test_statuses_stand_where_their_ids_do():
    """What the validator's own rules of these columns can't check (they contradict themselves)."""
    for row in export()[1]:
        for name in ("CommitmentDiscount", "CapacityReservation"):
            used = row["ChargeCategory"] == "Usage" and row.get(f"{name}Id") is not None
            assert (row.get(f"{name}Status") is not None) == used, (name, row["ChargeDescription"])
        assert (row.get("RegionName") is None) == (row.get("RegionId") is None)


def test_the_file_has_the_columns_under_both_names(tmp_path):
    """FOCUS 1.2's own first, then the older spellings; without them on request."""
    _, rows = export(by_vm=False)
    write_focus(tmp_path / "both.csv", rows)
    write_focus(tmp_path / "own.csv", rows, validator_columns=False)
    with (tmp_path / "both.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert all(first[old] == first[new] for old, new in VALIDATOR_COLUMNS.items())
    assert (tmp_path / "own.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


LINUX_D2 = '{"InstanceType": "Standard_D2s_v5", "OperatingSystem": "Linux"}'
LINUX_D8 = '{"InstanceType": "Standard_D8s_v5", "OperatingSystem": "Linux"}'
WINDOWS_D4 = '{"InstanceType": "Standard_D4s_v5", "OperatingSystem": "Windows"}'
VMS = ("Compute", "Virtual Machines", "Virtual Machines", "Virtual machine")
BOUGHT = ("Compute", "Virtual Machines", "Virtual Machines", "Commitment")


def test_empty_units_without_a_commitment_are_paid_and_not_consumed():
    """Three units, of which one VM takes one for ten hours: what stood empty is billed, and nothing was consumed of it."""
    stays = stays_of(GROUPS[:1], [("dev", Stay(vm="a", state=PowerState.RUNNING, start_s=0.0, end_s=36000.0))])
    rating = rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS[2:3], window_s=(0.0, 86400.0), start=START)
    rows = [row for row in focus_rows(rating, START) if row["ChargeDescription"] == "room: empty units"]
    assert sum(row["PricingQuantity"] for row in rows) == pytest.approx(3 * 24 - 10)
    (line,) = (line for line in rating.bill.lines if line.meter == "commitment.room.unused")
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(line.amount_nano) / 10**9 > 0
    assert {row.get("ConsumedQuantity") for row in rows} == {row.get("ConsumedUnit") for row in rows} == {None}


IN_WORDS = {  # ChargeCategory, ChargeFrequency, PricingCategory, PricingUnit, ConsumedUnit; service; SkuPriceDetails; RegionId
    ("compute.Standard_D4s_v5.windows.covered.ri of dev", "ri"):
        ("Usage", "Usage-Based", "Committed", "Hours", "Hours", *VMS, WINDOWS_D4, REGION),
    ("compute.Standard_D4s_v5.windows.covered.plan of dev", "plan"):
        ("Usage", "Usage-Based", "Committed", "Hours", "Hours", *VMS, WINDOWS_D4, REGION),
    ("license.windows.Standard_D4s_v5 of dev", None):
        ("Usage", "Usage-Based", "Standard", "Hours", "Hours", "Compute", "Virtual Machines", "Virtual Machines Licenses",
         "Virtual machine", WINDOWS_D4, REGION),
    ("disk.P10 of dev", None):
        ("Usage", "Usage-Based", "Standard", "Hours", "Hours", "Storage", "Block Storage", "Storage", "Disk", None, REGION),
    ("disk.P10.orphaned of dev", None):
        ("Usage", "Usage-Based", "Standard", "Hours", "Hours", "Storage", "Block Storage", "Storage", "Disk", None, REGION),
    ("network.public_ip of dev", None):
        ("Usage", "Usage-Based", "Standard", "Hours", "Hours", "Networking", "Other (Networking)", "Virtual Network",
         "Public IP address", None, REGION),
    ("compute.Standard_D8s_v5.linux.spot of cheap", None):
        ("Usage", "Usage-Based", "Dynamic", "Hours", "Hours", *VMS, LINUX_D8, REGION),
    ("compute.Standard_D2s_v5.linux.covered.host of housed", None):  # a dedicated host's VMs appear at price 0
        ("Usage", "Usage-Based", "Other", "Hours", "Hours", *VMS, LINUX_D2, REGION),
    ("ri: bought", "ri"): ("Purchase", "Recurring", "Committed", "Hours", None, *BOUGHT, None, REGION),
    ("plan: bought", "plan"): ("Purchase", "Recurring", "Committed", "USD", None, *BOUGHT, None, None),
    ("plan: unused", "plan"): ("Usage", "Usage-Based", "Committed", "USD", None, *BOUGHT, None, None),
    ("room: empty units", "ri"):
        ("Usage", "Usage-Based", "Committed", "Hours", None, *BOUGHT, '{"InstanceType": "Standard_D4s_v5"}', REGION),
    ("room: empty units", "plan"):
        ("Usage", "Usage-Based", "Committed", "Hours", None, *BOUGHT, '{"InstanceType": "Standard_D4s_v5"}', REGION),
    ("host: bought", None): ("Usage", "Usage-Based", "Standard", "Hours", "Hours", *BOUGHT, None, None),
}  # fmt: skip
WORDS = (
    "ChargeCategory", "ChargeFrequency", "PricingCategory", "PricingUnit", "ConsumedUnit", "ServiceCategory", "ServiceSubcategory",
    "ServiceName", "ResourceType", "SkuPriceDetails", "RegionId",
)  # fmt: skip
KINDS = {"ri": ("Usage", "Reservation", "Hours"), "plan": ("Spend", "Savings Plan", "USD"), None: (None, None, None)}


def test_each_charge_has_the_words_of_the_specification() -> None:
    """Typed from FOCUS 1.2's each definitions: what is bought recurs, what is used doesn't; a plan is spend in its currency."""
    found = {}
    for row in export(by_vm=False)[1]:
        name = row.get("CommitmentDiscountName")
        words = tuple(row.get(each) for each in WORDS)
        assert found.setdefault((row["ChargeDescription"], name), words) == words
        assert tuple(row.get(f"CommitmentDiscount{each}") for each in ("Category", "Type", "Unit")) == KINDS[name]
        assert row.get("CommitmentDiscountId") == name
        status = (
            "Unused"
            if "unused" in row["ChargeDescription"]
            else "Used"
            if name and row["ChargeCategory"] == "Usage"
            else None
        )
        assert row.get("CommitmentDiscountStatus") == status
        room = ("room", "Unused") if row["ChargeDescription"].startswith("room") else (None, None)
        assert (row.get("CapacityReservationId"), row.get("CapacityReservationStatus")) == room
        assert row["SkuId"] == row["SkuMeter"] == row["SkuPriceId"]
        group = row["ChargeDescription"].rpartition(" of ")[2] if " of " in row["ChargeDescription"] else None
        assert row.get("Tags") == (f'{{"group": "{group}"}}' if group else None)
    assert found == IN_WORDS


def test_the_first_day_s_amounts_are_prices_times_hours() -> None:
    """From 07:00 to midnight: 17 h. A host of 5 USD, a plan of 0.3 USD an hour; licence 0.414 - 0.23, D2s v5 0.115 USD an hour."""
    first = {row["SkuMeter"]: row for row in reversed(export(by_vm=False)[1]) if "Unused" not in row.values()}
    expected = {
        "commitment.host": ("85.000000000", "85.000000000", "85.000000000", 5.0, 17.0),
        "commitment.plan": ("5.100000000", "0.000000000", "5.100000000", 1.0, 5.1),
        "license.windows.Standard_D4s_v5": (
            "5.244000000",
            "5.244000000",
            "5.244000000",
            0.184,
            28.5,
        ),  # three VMs for 9.5 h
        "compute.Standard_D2s_v5.linux.covered.host": ("0.000000000", "0.000000000", "3.450000000", 0.115, 30.0),
    }
    columns = ("BilledCost", "EffectiveCost", "ListCost")
    for meter, (*amounts, price, quantity) in expected.items():
        row = first[meter]
        assert [row[name] for name in columns] == amounts
        assert row["PricingCurrencyEffectiveCost"] == row["EffectiveCost"]
        assert row["ContractedCost"] == row["ListCost"]
        for name in (
            "ListUnitPrice",
            "ContractedUnitPrice",
            "PricingCurrencyListUnitPrice",
            "PricingCurrencyContractedUnitPrice",
        ):
            assert row[name] == pytest.approx(price)
        assert row["PricingQuantity"] == pytest.approx(quantity)
        assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-01-30T07:00:00Z", "2026-01-31T00:00:00Z")


def test_money_is_in_the_currency_of_the_list() -> None:
    """Units of money too, and hours stay hours."""
    rows = list(focus_rows(export()[0], START, currency="EUR"))
    units = {
        row[name] for row in rows for name in ("PricingUnit", "ConsumedUnit", "CommitmentDiscountUnit") if row.get(name)
    }
    assert units == {"Hours", "EUR"}
    assert {row[name] for row in rows for name in ("BillingCurrency", "PricingCurrency")} == {"EUR"}


@pytest.mark.parametrize(
    ("start", "end_1y", "end_3y", "days"),
    [
        (datetime(2028, 2, 29, 7, tzinfo=UTC), "2029-02-28T07:00:00Z", "2031-02-28T07:00:00Z", 1095),
        (datetime(2026, 12, 31, 7, tzinfo=UTC), "2027-12-31T07:00:00Z", "2029-12-31T07:00:00Z", 1096),
    ],
)
def test_contracts_run_to_the_same_day_of_a_later_year(start: datetime, end_1y: str, end_3y: str, days: int) -> None:
    """One year of a reservation, three of a plan; from 29 February to the 28th. A year's hours of each are what was bought."""
    ri, plan = contract_rows(export()[0], start, currency="EUR")
    assert (ri["ContractCommitmentPeriodEnd"], plan["ContractCommitmentPeriodEnd"]) == (end_1y, end_3y)
    for row in (ri, plan):
        assert row["ContractPeriodEnd"] == end_3y
        assert row["ContractPeriodStart"] == row["ContractCommitmentPeriodStart"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"
        assert row["BillingCurrency"] == "EUR"
        assert row["ContractId"] == "vmfleet-simulation"
    hours = 365 * 24
    words = ("Category", "Type", "Unit", "Quantity", "Cost", "Description", "Id")
    assert [ri[f"ContractCommitment{word}"] for word in words] == [
        "Usage", "Reservation", "Hours", hours, f"{hours * 0.1:.9f}", "ri: 1 of Standard_D4s_v5, 1y", "ri",
    ]  # fmt: skip
    hours = days * 24  # 2028 has a day more
    assert [plan[f"ContractCommitment{word}"] for word in words] == [
        "Spend", "Savings Plan", "EUR", pytest.approx(hours * 0.3), f"{hours * 0.3:.9f}", "plan: 0.3 EUR an hour, 3y", "plan",
    ]  # fmt: skip


def test_charges_of_focus_1_3_name_the_contract_that_was_applied() -> None:
    """Used or unused hours of a reservation, money of a plan; buying one applies nothing, and neither does an hour at its price."""
    before = export(by_vm=False)[1]
    rows = list(rows_1_3(before))
    assert len(rows) == len(before)
    applied = {}
    for row in rows:
        assert row.keys() <= set(COLUMNS_1_3)
        assert row["HostProviderName"] == row["ServiceProviderName"] == "Microsoft"
        name = row.get("CommitmentDiscountName") if row["ChargeCategory"] == "Usage" else None
        found = json.loads(row["ContractApplied"] or '{"Elements": [{}]}')["Elements"][0]
        applied.setdefault(name, set()).update(found)
        if name == "ri":
            assert found["ContractCommitmentAppliedQuantity"] == float(row["CommitmentDiscountQuantity"]) > 0
            assert (found["ContractCommitmentID"], found["ContractCommitmentAppliedUnit"]) == ("ri", "Hours")
        if name == "plan":
            assert found["ContractCommitmentAppliedCost"] == float(row["EffectiveCost"]) > 0
    either = {"ContractID", "ContractCommitmentID"}
    assert applied == {
        None: set(),
        "ri": either | {"ContractCommitmentAppliedQuantity", "ContractCommitmentAppliedUnit"},
        "plan": either | {"ContractCommitmentAppliedCost"},
    }


def test_contract_commitments_have_the_columns_of_the_specification() -> None:
    """FOCUS 1.3's dataset of contract commitments, typed from its list of columns: each row has all of them."""
    own = ["BillingCurrency", "ContractId", "ContractPeriodStart", "ContractPeriodEnd"]
    parts = ["Id", "Category", "Type", "Description", "PeriodStart", "PeriodEnd", "Cost", "Quantity", "Unit"]
    assert set(CONTRACT_COLUMNS) == {*own, *(f"ContractCommitment{part}" for part in parts)}
    for row in contract_rows(export()[0], START):
        assert set(row) == set(CONTRACT_COLUMNS)
