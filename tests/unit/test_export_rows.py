"""Rows of cost exports as they are read: every cell under each of its columns' names, and what a whole row becomes."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sim.billing.export_rows import ExportRow, Sku, read_export, scan_export
from sim.billing.german_cells import english
from sim.recognise import Recognised

DAY = {"start": datetime(2024, 9, 17, tzinfo=UTC), "end": datetime(2024, 9, 18, tzinfo=UTC)}


def read(path: Path, *rows: dict[str, str], written: str = "focus-1.0") -> list[ExportRow]:
    """The rows of a file with these cells."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (path / "export.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, columns, restval="")
        out.writeheader()
        out.writerows(rows)
    seen = Recognised(
        kind="cost-export", words="", format=written, columns=tuple(name.lower() for name in columns), delimiter=","
    )
    return list(read_export(path / "export.csv", seen).rows)


# What a cell says, typed from FOCUS 1.0 to 1.2, from Microsoft's FOCUS columns (x_...) and from its cost details of enterprise and
# customer agreements and of pay as you go; then a value, the attribute that it becomes, and what that is.
CELLS: list[tuple[str, str, str, Any]] = [
    ("ChargePeriodStart Date UsageDateTime UsageDate", "2024-09-16", "start", datetime(2024, 9, 16, tzinfo=UTC)),
    ("ChargePeriodEnd", "2024-09-20", "end", datetime(2024, 9, 20, tzinfo=UTC)),
    ("ChargeCategory ChargeType", "Tax", "sku.charge", "tax"),
    ("BillingCurrency BillingCurrencyCode Currency CurrencyCode", "eur", "currency", "EUR"),
    ("PricingQuantity Quantity UsageQuantity", "7.5", "quantity", 7.5),
    ("ConsumedQuantity", "7.5", "quantity", 7.5),
    ("x_PricingUnitDescription PricingUnit UnitOfMeasure", "10 Hours", "sku.unit", "10 Hours"),
    ("x_SkuMeterCategory MeterCategory", "Storage", "sku.category", "Storage"),
    ("x_SkuMeterSubcategory MeterSubCategory", "Premium", "sku.subcategory", "Premium"),
    ("SkuMeter x_SkuMeterName MeterName", "P10 LRS Disk", "sku.meter", "P10 LRS Disk"),
    ("x_SkuDescription ChargeDescription ProductName Product", "A disk", "sku.product", "A disk"),
    ("SkuPriceDetails x_SkuDetails AdditionalInfo", '{"x_ServiceType": "D4"}', "sku.size", "D4"),
    ("SkuPriceDetails x_SkuDetails AdditionalInfo", '"InstanceType": "D8"', "sku.size", "D8"),  # without its braces
    ("SkuPriceDetails", '{"BaseTier": "P10"}', "sku.base", "P10"),
    ("SkuPriceDetails", '{"OperatingSystem": "Windows"}', "sku.image", "Windows"),
    ("SkuPriceDetails", '{"ImageType": "Canonical"}', "sku.image", "Canonical"),
    ("RegionId ResourceLocation Location RegionName MeterRegion", "EU West", "sku.region", "EU West"),
    ("ServiceName ConsumedService", "Microsoft.Compute", "sku.service", "Microsoft.Compute"),
    ("CommitmentDiscountType PricingModel", "Savings Plan", "sku.commitment", "savings plan"),
    ("CommitmentDiscountType PricingModel", "SavingsPlan", "sku.commitment", "savings plan"),
    ("CommitmentDiscountType PricingModel", "Reservation", "sku.commitment", "reservation"),
    ("CommitmentDiscountType PricingModel", "Reservation", "is_used", True),
    ("CommitmentDiscountId BenefitId ReservationId", "id-1", "sku.commitment", "reservation"),
    ("CommitmentDiscountId BenefitId ReservationId", "id-1", "commitment", "id-1"),
    ("CommitmentDiscountName BenefitName ReservationName", "three years", "commitment", "three years"),
    ("CommitmentDiscountStatus CapacityReservationStatus", "Unused", "sku.charge", "unused"),
    ("PricingCategory PricingModel", "Dynamic", "sku.is_spot", True),
    ("PricingCategory PricingModel", "Spot", "sku.is_spot", True),
    ("PricingCategory PricingModel", "OnDemand", "sku.is_spot", False),
    ("PublisherName", "Contoso", "sku.publisher", "Contoso"),
    ("PublisherName", "Microsoft Corporation", "sku.publisher", ""),
    ("x_PublisherCategory PublisherType", "Marketplace", "sku.publisher", "the marketplace"),
    ("x_PublisherCategory PublisherType", "Vendor", "sku.publisher", "the marketplace"),
    ("x_PublisherCategory PublisherType", "Azure", "sku.publisher", ""),
    ("Tags", '{"group": " web "}', "group", "web"),
    ("Tags", '{"team": "web"}', "group", ""),
    ("Tags", '{"team": "web"}', "tags", '{"team": "web"}'),
    ("ResourceId InstanceId InstanceName", "/vm/1", "resource", "/vm/1"),
    ("x_SkuTerm Term", "36", "term", "36"),
    ("ChargeFrequency Frequency", "Recurring", "frequency", "Recurring"),
    ("ListUnitPrice PayGPrice", "0.23", "list_price", 0.23),
    ("ListUnitPrice", "many", "list_price", None),
    ("ContractedUnitPrice UnitPrice", "0.2", "price", 0.2),
    ("BilledCost CostInBillingCurrency PreTaxCost", "9", "cost", 9.0),
    ("EffectiveCost", "8", "effective", 8.0),
    ("EffectiveCost", "0", "effective", 0.0),
]


