"""Saved pages of the Retail Prices API become a catalogue, and the error of a malformed one names file and item."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sim.catalog import Catalogue, RetailImport, import_pages, load, save
from sim.errors import CatalogueError

API = "https://prices.azure.com:443/api/retail/prices"


def item(**changes: Any) -> dict[str, Any]:
    """A Linux pay-as-you-go item as the API writes it; a change of None takes the field away."""
    whole = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 0.25,
        "unitPrice": 0.25,
        "armRegionName": "swedencentral",
        "location": "SE Central",
        "effectiveStartDate": "2024-05-01T00:00:00Z",
        "meterId": "m",
        "meterName": "D4s v5",
        "productId": "p",
        "skuId": "p/s",
        "productName": "Virtual Machines Dsv5 Series",
        "skuName": "Standard_D4s_v5",
        "serviceName": "Virtual Machines",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_D4s_v5",
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


WINDOWS = item(productName="Virtual Machines Dsv5 Series Windows", retailPrice=0.434, unitPrice=0.434)
SPOT = item(skuName="D4s v5 Spot", meterName="D4s v5 Spot", retailPrice=0.05)
SPOT_WINDOWS = SPOT | {"productName": WINDOWS["productName"], "retailPrice": 0.09}
LOW_PRIORITY = item(skuName="D4s v5 Low Priority", meterName="D4s v5 Low Priority", retailPrice=0.04)
CLOUD_SERVICES = item(productName="Dsv5 Series Cloud Services", retailPrice=0.3)
DEV_TEST = item(type="DevTestConsumption", productName=WINDOWS["productName"], retailPrice=0.25)
RESERVED_1Y = item(type="Reservation", reservationTerm="1 Year", retailPrice=1314.0, unitPrice=1314.0)
RESERVED_3Y = item(type="Reservation", reservationTerm="3 Years", retailPrice=2628.0, unitPrice=2628.0)
PLANS = [
    {"term": "3 Years", "unitPrice": 0.11, "retailPrice": 0.12},
    {"term": "1 Year", "unitPrice": 0.17, "retailPrice": 0.18},
]
ALL = [
    item(savingsPlan=PLANS),
    WINDOWS,
    SPOT,
    SPOT_WINDOWS,
    LOW_PRIORITY,
    CLOUD_SERVICES,
    DEV_TEST,
    RESERVED_1Y,
    RESERVED_3Y,
]
TERMS = {
    "linux": 0.25, "windows": 0.434, "spot_linux": 0.05, "spot_windows": 0.09, "reservation_1y": 0.15, "reservation_3y": 0.1,
    "savings_plan_1y": 0.18, "savings_plan_3y": 0.12,
}  # fmt: skip


def page(items: list[Any], **changes: Any) -> dict[str, Any]:
    """One answer of the API."""
    return {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": items,
        "NextPageLink": None,
        "Count": len(items),
    } | changes


@pytest.fixture
def imported(tmp_path: Path):
    """Import of pages given as items, each written to a file of its own."""

    def make(*pages: list[Any]) -> RetailImport:
        files = [tmp_path / f"page{number}.json" for number in range(len(pages))]
        for file, items in zip(files, pages, strict=True):
            file.write_text(json.dumps(page(items)))
        return import_pages(files)

    return make


def terms_of(catalogue: Catalogue, size: str = "Standard_D4s_v5", region: str = "swedencentral") -> dict[str, float]:
    """Every price known of a size."""
    return {row: found.per_h for row in TERMS if (found := catalogue.find_price(size, region, row))}


class TestWhatIsTaken:
    """The right figure under the right term."""

    def test_every_term_is_told_apart(self, imported) -> None:
        """Linux and Windows share the meter's name; a reservation's price is the whole term's though its unit is an hour."""
        assert terms_of(imported(ALL).catalogue) == pytest.approx(TERMS)

    @pytest.mark.parametrize("order", [ALL[::-1], ALL[4:] + ALL[:4]])
    def test_the_order_of_items_does_not_matter(self, imported, order: list[Any]) -> None:
        """A low-priority price read last must not become the Linux price."""
        assert terms_of(imported(order).catalogue) == pytest.approx(TERMS)

    def test_the_older_api_gives_the_same_without_plans(self, imported) -> None:
        """The version before 2023-01-01-preview has no savingsPlan."""
        without = {key: value for key, value in TERMS.items() if not key.startswith("savings")}
        assert terms_of(imported([item(), *ALL[1:]]).catalogue) == pytest.approx(without)

    def test_what_is_left_out_is_counted_by_reason(self, imported) -> None:
        """Nothing vanishes silently."""
        more = [
            item(serviceName="Storage", productName="Blob Storage"),
            item(type="Reservation", reservationTerm="5 Years"),
            item(productName="Dsv5 Series Dedicated Host"),
            item(retailPrice=0, unitPrice=0, armSkuName="Standard_D8s_v5"),
            item(tierMinimumUnits=100.0, retailPrice=0.2),
            item(armSkuName=""),
            item(armRegionName=""),
            item(type="Preview"),
            item(skuName="D4s v5 Expired", retailPrice=0.1),
            item(type="Reservation", reservationTerm="1 Year", productName=WINDOWS["productName"]),
            item(type="Reservation", reservationTerm="1 Year", skuName="D4s v5 Spot"),
            item(
                type="Reservation", reservationTerm="1 Year", armSkuName="Standard_D8s_v5", retailPrice=0, unitPrice=0
            ),
            item(
                serviceName="Storage",
                productName="Premium SSD Managed Disks",
                meterName="P11 LRS Disk",
                unitOfMeasure="1/Month",
            ),
        ]
        made = imported(ALL + more)
        assert made.taken == 6
        assert made.left_out == {
            "low priority": 1, "Cloud Services": 1, "dev/test price": 1, "service Storage": 1, "reservation of 5 Years": 1,
            "dedicated host": 1, "price 0": 2, "volume tier": 1, "no size": 1, "no region": 1,
            "type Preview": 1, "expired": 1, "Windows reservation": 1, "spot reservation": 1, "disk tier P11": 1,
        }  # fmt: skip

    @pytest.mark.parametrize("product", ["DCsv3 Series Windows", "Virtual Machines NCCadsv5 Srs Win", "X Windows "])
    def test_only_the_products_name_tells_windows(self, imported, product: str) -> None:
        """Whatever series writes it how."""
        assert terms_of(imported([item(), item(productName=product, retailPrice=0.4)]).catalogue) == {
            "linux": 0.25,
            "windows": 0.4,
        }

    def test_a_windows_plan_rate_is_not_taken_for_the_machine(self, imported) -> None:
        """It holds the licence, which no plan covers."""
        assert "savings_plan_1y" not in terms_of(imported([item(), WINDOWS | {"savingsPlan": PLANS}]).catalogue)

    def test_a_unit_of_several_hours_is_divided(self, imported) -> None:
        """Some meters are sold by a hundred hours."""
        assert terms_of(imported([item(unitOfMeasure="100 Hours")]).catalogue) == {"linux": 0.0025}

    def test_regions_currency_and_dates_are_kept(self, imported) -> None:
        """A price is nothing without them."""
        euro = {"currencyCode": "EUR"}
        made = imported(
            [
                item(**euro),
                item(armRegionName="uksouth", retailPrice=0.3, effectiveStartDate="2026-08-01T00:00:00Z", **euro),
            ]
        )
        assert made.catalogue.regions == ("swedencentral", "uksouth")
        assert made.catalogue.currency == "EUR"
        price = made.catalogue.price("D4s_v5", "uksouth", "linux")
        assert (price.per_h, price.currency) == (0.3, "EUR")
        assert "2024-05-01" in price.provenance.note
        assert "2026-08-01" in price.provenance.note

    def test_of_two_prices_the_primary_then_the_newer_holds(self, imported) -> None:
        """Whichever is read first."""
        old, new = item(retailPrice=0.2, effectiveStartDate="2020-01-01T00:00:00Z"), item(retailPrice=0.3)
        other = item(retailPrice=0.9, isPrimaryMeterRegion=False, effectiveStartDate="2026-01-01T00:00:00Z")
        for order in ([old, new, other], [other, new, old]):
            assert terms_of(imported(order).catalogue) == {"linux": 0.3}

    def test_disks_and_addresses_are_taken_if_there(self, imported) -> None:
        """A catalogue of another region can then bill everything."""
        disk = item(
            serviceName="Storage",
            productName="Premium SSD Managed Disks",
            unitOfMeasure="1/Month",
            armSkuName="",
            retailPrice=20.0,
        )
        ip = item(
            serviceName="Virtual Network",
            productName="IP Addresses",
            meterName="Standard IPv4 Static Public IP",
            retailPrice=0.006,
        )
        made = imported([
            item(),
            disk | {"meterName": "P10 LRS Disk", "skuName": "P10 LRS"},
            disk | {"meterName": "P10 ZRS Disk", "skuName": "P10 ZRS", "retailPrice": 30.0},
            disk | {"meterName": "P10 LRS Disk Mount", "skuName": "P10 LRS", "retailPrice": 1.0},
            ip,
        ])  # fmt: skip
        assert made.catalogue.disk("P10", "swedencentral").per_month == 20.0
        assert made.catalogue.disk("P10 ZRS", "swedencentral").per_month == 30.0
        assert made.catalogue.public_ip_per_h("swedencentral") == 0.006
        assert made.left_out == {"disk meter other than a tier's month": 1}

    def test_missing_disks_are_lent_only_where_we_know_the_region(self, imported) -> None:
        """And it is said; another currency's are never lent."""
        known = imported([item(armRegionName="westeurope")])
        assert known.catalogue.disk("P10", "westeurope").per_month == 21.68
        assert any("bundled" in note for note in known.notes)
        unknown = imported([item()])
        assert "no disk prices for swedencentral" in unknown.notes
        foreign = imported([item(armRegionName="westeurope", currencyCode="EUR")])
        with pytest.raises(CatalogueError, match="no price for disk tier"):
            foreign.catalogue.disk("P10", "westeurope")

    def test_sizes_get_their_parts_from_the_bundled_catalogue_or_none(self, imported) -> None:
        """Numbers of vCPUs and memory are not in the pages; unknown is said, not guessed."""
        made = imported([item(armSkuName="standard_d4S_v5"), item(armSkuName="Standard_Q7_v1")])
        assert made.catalogue.get_size("Standard_D4s_v5").vcpus == 4
        assert made.catalogue.get_size("Standard_Q7_v1").vcpus is None
        assert any("unknown for 1 size: Standard_Q7_v1" in note for note in made.notes)

    def test_the_catalogue_is_read_back_as_it_was(self, imported, tmp_path: Path) -> None:
        """`prices import` writes what `run` reads."""
        made = imported(ALL)
        save(made.catalogue, tmp_path / "mine.json")
        assert terms_of(load(tmp_path / "mine.json")) == terms_of(made.catalogue)

    def test_the_day_of_reading_is_kept(self, tmp_path: Path) -> None:
        """Where the caller knows it."""
        (tmp_path / "a.json").write_text(json.dumps(page([item()])))
        made = import_pages([tmp_path], read=date(2026, 9, 1))
        assert made.catalogue.price("D4s_v5", "swedencentral", "linux").provenance.read == "2026-09-01"


