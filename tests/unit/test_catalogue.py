"""The bundled catalogue says what its sources say, and refuses well what it doesn't know."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripts import load_tool

from sim.catalog import DEFAULTS, Catalogue, Term, Trust, get_default, load, load_bundled, save, show, tier_for
from sim.catalog.currencies import RATES_FILE
from sim.catalog.form import BUNDLED, from_document
from sim.errors import CatalogueError
from sim.units import parse_duration

PRICE_LISTS = Path(__file__).parents[3] / "shared" / "data" / "prices"

# Read off the price lists by hand, before and without the script that carries them over.
TRANSCRIBED = [
    ("Standard_D4s_v5", "westeurope", "linux", 0.23),
    ("Standard_D4s_v5", "westeurope", "windows", 0.414),
    ("Standard_D4s_v5", "westeurope", "spot_linux", 0.042504),
    ("Standard_D4s_v5", "westeurope", "savings_plan_1y", 0.1748),
    ("Standard_D4s_v5", "westeurope", "savings_plan_3y", 0.1265),
    ("Standard_D4s_v5", "westeurope", "reservation_1y", 0.1357305936),
    ("Standard_D4s_v5", "westeurope", "reservation_3y", 0.0850837139),
    ("Standard_D4s_v5", "eastus", "linux", 0.192),
    ("Standard_B2ms", "westeurope", "linux", 0.096),
    ("Standard_B2ms", "westeurope", "windows", 0.104),
    ("Standard_E4s_v5", "westeurope", "spot_windows", 0.090182),
    ("Standard_L8s_v3", "westeurope", "windows", 1.2),
    ("Standard_D2s_v5", "northeurope", "spot_linux", 0.034197),
    ("Standard_NC24ads_A100_v4", "eastus", "linux", 3.673),
    ("Standard_ND96asr_v4", "eastus", "spot_linux", 5.904469),
    ("Standard_D4s_v5", "francecentral", "linux", 0.224),
    ("Standard_D4s_v5", "francecentral", "savings_plan_1y", 0.1688064),
    ("Standard_E8as_v5", "francecentral", "linux", 0.532),  # Cloud Services ask 0.9 under the same meter
    ("Standard_F8s_v2", "belgiumcentral", "windows", 0.756),
    ("Standard_E8as_v5", "belgiumcentral", "spot_windows", 0.169277),
    ("Standard_E8as_v5", "polandcentral", "reservation_1y", 0.3557077626),
    ("Standard_E8as_v5", "polandcentral", "savings_plan_3y", 0.26046),
    ("Standard_D4s_v5", "polandcentral", "spot_windows", 0.076756),
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The catalogue that everybody uses who brings none."""
    return load_bundled()


@pytest.fixture
def document() -> dict[str, Any]:
    """A small catalogue file, for mistakes to be made in."""
    return {
        "format": "vmfleet-catalogue",
        "version": 1,
        "currency": "EUR",
        "sizes": {"Standard_X2_v1": {"family": "standardXFamily", "vcpus": 2, "memory_gib": 8}},
        "prices": [
            {
                "region": "moon",
                "source": "a test",
                "trust": "assumption",
                "terms": ["linux", "windows"],
                "per_h": {"Standard_X2_v1": [0.1, 0.2]},
            }
        ],
    }


