"""Rows of real cost exports: which meter each is of, what is listed and why, and which file is none.

The rows are what the platform exports (FOCUS files a VM's disk, transfer and licence under Virtual Machines); figures are West
Europe's list: D4s v5 0.23 USD an hour (Windows 0.414), P10 21.68 and S4 1.536 USD a month, an address 0.005 USD an hour.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sim.billing.classify import KINDS, parse_unit
from sim.billing.invoice import read_invoice
from sim.billing.savings import savings_of
from sim.catalog import load_bundled
from sim.catalog.currencies import per_usd
from sim.cli.app import app
from sim.errors import UsageError
from sim.recognise import recognise

CATALOGUE = load_bundled()
DAY_OF_D4 = 24 * 0.23
DETAILS = json.dumps({"ServiceType": "Standard_D4s_v5", "VMName": None, "VCPUs": 4, "ImageType": "Canonical"})


def vm(**changes: Any) -> dict[str, Any]:
    """A day of a D4s v5, as FOCUS 1.0 of the platform writes it."""
    return {
        "BilledCost": DAY_OF_D4, "BillingCurrency": "USD", "ChargeCategory": "Usage", "ChargeClass": "",
        "ChargePeriodStart": "2024-09-17T00:00:00Z", "ChargePeriodEnd": "2024-09-18T00:00:00Z", "CommitmentDiscountId": "",
        "CommitmentDiscountStatus": "", "CommitmentDiscountType": "", "ConsumedQuantity": 24, "ConsumedUnit": "Hours",
        "EffectiveCost": "", "PricingCategory": "Standard", "PricingQuantity": 24, "PricingUnit": "Hours",
        "PublisherName": "Microsoft", "RegionId": "westeurope", "ServiceCategory": "Compute", "ServiceName": "Virtual Machines",
        "ChargeDescription": "", "Tags": "", "x_SkuDescription": "Virtual Machines Dsv5 Series - D4s v5 - EU West",
        "x_SkuDetails": DETAILS, "x_SkuMeterCategory": "Virtual Machines", "x_SkuMeterName": "D4s v5",
        "x_SkuMeterSubcategory": "Dsv5 Series",
    } | changes  # fmt: skip


def part(
    meter: str, category: str, sub: str, quantity: float, unit: str, cost: float, **changes: Any
) -> dict[str, Any]:
    """Something of that VM, filed under Virtual Machines as well."""
    return vm(
        BilledCost=cost, PricingQuantity=quantity, PricingUnit=unit, ConsumedQuantity=quantity, ConsumedUnit=unit, x_SkuDetails="",
        x_SkuMeterName=meter, x_SkuMeterCategory=category, x_SkuMeterSubcategory=sub, x_SkuDescription=f"{sub} - {meter}",
    ) | changes  # fmt: skip


DISK = part("P10 LRS Disk", "Storage", "Premium SSD Managed Disks", 0.033336, "Units/Month", 0.722724)
ADDRESS = part("Standard IPv4 Static Public IP", "Virtual Network", "IP Addresses", 24, "Hours", 0.12)
LICENSE = part("4 vCPU VM License", "Virtual Machines Licenses", "Windows Server", 24, "Hours", 4.416)
TRANSFER = part("Standard Data Transfer Out", "Bandwidth", "Rtn Preference: MGN", 4.2552e-06, "GB", 3.7e-07)


def text_of(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    """The rows as CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.fixture
def read(tmp_path: Path):
    """Rows written and read again."""

    def write_and_read(*rows: dict[str, Any], delimiter: str = ",", **options: Any):
        (tmp_path / "export.csv").write_text(text_of(list(rows), delimiter), encoding="utf-8")
        return read_invoice(tmp_path / "export.csv", CATALOGUE, **options)

    return write_and_read


def by_kind(invoice: Any) -> dict[str, float]:
    """What the rated rows of each kind cost at list price."""
    found: dict[str, float] = {}
    for each in invoice.rated:
        found[each.meter.kind] = found.get(each.meter.kind, 0.0) + each.list_cost
    return found


