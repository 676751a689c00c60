"""Mistakes in a scenario file. Demand: schedules, cycles, arrivals."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import SCHEDULE, STARTING, Bad, bad, check_mistake, demand

MISTAKES: dict[str, Bad] = {
    "rate and hourly": bad(
        *demand(f'[group.arrivals] #!\nrate = 1.0\nhourly = {[1] * 24}\nlifetime = "1h"\n'),
        "group.dev.arrivals",
        "exactly one of rate, hourly, weekly",
    ),
    "a window inside another": bad(
        *demand(
            '[[group.schedule]]\ndays = "Mon-Fri"\non = 07:00:00\noff = 17:00:00\n'
            '[[group.schedule]] #!\ndays = "Fri"\non = 07:00:00\noff = 14:00:00\n'
        ),
        "group.dev.schedule[2]",
        "on Fri the window from 07:00 to 14:00 lies within that from 07:00 to 17:00 of window 1",
        "take Fri out of the days of one of them",
    ),
    "a key of one window of several": bad(
        *demand(
            '[[group.schedule]]\ndays = "Mon"\non = 07:00:00\noff = 17:00:00\n'
            '[[group.schedule]]\ndays = "Fri"\non = 07:00:00\nof = 14:00:00 #!\n'
        ),
        "group.dev.schedule[2].of",
        'did you mean "off"',
    ),
    "no window": bad(*demand("schedule = [] #!\n"), "group.dev.schedule", "it has at least 1"),
    "holidays of no country": bad(
        SCHEDULE, SCHEDULE + '[group.calendar]\nholidays = "NK" #!\n', "group.dev.calendar.holidays",
        "no such country", 'near codes are "NA", "NC", "NE", "NF", "NG", "NI", "NL"',
    ),
    "holidays of a country by its name": bad(
        SCHEDULE, SCHEDULE + '[group.calendar]\nholidays = "Netherlands" #!\n', "group.dev.calendar.holidays",
        "named by its code", 'did you mean "NL"?',
    ),
    "holidays of no part of a country": bad(
        SCHEDULE, SCHEDULE + '[group.calendar]\nholidays = "DE-BX" #!\n', "group.dev.calendar.holidays",
        "DE has no part BX", '"DE-BY"',
    ),
    "a closed instant": bad(
        SCHEDULE, SCHEDULE + "[group.calendar]\nexcept = [2026-12-24T00:00:00Z] #!\n", "group.dev.calendar.except[1]",
        "write the day alone, such as 2026-12-24",
    ),
    "a calendar of no days": bad(SCHEDULE, SCHEDULE + "[group.calendar] #!\n", "group.dev.calendar", "it names no day"),
    "a calendar without windows": bad(
        *demand("[group.calendar] #!\nexcept = [2026-12-24]\n"), "group.dev.calendar", "no effect", "a schedule"
    ),
    "people without windows": bad(
        *demand('[group.people] #!\nforgets = 0.1\n[group.cycle]\non = "1h"\noff = "1h"\n'), "group.dev.people",
        "no effect", "a schedule",
    ),
    "people who do nothing": bad(SCHEDULE, SCHEDULE + "[group.people] #!\n", "group.dev.people", "it says nothing of people"),
    "auto_off of VMs that no one forgets": bad(
        SCHEDULE, SCHEDULE + "[group.people]\nauto_off = 22:00:00 #!\n", "group.dev.people.auto_off",
        "none is forgotten", "forgets = 1.0",
    ),
    "forgetting to switch off what is kept on": bad(
        SCHEDULE, SCHEDULE + '[group.people]\nforgets = "5 %" #!\nwhen_off = "keep"\n', "group.dev.people.forgets",
        'with when_off = "keep" every VM is left on',
    ),
    "a share above 1": bad(
        SCHEDULE, SCHEDULE + "[group.people]\nabsent = 10 #!\n", "group.dev.people.absent", "write 0.1 for 10 %"
    ),
    "a share that is a word": bad(
        SCHEDULE, SCHEDULE + '[group.people]\nabsent = "some" #!\n', "group.dev.people.absent", "this is not a share",
        '"12 %"',
    ),
    "wanted by a schedule and by no one": bad(
        'count = 200\n', "count = 200\nwanted = false #!\n", "group.dev.wanted", "schedule says when the VMs are needed"
    ),
    "VMs that never exist": bad(
        *demand('wanted = false #!\nwhen_off = "delete"\n'), "group.dev.wanted", "no VM would ever exist", "give initial"
    ),
    "arrivals that exist at t = 0": bad(
        *demand('initial = "running" #!\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n'), "group.dev.initial",
        "contradict each other", "a group of their own",
    ),
    "existing VMs that are created": bad(
        'count = 200\n', 'count = 200\ninitial = "stopped"\ncreate_over = "1h" #!\n', "group.dev.create_over", "no effect"
    ),
    "hibernated where no one knows it": bad(
        'count = 200\n', 'count = 200\ninitial = "hibernated" #!\n', "group.dev.initial", "does not know Hibernated"
    ),
    "a step at a local time": bad(
        'count = 200\n', "count = 200\ncount_steps = [ { at = 2026-01-06T00:00:00, count = 2 } ] #!\n",
        "group.dev.count_steps[1].at", "offset from UTC is missing",
    ),
    "a step of the year 1": bad(
        'count = 200\n', "count = 200\ncount_steps = [ { at = 0001-01-01T00:00:00+14:00, count = 2 } ] #!\n",
        "group.dev.count_steps[1].at", "out of range in UTC",
    ),
    "two steps at one instant": bad(
        'count = 200\n',
        "count = 200\ncount_steps = [ { at = 2026-01-06, count = 2 }, { at = 2026-01-06T00:00:00Z, count = 3 } ] #!\n",
        "group.dev.count_steps[2].at", "step 1 is at this instant already",
    ),
    "steps and growth": bad(
        'count = 200\n', 'count = 200\ncount_steps = [ { at = 2026-01-06, count = 2 } ]\ngrowth_per_month = "3 %" #!\n',
        "group.dev.growth_per_month", "contradict each other",
    ),
    "arrivals that grow": bad(
        *demand('growth_per_month = 0.03 #!\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n'),
        "group.dev.growth_per_month", "arrivals says when VMs come and go",
    ),
    "no rate": bad(
        *demand('[group.arrivals] #!\nlifetime = "1h"\n'), "group.dev.arrivals", "exactly one of"
    ),
    "23 hours in a day": bad(
        *demand(f'[group.arrivals]\nhourly = {[1] * 23} #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.hourly",
        "23 values",
        "exactly 24",
    ),
    "169 hours in a week": bad(
        *demand(f'[group.arrivals]\nweekly = {[1] * 169} #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.weekly",
        "169 values",
        "exactly 168",
    ),
    "a rate of zero": bad(
        *demand('[group.arrivals]\nrate = 0.0 #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.rate",
        "the group is empty",
    ),
    "a negative rate": bad(
        *demand('[group.arrivals]\nrate = -1.0 #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.rate",
        "-1.0",
        "0 or more",
    ),
    "an infinite rate": bad(
        *demand('[group.arrivals]\nrate = inf #!\nlifetime = "1h"\n'), "group.dev.arrivals.rate", "finite"
    ),
    "arrivals without lifetime": bad(
        *demand("[group.arrivals] #!\nrate = 1.0\n"), "group.dev.arrivals.lifetime", "is missing"
    ),
    "batches without as many weights": bad(
        *demand('[group.arrivals]\nrate = 1.0\nbatch = { sizes = [1, 2], weights = [1.0] } #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.batch",
        "2 sizes and 1 weights",
    ),
    "a batch of none": bad(
        *demand('[group.arrivals]\nrate = 1.0\nbatch = { sizes = [0], weights = [1.0] } #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.batch.sizes[1]",
        "1 or more",
    ),
    "batches without weight": bad(
        *demand('[group.arrivals]\nrate = 1.0\nbatch = { sizes = [1], weights = [0.0] } #!\nlifetime = "1h"\n'),
        "group.dev.arrivals.batch.weights",
        "sum to nothing",
    ),
    "a cycle that takes no time": bad(
        *demand('[group.cycle] #!\non = "0s"\noff = "0s"\n'),
        "group.dev.cycle",
        "without time passing",
    ),
    "a cycle without off": bad(
        *demand('[group.cycle] #!\non = "8h"\n'), "group.dev.cycle.off", "is missing"
    ),
    "a guest that crashes all the time": bad(
        "[group.retry]\nattempts = 5",
        '[group.guest_crash]\ntime_between = "0s" #!',
        "group.dev.guest_crash.time_between",
        "without time passing",
    ),
    "a million retries in no time": bad(
        "attempts = 5",
        'attempts = 1000000\nbackoff = "0s" #!',
        "group.dev.retry.backoff",
        "without time passing",
    ),
    "a failed VM replaced in no time for ever": bad(
        STARTING + "\n[group.failures]\nOSProvisioningTimedOut = 0.01",
        'starting = "0s"\nallocating = "0s"\ndeleting = "0s"\n[group.failures]\nVMStartTimedOut = 1\nreaction = "0s" #!',
        "group.dev.failures.reaction",
        "without time passing",
    ),
    "a delete asked for again in no time for ever": bad(
        "OSProvisioningTimedOut = 0.01\n[group.retry]\nattempts = 5",
        'InternalOperationError = 1\nreaction = "0s" #!\n[group.retry]\nattempts = 1',
        "group.dev.failures.reaction",
        "a delete that always fails",
    ),
    "a restart asked for again in no time for ever": bad(
        "OSProvisioningTimedOut = 0.01\n[group.retry]\nattempts = 5",
        'InternalOperationError = 1\n[group.guest_crash]\ntime_between = "1h"\ndetection = "0s" #!',
        "group.dev.guest_crash.detection",
        "a restart that always fails",
    ),
    "holidays of a part of a country without parts": bad(
        SCHEDULE, SCHEDULE + '[group.calendar]\nholidays = "LU-WX" #!\n', "group.dev.calendar.holidays",
        "LU has no parts with holidays of their own", 'write "LU"',
    ),
    "a closed day that is none": bad(
        SCHEDULE, SCHEDULE + '[group.calendar]\nexcept = ["24-12-2026"] #!\n', "group.dev.calendar.except[1]",
        "not a date", "2026-12-24",
    ),
    "a count from a day that is none": bad(
        "count = 200\n", 'count = 200\ncount_steps = [ { at = "soon", count = 2 } ] #!\n', "group.dev.count_steps[1].at",
        "not a date", "2026-02-01",
    ),
    "growth to more VMs than a group holds": bad(
        "count = 200\n", "count = 200_000_000\ngrowth_per_month = 10 #!\n", "group.dev.growth_per_month",
        "the group would have 2,200,000,000 VMs", "1,000,000,000 or fewer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