class TestPages:
    """Many pages, in files and folders."""

    @staticmethod
    def write(folder: Path, number: int, *, link: int | None, count: int = 100, query: str = "") -> Path:
        """A full page of a long list; page *number* has sizes of its own."""
        items = [item(armSkuName=f"Standard_X{number}_{i}") for i in range(count)]
        address = f"{API}?api-version=2023-01-01-preview&$filter={query}&$skip={link}" if link is not None else None
        file = folder / f"{query}{number:03}.json"
        file.write_text(json.dumps(page(items, NextPageLink=address)))
        return file

    def test_a_folder_is_followed_to_its_last_page(self, tmp_path: Path) -> None:
        """Two queries of several pages side by side."""
        for query in ("a", "b"):
            for number in range(3):
                self.write(tmp_path, number, link=100 * (number + 1), query=query)
            self.write(tmp_path, 3, link=None, count=7, query=query)
        made = import_pages([tmp_path])
        assert (made.pages, made.taken) == (8, 614)
        assert len(made.catalogue.sizes) == 307

    @pytest.mark.parametrize("missing", [0, 1, 3])  # 2 can't be seen: the last page passes for it
    def test_a_page_missing_from_a_folder_is_an_error(self, tmp_path: Path, missing: int) -> None:
        """A size would be unknown for no reason the user can see."""
        for number in range(3):
            self.write(tmp_path, number, link=100 * (number + 1))
        self.write(tmp_path, 3, link=None, count=7)
        (tmp_path / f"{missing:03}.json").unlink()
        with pytest.raises(CatalogueError, match="is not there") as error:
            import_pages([tmp_path])
        named = f"{missing - 1:03}.json" if missing else "001.json"
        assert named in str(error.value)

    def test_a_single_file_may_be_a_part_but_it_is_noted(self, tmp_path: Path) -> None:
        """A user may want one page only."""
        made = import_pages([self.write(tmp_path, 0, link=100)])
        assert any("leads to a page that is not there" in note for note in made.notes)
        assert made.taken == 100

    def test_a_page_given_twice_counts_once(self, tmp_path: Path) -> None:
        """By folder and by name."""
        file = self.write(tmp_path, 0, link=None, count=3)
        assert import_pages([file, tmp_path, file]).taken == 3

    def test_pages_of_short_lists_and_other_links_are_followed_too(self, tmp_path: Path) -> None:
        """A link need not have a $skip."""
        (tmp_path / "1.json").write_text(json.dumps(page([item()], NextPageLink=f"{API}?$skiptoken=abc")))
        (tmp_path / "2.json").write_text(json.dumps(page([item(armSkuName="Standard_D8s_v5")])))
        assert import_pages([tmp_path]).taken == 2

    def test_a_list_of_pages_in_one_file_is_taken(self, tmp_path: Path) -> None:
        """Scripts save like that."""
        (tmp_path / "all.json").write_text(json.dumps([page([item()]), page([WINDOWS])]))
        assert terms_of(import_pages([tmp_path]).catalogue) == {"linux": 0.25, "windows": 0.434}

    def test_a_count_that_does_not_agree_is_noted(self, tmp_path: Path) -> None:
        """A page cut by hand."""
        (tmp_path / "a.json").write_text(json.dumps(page([item()], Count=100)))
        assert any("says Count 100 and holds 1" in note for note in import_pages([tmp_path]).notes)


