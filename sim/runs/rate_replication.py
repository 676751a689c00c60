"""The bill of one replication: from its ledgers where hours by group are enough, from the stays of its VMs where not.

Whole minutes are cut stretch by stretch, and disks that outlive their VM begin with its end: only stays know of either.
Where both could be asked they give the same bill.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.billing.commitments import hold_vms
from sim.billing.focus import effective_shares
from sim.billing.meter_kinds import running_cost
from sim.billing.meters import RatedGroup
from sim.billing.money import to_usd
from sim.billing.rating import Rating, rate_run, rate_stays
from sim.billing.stays import Stays
from sim.billing.uptime import MonitoredGroup, Uptime, fleet_uptime
from sim.engines.simulate import simulate
from sim.engines.stays import DOWN, GroupStays, StayRecorder, power_of
from sim.runs.simulation_input import SimulationInput
from sim.usage.ledger import GroupUsage, to_ticks


class _VmNames(Sequence[str]):
    """Names of VMs, written when asked for: a fleet may have millions."""

    def __init__(self, groups: Sequence[str], group_of: np.ndarray, vm: np.ndarray) -> None:
        self._groups, self._group_of, self._vm = groups, group_of, vm

    def __len__(self) -> int:
        return len(self._vm)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        return f"{self._groups[self._group_of[place]]}-{self._vm[place]:04d}"


def needs_stays(question: SimulationInput) -> bool:
    """Whether the ledger can't tell everything that this bill depends on."""
    keeps = any(group.keeps_disks for group in question.rated_groups)
    return question.rounding != "exact" or keeps or hold_vms(question.commitments)


def rate_replication(
    question: SimulationInput, usages: Mapping[str, GroupUsage], stays: Mapping[str, GroupStays] | None = None
) -> Rating:
    """Rate one replication, commitments applied fleet-wide in each clock hour; *stays* where the question needs them."""
    plan, how = question.plan, (question.catalogue, question.billing_policy, question.commitments)
    if stays is None:
        if needs_stays(question):
            raise AssertionError("this bill needs the stays of its VMs")
        return rate_run(question.rated_groups, usages, *how, question.spot_steps, start=plan.start)
    return rate_stays(
        billed_stays(question.rated_groups, stays), *how, window_s=(plan.warm_up_s, plan.horizon_s),
        rounding=question.rounding, spot_steps=question.spot_steps, start=plan.start,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedReplication:
    """One replication's bill with its working, and its VMs' stays if they were kept."""

    rating: Rating
    stays: Stays | None
    engine: str


def simulate_and_rate(
    question: SimulationInput, seed: int, number: int, engine: str = "auto", *, by_vm: bool = False, threads: int = 1
) -> RatedReplication:
    """Simulate one replication for its bill alone; *by_vm*: rate it from the stays of its VMs in any case."""
    recorder = StayRecorder(power_of) if by_vm or needs_stays(question) else None
    run = simulate(
        question.plan, seed=seed, replication=number, engine=engine, threads=threads,
        listeners=[recorder.listen] if recorder else [],
    )  # fmt: skip
    found = recorder.stays(question.plan.horizon_s) if recorder else None
    return RatedReplication(
        rating=rate_replication(question, run.usages, found),
        stays=None if found is None else billed_stays(question.rated_groups, found),
        engine=run.engine,
    )


def billed_stays(groups: Sequence[RatedGroup], stays: Mapping[str, GroupStays]) -> Stays:
    """The stays of all groups as billing reads them. A VM that is deleted and created again counts twice: its disks end with it."""
    own = [stays.get(group.name, _nothing(group.name)) for group in groups]
    lives = [each.lives for each in own]
    firsts = np.concatenate([[0], np.cumsum(lives)])
    group_of = np.repeat(np.arange(len(own), dtype=np.int32), lives)
    vm_of = np.concatenate([*_vm_of_lives(own), np.zeros(0, dtype=np.int32)])
    again = np.zeros(len(vm_of), dtype=np.bool_)
    again[:-1] = (vm_of[1:] == vm_of[:-1]) & (group_of[1:] == group_of[:-1])
    return Stays(
        groups=tuple(groups),
        vms=_VmNames([group.name for group in groups], group_of, vm_of),
        group_of=group_of,
        vm=np.concatenate([each.life + first for each, first in zip(own, firsts, strict=False)]).astype(np.int32),
        state=np.concatenate([each.what for each in own]),
        start=np.concatenate([each.start for each in own]),
        end=np.concatenate([each.end for each in own]),
        again=again,
    )


def uptimes_of(question: SimulationInput, rating: Rating, reach: Mapping[str, GroupStays]) -> list[Uptime]:
    """Monthly uptime and credits of a replication's deployments, from when its VMs could be reached."""
    plan, bill = question.plan, rating.bill
    plans = {group.name: group for group in plan.groups}
    shares = effective_shares(rating)
    fleet = []
    for group in question.rated_groups:
        own, of = reach.get(group.name, _nothing(group.name)), plans[group.name]
        fee = sum(bill.amount_nano(group=group.name, kind=kind) for kind in ("compute", "license"))
        fee += sum(nano for (_, user), nano in shares.items() if user == group.name)
        watched = MonitoredGroup(
            group=group, zones=len(set(of.zones)), availability_set=of.availability_set, fee_usd=to_usd(fee), vm=own.vm,
            down=own.what == DOWN, start=own.start, end=own.end,
        )  # fmt: skip
        fleet.append(watched)
    return fleet_uptime(fleet, plan.start, (to_ticks(plan.warm_up_s), to_ticks(plan.horizon_s)))


def forgotten_costs(question: SimulationInput, usages: Mapping[str, GroupUsage]) -> dict[str, float]:
    """What the hours cost in which each group's VMs ran only because they had been forgotten. USD."""
    return {
        group.name: running_cost(question.catalogue, group, usages[group.name].forgotten_hourly, question.spot_steps)
        for group in question.rated_groups
    }


def _vm_of_lives(own: Sequence[GroupStays]) -> Iterator[np.ndarray]:
    for each in own:
        first = np.ones(len(each.life), dtype=bool)
        first[1:] = each.life[1:] != each.life[:-1]
        yield each.vm[first]


def _nothing(group: str) -> GroupStays:
    long = np.zeros(0, dtype=np.int64)
    return GroupStays(
        group=group, vm=np.zeros(0, dtype=np.int32), life=long, what=np.zeros(0, dtype=np.int8), start=long, end=long
    )
