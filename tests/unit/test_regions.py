"""Regions, currencies and discounts: what each touches, and what not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import sim
from sim.catalog import load_bundled, per_usd
from sim.errors import ScenarioError
from tests.helpers.operation_rows import DURATION_KEYS

SIZE = "Standard_D4s_v5"
DEV = {"name": "dev", "count": 2, "os": "windows", "disks": ["P10"], "public_ip": True}
WEB = {"name": "web", "count": 3, "region": "Poland Central", "disks": ["E10"]}
SPOT = {"name": "spot", "count": 2, "priority": "spot"}
RESERVED = {"name": "ri", "kind": "reservation", "size": SIZE, "quantity": 1, "term": "1y"}


POOL = {"name": "pool", "count": 2, "vcpus": 8, "memory_gib": 64}


def bill(prices: Mapping[str, Any] | None = None, **sections: Any) -> dict[tuple[str, str], float]:
    """Amounts by group and meter of one month."""
    document = {
        "name": "fleet",
        "start": "2026-01-01T00:00:00Z",
        "horizon": "31d",
        "replications": 1,
        "prices": prices or {},
        **sections,
    }
    lines = sim.run(sim.from_dict(document), engine="simpy").replications[0].bill
    found: dict[tuple[str, str], float] = {}
    for line in lines:
        found[line.group, line.meter] = found.get((line.group, line.meter), 0.0) + line.amount
    return found


def test_groups_in_two_regions_pay_what_each_pays_alone() -> None:
    """Nothing is shared, so the bill of both is the two bills."""
    east = {**WEB, "region": "East US"}
    assert bill(group=[DEV, east]) == bill(group=[DEV]) | bill(group=[east])
    assert bill(group=[east]) == bill({"region": "eastus"}, group=[{key: east[key] for key in east if key != "region"}])
    assert bill(group=[east]) != bill(group=[{**WEB, "region": "westeurope"}])


CROWDED = {
    "quota": {"regional_vcpus": 20},
    "throttle": {"burst": 3, "refill_per_min": 2},
    "host_failures": {"time_between": {"dist": "exponential", "mean": "2d"}},
    "zone_failures": {"time_between": {"dist": "exponential", "mean": "3d"}},
    "hosts": [{**POOL, "zone": 1}, {**POOL, "name": "there", "region": "eastus", "zone": 1, "count": 3}],
}
DAILY = {
    "days": "Mon-Sun",
    "on": "08:00:00",
    "off": "18:00:00",
    "jitter": {"dist": "uniform", "low": "0s", "high": "1h"},
}


def metrics(
    prices: Mapping[str, Any], *groups: Mapping[str, Any], platform: Mapping[str, Any] = CROWDED, engine: str = "simpy"
) -> dict[str, dict[str, float]]:
    """Every metric of every group in two replications of a crowded week."""
    document = {
        "name": "fleet",
        "horizon": "7d",
        "replications": 2,
        "prices": prices,
        "platform": platform,
        "group": groups,
    }
    found = sim.run(sim.from_dict(document), engine=engine).replications
    return {
        name: {f"{metric} {each.number}": value for each in found for metric, value in each.metrics[name].items()}
        for name in found[0].metrics
    }


def test_three_regions_on_one_platform_are_three_runs_to_the_last_bit() -> None:
    """Hosts, quota, rate limit and zones of each for itself; the third has no hosts, so hardware without end. NaN equals itself."""
    groups = [
        {"name": name, "region": region, "count": 6, "zones": [1], "schedule": DAILY}
        for name, region in (("here", "westeurope"), ("there", "East US"), ("far", "polandcentral"))
    ]
    together = metrics({}, *groups)
    for group in groups:
        name = str(group["name"])
        assert repr(together[name]) == repr(metrics({}, group)[name])
        assert together[name]["failures.QuotaExceeded 0"] > 0
    assert together["here"]["allocation.failures 0"] > 0
    assert together["far"]["allocation.failures 0"] == 0
    assert "hosts.used_share 0" not in together["far"]


ALL_AT_ONCE = dict.fromkeys(DURATION_KEYS, "0s")
MAINTAINED: Mapping[str, Any] = {
    "maintenance": {"every": "2d", "impact": "reboot", "update_domains": 4, "between_domains": "3h"},
    "hosts": [
        {"name": f"{region}-{part}", "region": region, "count": count, "vcpus": 8, "memory_gib": 64}
        for region, count in (("westeurope", 3), ("eastus", 5), ("polandcentral", 2))
        for part in range(2)
    ],
}


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_update_domains_are_numbered_in_each_region(engine: str) -> None:
    """3 rounds in the week, four domains 3 h apart: three regions maintained together are three regions maintained alone.

    Numbered through all regions, the hosts of the second would be reached in other domains: in the hours in which their VMs are off.
    """
    rounds = {"days": "Mon-Sun", "on": "23:30:00", "off": "02:00:00"}  # only the first domain's hosts have VMs that run
    groups = [
        {"name": name, "region": region, "count": 2, "schedule": rounds, "durations": ALL_AT_ONCE}
        for name, region in (("here", "westeurope"), ("there", "East US"), ("far", "polandcentral"))
    ]
    together = metrics({}, *groups, platform=MAINTAINED, engine=engine)
    for group in groups:
        name = str(group["name"])
        hosts = [
            pool for pool in MAINTAINED["hosts"] if pool["region"] == str(group["region"]).replace(" ", "").lower()
        ]
        alone = metrics({}, group, platform={**MAINTAINED, "hosts": hosts}, engine=engine)
        assert repr(together[name]) == repr(alone[name])
        # Both VMs share the first host of the region, which is in the first domain, reached at 0:00 of the days 2, 4 and 6.
        assert together[name]["maintenance_impacts 0"] == 6


def test_a_reservation_covers_its_own_region_only() -> None:
    """A savings plan covers all."""
    paid = ("web", f"compute.{SIZE}.linux.regular")
    assert bill(group=[WEB], commitment=[RESERVED])[paid] == bill(group=[WEB])[paid]
    there = bill(group=[WEB], commitment=[{**RESERVED, "region": "polandcentral", "quantity": 3}])
    assert there[paid] == 0
    plan = {"name": "plan", "kind": "savings-plan", "hourly": 100, "term": "1y"}
    assert bill(group=[WEB], commitment=[plan])[paid] == 0


def test_the_list_is_converted_at_the_bundled_rate_and_own_prices_are_not() -> None:
    """Each line of the bill times the rate."""
    rate = per_usd("EUR")
    assert rate is not None
    dollars, euros = bill(group=[DEV, WEB]), bill({"currency": "EUR"}, group=[DEV, WEB])
    assert euros == pytest.approx({line: amount * float(str(rate.value)) for line, amount in dollars.items()})
    own = {"override": {SIZE: {"linux": 1.0}}, "override_disks": {"E10": 31.0}}
    found = bill({"currency": "EUR", **own}, group=[WEB])
    assert found["web", "disk.E10"] == pytest.approx(3 * 31.0, rel=1e-3)
    assert found["web", f"compute.{SIZE}.linux.regular"] == pytest.approx(3 * 31 * 24, rel=1e-3)


def test_a_rate_that_is_given_wins() -> None:
    """Half a unit per dollar halves the bill."""
    dollars, halves = bill(group=[DEV]), bill({"currency": "EUR", "exchange_rate": 0.5}, group=[DEV])
    assert halves == pytest.approx({line: amount / 2 for line, amount in dollars.items()})


def test_a_discount_is_off_pay_as_you_go_only() -> None:
    """Compute, licences, disks and addresses, not spot and not what is reserved."""
    full, less = (bill({"discount": share}, group=[DEV, SPOT], commitment=[RESERVED]) for share in (0, "12 %"))
    for (group, meter), amount in full.items():
        kept = group == "spot" or meter.startswith("commitment")
        assert less[group, meter] == pytest.approx(amount * (1 if kept else 0.88), abs=1e-8), meter
    assert any(meter.startswith("license") for _, meter in full)


@pytest.mark.parametrize(
    ("sections", "field"),
    [
        ({"prices": {"currency": "XYZ"}}, "prices.currency"),
        ({"prices": {"exchange_rate": 0.5}}, "prices.exchange_rate"),
        ({"prices": {"discount": "112 %"}}, "prices.discount"),
        ({"prices": {"discount": "a lot"}}, "prices.discount"),
        ({"group": [{**WEB, "region": "moon"}]}, "group.web.region"),
        ({"platform": {"hosts": [{**POOL, "region": "moon"}]}}, "platform.hosts.pool.region"),
        (
            {"group": [DEV, WEB], "platform": {"hosts": [POOL, {**POOL, "name": "own", "only_groups": ["web"]}]}},
            "platform.hosts.own.only_groups[1]",
        ),
        ({"commitment": [{**RESERVED, "region": "eastus"}]}, "commitment.ri.size"),
        ({"commitment": [{**RESERVED, "region": "moon"}]}, "commitment.ri.region"),
    ],
)
def test_what_the_list_can_not_serve_is_refused(sections: Mapping[str, Any], field: str) -> None:
    """At its place."""
    with pytest.raises(ScenarioError) as caught:
        sim.from_dict({"name": "fleet", "horizon": "1d", "group": [DEV], **sections})
    assert [fault.field for fault in caught.value.faults] == [field]


def test_validate_states_the_rate_and_its_source() -> None:
    """Wherever converted figures are, so is the rate."""
    words = "\n".join(sim.from_dict({"name": "fleet", "horizon": "1d", "prices": {"currency": "EUR", "discount": 0.1}, "group": [DEV]}).describe())  # fmt: skip
    rate = per_usd("EUR")
    assert rate is not None
    assert f"{rate.value:g} EUR per USD" in words
    assert rate.source in words
    assert "10 % off pay-as-you-go prices" in words
    assert load_bundled().adjusted == ""
