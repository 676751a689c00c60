"""Trust travels with the figure: which share of a bill rests on list prices, and which prices are estimates or stand-ins."""

import numpy as np
import pytest

import sim
from sim.billing.commitments import CapacityReservation, DedicatedHost, Reservation, SavingsPlan
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.meters import RatedGroup
from sim.billing.rating import rate_in_full
from sim.billing.trust import UntrustedPrice, sources_of, untrusted_prices
from sim.catalog import Trust, load_bundled
from sim.fields.metrics import trust_sentence

STEADY = {"allocating": "0s", "starting": "0s", "os_provisioning": "0s"}


def scenario(group: dict | None = None, **prices) -> sim.Scenario:
    """One Windows VM with a disk for a day in East US: of its prices the licence is an estimate, the disk a stand-in."""
    vm = {"name": "a", "size": "Standard_D4s_v5", "os": "windows", "count": 1, "disks": ["P10"], "durations": STEADY}
    return sim.from_dict(
        {
            "name": "t",
            "horizon": "24h",
            "replications": 2,
            "group": [vm | (group or {})],
            "prices": {"region": "eastus"} | prices,
        }
    )


def shares(scenario: sim.Scenario) -> tuple[float, float]:
    """Of the fleet and of its first group."""
    summary = sim.run(scenario).summary()
    found = summary["metrics"]["cost.trusted_share"]
    assert found["low"] == found["high"] == found["mean"]
    return found["mean"], summary["groups"]["a"]["metrics"]["cost.trusted_share"]["mean"]


def test_the_share_is_by_amount():
    """0.192 of compute is listed; 4 x 0.046 of licence is estimated; a P10 at 21.68 a month is West Europe's."""
    bill = sim.run(scenario()).summary()["metrics"]
    trusted, total = bill["cost.compute"]["mean"], bill["cost.total"]["mean"]
    assert trusted == pytest.approx(24 * 0.192)
    assert bill["cost.license"]["mean"] == pytest.approx(24 * 4 * 0.046)
    assert bill["cost.disk"]["mean"] > 0
    assert shares(scenario())[0] == pytest.approx(trusted / total)


@pytest.mark.parametrize(
    "group", [{"os": "linux", "disks": []}, {"os": "windows", "hybrid_benefit": True, "disks": []}]
)
def test_list_prices_are_trusted_whole(group):
    """What isn't paid for needs no trust."""
    assert shares(scenario(group)) == (1.0, 1.0)


def test_a_bill_of_nothing_is_trusted():
    """A share of nothing would be no number."""
    free = scenario({"os": "linux", "disks": []}, override={"Standard_D4s_v5": {"linux": 0.0}})
    assert shares(free) == (1.0, 1.0)


def test_own_prices_are_trusted_and_what_is_derived_from_an_estimate_is_not():
    """Both prices given: trusted. Linux alone moves Windows along by the list's estimate: the licence stays estimated."""
    month = {"override_disks": {"p10": 19.71}}
    both = scenario(override={"Standard_D4s_v5": {"linux": 0.2, "windows": 0.4}}, **month)
    assert shares(both) == (1.0, 1.0)
    linux = scenario({"disks": []}, override={"Standard_D4s_v5": {"linux": 0.184}})
    assert shares(linux)[0] == pytest.approx(0.5)
    assert linux.catalogue().price("Standard_D4s_v5", "eastus", "windows").provenance.trust is Trust.ESTIMATE
    listed = scenario({"disks": []}, region="westeurope", override={"Standard_D4s_v5": {"linux": 0.184}})
    assert shares(listed) == (1.0, 1.0)


def test_a_disks_own_price_is_per_month():
    """19.71 instead of 21.68: a day's disk costs that much less in proportion."""
    ours, listed = (
        sim.run(scenario(**more)).summary()["metrics"]["cost.disk"]["mean"]
        for more in ({"override_disks": {"P10": 19.71}}, {})
    )
    assert ours / listed == pytest.approx(19.71 / 21.68)