class TestInForce:
    """Pages list announced and ended prices beside those in force."""

    TODAY = date(2026, 5, 1)

    def made(self, tmp_path: Path, *items: dict[str, Any]) -> RetailImport:
        """Import of one page, read on that day."""
        (tmp_path / "page.json").write_text(json.dumps(page(list(items))))
        return import_pages([tmp_path / "page.json"], read=self.TODAY)

    def test_an_announced_price_is_noted_not_taken(self, tmp_path: Path) -> None:
        """The later effective date used to win: 0.30 from 2100 on instead of 0.25 now."""
        announced = item(retailPrice=0.3, effectiveStartDate="2100-01-01T00:00:00Z")
        later = item(retailPrice=0.4, effectiveStartDate="2101-01-01T00:00:00Z")
        for order in ([item(), announced, later], [later, announced, item()]):
            made = self.made(tmp_path, *order)
            assert terms_of(made.catalogue) == {"linux": 0.25}
            assert made.left_out == {"announced, not yet in force": 2}
            (note,) = [note for note in made.notes if "announced" in note]
            assert "Standard_D4s_v5 in swedencentral, linux: 0.3 USD from 2100-01-01 on (now 0.25)" in note

    def test_a_price_that_has_ended_is_left_out(self, tmp_path: Path) -> None:
        """Even where it is the only one that says when it began."""
        ended = item(
            retailPrice=0.2, effectiveStartDate="2025-05-01T00:00:00Z", effectiveEndDate="2026-04-30T23:59:00Z"
        )
        made = self.made(tmp_path, ended, item())
        assert terms_of(made.catalogue) == {"linux": 0.25}
        assert made.left_out == {"no longer in force": 1}
        with pytest.raises(CatalogueError, match=r"no VM prices in 1 pages .no longer in force: 1"):
            self.made(tmp_path, ended)

    def test_the_first_and_the_last_day_are_in_force(self, tmp_path: Path) -> None:
        """A price that begins today holds today, and so does one that ends tonight."""
        assert terms_of(self.made(tmp_path, item(effectiveStartDate="2026-05-01T00:00:00Z")).catalogue)
        assert terms_of(self.made(tmp_path, item(effectiveEndDate="2026-05-01T23:59:00Z")).catalogue)

    def test_without_a_day_of_reading_it_is_today(self, imported) -> None:
        """No one announces a price for 2999, and none of 2001 is still the newest."""
        made = imported([item(), item(retailPrice=0.3, effectiveStartDate="2999-01-01T00:00:00Z")])
        assert terms_of(made.catalogue) == {"linux": 0.25}


