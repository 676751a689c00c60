"""Mistakes in a scenario file. What keys say of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import COMMITMENT, SCHEDULE, Bad, bad, check_mistake, group_key

MISTAKES: dict[str, Bad] = {
    "schedule and cycle": bad(
        SCHEDULE,
        SCHEDULE + '[group.cycle] #!\non = "8h"\noff = "16h"\n',
        "group.dev.cycle",
        "schedule and cycle contradict each other",
        "at most one of",
    ),
    "schedule and arrivals": bad(
        "count = 200\n" + 'disks = ["P10"]\n' + SCHEDULE,
        SCHEDULE + '[group.arrivals] #!\nrate = 1.0\nlifetime = "1h"\n',
        "group.dev.arrivals",
        "schedule and arrivals contradict each other",
    ),
    "count and arrivals": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        'count = 200 #!\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n',
        "group.dev.count",
        "count and arrivals contradict each other",
    ),
    "warm-up beyond the horizon": bad(
        "seed = 1", 'warm_up = "29d" #!', "warm_up", "29d", "must end before the horizon"
    ),
    "warm-up equal to the horizon": bad(
        "seed = 1", 'warm_up = "28d" #!', "warm_up", "must end before the horizon"
    ),
    "evictions of VMs that are regular": bad(
        "[group.retry]\nattempts = 5",
        "[group.spot] #!\neviction_per_hour = 0.1",
        "group.dev.spot",
        "has no effect",
        'priority = "spot"',
    ),
    "lost work of VMs without work": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { lost_work = "15min" } #!',
        "group.dev.spot.lost_work",
        "only work is made up",
        'lifetime_counts = "running"',
    ),
    "a fall-back of VMs without work": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { fall_back = 2, restart_after = "5min" } #!',
        "group.dev.spot.fall_back",
        "only work goes on with another VM",
    ),
    "a fall-back by no rule": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { fall_back = "sometimes" } #!',
        "group.dev.spot.fall_back",
        "no such rule",
        '"uniform-progress"',
    ),
    "a fall-back before a deadline that there is not": bad(
        'count = 200\ndisks = ["P10"]\n[group.schedule]\ndays = "Mon-Fri"\non = 08:00:00\noff = 19:00:00\ntime_zone = "Europe/Amsterdam"\n',
        'priority = "spot"\narrivals = { rate = 1.0, lifetime = "1h", lifetime_counts = "running" }\n'
        'spot = { fall_back = "deadline", restart_after = "5min" } #!\n',
        "group.dev.spot.fall_back",
        "the work has no deadline",
    ),
    "a fall-back of VMs that are not asked for again": bad(
        'count = 200\ndisks = ["P10"]\n[group.schedule]\ndays = "Mon-Fri"\non = 08:00:00\noff = 19:00:00\ntime_zone = "Europe/Amsterdam"\n',
        'priority = "spot"\narrivals = { rate = 1.0, lifetime = "1h", lifetime_counts = "running" }\nspot = { fall_back = 1 } #!\n',
        "group.dev.spot.fall_back",
        "give restart_after",
    ),
    "capacity from a file that is not there": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { availability = { file = "none.csv" } } #!',
        "group.dev.spot.availability",
        "there is no file",
        "none.csv",
    ),
    "a deadline of a lifetime by the clock": bad(
        'count = 200\ndisks = ["P10"]\n[group.schedule]\ndays = "Mon-Fri"\non = 08:00:00\noff = 19:00:00\ntime_zone = "Europe/Amsterdam"\n',
        '[group.arrivals]\nrate = 1.0\nlifetime = "1h"\ndeadline = "12h" #!\n',
        "group.dev.arrivals.deadline",
        "only work is done in time or late",
    ),
    "certain eviction": bad(
        'disks = ["P10"]',
        'disks = ["P10"]\npriority = "spot"\nspot = { eviction_per_hour = 1.0 } #!',
        "group.dev.spot.eviction_per_hour",
        "less than 1",
    ),
    "hibernate under the older policy": bad(
        *group_key('when_off = "hibernate"'),
        "group.dev.when_off",
        '"2018-08" does not know Hibernated',
        'billing_policy = "2023-10"',
    ),
    "a Windows licence for Linux": bad(
        *group_key("hybrid_benefit = true"), "group.dev.hybrid_benefit", 'os = "windows"'
    ),
    "when_off given twice": bad(
        SCHEDULE,
        'when_off = "stop"\n' + SCHEDULE + 'when_off = "keep" #!\n',
        "group.dev.schedule.when_off",
        "given twice",
    ),
    "when_off of VMs that come and go": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        'when_off = "stop" #!\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n',
        "group.dev.when_off",
        "no effect",
        "with arrivals they are deleted then",
        "a schedule or a cycle",
    ),
    "when_off of VMs that are always wanted": bad(
        SCHEDULE, 'when_off = "stop" #!\n', "group.dev.when_off", "no effect", "always needed"
    ),
    "creates spread where arrivals say when": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        'create_over = "1h" #!\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n',
        "group.dev.create_over",
        "no effect beside arrivals",
    ),
    "kept disks of VMs without disks": bad(
        'disks = ["P10"]\n', "keeps_disks = true #!\n", "group.dev.keeps_disks", "no effect", "have no disks"
    ),
    "placement without hosts": bad(
        COMMITMENT,
        '[platform]\nplacement = "best-fit" #!\n[platform.quota]\nregional_vcpus = 1000\n' + COMMITMENT,
        "platform.placement",
        "no effect",
        "[[platform.hosts]]",
    ),
    "max_backoff below backoff": bad(
        "attempts = 5",
        'backoff = "1h"\nmax_backoff = "1min" #!',
        "group.dev.retry.max_backoff",
        "1min",
        "below backoff = 1h",
    ),
    "hourly money for a reservation": bad(
        "quantity = 100", "quantity = 100\nhourly = 20.0 #!", "commitment.ri.hourly", "no such key"
    ),
    "quantity of a savings plan": bad(
        'kind = "reservation"\nsize = "Standard_D4s_v5"\nquantity = 100',
        'kind = "savings-plan"\nhourly = 2.0\nquantity = 100 #!',
        "commitment.ri.quantity",
        "no such key",
    ),
    "a savings plan without money": bad(
        '[[commitment]]\nname = "ri"\nkind = "reservation"\nsize = "Standard_D4s_v5"\nquantity = 100',
        '[[commitment]] #!\nname = "ri"\nkind = "savings-plan"',
        "commitment.ri.hourly",
        "is missing",
    ),
    "a commitment for an unknown size": bad(
        COMMITMENT,
        COMMITMENT.replace('"Standard_D4s_v5"', '"Standard_D4s_v9" #!'),
        "commitment.ri.size",
        "Standard_D4s_v9",
        "did you mean",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