@pytest.mark.parametrize(
    ("commitment", "share"),
    [
        (Reservation(name="c", size="Standard_D4s_v5", quantity=1, term="1y", region="westeurope"), 0.0),
        (Reservation(name="c", size="Standard_D4s_v5", quantity=1, term="1y", region="polandcentral"), 1.0),
        (SavingsPlan(name="c", hourly_usd=1.0, term="3y"), 1.0),
        (DedicatedHost(name="c", quantity=1, usd_per_h=5.0, vcpus=64, groups=("a",)), 1.0),
        (CapacityReservation(name="c", size="Standard_D4s_v5", quantity=2, region="westeurope"), 1.0),
        (Reservation(name="c.d4", size="Standard_D4s_v5", quantity=1, term="3y", region="westeurope"), 0.0),
    ],
    ids=["a stand-in", "the region's own", "the user's amount", "the user's price", "pay as you go", "a name with a dot"],
)  # fmt: skip
def test_a_commitment_is_trusted_as_its_price_is(commitment, share):
    """West Europe's reservations are Poland Central's; what the user writes is the user's."""
    region = getattr(commitment, "region", "") or "westeurope"
    hour, none = (CountedHours(hourly=np.array([h]), total_h=h) for h in (1.0, 0.0))
    group = RatedGroup(name="a", size="Standard_D4s_v5", region=region)
    own = RatedHours(group=group, billed=hour, licensed=none, existing=hour, orphaned=none)
    bill = rate_in_full([own], hour.hourly, load_bundled(), [commitment]).bill
    paid = [line for line in bill.lines if line.kind == "commitment" and line.amount_nano]
    assert {line.trusted for line in paid} == {share == 1.0}


def test_each_meter_s_price_comes_from_the_block_that_it_is_read_from():
    """East US: the size's prices are its own, Windows is estimated, disks are West Europe's; a licence is a difference of two."""
    listed = load_bundled()
    size, region = "Standard_D4s_v5", "eastus"
    own = {
        term: listed.price(size, region, term).provenance for term in ("linux", "windows", "spot_linux", "spot_windows")
    }
    assert own["linux"] != own["windows"]
    disk, address = listed.disk("P10", region).provenance, listed.public_ip(region)[1]
    for priority, linux, windows in (("regular", "linux", "windows"), ("spot", "spot_linux", "spot_windows")):
        group = RatedGroup(name="a", size=size, region=region, os="windows", priority=priority)
        expected = {
            f"compute.{size}.windows.{priority}": [own[linux]],
            f"license.windows.{size}": [own[windows], own[linux]],
            "disk.P10": [disk],
            "disk.P10.orphaned": [disk],
            "network.public_ip": [address],
            "backup.snapshot": [],
        }
        assert {meter: sources_of(listed, group, meter) for meter in expected} == expected


def test_untrusted_prices_of_one_source_stand_together():
    """Meters in their order, then commitments; what is trusted isn't said, nor what the user wrote."""
    listed = load_bundled()
    size = "Standard_D4s_v5"
    east = RatedGroup(name="a", size=size, region="eastus", os="windows")
    bought = (
        Reservation(name="ri", size=size, quantity=1, term="1y", region="westeurope"), SavingsPlan(name="sp", hourly_usd=1.0, term="3y"),
        CapacityReservation(name="room", size=size, quantity=1, region="westeurope"),
    )  # fmt: skip
    meters = [(east, meter) for meter in ("compute.x", "disk.P10", f"license.windows.{size}", "disk.E10", "disk.P10")]
    assert untrusted_prices(listed, meters, bought) == [
        UntrustedPrice(
            meters=("disk.P10 in eastus", "disk.E10 in eastus"), provenance=listed.disk("P10", "eastus").provenance
        ),
        UntrustedPrice(
            meters=(f"license.windows.{size} in eastus",), provenance=listed.price(size, "eastus", "windows").provenance
        ),
        UntrustedPrice(
            meters=("commitment.ri",), provenance=listed.price(size, "westeurope", "reservation_1y").provenance
        ),
    ]


def test_validate_says_which_prices_are_what():
    """By meter, with the reason; or that all is well."""
    words = "\n".join(scenario().describe())
    assert "* license.windows.Standard_D4s_v5 in eastus: estimate; no Windows price was read" in words
    assert "* disk.P10 in eastus: stand-in; West Europe's disk prices" in words
    assert "* compute.Standard" not in words
    assert "Prices: all are list prices" in "\n".join(scenario({"os": "linux", "disks": []}).describe())


def test_the_sentence_never_rounds_to_all():
    """A ten-thousandth that is estimated is still estimated."""
    assert trust_sentence(0.4797) == (
        "48.0\N{NO-BREAK SPACE}% of the cost is at list, imported or your own prices, the rest estimated or a stand-in; list prices are without tax."
    )
    assert trust_sentence(0.99999).startswith(">\N{NO-BREAK SPACE}99.9\N{NO-BREAK SPACE}%")
    assert trust_sentence(1.0) == (
        "All of the cost is at list prices, imported prices or your own; list prices are without tax."
    )
    assert trust_sentence(None) == ""