class TestForms:
    """The list as `jq`, `curl` and spreadsheets leave it."""

    BOTH = MappingProxyType({"linux": 0.25, "windows": 0.434})
    CSV = (
        "currencyCode,retailPrice,armRegionName,armSkuName,productName,skuName,meterName,serviceName,type,unitOfMeasure\n"
        "USD,0.25,swedencentral,Standard_D4s_v5,Virtual Machines Dsv5 Series,D4s v5,D4s v5,Virtual Machines,Consumption,1 Hour\n"
        "USD,0.434,swedencentral,Standard_D4s_v5,Virtual Machines Dsv5 Series Windows,D4s v5,D4s v5,Virtual Machines,Consumption,1 Hour\n"
    )

    @pytest.mark.parametrize(
        "text",
        [
            json.dumps([item(), WINDOWS]),  # jq .Items
            json.dumps(item()) + "\n\n" + json.dumps(WINDOWS) + "\n",  # jq -c .Items[]
            json.dumps(page([item()])) + "\n" + json.dumps(page([WINDOWS])),  # curl >> file, page after page
            CSV,
            "\n".join(
                ";".join(cell.replace(".", ",") if cell.startswith("0.") else cell for cell in line.split(","))
                for line in CSV.splitlines()
            ),
        ],
        ids=["items", "lines", "pages in lines", "csv", "csv of a spreadsheet"],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_every_form_is_read_in_every_encoding(self, tmp_path: Path, text: str, encoding: str) -> None:
        """PowerShell writes UTF-16."""
        (tmp_path / "prices.txt").write_text(text, encoding=encoding)
        made = import_pages([tmp_path / "prices.txt"])
        assert terms_of(made.catalogue) == self.BOTH
        assert made.catalogue.currency == "USD"

    def test_a_savings_plan_in_a_cell_is_read(self, tmp_path: Path) -> None:
        """As JSON, or as pandas writes a list."""
        for plans in (json.dumps(PLANS), str(PLANS)):
            head, row = "savingsPlan," + self.CSV.splitlines()[0], self.CSV.splitlines()[1]
            cell = '"' + plans.replace('"', '""') + '"'
            (tmp_path / "p.csv").write_text(f"{head}\n{cell},{row}\n")
            assert terms_of(import_pages([tmp_path]).catalogue) == {
                "linux": 0.25, "savings_plan_1y": 0.18, "savings_plan_3y": 0.12,
            }  # fmt: skip

    def test_a_fault_names_the_line(self, tmp_path: Path) -> None:
        """Of a table and of JSON lines, where an item has no number."""
        (tmp_path / "p.csv").write_text(self.CSV.replace("0.434", "n/a"))
        with pytest.raises(CatalogueError, match=r"p\.csv:3 .*'n/a' is not a price"):
            import_pages([tmp_path / "p.csv"])
        (tmp_path / "p.jsonl").write_text(json.dumps(item()) + "\n{]\n")
        with pytest.raises(CatalogueError, match=r"p\.jsonl:2: it is not a line of JSON"):
            import_pages([tmp_path / "p.jsonl"])

    @pytest.mark.parametrize(
        ("head", "words"),
        [
            ("Meter ID,Meter name,Meter category,Part number,Unit price,Currency code", "price sheet of an Enterprise Agreement"),
            ("billingAccountId,billingProfileId,meterCategory,meterName,unitPrice", "price sheet of a Microsoft Customer Agreement"),
            ("BillingProfileId,ResourceId,MeterCategory,Quantity,CostInBillingCurrency", "an Azure cost export"),
            (
                "MeterCategory,MeterId,ChargeType,PricingModel,CostInBillingCurrency\nVirtual Machines,m,Usage,Reservation,1.5",
                "an Azure amortized cost export",
            ),
            (
                "MeterCategory,MeterId,ChargeType,PricingModel,CostInBillingCurrency\nVirtual Machines,m,Usage,Reservation,0",
                "an Azure cost export",
            ),
            ("ChargePeriodStart,BilledCost,SkuMeter", "a FOCUS 1.1 export"),
            ("Correlation id,Operation name,Time", "an Activity Log"),
            ("armSkuName,retailPrice", "no column armRegionName"),
            ("a;b", "no column armSkuName, armRegionName, retailPrice"),
        ],
    )  # fmt: skip
    def test_another_table_is_named(self, tmp_path: Path, head: str, words: str) -> None:
        """With what would be right."""
        (tmp_path / "p.csv").write_text(head + "\n")
        with pytest.raises(CatalogueError, match=words) as error:
            import_pages([tmp_path / "p.csv"])
        assert "vmfleet prices url" in str(error.value)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"format_version": "1.2", "terraform_version": "1.9", "planned_values": {}}, "a Terraform plan"),
            ({"value": [{"eventTimestamp": "2026-09-01T08:00:00Z", "operationName": {}}]}, "an Activity Log"),
            ([{"hardwareProfile": {"vmSize": "Standard_D4s_v5"}, "name": "a"}], "a list of VMs"),
            ({"data": [{"type": "microsoft.compute/virtualmachines", "properties": {}}]}, "an answer of Azure Resource Graph"),
        ],
    )  # fmt: skip
    def test_other_json_is_named(self, tmp_path: Path, content: Any, words: str) -> None:
        """As `vmfleet bill` names it, and with what would be right."""
        (tmp_path / "p.json").write_text(json.dumps(content))
        with pytest.raises(CatalogueError, match=f"this is {words}") as error:
            import_pages([tmp_path / "p.json"])
        assert "vmfleet prices url" in str(error.value)

    def test_a_basic_size_keeps_its_name(self, imported) -> None:
        """Basic_A4 is another, cheaper size than Standard_A4; they share the meter's name."""
        a4 = {"meterName": "A4", "skuName": "A4"}
        made = imported([
            item(armSkuName="Basic_A4", productName="Virtual Machines A Series Basic", retailPrice=0.352, **a4),
            item(armSkuName="Standard_A4", productName="Virtual Machines A Series", retailPrice=0.48, **a4),
        ]).catalogue  # fmt: skip
        assert terms_of(made, "Basic_A4") == {"linux": 0.352}
        assert terms_of(made, "Standard_A4") == {"linux": 0.48}
        assert terms_of(made, "A4") == {"linux": 0.48}