class TestBundled:
    """What comes with the package."""

    @pytest.mark.parametrize(("size", "region", "term", "per_h"), TRANSCRIBED)
    def test_a_price_is_the_one_read_off_the_list_by_hand(
        self, catalogue: Catalogue, size: str, region: str, term: str, per_h: float
    ) -> None:
        """A column mixed up in the carrying over would show here and nowhere else."""
        assert catalogue.price_per_h(size, region, term) == per_h

    @pytest.mark.parametrize(("tier", "per_month", "gib"), [("P10", 21.68, 128), ("E10", 9.6, 128), ("S10", 5.888, 128), ("P80", 3964.34, 32767)])  # fmt: skip
    def test_a_disk_costs_its_tier_by_the_month(
        self, catalogue: Catalogue, tier: str, per_month: float, gib: int
    ) -> None:
        """Disks are billed by tier; an hour depends on the month (`month_hours`)."""
        disk = catalogue.disk(tier, "westeurope")
        assert (disk.per_month, disk.gib) == (per_month, gib)

    def test_a_public_address_costs_half_a_cent_an_hour(self, catalogue: Catalogue) -> None:
        """The one network price we know."""
        assert catalogue.public_ip_per_h("eastus") == 0.005

    @pytest.mark.parametrize(
        ("size", "vcpus", "gib", "family"),
        [
            ("Standard_D4s_v5", 4, 16, "standardDSv5Family"),
            ("Standard_F8s_v2", 8, 16, "standardFSv2Family"),
            ("Standard_B1ls", 1, 0.5, "standardBSFamily"),
            ("Standard_DS3_v2", 4, 14, "standardDSv2Family"),
            ("Standard_NC4as_T4_v3", 4, 28, "Standard NCASv3_T4 Family"),
            ("Standard_D8as_v6", 8, 32, "standardDav6Family"),
        ],
    )
    def test_a_size_is_known_by_its_parts(
        self, catalogue: Catalogue, size: str, vcpus: int, gib: float, family: str
    ) -> None:
        """Placement and quota count by these."""
        found = catalogue.get_size(size)
        assert (found.vcpus, found.memory_gib, found.family) == (vcpus, gib, family)

    def test_it_covers_what_users_run(self, catalogue: Catalogue) -> None:
        """The target is 40 sizes of B, D, E, F, L and N in each region whose list was read whole."""
        for region in ("westeurope", "northeurope", "francecentral", "polandcentral"):
            assert len(catalogue.sizes_in(region)) >= 40
            assert {name[9] for name in catalogue.sizes_in(region)} == set("BDEFLN")
        assert len(catalogue.sizes_in("belgiumcentral")) >= 400  # it has no N
        assert len(catalogue.sizes_in("eastus")) == 20

    def test_every_size_sold_has_its_parts_and_a_linux_price(self, catalogue: Catalogue) -> None:
        """A size without a price or without vCPUs would fail in the middle of a run."""
        for size in catalogue.sizes.values():
            assert all((size.vcpus, size.memory_gib, size.family)), size
        for region in catalogue.regions:
            for name in catalogue.sizes_in(region):
                assert catalogue.price_per_h(name, region, "linux") > 0

    def test_no_discount_is_a_surcharge_and_no_licence_negative(self, catalogue: Catalogue) -> None:
        """Columns in the wrong place give prices in the wrong order."""
        cheaper = (
            Term.SPOT_LINUX,
            Term.RESERVATION_1Y,
            Term.RESERVATION_3Y,
            Term.SAVINGS_PLAN_1Y,
            Term.SAVINGS_PLAN_3Y,
        )
        for region in catalogue.regions:
            for name in catalogue.sizes_in(region):
                linux = catalogue.price_per_h(name, region, Term.LINUX)
                known = {term: price.per_h for term in Term if (price := catalogue.find_price(name, region, term))}
                assert all(known[term] < linux for term in cheaper if term in known), name
                assert known.get(Term.WINDOWS, linux) >= linux, name
                for one, three in (
                    (Term.RESERVATION_1Y, Term.RESERVATION_3Y),
                    (Term.SAVINGS_PLAN_1Y, Term.SAVINGS_PLAN_3Y),
                ):
                    assert known.get(three, 0.0) <= known.get(one, 1e9), name

    def test_flexibility_ratios_are_the_documents_own_vectors(self, catalogue: Catalogue) -> None:
        """DS1 to DS5 are 1, 2, 4, 8, 16: one DS4 covers eight DS1."""
        sizes = [catalogue.get_size(f"Standard_DS{i}_v2") for i in range(1, 6)]
        assert [size.flexibility_ratio for size in sizes] == [1, 2, 4, 8, 16]
        assert len({size.flexibility_group for size in sizes}) == 1
        assert catalogue.get_size("Standard_D1_v2").flexibility_group != sizes[0].flexibility_group
        assert catalogue.get_size("Standard_DS12_v2").flexibility_group != sizes[0].flexibility_group
        assert catalogue.get_size("Standard_E64s_v3").flexibility_ratio == 28.8

    def test_b_of_version_2_shares_by_the_price_of_a_reservation(self, catalogue: Catalogue) -> None:
        """The platform's table gives 8 and 15.96 of one group; the rest follows their prices (0.2039 / 0.0064 = 31.89)."""
        for series, middle in (("as", "al"), ("s", "l")):
            sizes = [catalogue.get_size(f"Standard_B{n}{series}_v2") for n in (2, 4, 8)]
            sizes.append(catalogue.get_size(f"Standard_B2{middle}s_v2"))
            assert {size.flexibility_group for size in sizes} == {f"B{series}v2 Series"}
        two, four, eight = (catalogue.get_size(f"Standard_B{n}as_v2") for n in (2, 4, 8))
        assert [two.flexibility_ratio, four.flexibility_ratio] == [8, 15.96]
        assert (eight.flexibility_ratio, eight.flexibility_basis) == (31.89, "by reservation price")

    def test_what_a_region_lacks_is_never_another_regions_in_silence(self, catalogue: Catalogue) -> None:
        """Disks are West Europe's and say so; a reservation that was not read has no price."""
        for region in catalogue.regions:
            own = region == "westeurope"
            disk = catalogue.disk("P10", region)
            assert disk.per_month == 21.68
            assert disk.provenance.trust is (Trust.LIST_PRICE if own else Trust.STAND_IN)
            assert own or "West Europe's" in disk.provenance.note
            reserved = catalogue.find_price("Standard_D4s_v5", region, Term.RESERVATION_1Y)
            expected = {"polandcentral": Trust.LIST_PRICE, "westeurope": Trust.STAND_IN}.get(region)
            assert (reserved.provenance.trust if reserved else None) is expected

    def test_the_bundled_file_is_small(self) -> None:
        """It travels in every wheel: six regions in less than 400 kB, under 90 kB packed."""
        content = BUNDLED.read_bytes()
        assert len(content) < 400_000
        assert len(gzip.compress(content)) < 90_000

    def test_a_stand_in_or_estimate_says_so_per_figure(self, catalogue: Catalogue) -> None:
        """A figure of another place must not pass for this one's."""
        trust = {
            ("westeurope", Term.LINUX): Trust.LIST_PRICE,
            ("westeurope", Term.RESERVATION_1Y): Trust.STAND_IN,
            ("westeurope", Term.SAVINGS_PLAN_1Y): Trust.LIST_PRICE,
            ("westeurope", Term.SAVINGS_PLAN_3Y): Trust.STAND_IN,
            ("polandcentral", Term.SAVINGS_PLAN_3Y): Trust.LIST_PRICE,
            ("francecentral", Term.SAVINGS_PLAN_1Y): Trust.LIST_PRICE,
            ("eastus", Term.LINUX): Trust.LIST_PRICE,
            ("eastus", Term.WINDOWS): Trust.ESTIMATE,
        }
        for (region, term), expected in trust.items():
            price = catalogue.price("Standard_D4s_v5", region, term)
            assert price.provenance.trust is expected
            assert price.provenance.source
            assert price.provenance.read
            assert price.provenance.licence
            assert bool(price.provenance.note) == (expected in (Trust.STAND_IN, Trust.ESTIMATE))
        assert catalogue.disk("P10", "eastus").provenance.trust is Trust.STAND_IN

    def test_an_estimated_windows_price_follows_its_rule(self, catalogue: Catalogue) -> None:
        """0.046 USD a vCPU-hour, 0.004 on B; elsewhere listed licences are just that, so the rule can be believed."""
        assert catalogue.licence_per_h("Standard_D4s_v5", "eastus") == pytest.approx(4 * 0.046)
        assert catalogue.licence_per_h("Standard_B2ms", "eastus") == pytest.approx(2 * 0.004)
        assert catalogue.licence_per_h("Standard_D4s_v5", "westeurope") == pytest.approx(4 * 0.046)
        assert catalogue.licence_per_h("Standard_B2ms", "westeurope") == pytest.approx(2 * 0.004)

    @pytest.mark.skipif(not PRICE_LISTS.is_dir(), reason="the price lists are not here")
    def test_it_is_what_its_script_makes_of_the_price_lists(self) -> None:
        """A hand edit of the bundled file would be lost with the next build; this notices it."""
        tool = load_tool("build_bundled")
        assert tool.build(PRICE_LISTS) == BUNDLED.read_text(encoding="utf-8")
        assert tool.build_currencies(PRICE_LISTS) == RATES_FILE.read_text(encoding="utf-8")

    def test_it_travels_to_other_processes(self, catalogue: Catalogue) -> None:
        """Replications run in parallel."""
        assert pickle.loads(pickle.dumps(catalogue)) == catalogue


