"""Which commitments could be bought for a fleet, and what any purchase of them costs over its simulated hours.

The clock hours of all replications stand one after the other, so that a purchase is rated by one allocation in the platform's order.
Commitments that the scenario has already stay, and are used first within their kind.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from sim.billing.commitment_allocation import Demand, ratio_between
from sim.billing.commitment_use import Allocation, allocate
from sim.billing.commitments import TERMS, Commitment, Reservation, SavingsPlan
from sim.billing.hours import CountedHours, Hourly, RatedHours, window_hourly
from sim.billing.meters import RatedGroup
from sim.billing.newsvendor import best_quantity
from sim.billing.tariff import SizeTariff, reservation_price
from sim.billing.trust import commitment_sources
from sim.catalog.catalogue import Catalogue
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.runs.run_result import RunResult
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import into_clock_hour_s

ALIKE = 1e-3  # relative: prices that differ by no more are taken as one
CENT = 0.01
CACHED = 16_384  # hours that are rated at once


@dataclass(frozen=True)
class FleetHours:
    """Billed hours of a fleet by group and clock hour, over all replications, and what is bought for it already."""

    groups: tuple[tuple[RatedGroup, Hourly], ...]
    window: Hourly  # the part of each clock hour that is billed
    replications: int
    catalogue: Catalogue
    held: tuple[Commitment, ...]

    @classmethod
    def of(cls, result: RunResult) -> "FleetHours":
        """The hours that a run kept."""
        inputs, plan = result.inputs, result.inputs.plan
        billed = [place for place, state in enumerate(PowerState) if get_policy(inputs.billing_policy).bills(state)]
        into_s = into_clock_hour_s(plan.start)
        first = int((plan.warm_up_s + into_s) // SECONDS_PER_HOUR)
        last = math.ceil((plan.horizon_s + into_s) / SECONDS_PER_HOUR)
        window = window_hourly(plan.warm_up_s + into_s, plan.horizon_s + into_s, last)[first:]
        vms: dict[str, list[Hourly]] = {group.name: [] for group in inputs.rated_groups}
        for each in result.replications:
            for name, timeline in each.timeline.items():
                vms[name].append(timeline.vms[:, billed].sum(axis=1) * window)
        groups = tuple((group, np.concatenate(vms[group.name])) for group in inputs.rated_groups if vms[group.name])
        held = tuple(
            each
            for each in inputs.commitments
            if (each.hourly_usd if isinstance(each, SavingsPlan) else each.quantity) > 0
        )
        return cls(groups, np.tile(window, result.n), result.n, inputs.catalogue, held)

    @property
    def hours(self) -> float:
        """Of one replication."""
        return math.fsum(self.window) / self.replications

    def fallen(self, share: float) -> "FleetHours":
        """The same fleet, where demand is lower by a share in every hour."""
        return replace(self, groups=tuple((group, hourly * (1.0 - share)) for group, hourly in self.groups))

    def by_replication(self, hourly: Hourly) -> list[float]:
        """Sums over the hours of each replication."""
        return list(map(float, hourly.reshape(self.replications, -1).sum(axis=1)))

    def with_bought(self, bought: Sequence[Commitment]) -> Allocation:
        """Who pays each hour with these besides what is held; nothing changes where nothing is bought of one."""
        none = CountedHours(hourly=0.0 * self.window, total_h=0.0)
        hours = [
            RatedHours(
                group=group,
                billed=CountedHours(hourly=hourly, total_h=0.0),
                licensed=none,
                existing=none,
                orphaned=none,
            )
            for group, hourly in self.groups
        ]
        nothing = SavingsPlan(name="", hourly_usd=0.0, term="1y")  # without any commitment nothing would be allocated
        return allocate(hours, self.window, self.catalogue, (*self.held, *bought) or (nothing,))

    def costs(self, bought: Sequence[Commitment]) -> list[float]:
        """Compute and commitments of each replication; spot apart, which no commitment touches."""
        return [cost for part in self.parts for cost in part.by_replication(part.with_bought(bought).cost)]

    @cached_property
    def parts(self) -> list["FleetHours"]:
        """A few replications each, so that their arrays stay in the processor's cache."""
        hours = len(self.window) // self.replications
        long = max(1, CACHED // hours) * hours
        return [
            replace(
                self,
                groups=tuple((group, hourly[first : first + long]) for group, hourly in self.groups),
                window=self.window[first : first + long],
                replications=len(self.window[first : first + long]) // hours,
            )
            for first in range(0, len(self.window), long)
        ]


@dataclass(frozen=True, slots=True)
class Offer:
    """A commitment that could be bought: so many steps of it, VMs or cents an hour, up to the most that could be used."""

    commitment: Reservation | SavingsPlan  # of one step
    most: int
    price: float  # of a step for an hour
    trusted: bool  # whether its price is the list's or the user's, not an estimate
    newsvendor: (
        tuple[float, float] | None
    )  # best amount, in the commitment's unit, and what it saves an hour; None: no single price
    takes: Mapping[str, float] = field(default_factory=dict)  # units that one VM of each other size of the fleet takes

    @property
    def kind(self) -> str:
        """As in a scenario."""
        return "reservation" if isinstance(self.commitment, Reservation) else "savings-plan"

    @property
    def words(self) -> str:
        """What it is, without an amount."""
        if isinstance(self.commitment, Reservation):
            return f"{self.commitment.term} reservation of {self.commitment.size} in {self.commitment.region}"
        return f"{self.commitment.term} savings plan"

    @property
    def step(self) -> float:
        """One VM, or one cent an hour."""
        return 1.0 if isinstance(self.commitment, Reservation) else CENT

    def times(self, steps: int) -> Commitment:
        """So many steps of it."""
        if isinstance(self.commitment, Reservation):
            return replace(self.commitment, quantity=float(steps))
        return replace(self.commitment, hourly_usd=round(steps * CENT, 2))


def offers(fleet: FleetHours) -> tuple[list[Offer], list[dict[str, str]]]:
    """What could be bought: reservations of each size group and term, a savings plan of each term; and what has no price."""
    wanting = fleet.with_bought(()).wanting
    groups: dict[tuple[str, str], list[Demand]] = {}
    for each in wanting:
        tariff = each.tariff
        groups.setdefault((tariff.flexibility_group or tariff.size, tariff.region), []).append(each)
    found, lacking = [], []
    for term in TERMS:
        for (_, region), own in sorted(groups.items()):
            priced = [each.tariff for each in own if f"reservation_{term}" in each.tariff.per_h]
            if priced:
                found.append(_reservation(fleet, own, _unit(priced, term), term))
            else:
                key, sizes = f"reservation_{term}", " or ".join(sorted({each.tariff.size for each in own}))
                size = own[0].tariff.size
                lacking.append(
                    {
                        "what": f"{term} reservation of {sizes} in {region}",
                        "reason": f'the price list has none; give it as {key} in [prices.override."{size}"]',
                    }
                )
        in_plan = [each for each in wanting if each.tariff.savings_plan_usd_per_h(term)]
        if in_plan:
            found.append(_plan(fleet, in_plan, term))
        for each in wanting:
            if each not in in_plan:
                reason = f'the price list has no rate; give it as savings_plan_{term} in [prices.override."{each.tariff.size}"]'
                lacking.append(
                    {"what": f"{term} savings plan for {each.tariff.size} in {each.tariff.region}", "reason": reason}
                )
    return found, [*{tuple(each.items()): each for each in lacking}.values()]


def _unit(priced: Sequence[SizeTariff], term: str) -> SizeTariff:
    """The size to buy for a size group: of those that are cheapest by ratio the smallest, which fits best."""
    per_ratio = [each.per_h[f"reservation_{term}"] / (each.ratio or 1.0) for each in priced]
    cheapest = min(per_ratio) * (1 + ALIKE)
    alike = [each for each, price in zip(priced, per_ratio, strict=True) if price <= cheapest]
    return min(alike, key=lambda each: (each.ratio or 1.0, each.size))


def _reservation(fleet: FleetHours, own: Sequence[Demand], size: SizeTariff, term: str) -> Offer:
    commitment = Reservation(
        name=f"{size.size} {size.region} {term}", size=size.size, quantity=1.0, term=term, region=size.region
    )
    price = reservation_price(size, commitment)
    weights = [ratio_between(each.tariff, size, flexible=True) or 0.0 for each in own]
    use = sum((each.wanted * weight for each, weight in zip(own, weights, strict=True)), start=0.0 * fleet.window)
    worths = [each.tariff.payg_usd_per_h / weight for each, weight in zip(own, weights, strict=True) if weight]
    trusted = all(source.is_trusted for source in commitment_sources(fleet.catalogue, commitment))
    others = zip((each.tariff.size for each in own), weights, strict=True)
    takes = {other: weight for other, weight in sorted(others) if weight and other != size.size}
    return Offer(
        commitment, _most(use, fleet.window, 1.0), price, trusted, _newsvendor(fleet, use, price, worths), takes
    )


def _plan(fleet: FleetHours, own: Sequence[Demand], term: str) -> Offer:
    commitment = SavingsPlan(name=f"savings plan {term}", hourly_usd=CENT, term=term)
    rates = [each.tariff.savings_plan_usd_per_h(term) or 0.0 for each in own]
    use = sum((each.wanted * rate for each, rate in zip(own, rates, strict=True)), start=0.0 * fleet.window)
    worths = [each.tariff.payg_usd_per_h / rate for each, rate in zip(own, rates, strict=True)]
    sold = (fleet.catalogue.price(each.tariff.size, each.tariff.region, f"savings_plan_{term}") for each in own)
    trusted = all(price.provenance.is_trusted for price in sold)
    return Offer(commitment, _most(use, fleet.window, CENT), CENT, trusted, _newsvendor(fleet, use, 1.0, worths))


def _most(use: Hourly, window: Hourly, step: float) -> int:
    """Steps that cover the hour of most use."""
    return math.ceil(float(_levels(use, window).max(initial=0.0)) / step - 1e-9)


def _levels(use: Hourly, window: Hourly) -> Hourly:
    """Use at once, from hours of use in each clock hour or the part of it that is billed."""
    return np.divide(use, window, out=np.zeros_like(use), where=window > 0.0)


def _newsvendor(fleet: FleetHours, use: Hourly, price: float, worths: Sequence[float]) -> tuple[float, float] | None:
    """The best amount if any fraction could be bought, and what it saves an hour: nothing bought of it alone saves more.

    None where units are worth different amounts, or something is held that pays a part of them.
    """
    worth = min(worths)
    if max(worths) > worth * (1 + ALIKE) or fleet.held:
        return None
    amount = best_quantity(_levels(use, fleet.window), price, worth)
    saved = np.minimum(use, amount * fleet.window) * worth - amount * fleet.window * price
    return amount, math.fsum(saved) / math.fsum(fleet.window)