def test_kinds_follow_from_the_meter_not_from_the_service_category(read):
    """All of these come as Compute / Virtual Machines: 24 h of 0.23, 0.033336 months of 21.68, 24 h of 0.005, 4 vCPU of 0.046."""
    invoice = read(vm(), DISK, ADDRESS, LICENSE, TRANSFER)
    expected = {"compute": 5.52, "disk": 0.033336 * 21.68, "ip": 0.12, "license": 24 * 4 * 0.046}
    assert by_kind(invoice) == pytest.approx(expected)
    assert [(each.meter.kind, each.row.cost) for each in invoice.listed] == [("other", 3.7e-07)]
    rated = {kind: rated for kind, _, rated in invoice.differences(invoice.rate_hours())}
    assert (rated["compute"], rated["disk"]) == (pytest.approx(5.52), pytest.approx(0.722724, abs=1e-6))
    assert rated["network"] == pytest.approx(0.12)
    assert rated["license"] == pytest.approx(4.416)


def test_rows_that_only_the_list_knows_add_up_by_their_kind(read):
    """Two licences of 24 h and 12 h of four vCPUs at 0.046, and two lots of operations: none is in the rating by clock hour."""
    operations = part("S4 LRS Disk Operations", "Storage", "Standard HDD Managed Disks", 2, "10K", 0.1)
    licences = LICENSE, LICENSE | {"PricingQuantity": 12, "BilledCost": 2.0}
    invoice = read(vm(), *licences, operations, operations | {"PricingQuantity": 3})
    assert invoice.differences(invoice.rate_hours()) == [
        ("compute", pytest.approx(5.52), pytest.approx(5.52)), ("license", pytest.approx(6.416), pytest.approx(36 * 4 * 0.046)),
        ("disk", 0.0, 0.0), ("network", 0.0, 0.0), ("commitment", 0.0, 0.0), ("disk-operations", pytest.approx(0.2), pytest.approx(5 * 0.0005)),
        ("total", pytest.approx(5.52 + 6.416 + 0.2), pytest.approx(5.52 + 36 * 4 * 0.046 + 5 * 0.0005)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "unit", "consumed", "blocks"),
    [
        (2.5, "10K", 25_000, 2.5),
        (50, "Units", 50, 50),
        (25_000, "Transactions", 25_000, 2.5),
        (99.7779, "Units", 997_779, 99.7779),
    ],
)
def test_operations_of_a_disk_are_no_disk_hours(read, quantity, unit, consumed, blocks):
    """Counted in blocks of 10,000 at 0.0005 USD: a price's units are blocks, what was consumed are single operations."""
    row = part(
        "S4 LRS Disk Operations",
        "Storage",
        "Standard HDD Managed Disks",
        quantity,
        unit,
        0.1,
        ConsumedQuantity=consumed,
    )
    disk = part("S4 LRS Disk", "Storage", "Premium SSD Managed Disks", 0.033336, "Units/Month", 0.051204)
    invoice = read(vm(), disk, row)
    expected = {"compute": 5.52, "disk": 0.033336 * 1.536, "disk-operations": blocks * 0.0005}
    assert by_kind(invoice) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PricingUnit": "GB", "ConsumedUnit": "GB"}, "doesn't fit"),
        ({"x_SkuMeterName": "HB176rs v4", "x_SkuDetails": ""}, "is not in"),
        ({"x_SkuMeterName": "Contoso Backup 4 vCPU", "PublisherName": "Contoso"}, "marketplace"),
        ({"x_SkuMeterName": "D4s v5 plus"}, "no list here"),
        ({"x_SkuMeterName": "D4s v5 Low Priority"}, "low-priority"),
        ({"RegionId": "marsnorth"}, "marsnorth"),
        ({"ChargeCategory": "Tax", "x_SkuMeterName": ""}, "tax"),
        ({"ChargeCategory": "Credit"}, "refund"),
        ({"ChargeCategory": "Purchase", "CommitmentDiscountType": "Reservation"}, "purchase of a commitment"),
        ({"CommitmentDiscountStatus": "Unused", "CommitmentDiscountType": "Reservation"}, "unused part"),
        ({"x_SkuMeterCategory": "Virtual Machines Licenses", "x_SkuMeterName": "1-4 vCPU VM License"}, "other than Windows"),
        ({"PricingQuantity": "many"}, "no number"),
        ({"BilledCost": "1e999"}, "too large"),
        ({"ChargePeriodStart": "teatime"}, "no period"),
        ({"ChargePeriodStart": "0206-01-01", "ChargePeriodEnd": "0206-01-02"}, "no period"),
        ({"ChargePeriodStart": "2124-01-01", "ChargePeriodEnd": "2124-01-02"}, "not near"),
        ({"EffectiveCost": "some"}, "EffectiveCost 'some' is no number"),
        ({"PricingQuantity": "", "ConsumedQuantity": "many"}, "ConsumedQuantity 'many' is no number"),
        ({"BillingCurrency": "EUR"}, "in EUR"),
    ],
)  # fmt: skip
def test_what_is_not_rated_is_listed_with_its_cost_and_reason(read, changes, reason):
    """And the rows around it are rated: nothing stops a file."""
    invoice = read(vm(), vm(), vm(**changes), DISK)
    (listed,) = invoice.listed
    assert reason in listed.meter.reason
    assert listed.meter.kind in KINDS
    assert listed.row.line == 4
    assert len(invoice.rated) == 3
    assert sum(each.row.cost for each in invoice.rated) + listed.row.cost == pytest.approx(invoice.total)