class TestNames:
    """How users write, and what they hear when they err."""

    @pytest.mark.parametrize("spelling", ["Standard_D4s_v5", "standard_d4s_v5", "D4s v5", "d4s_v5", "D4S_V5"])
    def test_any_spelling_of_a_size_is_understood(self, catalogue: Catalogue, spelling: str) -> None:
        """Portals, bills and templates all write it differently."""
        assert catalogue.get_size(spelling).name == "Standard_D4s_v5"

    @pytest.mark.parametrize("spelling", ["westeurope", "West Europe", "WestEurope", "west-europe"])
    def test_any_spelling_of_a_region_is_understood(self, catalogue: Catalogue, spelling: str) -> None:
        """The portal says West Europe."""
        assert catalogue.get_region(spelling) == "westeurope"

    @pytest.mark.parametrize(
        ("wrong", "meant"),
        [
            ("Standard_D4s_v9", "Standard_D4s_v5"),
            ("Standard_D4sv5x", "Standard_D4s_v5"),
            ("E8s_v55", "Standard_E8s_v5"),
        ],
    )
    def test_an_unknown_size_names_close_ones(self, catalogue: Catalogue, wrong: str, meant: str) -> None:
        """The user should not have to look it up."""
        with pytest.raises(CatalogueError, match=meant) as error:
            catalogue.get_size(wrong)
        assert repr(wrong) in str(error.value)

    def test_an_unknown_region_names_those_there_are(self, catalogue: Catalogue) -> None:
        """And how to get more."""
        with pytest.raises(CatalogueError, match=r"did you mean westeurope.*prices import"):
            catalogue.get_region("westeurop")

    def test_a_size_sold_elsewhere_names_the_regions(self, catalogue: Catalogue) -> None:
        """Known, but not here, is another mistake than unknown."""
        with pytest.raises(
            CatalogueError, match=r"no linux price for Standard_L8s_v3 in eastus.*westeurope, northeurope, .* have"
        ):
            catalogue.price("Standard_L8s_v3", "eastus", "linux")

    def test_a_missing_term_says_which_are_known(self, catalogue: Catalogue) -> None:
        """And how to give it oneself."""
        with pytest.raises(CatalogueError, match=r"it has linux, windows.*prices\.override"):
            catalogue.price("Standard_D4s_v5", "northeurope", "reservation_1y")

    @pytest.mark.parametrize("tier", ["P11", "Q10", "S3", "S10_ZRS", "", "P"])
    def test_a_disk_tier_that_does_not_exist_is_refused(self, catalogue: Catalogue, tier: str) -> None:
        """With the ladder that does."""
        with pytest.raises(CatalogueError, match="128 GiB"):
            catalogue.disk(tier, "westeurope")

    def test_a_disk_is_billed_as_the_next_tier_up(self) -> None:
        """The documentation's own example: 200 GiB of Standard SSD is E15."""
        assert tier_for(200, "E") == "E15"
        assert [tier_for(g, "P") for g in (1, 128, 129, 32767)] == ["P1", "P10", "P15", "P80"]
        assert tier_for(1, "S") == "S4"
        with pytest.raises(ValueError, match="does not exist"):
            tier_for(40000)
        with pytest.raises(ValueError, match="disk kind 'X' is not one of P, E, S"):
            tier_for(200, "X")

    def test_a_list_without_a_meter_says_so(self, catalogue: Catalogue) -> None:
        """A list made by hand may have VMs only."""
        with pytest.raises(CatalogueError, match=r"no price for snapshot\.premium in the bundled catalogue"):
            replace(catalogue, meter_blocks=()).other_meter("snapshot.premium", "westeurope")