@pytest.mark.parametrize(
    ("column", "text", "attribute", "value"),
    [(column, text, attribute, value) for names, text, attribute, value in CELLS for column in names.split()],
)
def test_a_cell_is_read_under_each_of_its_columns_names(
    tmp_path: Path, column: str, text: str, attribute: str, value: Any
) -> None:
    """Alone in its file beside a date and a cost; no cell of another name is taken for it."""
    base = {"start": {"Cost": "5"}, "cost": {"Date": "2024-09-17"}}.get(attribute, {"Date": "2024-09-17", "Cost": "5"})
    found: Any = read(tmp_path, base | {column: text})[0]
    for name in attribute.split("."):
        found = getattr(found, name)
    assert found == value
    assert found is value or not isinstance(value, bool | None)


NOTHING = {
    **dict.fromkeys(("category", "subcategory", "meter", "product", "unit", "size", "image", "base", "region", "service"), ""),
    "has_blocks": True, "charge": "usage", "commitment": "", "is_spot": False, "publisher": "",
}  # fmt: skip


def test_what_a_row_doesn_t_say_is_empty(tmp_path: Path) -> None:
    """A day of usage that cost something, of nothing known. NULL as text says as much."""
    expected = ExportRow(line=2, sku=Sku(**NOTHING), cost=5.0, effective=None, quantity=0.0, currency="", **DAY)
    assert read(tmp_path, {"Date": "2024-09-17", "Cost": "5"}) == [expected]
    assert read(tmp_path, {"Date": "2024-09-17", "Cost": "5", "ReservationId": "null", "UnitPrice": "NULL"}) == [
        expected
    ]


def test_the_first_name_that_says_something_counts(tmp_path: Path) -> None:
    """FOCUS before the provider's own columns, as both stand in one file; an empty cell gives way."""
    both = {"Date": "2024-09-17", "BilledCost": "5", "Cost": "6", "PricingQuantity": "1", "Quantity": "2"}
    (row,) = read(tmp_path, both)
    assert (row.cost, row.quantity) == (5.0, 1.0)
    (row,) = read(tmp_path, both | {"PricingQuantity": ""})
    assert row.quantity == 2.0


def test_a_quantity_is_in_blocks_of_the_price_unless_it_is_what_was_consumed(tmp_path: Path) -> None:
    """The unit is that of the quantity: of the pricing, else of the consumption."""
    cells = {
        "Date": "2024-09-17",
        "Cost": "5",
        "PricingUnit": "10 Hours",
        "ConsumedQuantity": "24",
        "ConsumedUnit": "Hours",
    }
    (row,) = read(tmp_path, cells)
    assert (row.quantity, row.sku.unit, row.sku.has_blocks) == (24.0, "Hours", False)
    (row,) = read(tmp_path, cells | {"ConsumedUnit": ""})
    assert (row.quantity, row.sku.unit, row.sku.has_blocks) == (24.0, "10 Hours", False)
    (row,) = read(tmp_path, cells | {"PricingQuantity": "2.4"})
    assert (row.quantity, row.sku.unit, row.sku.has_blocks) == (2.4, "10 Hours", True)