class TestMalformed:
    """Every error names the file, and the item where there is one."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"Items": [', "is not JSON"),
            ("3", "found int"),
            ("[]", "empty list"),
            ('{"items_": []}', "no list of Items"),
            ('{"Items": {}}', "no list of Items"),
            ('{"Items": [], "NextPageLink": 7}', "NextPageLink"),
            ('{"Items": [], "Count": "7"}', "Count"),
            ('{"Items": []}', "they have no items"),
            ('{"error": {"code": "429"}}', r"no list of Items \(its keys: error\)"),
            ('[{"vmId": 1, "powerState": "VM running"}]', "this is a list of VMs"),
        ],
    )
    def test_a_page_that_is_none_is_named(self, tmp_path: Path, text: str, message: str) -> None:
        """An error answer saved as if it were a page is the common case."""
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(CatalogueError, match=message) as error:
            import_pages([tmp_path / "bad.json"])
        assert "bad.json" in str(error.value)

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (7, "an object, found int"),
            (item(retailPrice=None, unitPrice=None), "retailPrice: is missing"),
            (item(retailPrice="0.25"), "retailPrice: '0.25' is not a price"),
            (item(retailPrice=-1), "-1 is not a price"),
            (item(retailPrice=True), "True is not a price"),
            (item(unitOfMeasure="1/Month"), "unitOfMeasure: '1/Month'"),
            (item(unitOfMeasure=None), "unitOfMeasure: is missing"),
            (item(type=None), "type: is missing"),
            (item(productName=None), "productName: is missing"),
            (item(serviceName=3), "serviceName: 3 is not text"),
            (item(armSkuName=["x"]), "armSkuName"),
            (item(effectiveStartDate="soon"), "effectiveStartDate: 'soon'"),
            (item(type="Reservation"), "reservationTerm: is missing"),
            (item(savingsPlan={"term": "1 Year"}), "is not a list"),
            (item(savingsPlan=[{"unitPrice": 1}]), r"savingsPlan\[0\]"),
            (item(savingsPlan=[{"term": "1 Year"}]), r"savingsPlan\[0\]\.retailPrice: is missing"),
            (item(retailPrice=0.3), "a second linux price, 0.3"),
            (item(currencyCode="EUR", armRegionName="uksouth"), "currency EUR beside USD"),
        ],
    )
    def test_an_item_that_is_wrong_is_named(self, tmp_path: Path, broken: object, message: str) -> None:
        """The third item of the page; never a KeyError, never a price of nothing."""
        (tmp_path / "bad.json").write_text(json.dumps(page([item(), WINDOWS, broken])))
        with pytest.raises(CatalogueError, match=message) as error:
            import_pages([tmp_path])
        assert "bad.json: Items[2]" in str(error.value)

    def test_pages_without_vms_say_what_they_have(self, imported) -> None:
        """A query that was filtered wrongly."""
        with pytest.raises(CatalogueError, match=r"no VM prices in 1 pages \(service Storage: 1\)"):
            imported([item(serviceName="Storage")])

    def test_nothing_there_is_said(self, tmp_path: Path) -> None:
        """An empty folder, a missing file."""
        with pytest.raises(CatalogueError, match=r"no \.json files"):
            import_pages([tmp_path])
        with pytest.raises(CatalogueError, match="no such file"):
            import_pages([tmp_path / "gone.json"])
        with pytest.raises(CatalogueError, match="no pages"):
            import_pages([])