def test_a_row_without_a_quantity_is_rated_at_nothing(read):
    """Its cost stands against no hours: the difference shows it. Its group is the tag's, without what is around it."""
    invoice = read(vm(PricingQuantity="", ConsumedQuantity="", Tags='{"group": " web "}'), vm(Tags='{"team": "x"}'))
    assert [(each.row.quantity, each.list_cost, each.row.group) for each in invoice.rated] == [
        (0.0, 0.0, "web"),
        (24.0, pytest.approx(DAY_OF_D4), ""),
    ]


def test_a_row_without_a_region_is_rated_where_the_caller_says(read):
    """West Europe where nothing is said; D4s v5 in East US by that region's list."""
    assert read(vm(RegionId="")).list_total == pytest.approx(DAY_OF_D4)
    elsewhere = 24 * CATALOGUE.price_per_h("Standard_D4s_v5", "eastus", "linux")
    assert elsewhere != pytest.approx(DAY_OF_D4)
    assert read(vm(RegionId=""), region="eastus").list_total == pytest.approx(elsewhere)
    assert read(vm(), region="eastus").list_total == pytest.approx(DAY_OF_D4)


def test_corrections_count_with_their_sign(read):
    """A day taken back and charged again on the next: one day is left, of cost and of hours."""
    back = vm(BilledCost=-DAY_OF_D4, PricingQuantity=-24, ConsumedQuantity=-24, ChargeClass="Correction")
    again = vm(ChargePeriodStart="2024-09-18T00:00:00Z", ChargePeriodEnd="2024-09-19T00:00:00Z")
    invoice = read(vm(), back, again)
    assert invoice.total == pytest.approx(5.52)
    assert invoice.list_total == pytest.approx(5.52)
    assert invoice.rate_hours().bill.total == pytest.approx(5.52)


def test_null_as_text_is_an_empty_cell(read):
    """A commitment called NULL is none."""
    invoice = read(
        vm(
            CommitmentDiscountId="NULL",
            CommitmentDiscountStatus="NULL",
            CommitmentDiscountType="NULL",
            ChargeClass="null",
        )
    )
    assert not invoice.charges[0].row.is_used
    assert invoice.list_total == pytest.approx(5.52)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"x_SkuMeterName": "", "x_SkuDescription": ""}, "Standard_D4s_v5"),
        ({"x_SkuDetails": ""}, "Standard_D4s_v5"),
        ({"x_SkuDetails": "", "x_SkuMeterName": "", "x_SkuMeterCategory": "", "x_SkuMeterSubcategory": ""}, "Standard_D4s_v5"),
        ({"x_SkuMeterName": "D2 v2/DS2 v2", "x_SkuDetails": '{"ServiceType": "Standard_DS2_v2"}'}, "Standard_DS2_v2"),
        ({"x_SkuMeterName": "", "x_SkuDetails": "", "SkuMeter": "", "SkuPriceDetails": '{"x_ServiceType":"Standard_D4s_v5"}',
          "x_SkuDescription": ""}, "Standard_D4s_v5"),
        ({"x_SkuDetails": "{broken"}, "Standard_D4s_v5"),
    ],
)  # fmt: skip
def test_the_size_is_the_resources_own_where_the_row_says_it(read, changes, size):
    """In the details first; else the meter's, else that of the product's words (FOCUS without the provider's columns)."""
    (charge,) = read(vm(**changes)).rated
    assert charge.meter.name == f"compute.{size}.linux.regular"