def test_a_commitment_s_id_alone_is_a_reservation_in_focus_only(tmp_path: Path) -> None:
    """Azure's own exports have the id of a benefit beside a pricing model, which says what it is."""
    row = {"Date": "2024-09-17", "Cost": "5", "BenefitId": "id-1"}
    assert [each.sku.commitment for each in read(tmp_path, row)] == ["reservation"]
    assert [each.sku.commitment for each in read(tmp_path, row, written="azure")] == [""]


@pytest.mark.parametrize(
    ("cost", "problem"),
    [("1e12", ""), ("-1e12", ""), ("1.1e12", "cost '1.1e12' is too large"), ("much", "cost 'much' is no number"), ("nan", "cost 'nan' is no number")],
)  # fmt: skip
def test_a_number_that_can_t_be_right_is_the_row_s_problem(tmp_path: Path, cost: str, problem: str) -> None:
    """A million million of any currency is the most that is believed."""
    (row,) = read(tmp_path, {"Date": "2024-09-17", "Cost": cost})
    assert (row.problem, row.cost) == (problem, 0.0 if problem else float(cost))


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("09/17/2024", datetime(2024, 9, 17, tzinfo=UTC)),
        ("17.09.2024", datetime(2024, 9, 17, tzinfo=UTC)),
        ("09/17/2024 13:05:09", datetime(2024, 9, 17, 13, 5, 9, tzinfo=UTC)),
        ("09/17/2024 13:05", datetime(2024, 9, 17, 13, 5, tzinfo=UTC)),
        ("17.09.2024 13:05:09", datetime(2024, 9, 17, 13, 5, 9, tzinfo=UTC)),
        ("9/17/2024 1:05:09 PM", datetime(2024, 9, 17, 13, 5, 9, tzinfo=UTC)),
        ("2024-09-17T13:05:09+02:00", datetime(2024, 9, 17, 11, 5, 9, tzinfo=UTC)),
        ("1990-01-01", datetime(1990, 1, 1, tzinfo=UTC)),
        ("2199-12-31", datetime(2199, 12, 31, tzinfo=UTC)),
    ],
)
def test_dates_are_read_as_exports_of_all_kinds_write_them(tmp_path: Path, date: str, at: datetime) -> None:
    """American, German, ISO; UTC where nothing else is said; of the years of a cloud."""
    (row,) = read(tmp_path, {"Date": date, "Cost": "5"})
    assert (row.start, row.problem) == (at, "")


@pytest.mark.parametrize("date", ["1989-12-31", "2200-01-01", "", "17/09/2024"])
def test_what_is_no_date_is_no_period(tmp_path: Path, date: str) -> None:
    """The row is kept, with its cost."""
    (row,) = read(tmp_path, {"Date": date, "Cost": "5"})
    assert (row.problem, row.cost) == (f"{date!r} to '' is no period", 5.0)
    assert (row.start, row.end) == (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))


def test_a_row_years_from_the_others_has_a_wrong_date(tmp_path: Path) -> None:
    """Three years are the most that one export covers, and that one charge lasts."""
    usual = {"Date": "2024-09-17", "ChargePeriodEnd": "2024-09-18", "Cost": "5"}
    within = [{"Date": "2021-09-16", "ChargePeriodEnd": "2021-09-17"}, {"ChargePeriodEnd": "2027-09-19"}]
    beyond = [{"Date": "2021-09-14", "ChargePeriodEnd": "2021-09-15"}, {"ChargePeriodEnd": "2027-09-22"}]
    for cells, problem in ((within, ""), (beyond, "its period is not near those of the other rows")):
        rows = read(tmp_path, usual, usual, usual, *(usual | each for each in cells))
        assert [row.problem for row in rows] == ["", "", "", problem, problem]


def test_a_scan_counts_rows_days_and_subscriptions(tmp_path: Path) -> None:
    """Without reading any charge: what `usage` and `paid` of one period have in common."""
    rows = [
        {"Date": "2024-09-17", "SubscriptionId": "/subscriptions/A", "ChargeType": "Usage", "Cost": "1"},
        {"Date": "2024-09-17", "SubscriptionId": "b", "ChargeType": "Usage", "Cost": "1"},
        {"Date": "2024-09-18", "SubscriptionId": "a", "ChargeType": "Usage", "Cost": "0", "BenefitId": "id-1"},
    ]
    read(tmp_path, *rows)
    columns = ("date", "subscriptionid", "chargetype", "cost", "benefitid")
    seen = Recognised(kind="cost-export", words="", format="azure", columns=columns, delimiter=",")
    found = scan_export(tmp_path / "export.csv", seen)
    assert (found.rows, found.start, found.end, found.format) == (
        3,
        DAY["start"],
        datetime(2024, 9, 19, tzinfo=UTC),
        "azure-actual",
    )
    assert found.days == {("a", DAY["start"].date()), ("b", DAY["start"].date()), ("a", DAY["end"].date())}
    for change in ({"Cost": "0.5"}, {"ChargeType": "UnusedReservation"}):
        read(tmp_path, *rows[:2], rows[2] | change)
        assert scan_export(tmp_path / "export.csv", seen).format == "azure-amortized"