class TestOverrides:
    """Prices the user knows better."""

    def test_they_replace_what_they_name_and_nothing_else(self, catalogue: Catalogue) -> None:
        """In that region, for that size."""
        mine = catalogue.with_overrides("West Europe", {"d4s_v5": {"linux": 0.2, "reservation_1y": 0.1}})
        assert mine.price_per_h("Standard_D4s_v5", "westeurope", "linux") == 0.2
        assert mine.price("Standard_D4s_v5", "westeurope", "linux").provenance.trust is Trust.USER
        assert mine.price_per_h("Standard_D4s_v5", "westeurope", "reservation_1y") == 0.1
        assert mine.price_per_h("Standard_D4s_v5", "westeurope", "reservation_3y") == 0.0850837139
        assert mine.price_per_h("Standard_D4s_v5", "northeurope", "linux") == 0.214
        assert mine.price_per_h("Standard_D8s_v5", "westeurope", "linux") == 0.46
        assert catalogue.price_per_h("Standard_D4s_v5", "westeurope", "linux") == 0.23

    def test_a_linux_price_alone_leaves_the_licence_as_it_was(self, catalogue: Catalogue) -> None:
        """A discount on VMs does not apply to licences."""
        mine = catalogue.with_overrides("westeurope", {"Standard_D4s_v5": {"linux": 0.5}})
        assert mine.licence_per_h("Standard_D4s_v5", "westeurope") == pytest.approx(0.184)

    def test_a_spot_price_is_linux_and_windows_follows_at_the_same_discount(self, catalogue: Catalogue) -> None:
        """As the list itself does."""
        mine = catalogue.with_overrides("westeurope", {"Standard_D4s_v5": {"spot": 0.115}})
        assert mine.price_per_h("Standard_D4s_v5", "westeurope", "spot_linux") == 0.115
        assert mine.price_per_h("Standard_D4s_v5", "westeurope", "spot_windows") == pytest.approx(0.207)

    def test_the_latest_override_wins(self, catalogue: Catalogue) -> None:
        """A what-if on a scenario that has its own prices."""
        twice = catalogue.with_overrides("westeurope", {"D4s_v5": {"linux": 0.2}}).with_overrides(
            "westeurope", {"D4s_v5": {"linux": 0.1}}
        )
        assert twice.price_per_h("D4s_v5", "westeurope", "linux") == 0.1

    def test_a_licence_is_never_below_nothing(self, catalogue: Catalogue) -> None:
        """Windows for less than Linux: one of the two prices is missing."""
        with pytest.raises(CatalogueError, match="licence would be negative"):
            catalogue.with_overrides("westeurope", {"Standard_D4s_v5": {"windows": 0.1}})