def test_a_covered_windows_vm_pays_its_licence_apart(read):
    """A shared Windows meter covers both; under a commitment the machine is on it at 0, and the licence has its own row."""
    windows = "Dsv5 Series Windows"
    used = {"CommitmentDiscountId": "r", "CommitmentDiscountStatus": "Used", "CommitmentDiscountType": "Reservation"}
    invoice = read(vm(x_SkuMeterSubcategory=windows, BilledCost=0, **used), LICENSE)
    assert by_kind(invoice) == pytest.approx({"compute": 24 * 0.23, "license": 4.416})
    alone = read(vm(x_SkuMeterSubcategory=windows, BilledCost=24 * 0.414))
    assert by_kind(alone) == pytest.approx({"compute": 24 * 0.414})


RESERVED = """\
name = "reserved"
start = 2024-09-17T00:00:00Z
horizon = "48h"
[[group]]
name = "z"
size = "Standard_D4s_v5"
count = 1
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 1
term = "1y"
"""


def bill(folder: Path, *arguments: str) -> dict[str, Any]:
    """What `vmfleet bill --json` says."""
    shown = CliRunner().invoke(app, ["bill", *arguments, "--json"])
    assert shown.exit_code == 0, (shown.output, shown.exception)
    return json.loads(shown.stdout)


def test_amortized_is_set_against_amortized(tmp_path):
    """Two days of one reservation, half a day of it unused: 48 h of it, 6.515; a month's purchase is no part of two days."""
    ri = {"CommitmentDiscountId": "r", "CommitmentDiscountType": "Reservation", "BilledCost": 0}
    per_h = 0.1357305936
    day = {"ChargePeriodStart": "2024-09-18T00:00:00Z", "ChargePeriodEnd": "2024-09-19T00:00:00Z"}
    month = {"ChargePeriodStart": "2024-09-01T00:00:00Z", "ChargePeriodEnd": "2024-10-01T00:00:00Z"}
    half = {"PricingQuantity": 12, "ConsumedQuantity": 12}
    rows = [
        vm(**ri, CommitmentDiscountStatus="Used", EffectiveCost=24 * per_h),
        vm(**ri, CommitmentDiscountStatus="Used", EffectiveCost=12 * per_h, **day, **half),
        vm(**ri, CommitmentDiscountStatus="Unused", EffectiveCost=12 * per_h, **day, **half),
        vm(**ri | {"BilledCost": 99.08}, ChargeCategory="Purchase", EffectiveCost=0, **month),
    ]
    (tmp_path / "e.csv").write_text(text_of(rows), encoding="utf-8")
    (tmp_path / "s.toml").write_text(RESERVED, encoding="utf-8")
    found = bill(tmp_path, str(tmp_path / "e.csv"), "--scenario", str(tmp_path / "s.toml"))
    assert found["commitments"]["ri"]["bought"] == 48
    assert found["commitments"]["ri"]["used"] == 36
    assert found["invoiced"]["commitment"]["invoiced"] == pytest.approx(48 * per_h)
    assert found["invoiced"]["total"]["difference"] == pytest.approx(0.0, abs=1e-6)
    assert (found["total"], found["effective_total"]) == (99.08, pytest.approx(48 * per_h))
    assert found["rated"]["list"] == pytest.approx(36 * 0.23)


