"""Mistakes in a scenario file. Names and choices."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import COMMITMENT, ON, STARTING, Bad, bad, check_mistake, group_key, starting

MISTAKES: dict[str, Bad] = {
    "an unknown size": bad(
        'size = "Standard_D4s_v5"',
        'size = "Standard_D4s_v55" #!',
        "group.dev.size",
        "Standard_D4s_v55",
        "did you mean",
        "Standard_D4s_v5",
    ),
    "an unknown region": bad(
        'region = "westeurope"', 'region = "westeurop" #!', "prices.region", "westeurop", "did you mean westeurope"
    ),
    "an unknown time zone": bad(
        '"Europe/Amsterdam"',
        '"Europe/Amsterdm" #!',
        "group.dev.schedule.time_zone",
        "Europe/Amsterdm",
        'did you mean "Europe/Amsterdam"?',
    ),
    "a city for a time zone": bad(
        '"Europe/Amsterdam"',
        '"Amsterdam" #!',
        "group.dev.schedule.time_zone",
        'did you mean "Europe/Amsterdam"?',
    ),
    "a path for a time zone": bad(
        '"Europe/Amsterdam"', '"../../etc/passwd" #!', "group.dev.schedule.time_zone", "no such time zone"
    ),
    "an unknown disk tier": bad(
        'disks = ["P10"]', 'disks = ["P10", "P11"] #!', "group.dev.disks[2]", "P11", "no such disk tier", 'did you mean "P10" or "P15"?'
    ),
    "an unknown operating system": bad(
        *group_key('os = "Linux"'), "group.dev.os", '"Linux"', 'did you mean "linux"?', '"windows"'
    ),
    "an unknown image": bad(
        *group_key('image = "general"'), "group.dev.image", 'did you mean "generalized"?'
    ),
    "an unknown priority": bad(*group_key('priority = "low"'), "group.dev.priority", '"regular" or "spot"'),
    "an unknown when_off": bad(
        *group_key('when_off = "dealocate"'), "group.dev.when_off", 'did you mean "deallocate"?'
    ),
    "an unknown billing policy": bad(
        "seed = 1", 'billing_policy = "2018-8" #!', "billing_policy", 'did you mean "2018-08"?'
    ),
    "another currency": bad('[prices]\n', '[prices]\ncurrency = "XYZ" #!\n', "prices.currency", '"XYZ"', "exchange_rate"),
    "an unknown term": bad('term = "1y"', 'term = "2y" #!', "commitment.ri.term", '"2y"', "1y, 3y"),
    "an unknown kind of commitment": bad(
        'kind = "reservation"',
        'kind = "reservaton" #!',
        "commitment.ri.kind",
        "no such kind of commitment",
        'did you mean "reservation"?',
    ),
    "an unknown distribution": bad(
        STARTING,
        starting('{ dist = "exponental", mean = "8h" }'),
        "group.dev.durations.starting.dist",
        "no such distribution",
        'did you mean "exponential"?',
    ),
    "a normal distribution": bad(
        STARTING,
        starting('{ dist = "normal", mean = "8h" }'),
        "group.dev.durations.starting.dist",
        "never negative",
        "lognormal",
    ),
    "a distribution without dist": bad(
        STARTING, starting('{ mean = "8h" }'), "group.dev.durations.starting", "dist is missing"
    ),
    "an unknown day": bad(
        '"Mon-Fri"', '"Mon-Fry" #!', "group.dev.schedule.days", '"Fry" is no day', 'did you mean "Fri"?'
    ),
    "days as list": bad('"Mon-Fri"', '["Mon"] #!', "group.dev.schedule.days", '"Mon-Fri"'),
    "an empty list of days": bad('"Mon-Fri"', '"" #!', "group.dev.schedule.days", "is no day"),
    "a time without colon": bad(ON, 'on = "8h" #!\n', "group.dev.schedule.on", "time of day", "08:00:00"),
    "a time as number": bad(ON, "on = 8 #!\n", "group.dev.schedule.on", "time of day"),
    "start without offset": bad(
        "start = 2026-01-05T00:00:00Z",
        "start = 2026-01-05T00:00:00 #!",
        "start",
        "offset from UTC is missing",
        "2026-01-05T00:00:00Z",
    ),
    "start without time": bad(
        "start = 2026-01-05T00:00:00Z", "start = 2026-01-05 #!", "start", "not a date and time"
    ),
    "start long ago": bad(
        "start = 2026-01-05T00:00:00Z", "start = 0001-01-01T00:00:00+14:00 #!", "start", "year"
    ),
    "a group name with a dot": bad('name = "dev"', 'name = "d.v" #!', 'group."d.v".name', "letters, digits"),
    "an empty group name": bad('name = "dev"', 'name = "" #!', 'group."".name', "letters, digits"),
    "a scenario name that is a path": bad(
        'name = "office"', 'name = "../office" #!', "name", "names the result folder"
    ),
    "two groups of one name": bad(
        COMMITMENT,
        COMMITMENT + '[[group]]\nname = "dev" #!\n',
        "group.dev.name",
        '"dev"',
        "[[group]] number 1 has this name already",
    ),
    "two commitments of one name": bad(
        COMMITMENT,
        COMMITMENT + COMMITMENT.replace('"ri"', '"ri" #!'),
        "commitment.ri.name",
        "has this name already",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