class TestFile:
    """The catalogue file's form."""

    def test_what_is_saved_is_read_back(self, catalogue: Catalogue, tmp_path: Path) -> None:
        """Import writes what run reads."""
        save(catalogue, tmp_path / "c.json")
        back = load(tmp_path / "c.json")
        assert back.sizes == catalogue.sizes
        assert back.price_blocks == catalogue.price_blocks
        assert back.disk_blocks == catalogue.disk_blocks
        assert back.address_blocks == catalogue.address_blocks

    def test_a_small_file_is_enough(self, document: dict[str, Any]) -> None:
        """A private cloud has two prices and another currency."""
        mine = from_document(document, name="mine")
        assert (mine.currency, mine.price_per_h("x2 v1", "Moon", "windows")) == ("EUR", 0.2)
        with pytest.raises(CatalogueError, match="no price for disk tier P10 in moon in mine"):
            mine.disk("P10", "moon")
        with pytest.raises(CatalogueError, match="no price for a public IP"):
            mine.public_ip_per_h("moon")

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            (["format"], "csv", "prices import"),
            (["version"], 2, "version"),
            (["currency"], "dollar", "three-letter"),
            (["sizes"], [], "sizes: an object is needed, found a list"),
            (["disks"], {}, "disks: a list is needed, found an object"),
            (
                ["disks"],
                [{"regions": "moon", "source": "", "trust": "user", "per_month": {}}],
                "disks[0].regions: 'moon' must be a list of regions",
            ),
            (["sizes", "Standard_X2_v1", "vcpus"], 0, "vcpus: 0 is not a number above 0"),
            (["sizes", "Standard_X2_v1", "cpus"], 2, "cpus is not known of a size"),
            (["sizes", "standard_x2_v1"], {"vcpus": 2}, "same size as"),
            (["prices"], [], "there are none"),
            (["prices", 0, "region"], "West Europe", "is written 'westeurope'"),
            (["prices", 0, "terms"], ["linux", "linux"], "each once"),
            (["prices", 0, "terms"], ["linux", "solaris"], "must be some of"),
            (["prices", 0, "trust"], "sure", "must be one of"),
            (["prices", 0, "trust"], [], "must be one of"),
            (["sizes", "Standard_X2_v1", "family"], [], "family: text is needed, found a list"),
            (["sizes", "Standard_X2_v1", "flexibility_group"], 7, "flexibility_group: text is needed, found a number"),
            (["prices", 0, "read"], "yesterday", "not a date"),
            (["prices", 0, "source"], None, "text is needed, found nothing"),
            (["prices", 0, "per_h", "Standard_X2_v1"], [0.1], "a list of 2 prices"),
            (["prices", 0, "per_h", "Standard_X2_v1"], [0.1, -1], "-1 is not a price"),
            (["prices", 0, "per_h", "Standard_X2_v1"], [0.1, "0.2"], "'0.2' is not a price"),
            (["prices", 0, "per_h", "Standard_Y"], [0.1, 0.2], "not among the file's sizes"),
            (
                ["disks"],
                [{"regions": ["moon"], "source": "", "trust": "user", "per_month": {"P11": 1}}],
                "not a disk tier",
            ),
            (["disks"], [{"regions": ["moon"], "source": "", "trust": "user", "same_as": "mars"}], "mars"),
            (["public_ip"], [{"regions": ["moon"], "source": "", "trust": "user"}], "None is not a price"),
            (
                ["meters"],
                [{"regions": ["moon"], "source": "", "trust": "user", "per_unit": {"snapshot.gold": 1.0}}],
                "is none of disk-operations",
            ),
        ],
    )
    def test_a_mistake_in_it_is_told_with_its_place(
        self, document: dict[str, Any], path: list[str | int], value: object, message: str
    ) -> None:
        """File and dotted place; never a KeyError."""
        broken: Any = copy.deepcopy(document)
        place = broken
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        with pytest.raises(CatalogueError) as error:
            from_document(broken, name="mine.json")
        assert str(error.value).startswith("mine.json: ")
        assert message in str(error.value)

    def test_a_price_that_stands_twice_is_refused(self, document: dict[str, Any]) -> None:
        """Which of the two would be billed?"""
        document["prices"].append(copy.deepcopy(document["prices"][0]))
        with pytest.raises(CatalogueError, match=r"has two (linux|windows) prices"):
            from_document(document, name="mine.json")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "is not JSON"),
            ("[1]", "an object is needed"),
            ('{"format": NaN}', "NaN"),
            ('{"Items": []}', "prices import"),
        ],
    )
    def test_a_file_that_is_no_catalogue_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        """Above all raw pages of the price list, which must be imported first."""
        file = tmp_path / "c.json"
        file.write_text(text)
        with pytest.raises(CatalogueError, match=message):
            load(file)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        """A folder in its place, too."""
        with pytest.raises(CatalogueError, match=r"gone\.json: there is no such file"):
            load(tmp_path / "gone.json")
        with pytest.raises(CatalogueError, match="this is a folder"):
            load(tmp_path)

    def test_it_is_written_one_size_a_line(self, catalogue: Catalogue, tmp_path: Path) -> None:
        """So that a difference between two price lists is readable."""
        save(catalogue, tmp_path / "c.json")
        lines = (tmp_path / "c.json").read_text().splitlines()
        rows = [line for line in lines if '"Standard_D4s_v5"' in line]
        assert len(rows) == 1 + len(catalogue.price_blocks)
        assert all(json.loads("{" + row.rstrip(",") + "}") for row in rows)