def test_what_commitments_save_is_told_whole_by_commitment(read):
    """Of 48 h bought 36 were used, beside 12 h as one goes: at 0.23 USD an hour of list, and 0.1 USD of the reservation's price."""
    ri = {"CommitmentDiscountId": "r", "CommitmentDiscountType": "Reservation", "BilledCost": 0}
    used, lost, paid = ({"PricingQuantity": hours, "ConsumedQuantity": hours} for hours in (36, 12, 12))
    invoice = read(
        vm(**ri, **used, CommitmentDiscountStatus="Used", EffectiveCost=3.6),
        vm(**ri, **lost, CommitmentDiscountStatus="Unused", EffectiveCost=1.2),
        vm(**paid, BilledCost=2.76, EffectiveCost=2.76),
        vm(x_SkuMeterName="D4s v5 Spot", BilledCost=1, EffectiveCost=1),  # no commitment covers spot VMs
        LICENSE | {"EffectiveCost": 4.416},
    )
    everything, own = (each.as_object() for each in savings_of(invoice))
    assert own == pytest.approx({
        "name": "r", "list": 8.28, "covered_list": 8.28, "amortized": 4.8, "used": 3.6, "unused": 1.2, "coverage": 1.0,
        "utilisation": 0.75, "effective_savings_rate": 1 - 4.8 / 8.28,
    })  # fmt: skip
    assert everything == pytest.approx({
        "name": "", "list": 11.04, "covered_list": 8.28, "amortized": 7.56, "used": 3.6, "unused": 1.2, "coverage": 0.75,
        "utilisation": 0.75, "effective_savings_rate": 1 - 7.56 / 11.04,
    })  # fmt: skip
    assert savings_of(read(vm())) == []


def test_what_an_export_doesnt_say_of_its_commitments_is_unknown(read):
    """Actual cost has no amortized cost: nothing is said of use and loss, nor of what was saved."""
    covered = azure(PricingModel="Reservation", Cost=0, ReservationId="r")
    everything, own = (each.as_object() for each in savings_of(read(covered, azure())))
    unknown = {"amortized": None, "used": None, "unused": None, "utilisation": None, "effective_savings_rate": None}
    assert own == pytest.approx({"name": "r", "list": 5.52, "covered_list": 5.52, "coverage": 1.0} | unknown)
    assert everything == pytest.approx({"name": "", "list": 11.04, "covered_list": 5.52, "coverage": 0.5} | unknown)


@pytest.mark.parametrize(("region", "price", "share"), [("westeurope", "list price", 1.0), ("eastus", "stand-in", 0.0)])
def test_operations_are_priced_by_rows_of_the_catalogue(read, region, price, share):
    """With unit, source and trust; another region than the one that was read gets its price as a stand-in, and says so."""
    row = part("S4 LRS Disk Operations", "Storage", "Standard HDD Managed Disks", 4, "10K", 0.002, RegionId=region)
    invoice = read(row)
    assert by_kind(invoice) == pytest.approx({"disk-operations": 4 * 0.0005})
    assert str(CATALOGUE.other_meter("disk-operations.hdd", region)[1].trust) == price
    assert invoice.trusted_share == share


def test_the_trusted_share_is_by_amount_at_list(read):
    """A licence by vCPU is an estimate; the VM and its disk are listed. Nothing rated: no share."""
    assert read(vm(), DISK, TRANSFER).trusted_share == 1.0
    assert read(LICENSE, TRANSFER).trusted_share == 0.0
    mixed = read(vm(x_SkuMeterSubcategory="Dsv5 Series"), LICENSE)
    assert mixed.trusted_share == pytest.approx(5.52 / (5.52 + 4.416))
    assert read(TRANSFER).trusted_share is None


def test_an_invoice_in_another_currency_is_set_against_the_list_at_a_stated_rate(read):
    """The bundled one, or the one given; without any there is no list price, and nothing is compared."""
    rate = per_usd("EUR").value
    assert read(vm(BillingCurrency="EUR")).list_total == pytest.approx(5.52 * rate)
    assert read(vm(BillingCurrency="EUR"), exchange_rate=0.5).list_total == pytest.approx(5.52 * 0.5)
    unknown = read(vm(BillingCurrency="XTS"))
    assert (unknown.rate, unknown.list_total) == (None, None)
    assert len(unknown.rated) == 1
    assert all(rated is None for _, _, rated in unknown.differences(unknown.rate_hours()))


