"""Mistakes in a scenario file. Demand: schedules, cycles, arrivals."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import STARTING, Bad, bad, check_mistake, demand

MISTAKES: dict[str, Bad] = {
    "rate and hourly": bad(
        *demand(f'[group.arrivals] #!\nrate = 1.0\nhourly = {[1] * 24}\nlifetime = "1h"\n'),
        "group.dev.arrivals",
        "exactly one of rate, hourly, weekly",
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
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