def test_a_price_list_shows_every_term_known_or_not(catalogue: Catalogue) -> None:
    """`prices show`: a term that is missing must be seen to be missing."""
    rows = show(catalogue, "d4s v5", "West Europe")
    assert [row.term for row in rows] == list(Term)
    shown = {row.term: row for row in rows}
    assert shown[Term.RESERVATION_3Y].saving == pytest.approx(1 - 0.0850837139 / 0.23)
    assert shown[Term.SPOT_WINDOWS].saving == pytest.approx(1 - 0.076507 / 0.414)
    assert shown[Term.LINUX].saving is None
    assert shown[Term.LINUX].per_month == pytest.approx(0.23 * 730)
    east = {row.term: row for row in show(catalogue, "d4s v5") if row.region == "eastus"}
    assert east[Term.RESERVATION_1Y].per_h is None
    assert east[Term.RESERVATION_1Y].trust == "unknown"
    assert east[Term.WINDOWS].trust == "estimate"


class TestDefaults:
    """The numbers a scenario leans on where it is silent."""

    def test_every_duration_can_be_read_and_every_number_has_a_source(self) -> None:
        """A default that cannot be parsed or traced would be found by a user."""
        for key, default in DEFAULTS.items():
            assert default.source, key
            if default.unit == "duration":
                value = default.value["median"] if isinstance(default.value, dict) else default.value
                assert parse_duration(str(value)) >= 0, key

    def test_they_are_the_ones_promised(self) -> None:
        """The interface's own example, by hand; durations that were measured stand in docs/durations.md."""
        documented: dict[str, object] = {
            "group.durations.extensions": "0s",
            "group.durations.restarting": "30s",
            "group.failures.reaction": {"dist": "lognormal", "median": "2h", "sigma": 1.0},
            "group.retry.attempts": 5,
            "group.retry.backoff": "1min",
            "group.retry.multiplier": 2.0,
            "group.retry.max_backoff": "1h",
            "group.guest_crash.detection": "5min",
            "group.failures.os_provisioning_timeout.linux": "20min",
            "group.failures.os_provisioning_timeout.windows": "40min",
        }
        assert {key: DEFAULTS[key].value for key in documented} == documented
        assert all(d.value == 0 for k, d in DEFAULTS.items() if d.unit == "probability per attempt")

    def test_the_os_decides_where_it_matters(self) -> None:
        """Windows provisions slowly."""
        key = "group.failures.os_provisioning_timeout"
        assert [get_default(key, os=os).value for os in ("linux", "windows")] == ["20min", "40min"]
        with pytest.raises(KeyError, match="no default"):
            get_default("group.color")