def azure(**changes: Any) -> dict[str, Any]:
    """A day of a D4s v5 in a cost export of an enterprise agreement."""
    return {
        "Date": "09/17/2024", "Product": "Virtual Machines Dsv5 Series - D4s v5 - EU West", "MeterCategory": "Virtual Machines",
        "MeterSubCategory": "Dsv5 Series", "MeterName": "D4s v5", "Quantity": 24, "Cost": 5.52, "UnitOfMeasure": "1 Hour",
        "BillingCurrency": "USD", "ResourceLocation": "westeurope", "ChargeType": "Usage", "PricingModel": "OnDemand",
        "AdditionalInfo": '{"ServiceType":"Standard_D4s_v5"}', "PublisherType": "Azure",
    } | changes  # fmt: skip


def renamed(row: dict[str, Any], **names: str) -> dict[str, Any]:
    """The row under other column names; "" leaves one out."""
    return {names.get(name, name): value for name, value in row.items() if names.get(name, name)}


@pytest.mark.parametrize(
    "row",
    [
        azure(),
        azure(Date="2024-09-17"),
        azure(Date="17.09.2024"),
        azure(ResourceLocation="EU West"),
        azure(UnitOfMeasure="10 Hours", Quantity=2.4),
        renamed(azure(), Cost="costInBillingCurrency", Date="date", BillingCurrency="billingCurrency", MeterName="meterName"),
        renamed(azure(), Cost="PreTaxCost", Date="UsageDateTime", Quantity="UsageQuantity", BillingCurrency="Currency", ChargeType="",
                PricingModel="", PublisherType=""),
        renamed(azure(), Cost="Kosten (Cost)", MeterCategory="Zählerkategorie (MeterCategory)", MeterName="Zählername (MeterName)",
                Quantity="Menge (Quantity)", Date="Datum (Date)"),
    ],
)  # fmt: skip
def test_cost_exports_are_read_under_every_header(read, row):
    """Enterprise, customer agreement, pay as you go; English and German; US, ISO and German dates."""
    invoice = read(row)
    assert invoice.export.format == "azure-actual"
    assert invoice.list_total == pytest.approx(5.52)
    assert invoice.total == pytest.approx(5.52)
    assert invoice.period == (datetime(2024, 9, 17, tzinfo=UTC), datetime(2024, 9, 18, tzinfo=UTC))


def test_german_values_mean_what_the_english_ones_do(read):
    """Charge types, pricing models, categories, units and meters of an account in German; a Spanish word is no usage."""
    german = azure(
        MeterCategory="Virtuelle Computer", UnitOfMeasure="10 Stunden", Quantity="2,4", Cost="5,52", ChargeType="Nutzung",
        PricingModel="Bedarfsgesteuert", Date="17.09.2024",
    )  # fmt: skip
    disk = german | {
        "MeterCategory": "Speicher", "MeterSubCategory": "Premium SSD Managed Disks", "MeterName": "P10 LRS-Datenträger",
        "UnitOfMeasure": "1/Monat", "Quantity": "0,5", "Cost": "10,84", "Product": "", "AdditionalInfo": "",
    }  # fmt: skip
    operations = disk | {
        "MeterSubCategory": "Standard HDD Managed Disks", "MeterName": "S4 LRS-Datenträgervorgänge", "UnitOfMeasure": "10.000",
        "Quantity": "4", "Cost": "0,002",
    }  # fmt: skip
    bought = german | {"ChargeType": "Kauf", "PricingModel": "Reservierung", "Cost": "99,00"}
    unused = german | {"ChargeType": "Nicht verwendete Reservierung", "PricingModel": "Reservierung", "Cost": "1,00"}
    back = german | {"ChargeType": "Rückerstattung", "Cost": "-3,00"}
    invoice = read(german, disk, operations, bought, unused, back, german | {"ChargeType": "Uso"}, delimiter=";")
    assert by_kind(invoice) == pytest.approx({"compute": 5.52, "disk": 10.84, "disk-operations": 0.002})
    assert [each.meter.reason.split(",")[0].split(";")[0] for each in invoice.listed] == [
        "the purchase of a commitment", "the unused part of a commitment", "a refund or an adjustment without a meter", "a uso",
    ]  # fmt: skip
    assert invoice.export.format == "azure-amortized"