@pytest.mark.parametrize("column", ["SubAccountId", "SubscriptionId", "SubscriptionGuid"])
def test_a_scan_knows_a_subscription_under_each_of_its_columns_names(tmp_path: Path, column: str) -> None:
    """Of FOCUS, of enterprise and customer agreements, and of pay as you go."""
    read(tmp_path, {"Date": "2024-09-17", column: "/subscriptions/A", "Cost": "1"})
    seen = Recognised(
        kind="cost-export", words="", format="azure", columns=("date", column.lower(), "cost"), delimiter=","
    )
    assert scan_export(tmp_path / "export.csv", seen).days == {("a", DAY["start"].date())}


def test_a_scan_of_dates_that_nobody_can_read_has_none(tmp_path: Path) -> None:
    """The rows are there; a last day is that of the charge periods where they have ends."""
    read(tmp_path, {"Date": "teatime", "Cost": "1"})
    seen = Recognised(kind="cost-export", words="", format="azure", columns=("date", "cost"), delimiter=",")
    found = scan_export(tmp_path / "export.csv", seen)
    assert (found.rows, found.start, found.end, found.days) == (1, None, None, frozenset())
    read(tmp_path, {"ChargePeriodStart": "2024-09-17", "ChargePeriodEnd": "2024-09-20", "BilledCost": "1"})
    seen = Recognised(
        kind="cost-export",
        words="",
        format="focus-1.0",
        columns=("chargeperiodstart", "chargeperiodend", "billedcost"),
        delimiter=",",
    )
    found = scan_export(tmp_path / "export.csv", seen)
    assert (found.start, found.end, found.format) == (DAY["start"], datetime(2024, 9, 20, tzinfo=UTC), "focus-1.0")


def test_a_row_shorter_than_the_header_says_nothing_in_its_last_cells(tmp_path: Path) -> None:
    """As spreadsheets cut them: by one cell, or by all that are empty."""
    (tmp_path / "export.csv").write_text(
        "Date,Cost,Quantity,MeterName\n2024-09-17,5,2\n2024-09-18,6\n", encoding="utf-8"
    )
    names = ("date", "cost", "quantity", "metername")
    seen = Recognised(kind="cost-export", words="", format="azure", columns=names, delimiter=",")
    rows = list(read_export(tmp_path / "export.csv", seen).rows)
    assert [(row.cost, row.quantity, row.sku.meter, row.problem) for row in rows] == [
        (5.0, 2.0, "", ""),
        (6.0, 0.0, "", ""),
    ]


@pytest.mark.parametrize(
    ("cell", "written", "means"),
    [
        ("charge", "Einkauf", "Purchase"), ("charge", "nicht genutzter Sparplan", "UnusedSavingsPlan"), ("charge", "Steuer", "Tax"),
        ("pricing", "Reservierung", "Reservation"), ("pricing", "Bei Bedarf", "OnDemand"), ("discount", "Sparplan", "SavingsPlan"),
        ("category", "Speicher", "Storage"), ("unit", "1 Monat", "1 Month"),
        ("unit", "10.000 Vorgänge", "10,000 Operations"), ("unit", "1 Tage", "1 Days"), ("unit", "100 Transaktionen", "100 Transactions"),
        ("unit", "1 Einheit", "1 Unit"), ("unit", "10 Einheiten", "10 Units"), ("unit", "3 Monate", "3 Months"), ("unit", "1 Stunde", "1 Hour"),
        ("consumed_unit", "100 Std.", "100 Hours"),
        ("meter", "P10-Momentaufnahmen", "P10 Snapshots"), ("pricing", "Uso", "Uso"), ("meter", "D4s v5", "D4s v5"),
    ],
)  # fmt: skip
def test_a_german_cell_has_its_english_value(cell: str, written: str, means: str) -> None:
    """By the cell; a word that isn't known stays as it is."""
    assert english(cell, written) == means
