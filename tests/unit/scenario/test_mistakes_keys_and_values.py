"""Mistakes in a scenario file. Keys, kinds of value, units, durations and ranges."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import HEADER, RIGHT, STARTING, Bad, bad, check_mistake, group_key, starting

MISTAKES: dict[str, Bad] = {
    "unknown key at the top": bad("seed = 1", "sede = 1 #!", "sede", "no such key", 'did you mean "seed"?'),
    "unknown key of a group": bad("count = 200", "cuont = 200 #!", "group.dev.cuont", 'did you mean "count"?'),
    "unknown section of a group": bad(
        "[group.retry]", "[group.retries] #!", "group.dev.retries", 'did you mean "retry"?'
    ),
    "unknown duration": bad(
        STARTING, 'startng = "25s" #!', "group.dev.durations.startng", 'did you mean "starting"?'
    ),
    "unknown failure code": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimeout = 0.01 #!",
        "group.dev.failures.OSProvisioningTimeout",
        'did you mean "OSProvisioningTimedOut"?',
    ),
    "a group's key under the header of another table": bad(
        "attempts = 5",
        "attempts = 5\npublic_ip = true #!",
        "group.dev.retry.public_ip",
        "public_ip belongs to [[group]]",
        "TOML key belongs to the last header",
    ),
    "a key of a section one level too high": bad(
        *group_key('time_zone = "UTC"'), "group.dev.time_zone", "[group.schedule]"
    ),
    "unknown parameter of a distribution": bad(
        STARTING,
        starting('{ dist = "exponential", maen = "8h" }'),
        "group.dev.durations.starting.maen",
        'did you mean "mean"?',
    ),
    "name is missing": bad('name = "office"\n', "", "name", "is missing"),
    "horizon is missing": bad('horizon = "28d"\n', "", "horizon", "is missing"),
    "no group at all": bad(RIGHT[RIGHT.index("[[group]]") :], "", "group", "is missing"),
    "an empty list of groups": bad(
        RIGHT[RIGHT.index("[prices]") :], "group = [] #!", "group", "there is no group"
    ),
    "count as text": bad(
        "count = 200", 'count = "200" #!', "group.dev.count", '"200"', "whole number", "write 200"
    ),
    "count with a fraction": bad(
        "count = 200", "count = 200.5 #!", "group.dev.count", "200.5", "whole number"
    ),
    "count as truth value": bad("count = 200", "count = true #!", "group.dev.count", "true", "whole number"),
    "size as number": bad('size = "Standard_D4s_v5"', "size = 4 #!", "group.dev.size", "text in quotes"),
    "public_ip as text": bad(*group_key('public_ip = "yes"'), "group.dev.public_ip", '"yes"', "write true"),
    "disks without brackets": bad(
        'disks = ["P10"]', 'disks = "P10" #!', "group.dev.disks", 'write ["P10"]'
    ),
    "one bracket for a group": bad(HEADER, "[group] #!\n", "group", "write [[group]] with two brackets"),
    "two brackets for a section": bad(
        "[group.retry]", "[[group.retry]] #!", "group.dev.retry", "write [group.retry] with one bracket"
    ),
    "a section as number": bad(*group_key("guest_crash = 5"), "group.dev.guest_crash", "5", "table"),
    "a section without what it needs": bad(
        "[group.retry]\nattempts = 5\n",
        "[group.guest_crash] #!\n",
        "group.dev.guest_crash.time_between",
        "is missing",
        "Running time",
    ),
    "probability as text": bad(
        "OSProvisioningTimedOut = 0.01",
        'OSProvisioningTimedOut = "often" #!',
        "group.dev.failures.OSProvisioningTimedOut",
        '"often"',
        'such as "12 %"',
    ),
    "a duration without unit": bad(
        'horizon = "28d"', 'horizon = "28" #!', "horizon", '"28"', "unit is missing", '"28h"'
    ),
    "a duration as number": bad(
        'horizon = "28d"', "horizon = 3600 #!", "horizon", "3600", "needs a unit", '"3600s"'
    ),
    "an unknown unit": bad('horizon = "28d"', 'horizon = "28days" #!', "horizon", 'did you mean "28d"?'),
    "months": bad('horizon = "28d"', 'horizon = "1month" #!', "horizon", "no fixed length"),
    "a negative duration": bad('horizon = "28d"', 'horizon = "-28d" #!', "horizon", '"-28d"', "never negative"),
    "a negative create_over": bad(
        *group_key('create_over = "-1h"'), "group.dev.create_over", "never negative"
    ),
    "a negative distribution parameter": bad(
        STARTING,
        starting('{ dist = "exponential", mean = "-8h" }'),
        "group.dev.durations.starting.mean",
        "never negative",
    ),
    "horizon zero": bad('horizon = "28d"', 'horizon = "0s" #!', "horizon", '"0s"', "longer than nothing"),
    "horizon of a thousand years": bad(
        'horizon = "28d"', 'horizon = "365000d" #!', "horizon", "longer than a hundred years"
    ),
    "a timeout of nothing": bad(
        "OSProvisioningTimedOut = 0.01",
        'os_provisioning_timeout = "0s" #!',
        "group.dev.failures.os_provisioning_timeout",
        "longer than nothing",
    ),
    "probability above 1": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimedOut = 1.5 #!",
        "group.dev.failures.OSProvisioningTimedOut",
        "1.5",
        "0 or more and at most 1",
    ),
    "probability below 0": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimedOut = -0.1 #!",
        "group.dev.failures.OSProvisioningTimedOut",
        "-0.1",
        "0 or more and at most 1",
    ),
    "probability nan": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimedOut = nan #!",
        "group.dev.failures.OSProvisioningTimedOut",
        "nan",
        "finite",
    ),
    "confidence in per cent": bad("seed = 1", "confidence = 95.0 #!", "confidence", "95.0", "less than 1"),
    "confidence one": bad("seed = 1", "confidence = 1.0 #!", "confidence", "less than 1"),
    "replications zero": bad("replications = 20", "replications = 0 #!", "replications", "0", "1 or more"),
    "seed negative": bad("seed = 1", "seed = -1 #!", "seed", "-1", "0 or more"),
    "no attempts": bad("attempts = 5", "attempts = 0 #!", "group.dev.retry.attempts", "0", "1 or more"),
    "a shrinking backoff": bad(
        "attempts = 5", "multiplier = 0.5 #!", "group.dev.retry.multiplier", "0.5", "1 or more"
    ),
    "multiplier infinite": bad(
        "attempts = 5", "multiplier = inf #!", "group.dev.retry.multiplier", "inf", "finite"
    ),
    "an empty group": bad("count = 200", "count = 0 #!", "group.dev.count", "0", "the group is empty"),
    "a negative group": bad("count = 200", "count = -5 #!", "group.dev.count", "-5", "0 or more"),
    "a group larger than the world": bad(
        "count = 200", "count = 10000000000 #!", "group.dev.count", "at most 1000000000"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