def test_semicolons_come_with_decimal_commas(read):
    """As a spreadsheet of half of Europe saves it."""
    assert read(azure(Quantity="24,0", Cost="5,52"), delimiter=";").total == pytest.approx(5.52)


def test_an_amortized_export_is_told_by_where_commitments_stand(read):
    """What a reservation paid has a cost, and unused parts have rows; an actual export has its purchase."""
    used = azure(PricingModel="Reservation", Cost=3.26)
    unused = azure(PricingModel="Reservation", ChargeType="UnusedReservation", Cost=1.0)
    bought = azure(PricingModel="Reservation", ChargeType="Purchase", Cost=99.0)
    assert read(used, unused).export.format == "azure-amortized"
    actual = read(azure(PricingModel="Reservation", Cost=0), bought)
    assert actual.export.format == "azure-actual"
    assert actual.list_total == pytest.approx(5.52)
    assert [each.meter.kind for each in actual.listed] == ["commitment"]


@pytest.mark.parametrize("form", ["gzip", "utf-16", "utf-8-sig"])
def test_packed_and_other_encodings(tmp_path, form):
    """Recognised by the content, not by the name."""
    text = text_of([vm(), DISK])
    content = gzip.compress(text.encode()) if form == "gzip" else text.encode(form)
    (tmp_path / "export.txt").write_bytes(content)
    assert read_invoice(tmp_path / "export.txt", CATALOGUE).list_total == pytest.approx(5.52 + 0.033336 * 21.68)


