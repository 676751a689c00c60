"""How many VMs an autoscaler wants: any-out / all-in rules, one cooldown for both directions, no flapping.

Rules and their order: Microsoft, Autoscale: understand settings (2026-08-05), and Autoscale flapping (2024-11-01). The functions of
`RULES` work on flat sequences: the SimPy engine calls them with lists, the compiled engine compiles them for arrays.
"""

import math
from collections.abc import Mapping, MutableSequence, Sequence
from typing import NamedTuple

from sim.engines.shared.linked_list import Cells
from sim.model.demand import Autoscale
from sim.usage.ledger import TICKS_PER_HOUR

NO_RULE = -1


class ScalingRules(NamedTuple):
    """The autoscalers of some groups."""

    # By group:
    per_vm: MutableSequence[float]  # load that one VM serves
    maximum: Cells
    keep_at_most: Cells  # deallocated VMs
    regular_base: Cells
    regular_above: MutableSequence[float]  # share of regular VMs above the base
    first_out: Cells  # its rules for scaling out, behind them those for scaling in; one more than groups
    first_in: Cells
    # By rule:
    threshold: MutableSequence[float]
    by: Cells
    cooldown_s: MutableSequence[float]


def usage(load: float, serving: int, per_vm: float) -> float:
    """Load per VM as a share of what one VM serves; for none any load would be too much."""
    if serving <= 0:
        return math.inf if load > 0 else 0.0
    return load / (serving * per_vm)


def decide(
    rules: ScalingRules, group: int, load: float, fewest: int, existing: int, serving: int, now_s: float, quiet_until_s: float
) -> tuple[int, int]:  # fmt: skip
    """The number of VMs that the rules want, *fewest* or more, and the rule that says so (NO_RULE: leave it).

    *load* is shared by the *serving* VMs: new ones bring capacity only once they have booted. A scale-out rule that is
    true wins with the largest number; a scale-in needs all its rules true, and takes only as many VMs as leave every
    scale-out rule false.
    """
    if now_s < quiet_until_s or serving <= 0:  # while none serves, there is nothing to measure
        return existing, NO_RULE
    first, first_in, end = rules.first_out[group], rules.first_in[group], rules.first_out[group + 1]
    per_vm = rules.per_vm[group]
    use = usage(load, serving, per_vm)
    best = NO_RULE
    lowest = math.inf  # threshold for scaling out
    for rule in range(first, first_in):
        lowest = min(lowest, rules.threshold[rule])
        if use > rules.threshold[rule] and (best < 0 or rules.by[rule] > rules.by[best]):
            best = rule
    if best >= 0:
        wanted = min(existing + rules.by[best], rules.maximum[group])
        return (wanted, best) if wanted > existing else (existing, NO_RULE)
    for rule in range(first_in, end):
        if use >= rules.threshold[rule]:
            return existing, NO_RULE
        if best < 0 or rules.by[rule] < rules.by[best]:
            best = rule
    if best >= 0:
        for fewer in range(min(rules.by[best], existing - fewest), 0, -1):
            if usage(load, serving - fewer, per_vm) <= lowest:
                return existing - fewer, best
    return existing, NO_RULE


def regular_of(rules: ScalingRules, group: int, vms: int) -> int:
    """How many of so many VMs are regular; as the platform's priority mix rounds, up."""
    base = rules.regular_base[group]
    if vms <= base:
        return vms
    # A share such as 7 % of 100 is a hair above 7 as a float.
    return base + math.ceil(rules.regular_above[group] * (vms - base) - 1e-9)


def regular_change(rules: ScalingRules, group: int, regular: int, vms: int, wanted: int) -> int:
    """Of *vms*, so many of them regular, to *wanted*: by how many the regular VMs change, the rest are spot.

    One VM after the other is of the kind that is furthest from its target; which comes to this.
    """
    away = regular_of(rules, group, wanted) - regular
    if wanted >= vms:
        return min(max(away, 0), wanted - vms)
    return max(min(away, 0), wanted - vms)


RULES = (usage, decide, regular_of, regular_change)


def scaling_rules(plans: Sequence[Autoscale]) -> ScalingRules:
    """The rules of some groups."""
    rules = [rule for plan in plans for rule in (*plan.scale_out, *plan.scale_in)]
    first = [0]
    for plan in plans:
        first.append(first[-1] + len(plan.scale_out) + len(plan.scale_in))
    return ScalingRules(
        per_vm=[plan.per_vm for plan in plans],
        maximum=[plan.maximum for plan in plans],
        keep_at_most=[plan.keep_at_most for plan in plans],
        regular_base=[plan.maximum if plan.regular_base is None else plan.regular_base for plan in plans],
        regular_above=[plan.regular_above_base for plan in plans],
        first_out=first,
        first_in=[begin + len(plan.scale_out) for begin, plan in zip(first, plans, strict=False)],
        threshold=[rule.threshold for rule in rules],
        by=[rule.by for rule in rules],
        cooldown_s=[rule.cooldown_s for rule in rules],
    )


def load_amounts(ticks: Mapping[tuple[float, int], int], per_vm: float) -> dict[str, float]:
    """Load times hours, offered and served, and the hours in which there was more of it than VMs could serve.

    *ticks*: time by load and VMs in service.
    """
    parts = [(load, serving * per_vm, time / TICKS_PER_HOUR) for (load, serving), time in ticks.items()]
    return {
        "load.offered": math.fsum(load * hours for load, _, hours in parts),
        "load.served": math.fsum(min(load, served) * hours for load, served, hours in parts),
        "load.overload_hours": math.fsum(hours for load, served, hours in parts if load > served),
    }
