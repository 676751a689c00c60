"""`vmfleet sizes`, `regions`, `prices url` and `prices import`: the tables of a catalogue, and how to get another one."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from sim.catalog import load, load_bundled
from sim.cli import main


@pytest.fixture
def vmfleet(capsys):
    """Exit status, standard output and error of a command."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        return (end.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("D4s_v5", ["Standard_D4s_v5"]),
        ("standard_e?s_v5", ["Standard_E2s_v5", "Standard_E4s_v5", "Standard_E8s_v5"]),
        ("NC*T4*", ["Standard_NC4as_T4_v3", "Standard_NC8as_T4_v3", "Standard_NC16as_T4_v3", "Standard_NC64as_T4_v3"]),
    ],
)
def test_sizes_are_found_by_a_part_or_a_pattern(vmfleet, pattern, names):
    """Whatever the case."""
    status, out, _ = vmfleet("sizes", pattern, "--json")
    assert status == 0
    assert [row["name"] for row in json.loads(out)] == names
    assert all(name in vmfleet("sizes", pattern)[1] for name in names)


def test_a_size_says_where_it_is_sold_and_what_it_has(vmfleet):
    """As the catalogue does."""
    (row,) = json.loads(vmfleet("sizes", "Standard_B4as_v2", "--json")[1])
    assert (row["vcpus"], row["memory_gib"], row["flexibility_group"], row["flexibility_ratio"]) == (
        4,
        16,
        "Basv2 Series",
        15.96,
    )
    assert row["regions"] == [r for r in load_bundled().regions if r != "eastus"]


def test_no_size_is_said_with_close_ones(vmfleet):
    """A typing error."""
    status, _, error = vmfleet("sizes", "D4s_v55")
    assert status == 2
    assert "did you mean" in error
    assert "Standard_D4s_v5" in error


def test_regions_say_how_far_each_price_is_to_be_trusted(vmfleet):
    """Every region of the bundled list; what is a stand-in says so."""
    rows = {row["region"]: row for row in json.loads(vmfleet("regions", "--json")[1])}
    assert set(rows) == {"westeurope", "northeurope", "francecentral", "belgiumcentral", "polandcentral", "eastus"}
    disks = {name: part["trust"] for name, row in rows.items() for part in row["prices"] if part["prices"] == "disks"}
    assert disks.pop("westeurope") == "list price"
    assert set(disks.values()) == {"stand-in"}
    assert "polandcentral" in vmfleet("regions")[1]


def test_the_addresses_ask_for_what_an_import_reads(vmfleet):
    """VMs, disks and IPs of one region in one currency; the savings plans' version of the API."""
    status, out, _ = vmfleet("prices", "url", "France Central", "--currency", "eur", "--json")
    assert status == 0
    addresses = json.loads(out)
    assert list(addresses) == ["VMs", "disks", "public IPs"]
    for address in addresses.values():
        assert " " not in address
        asked = parse_qs(urlsplit(address).query)
        assert asked["api-version"] == ["2023-01-01-preview"]
        assert asked["currencyCode"] == ["'EUR'"]
        assert asked["$filter"][0].endswith("and armRegionName eq 'francecentral'")
    assert addresses["VMs"] in vmfleet("prices", "url", "francecentral", "--currency", "EUR")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["x' or 1 eq 1"], "not a region's name"), (["westeurope", "--currency", "XXX"], "they have ARS")],
)
def test_an_address_that_leads_nowhere_is_refused(vmfleet, arguments, words):
    """Neither a region nor a currency is passed on unread."""
    status, _, error = vmfleet("prices", "url", *arguments)
    assert status == 2
    assert words in error


def test_an_import_is_as_of_the_day_of_reading(vmfleet, tmp_path):
    """Pages saved in 2025 are read as of then, and the catalogue says so."""
    item = {
        "currencyCode": "USD", "armRegionName": "uksouth", "armSkuName": "Standard_D4s_v5", "type": "Consumption",
        "productName": "Virtual Machines Dsv5 Series", "serviceName": "Virtual Machines", "unitOfMeasure": "1 Hour",
    }  # fmt: skip
    prices = [
        {"retailPrice": 0.2, "effectiveStartDate": "2024-01-01"},
        {"retailPrice": 0.25, "effectiveStartDate": "2026-01-01"},
    ]
    (tmp_path / "page.json").write_text(json.dumps([item | price for price in prices]))
    given = ("prices", "import", str(tmp_path / "page.json"), "--out", str(tmp_path / "c.json"))
    for read, per_h in (("2025-06-01", 0.2), ("2026-01-01", 0.25)):
        assert vmfleet(*given, "--read", read)[0] == 0
        found = load(tmp_path / "c.json").price("Standard_D4s_v5", "uksouth", "linux")
        assert (found.per_h, found.provenance.read) == (per_h, read)
    assert vmfleet(*given, "--read", "June")[0] == 2


def test_an_import_leaves_what_stands_beside_it_alone(vmfleet, tmp_path):
    """It used to write through a fixed temporary name, and followed a link there."""
    item = {
        "currencyCode": "USD", "retailPrice": 0.25, "armRegionName": "uksouth", "armSkuName": "Standard_D4s_v5", "type": "Consumption",
        "productName": "Virtual Machines Dsv5 Series", "serviceName": "Virtual Machines", "unitOfMeasure": "1 Hour",
    }  # fmt: skip
    (tmp_path / "page.json").write_text(json.dumps([item]))
    victim = tmp_path / "mine.txt"
    victim.write_text("mine")
    for name in (".c.json.new", ".c.json"):
        (tmp_path / name).symlink_to(victim)
    assert vmfleet("prices", "import", str(tmp_path / "page.json"), "--out", str(tmp_path / "c.json"))[0] == 0
    assert victim.read_text() == "mine"
    assert load(tmp_path / "c.json").price_per_h("Standard_D4s_v5", "uksouth", "linux") == 0.25
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".c.json",
        ".c.json.new",
        "c.json",
        "mine.txt",
        "page.json",
    ]


def test_a_size_has_its_price_in_a_region(vmfleet):
    """What it costs is the first question; in the region of scenarios unless another is named."""
    catalogue = load_bundled()
    for more, region in (([], "westeurope"), (["--region", "polandcentral"], "polandcentral")):
        (row,) = json.loads(vmfleet("sizes", "D4s_v5", "--json", *more)[1])
        assert row["linux_per_h"] == catalogue.price_per_h("Standard_D4s_v5", region, "linux")
        shown = vmfleet("sizes", "D4s_v5", *more)[1]
        assert f"USD per hour, {region}" in shown
        assert f"{row['linux_per_h']:.4f}" in shown


def test_a_disk_tier_has_a_price_too(vmfleet):
    """By region, with its trust; one that does not exist is refused by name."""
    catalogue = load_bundled()
    rows = json.loads(vmfleet("prices", "show", "p10", "--json")[1])
    assert {row["region"]: row["per_month"] for row in rows} == {
        region: catalogue.disk("P10", region).per_month for region in catalogue.regions
    }
    shown = vmfleet("prices", "show", "P10", "--region", "westeurope")[1]
    assert "P10: 128 GiB" in shown
    assert f"{catalogue.disk('P10', 'westeurope').per_month:,.2f}" in shown
    status, _, error = vmfleet("prices", "show", "P11")
    assert (status, "P11" in error) == (2, True)