@pytest.mark.parametrize(
    ("columns", "version"),
    [({}, "1.0"), ({"SkuMeter": "D4s v5"}, "1.1"), ({"InvoiceId": "7", "SkuMeter": "D4s v5"}, "1.2"), ({"ServiceProviderName": "x"}, "1.3")],
)  # fmt: skip
def test_the_version_of_focus_is_told_by_its_columns(read, columns, version):
    """Each version brought columns of its own."""
    assert read(vm(**columns)).export.format == f"focus-{version}"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('[{"name": "a", "hardwareProfile": {"vmSize": "Standard_D2s_v5"}, "powerState": "VM running"}]', "vm-list"),
        ('{"value": [{"eventTimestamp": "2026-09-30T22:58:29Z", "correlationId": "c"}]}', "activity-log"),
        ("Correlation id,Operation name,Status\nc,Start Virtual Machine,Succeeded\n", "activity-log-csv"),
        ('{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}', "terraform"),
        ('{"data": [{"type": "microsoft.compute/virtualmachines", "properties": {}}], "count": 1}', "resource-graph"),
        ('{"BillingCurrency": "USD", "Items": [], "NextPageLink": null}', "price-page"),
        ('[[group]]\nname = "a"\n', "scenario"),
        ("a letter to a friend", "unknown"),
        ("PAR1....", "unknown"),
        ("[1, 2", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_foreign_file_is_named_for_what_it_is(tmp_path, content, kind):
    """By its content, whatever its name says; `bill` refuses it by that name, as the user's mistake."""
    path = tmp_path / "invoice.csv"
    path.write_text(content, encoding="utf-8")
    seen = recognise(path)
    assert seen.kind == kind
    with pytest.raises(UsageError, match=r"this is .*`vmfleet bill` reads lists of stays and cost exports"):
        read_invoice(path, CATALOGUE)


def test_units_are_parsed_whole():
    """Hours, months and blocks, with their number."""
    assert parse_unit("100 Hours") == ("hour", 100.0)
    assert parse_unit("Units/Month") == ("month", 1.0)
    assert parse_unit("1M") == ("", 1e6)
    assert parse_unit("parsecs")[0] == "parsecs"


def test_the_json_adds_up(tmp_path):
    """Rated and listed make the total, meters make the rated, listed rows make the listed; the first line says the share."""
    rows = [vm(), vm(), DISK, ADDRESS, TRANSFER, vm(ChargeCategory="Tax", BilledCost=7.5, x_SkuDescription="Tax")]
    (tmp_path / "e.csv").write_text(text_of(rows), encoding="utf-8")
    found = bill(tmp_path, str(tmp_path / "e.csv"))
    assert (found["format"], found["currency"], found["cost_column"]) == ("focus-1.0", "USD", "BilledCost")
    assert found["period"] == {"from": "2024-09-17T00:00:00+00:00", "to": "2024-09-18T00:00:00+00:00"}
    assert found["rated"]["cost"] + found["listed"]["cost"] == pytest.approx(found["total"])
    assert found["rated_share"] == pytest.approx(found["rated"]["cost"] / found["total"])
    assert sum(each["cost"] for each in found["meters"]) == pytest.approx(found["rated"]["cost"])
    assert sum(each["list"] for each in found["meters"]) == pytest.approx(found["rated"]["list"])
    assert sum(each["cost"] for each in found["listed_rows"]) == pytest.approx(found["listed"]["cost"])
    assert found["rated"]["rows"] + found["listed"]["rows"] == len(rows)
    compute = next(each for each in found["meters"] if each["kind"] == "compute")
    assert (compute["quantity"], compute["unit_price"], compute["rows"]) == (48, 0.23, 2)
    shown = CliRunner().invoke(app, ["bill", str(tmp_path / "e.csv")]).stdout
    assert shown.startswith("Rated: 61.3 % of 19.38 USD")


CASES = Path(os.environ.get("VMFLEET_CASES", "no such folder")) / "real"
"""A folder of real exports, where one is given."""


@pytest.mark.skipif(not CASES.is_dir(), reason="VMFLEET_CASES names no folder of real exports")
@pytest.mark.parametrize(
    ("name", "total", "listed"),
    [
        ("f01_plain.csv", 6.362724, 0), ("f02_disk_in_compute.csv", 6.362724, 0), ("f03_egress.csv", 5.52, 1),
        ("f04_disk_ops.csv", 5.572454, 0), ("f04b_disk_ops_units.csv", 5.596204, 0), ("f06_correction.csv", 5.52, 0),
        ("f07_null_text.csv", 6.242724, 0), ("f09b_windows_reserved.csv", 9.936, 0), ("f12_details_only.csv", 5.52, 0),
        ("f16_unknown_size.csv", 5.52, 1), ("f18_us_dates.csv", 5.52, 0), ("f21b_focus12_details.csv", 5.52, 0),
        ("f22_gz.csv.gz", 6.362724, 0), ("ea_actual_small.csv", None, None), ("ea_amortized_small.csv", None, None),
    ],
)  # fmt: skip
def test_real_exports(name, total, listed):
    """Their value at list price, and how many of their rows aren't rated."""
    invoice = read_invoice(CASES / name, CATALOGUE)
    assert all(each.meter.reason for each in invoice.listed)
    if total is not None:
        assert invoice.list_total == pytest.approx(total, abs=1e-5)
        assert len(invoice.listed) == listed


def test_a_disk_of_ours_costs_its_month_over_the_hours_of_the_calendar_month(read):
    """P10 for a day in September (720 h) and in February 2024 (696 h); both are of one kind in the comparison."""
    ours = {
        "ChargeDescription": "",
        "x_SkuMeterCategory": "",
        "x_SkuMeterSubcategory": "",
        "x_SkuDescription": "",
        "x_SkuMeterName": "disk.P10",
    }
    ours |= {"PricingUnit": "Hours", "x_SkuDetails": "", "BilledCost": 1.0}
    later = {"ChargePeriodStart": "2024-02-10T00:00:00Z", "ChargePeriodEnd": "2024-02-11T00:00:00Z"}
    invoice = read(vm(**ours), vm(**(ours | later)))
    month = CATALOGUE.disk("P10", "westeurope").per_month
    assert [each.list_cost for each in invoice.rated] == pytest.approx([24 * month / 720, 24 * month / 696])
    assert by_kind(invoice) == {"disk": pytest.approx(24 * month / 720 + 24 * month / 696)}
