"""Wrong scenario files are refused in words that say where, what, and what would be right.

Each mistake is a change to a right file, with the line (marked `#!`), the field and the words of its fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.scenario.scenario import load

RIGHT = """\
name = "office"
start = 2026-01-05T00:00:00Z
horizon = "28d"
seed = 1
replications = 20
[prices]
region = "westeurope"
[[group]]
name = "dev"
size = "Standard_D4s_v5"
count = 200
disks = ["P10"]
[group.schedule]
days = "Mon-Fri"
on = 08:00:00
off = 19:00:00
time_zone = "Europe/Amsterdam"
[group.durations]
starting = { dist = "lognormal", median = "25s", sigma = 0.5 }
[group.failures]
OSProvisioningTimedOut = 0.01
[group.retry]
attempts = 5
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 100
term = "1y"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One mistake: what is written in place of what, and what the fault must say."""

    old: str
    new: str
    field: str
    says: tuple[str, ...]
    tail: str = ""  # sound tables added at the end, which make it one

    @property
    def text(self) -> str:
        assert RIGHT.count(self.old) >= 1, f"{self.old!r} is not in the right file"
        return RIGHT.replace(self.old, self.new, 1) + self.tail

    def with_tail(self, tail: str) -> Bad:
        """The same mistake in a file with more in it."""
        return replace(self, tail=tail)

    @property
    def line(self) -> int:
        return self.text[: self.text.index("#!")].count("\n") + 1


def bad(old: str, new: str, field: str, *says: str) -> Bad:
    """A mistake in short."""
    return Bad(old=old, new=new, field=field, says=says)


HEADER = "[[group]]\n"
ON = "on = 08:00:00\n"
SCHEDULE = RIGHT[RIGHT.index("[group.schedule]") : RIGHT.index("[group.durations]")]
STARTING = 'starting = { dist = "lognormal", median = "25s", sigma = 0.5 }'
COMMITMENT = RIGHT[RIGHT.index("[[commitment]]") :]


def starting(value: str) -> str:
    """The line of `starting` with another value, marked."""
    return f"starting = {value} #!"


def group_key(line: str) -> tuple[str, str]:
    """A line added right under `[[group]]`, marked."""
    return HEADER, f"{HEADER}{line} #!\n"


def demand(section: str) -> tuple[str, str]:
    """Another section in place of the schedule; the mark is in it."""
    return f'count = 200\ndisks = ["P10"]\n{SCHEDULE}', section


DAY = [1.0] * 24
RULES = "scale_out = { above = 0.7 }\nscale_in = { below = 0.3 }\n"
HOST = '[platform]\n[[platform.hosts]]\nname = "rack-a"\nzone = 1\ncount = 2\nvcpus = 64\nmemory_gib = 512\n'


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


def scaled(line: str, *, rules: str = RULES, **others: object) -> tuple[str, str]:
    """A load in place of count and schedule, with one line marked."""
    if line.startswith(("scale_out", "scale_in")):
        rules = "" if rules == RULES else rules
    keys = "".join(f"{key} = {_toml(value)}\n" for key, value in others.items())
    return f'count = 200\ndisks = ["P10"]\n{SCHEDULE}', f"[group.autoscale]\n{line} #!\n{keys}{rules}\n"


def traced(line: str, **others: str) -> tuple[str, str]:
    """A record in place of count and schedule, with one line marked."""
    keys = "".join(f"{key} = {_toml(value)}\n" for key, value in others.items())
    return (f'size = "Standard_D4s_v5"\ncount = 200\ndisks = ["P10"]\n{SCHEDULE}', f"[group.trace]\n{line} #!\n{keys}")


def platform(lines: str) -> tuple[str, str]:
    """A platform in place of the commitment; the mark is in it."""
    return COMMITMENT, f"[platform]\n{lines}\n"


def hosts(line: str, *, more: bool = False) -> tuple[str, str]:
    """A cluster of hosts with one line marked, in place of another line of its or as a second one."""
    key = line.split(" = ")[0]
    marked = "".join(f"{line} #!\n" if own.startswith(f"{key} =") else own for own in HOST.splitlines(keepends=True))
    if f"{line} #!" not in marked:
        marked += f"{line} #!\n"
    return COMMITMENT, HOST + marked.replace("[platform]\n", "") if more else marked


def befalling(lines: str) -> tuple[str, str]:
    """Hosts, and what befalls them; the mark is in it."""
    return COMMITMENT, f"{HOST}{lines}\n"


def capacity(line: str) -> tuple[str, str]:
    """A capacity reservation with one line marked, in place of the reservation."""
    rest = "" if line.startswith("quantity") else "quantity = 1\n"
    return COMMITMENT, (
        f'[[commitment]]\nname = "ri"\nkind = "capacity-reservation"\nsize = "Standard_D4s_v5"\n{rest}{line} #!\n'
    )


BAD_SCENARIOS: dict[str, Bad] = {
    # --- keys
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
    # --- kinds of value
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
        'OSProvisioningTimedOut = "1%" #!',
        "group.dev.failures.OSProvisioningTimedOut",
        '"1%"',
        "number",
    ),
    # --- units and durations
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
    # --- ranges
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
    # --- names and choices
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
    "another currency": bad('[prices]\n', '[prices]\ncurrency = "EUR" #!\n', "prices.currency", '"EUR"', '"USD"'),
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
    # --- contradictions
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
    "certain eviction": bad(
        "[group.retry]\nattempts = 5",
        "[group.spot]\neviction_per_hour = 1.0 #!",
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
    # --- demand
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
    # --- distributions
    "one parameter of a lognormal": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s" }'),
        "group.dev.durations.starting",
        "exactly two of median, mean, sigma, p95",
    ),
    "three parameters of a lognormal": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s", mean = "30s", sigma = 1.0 }'),
        "group.dev.durations.starting",
        "exactly two",
    ),
    "a lognormal whose mean is below its median": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s", mean = "20s" }'),
        "group.dev.durations.starting",
        "mean",
    ),
    "no finite mean": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "1h", sigma = 20.0 }'),
        "group.dev.durations.starting",
        "no finite mean",
        "`max`",
    ),
    "a mean of ages": bad(
        STARTING,
        starting('{ dist = "weibull", shape = 0.05, scale = "1h" }'),
        "group.dev.durations.starting",
        "no finite mean",
    ),
    "a shape of zero": bad(
        STARTING,
        starting('{ dist = "gamma", shape = 0.0, mean = "1h" }'),
        "group.dev.durations.starting.shape",
        "0.0",
        "more than 0",
    ),
    "low above high": bad(
        STARTING,
        starting('{ dist = "uniform", low = "90s", high = "30s" }'),
        "group.dev.durations.starting",
        "low = 1min 30s, high = 30s",
        "low <= high",
    ),
    "a mode outside": bad(
        STARTING,
        starting('{ dist = "triangular", low = "30s", mode = "10s", high = "5min" }'),
        "group.dev.durations.starting",
        "low <= mode <= high",
    ),
    "quantiles that fall": bad(
        STARTING,
        starting('{ dist = "quantiles", p = [0, 0.5, 1], at = ["5s", "49s", "13s"] }'),
        "group.dev.durations.starting",
        "must not fall",
    ),
    "quantiles that don't end at 1": bad(
        STARTING,
        starting('{ dist = "quantiles", p = [0, 0.5], at = ["5s", "49s"] }'),
        "group.dev.durations.starting",
        "end with 1",
    ),
    "a mixture with a weight too few": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [1.0], of = ["5s", "6s"] }'),
        "group.dev.durations.starting",
        "1 weights for 2 distributions",
    ),
    "a mixture of nothing": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [], of = [] }'),
        "group.dev.durations.starting.of",
        "0 values",
    ),
    "a mistake inside a mixture": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [0.5, 0.5], of = ["5s", { dist = "exponential", mean = "6" }] }'),
        "group.dev.durations.starting.of[2].mean",
        '"6"',
        "unit is missing",
    ),
    "min above max": bad(
        STARTING,
        starting('{ dist = "exponential", mean = "8h", min = "2h", max = "1h" }'),
        "group.dev.durations.starting",
        "min <= max",
    ),
    "nothing left between min and max": bad(
        STARTING,
        starting('{ dist = "uniform", low = "1s", high = "2s", min = "1h" }'),
        "group.dev.durations.starting",
        "leave nothing",
    ),
    "a samples file that is not there": bad(
        STARTING,
        starting('{ dist = "samples", file = "none.csv", column = "seconds" }'),
        "group.dev.durations.starting",
        "there is no file",
        "none.csv",
        "relative to the scenario file",
    ),
    "a share in per cent": bad("seed = 1", "confidence = 95 #!", "confidence", "95: out of range", "write 0.95 for 95 %"),
    "a probability in per cent": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimedOut = 2.5 #!",
        "group.dev.failures.OSProvisioningTimedOut",
        "write 0.025 for 2.5 %",
    ),
    "a length that differs by a second": bad(
        'horizon = "28d"', 'warm_up = "8h1s" #!\nhorizon = "8h"', "warm_up", "8h 1s leaves nothing of the horizon of 8h"
    ),
    # --- prices
    "a negative price": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v5"]\nlinux = -1.0 #!\n[[group]]',
        "prices.override.Standard_D4s_v5.linux",
        "-1.0",
        "0 or more",
    ),
    "a price under an unknown term": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v5"]\nlinus = 1.0 #!\n[[group]]',
        "prices.override.Standard_D4s_v5.linus",
        'did you mean "linux"?',
    ),
    "a price of a size that nobody knows and nothing is of": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v9"] #!\nlinux = 1.0\n[[group]]',
        "prices.override.Standard_D4s_v9",
        "no group and no commitment is of it",
        "did you mean Standard_D4s_v",
    ),
    "spot price steps of nothing": bad("[prices]\n", "[prices]\nspot_steps = [] #!\n", "prices.spot_steps", "0 values", "at least 1"),
    "a month in which spot VMs are free": bad(
        "[prices]\n", "[prices]\nspot_steps = [1.0, 0.0] #!\n", "prices.spot_steps[2]", "0.0", "more than 0 and at most 10"
    ),
    "a spot price step in percent": bad(
        "[prices]\n", "[prices]\nspot_steps = [92] #!\n", "prices.spot_steps[1]", "92", "more than 0 and at most 10"
    ),
    "a spot price step in words": bad(
        "[prices]\n", '[prices]\nspot_steps = [1.0, "0.9"] #!\n', "prices.spot_steps[2]", '"0.9"', "number"
    ),
    "a spot price step that is no number": bad(
        "[prices]\n", "[prices]\nspot_steps = [nan] #!\n", "prices.spot_steps[1]", "nan", "finite"
    ),
    "spot price steps without brackets": bad(
        "[prices]\n", "[prices]\nspot_steps = 0.9 #!\n", "prices.spot_steps", "write [0.9]"
    ),
    "more spot price steps than a century has months": bad(
        "[prices]\n", f"[prices]\nspot_steps = {[1.0] * 1201} #!\n", "prices.spot_steps", "1201 values", "at most 1200"
    ),
    "a catalogue that is not there": bad(
        "[prices]\n", '[prices]\ncatalogue = "none.json" #!\n', "prices.catalogue", "none.json", "no such catalogue"
    ),
    # --- zones and availability sets
    "a zone that no region has": bad(
        *group_key("zones = [1, 4]"), "group.dev.zones[2]", "4", "1 or more and at most 3"
    ),
    "a zone given twice": bad(*group_key("zones = [1, 1]"), "group.dev.zones", "given twice"),
    "a zone without brackets": bad(*group_key("zones = 1"), "group.dev.zones", "write [1]"),
    "zones and an availability set": bad(
        *group_key('zones = [1]\navailability_set = "web"'), "group.dev.availability_set", "contradict each other"
    ),
    "spot VMs in an availability set": bad(
        *group_key('priority = "spot"\navailability_set = "web"'),
        "group.dev.availability_set",
        "spot VMs cannot be in an availability set",
    ),
    "an availability set that hibernates": bad(
        'seed = 1\nreplications = 20\n[prices]\nregion = "westeurope"\n[[group]]\n',
        'billing_policy = "2023-10"\n[[group]]\nwhen_off = "hibernate"\navailability_set = "web" #!\n',
        "group.dev.availability_set",
        "cannot hibernate",
    ),
    # --- autoscale
    "a load without hours": bad(
        *scaled("load = {}", per_vm=100.0, min=2, max=50), "group.dev.autoscale.load", "exactly one of hourly, weekly, file"
    ),
    "a load of two kinds": bad(
        *scaled(f'load = {{ hourly = {DAY}, file = "load.csv" }}', per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load",
        "given: hourly and file",
    ),
    "a load of 23 hours": bad(
        *scaled(f"load = {{ hourly = {[1.0] * 23} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.hourly",
        "23 values",
        "exactly 24",
    ),
    "a load of 24 hours for a week": bad(
        *scaled(f"load = {{ weekly = {DAY} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.weekly",
        "24 values",
        "exactly 168",
    ),
    "a negative load": bad(
        *scaled(f"load = {{ hourly = {[-1.0, *[1.0] * 23]} }}", per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load.hourly[1]",
        "-1.0",
        "0 or more",
    ),
    "a load from a file that is not there": bad(
        *scaled('load = { file = "none.csv" }', per_vm=100.0, min=2, max=50),
        "group.dev.autoscale.load",
        "there is no file",
        "none.csv",
    ),
    "no load at all": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f"[group.autoscale] #!\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}",
        "group.dev.autoscale.load",
        "is missing",
    ),
    "a VM that serves nothing": bad(
        *scaled("per_vm = 0.0", load={"hourly": DAY}, min=2, max=50), "group.dev.autoscale.per_vm", "0.0", "more than 0"
    ),
    "fewest VMs above the most": bad(
        *scaled("min = 51", load={"hourly": DAY}, per_vm=1.0, max=50), "group.dev.autoscale.min", "51", "max = 50", "min <= max"
    ),
    "a maximum of none": bad(
        *scaled("max = 0", load={"hourly": DAY}, per_vm=1.0, min=0), "group.dev.autoscale.max", "0", "1 or more"
    ),
    "a tick of nothing": bad(
        *scaled('tick = "0s"', load={"hourly": DAY}, per_vm=1.0, min=1, max=2), "group.dev.autoscale.tick", "longer than nothing"
    ),
    "no rule": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f"[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n",
        "group.dev.autoscale",
        "there is no rule",
    ),
    "thresholds that chase each other": bad(
        *scaled("scale_in = { below = 0.7 }", rules="scale_out = { above = 0.7 }", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_in",
        "below = 0.7 is not under above = 0.7",
    ),
    "the highest of several scale-out rules is not the one that counts": bad(
        *scaled(
            "scale_in = [{ below = 0.6 }, { below = 0.55 }]",
            rules="scale_out = [{ above = 0.9, by = 3 }, { above = 0.5 }]",
            load={"hourly": DAY}, per_vm=1.0, min=1, max=2,
        ),
        "group.dev.autoscale.scale_in",
        "below = 0.55 is not under above = 0.5",
    ),
    "a misspelt threshold": bad(
        *scaled("scale_out = { abvoe = 0.7 }", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out.abvoe",
        'did you mean "above"?',
    ),
    "a rule by none": bad(
        *scaled("scale_out = [{ above = 0.7, by = 0 }]", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out[1].by",
        "0",
        "1 or more",
    ),
    "a rule without threshold": bad(
        *scaled("scale_out = { by = 1 }", rules="", load={"hourly": DAY}, per_vm=1.0, min=1, max=2),
        "group.dev.autoscale.scale_out.above",
        "is missing",
    ),
    "autoscale and arrivals": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}',
        "group.dev.autoscale",
        "arrivals and autoscale contradict each other",
    ),
    "autoscale and cycle": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        f'[group.cycle]\non = "1h"\noff = "1h"\n[group.autoscale] #!\nload = {{ hourly = {DAY} }}\nper_vm = 1.0\nmin = 1\nmax = 2\n{RULES}',
        "group.dev.autoscale",
        "cycle and autoscale contradict each other",
    ),
    # --- traces
    "a record that is not there": bad(
        *traced('file = "none.csv"', format="columns"),
        "group.dev.trace.file",
        "there is no file",
        "none.csv",
        "relative to the scenario file",
    ),
    "a record without a file": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        '[group.trace] #!\nformat = "columns"\n',
        "group.dev.trace.file",
        "is missing",
    ),
    "an unknown format": bad(
        *traced('format = "azure-2018"', file="none.csv"),
        "group.dev.trace.format",
        "no such format of traces",
        "did you mean",
    ),
    "count and trace": bad(
        'disks = ["P10"]\n' + SCHEDULE,
        '[group.trace]\nfile = "none.csv"\nformat = "azure-2018"\n',
        "group.dev.trace.format",
        "no such format",
    ),
    "sizes that are numbers": bad(
        *traced("sizes = 4", file="none.csv", format="columns"), "group.dev.trace.sizes", "neither", '"auto"'
    ),
    "a window without unit": bad(
        *traced('window = "30"', file="none.csv", format="columns"), "group.dev.trace.window", "unit is missing"
    ),
    # --- the platform
    "an unknown placement": bad(
        *platform('placement = "bestfit" #!'), "platform.placement", 'did you mean "best-fit"?', '"balanced"'
    ),
    "no hosts in a cluster": bad(
        *hosts("count = 0"), "platform.hosts.rack-a.count", "0", "1 or more"
    ),
    "a host of half a vCPU": bad(*hosts("vcpus = 0.5"), "platform.hosts.rack-a.vcpus", "0.5", "whole number"),
    "a host without memory": bad(*hosts("memory_gib = 0"), "platform.hosts.rack-a.memory_gib", "more than 0"),
    "a host in a zone that no region has": bad(*hosts("zone = 7"), "platform.hosts.rack-a.zone", "7", "at most 3"),
    "an unknown key of hosts": bad(*hosts("memory = 768"), "platform.hosts.rack-a.memory", 'did you mean "memory_gib"?'),
    "one bracket for hosts": bad(
        *platform("[platform.hosts] #!\ncount = 1"), "platform.hosts", "write [[platform.hosts]] with two brackets"
    ),
    "two clusters of one name": bad(
        *hosts('name = "rack-a"', more=True), "platform.hosts.rack-a.name", "[[platform.hosts]] number 1 has this name already"
    ),
    "a size that fits on no host": bad(
        'size = "Standard_D4s_v5"\ncount = 200', 'size = "Standard_D96s_v5" #!\ncount = 200', "group.dev.size",
        "Standard_D96s_v5 (96 vCPU, 384 GiB) fits on no host", "rack-a with 64 vCPU and 512 GiB",
    ).with_tail(HOST),
    "zones without hosts": bad(
        *group_key("zones = [2, 3]"), "group.dev.zones", "no host in these zones", "there are hosts in zone 1"
    ).with_tail(HOST),
    "hosts for another group only": bad(
        'name = "dev"', 'name = "dev" #!', "group.dev.name", "all hosts are dedicated to other groups",
    ).with_tail(HOST + 'only_groups = ["other"]\n[[group]]\nname = "other"\n'),
    "hosts for a group that is not there": bad(
        *hosts('only_groups = ["dve"]'), "platform.hosts.rack-a.only_groups[1]", "no such group", 'did you mean "dev"?'
    ).with_tail(HOST.replace("rack-a", "rack-b").replace("[platform]\n", "")),
    "an unknown quota family": bad(
        *platform("[platform.quota]\nfamilies = { standardDSv55Family = 800 } #!"),
        "platform.quota.families.standardDSv55Family",
        "no such quota family",
        'did you mean "standardDSv5Family"?',
    ),
    "a quota family given twice": bad(
        *platform("[platform.quota]\nfamilies.standardDSv5Family = 800\nfamilies.STANDARDDSV5FAMILY = 80 #!"),
        "platform.quota.families.STANDARDDSV5FAMILY",
        "the same family as standardDSv5Family",
    ),
    "a negative quota": bad(
        *platform("[platform.quota]\nregional_vcpus = -1 #!"), "platform.quota.regional_vcpus", "-1", "0 or more"
    ),
    "a negative quota of a family": bad(
        *platform("[platform.quota]\nfamilies = { standardDSv5Family = -8 } #!"),
        "platform.quota.families.standardDSv5Family",
        "-8",
        "0 or more",
    ),
    "failures of hosts that are not there": bad(
        *platform('[platform.host_failures] #!\ntime_between = "1000h"'), "platform.host_failures", "no hosts that it could befall"
    ),
    "maintenance of hosts that are not there": bad(
        *platform('[platform.maintenance] #!\nevery = "30d"\nimpact = "reboot"'), "platform.maintenance", "no hosts"
    ),
    "zones that fail where no host is in one": bad(
        *platform('[platform.zone_failures] #!\ntime_between = "1000h"\n' + HOST.replace("[platform]\n", "").replace("zone = 1\n", "")),
        "platform.zone_failures",
        "no host is in a zone",
    ),
    "a host that fails all the time": bad(
        *befalling('[platform.host_failures]\nrepair = "0s"\ntime_between = "0s" #!'),
        "platform.host_failures.time_between",
        "without time passing",
    ),
    "two ways to be healed": bad(
        *befalling(
            '[platform.host_failures]\ntime_between = "9d"\nhealing = "5min"\n[platform.rack_failures]\ntime_between = "9d"\nhealing = "6min" #!'
        ),
        "platform.rack_failures.healing",
        "not the healing of host_failures",
    ),
    "an unknown impact": bad(
        *befalling('[platform.maintenance]\nevery = "30d"\nimpact = "restart" #!'), "platform.maintenance.impact", '"reboot"'
    ),
    "rounds of maintenance that overlap": bad(
        *befalling('[platform.maintenance]\nimpact = "freeze"\nevery = "2h" #!'),
        "platform.maintenance.every",
        "2h: a round takes 2h",
    ),
    "a throttle that lets nothing through": bad(
        *platform("[platform.throttle]\nburst = 0 #!"), "platform.throttle.burst", "0", "1 or more"
    ),
    # --- room held and machines of one's own
    "a capacity reservation of half a VM": bad(*capacity("quantity = 0.5"), "commitment.ri.quantity", "0.5", "whole number"),
    "a capacity reservation for a group that is not there": bad(
        *capacity('groups = ["dve"]'), "commitment.ri.groups[1]", 'did you mean "dev"?'
    ),
    "a capacity reservation for spot VMs": bad(
        *capacity('groups = ["jobs"]'), "commitment.ri.groups[1]", "spot VMs cannot use a capacity reservation"
    ).with_tail('[[group]]\nname = "jobs"\npriority = "spot"\n'),
    "a capacity reservation for another size": bad(
        *capacity('groups = ["big"]'), "commitment.ri.groups[1]", "its VMs are Standard_D8s_v5", "one size"
    ).with_tail('[[group]]\nname = "big"\nsize = "Standard_D8s_v5"\n'),
    "a capacity reservation for an availability set": bad(
        *capacity('groups = ["web"]'), "commitment.ri.groups[1]", "availability set cannot use a capacity reservation"
    ).with_tail('[[group]]\nname = "web"\navailability_set = "web"\n'),
    "more room held than there is": bad(
        *capacity("quantity = 33"), "commitment.ri.quantity", "33: the hosts have room for 32 of Standard_D4s_v5 only"
    ).with_tail(HOST),
    "a dedicated host for nobody": bad(
        COMMITMENT,
        '[[commitment]]\nname = "own"\nkind = "dedicated-host"\nquantity = 1\nhourly = 4.0\nvcpus = 64\ngroups = [] #!\n',
        "commitment.own.groups",
        "0 values",
    ),
    "a dedicated host for spot VMs": bad(
        COMMITMENT,
        '[[commitment]]\nname = "own"\nkind = "dedicated-host"\nquantity = 1\nhourly = 4.0\nvcpus = 64\ngroups = ["jobs"] #!\n',
        "commitment.own.groups[1]",
        "spot VMs cannot use a dedicated host",
    ).with_tail('[[group]]\nname = "jobs"\npriority = "spot"\n'),
    # --- disks and rounding
    "a disk of no kind": bad('disks = ["P10"]', 'disks = ["X:200"] #!', "group.dev.disks[1]", '"X:200"', "E:200"),
    "a disk beyond all sizes": bad('disks = ["P10"]', 'disks = ["E:99999"] #!', "group.dev.disks[1]", "does not exist"),
    "an unknown rounding": bad("seed = 1", 'rounding = "minute" #!', "rounding", '"floor-minute"'),
    # --- TOML itself
    "a duration without quotes": bad(
        'horizon = "28d"', "horizon = 28d #!", "", "TOML syntax", 'horizon = "28d"'
    ),
    "a time without seconds": bad(ON, "on = 08:00 #!\n", "", "TOML syntax", "on = 08:00:00"),
    "a text without quotes": bad('name = "dev"', "name = dev #!", "", "TOML syntax", 'name = "dev"'),
    "True with a capital": bad(*group_key("public_ip = True"), "", "TOML syntax", "write true"),
    "a key given twice": bad("seed = 1", "seed = 1\nseed = 2 #!", "", "TOML syntax", "seed is given twice", "first on line 4", "given once"),
    "a table given twice": bad("[[commitment]]", "[group.retry] #!\nattempts = 2\n[[commitment]]", "", "[group.retry] is given twice", "first on line 22"),
    "a key given twice inside a line": bad(
        STARTING, starting('{ dist = "lognormal", dist = "gamma" }'), "", "dist is given twice"
    ),
    "two equals signs": bad("seed = 1", "seed = = 1 #!", "", "TOML syntax", "one = is enough: seed = 1"),
    "an unclosed text": bad('name = "dev"', 'name = "dev #!', "", "TOML syntax"),
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Writes a scenario file and gives its path."""

    def _write(text: str | bytes, name: str = "scenario.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


def _faults(path, overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides)
    return caught.value.faults


def test_the_right_file_is_right(write):
    """Every bad file is this one with one change, so this one must load."""
    assert load(write(RIGHT)).name == "office"


@pytest.mark.parametrize("mistake", BAD_SCENARIOS.values(), ids=BAD_SCENARIOS.keys())
def test_a_mistake_is_told_once_with_its_place_and_what_would_be_right(mistake: Bad, write):
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    path = write(mistake.text)
    (fault,) = _faults(path)
    told = str(fault)
    assert "\n" not in told
    assert told.startswith(f"{path}:{mistake.line if '#!' in mistake.text else fault.line}: ")
    assert fault.field == mistake.field
    for words in mistake.says:
        assert words in told


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_the_file(write):
    """A user mends a file once, not once per mistake; wrong values don't hide contradictions or unknown sizes."""
    text = """\
naem = "x"
horizon = "0s"
replications = 0
[prices]
region = "mars"
[[group]]
name = "a"
size = "Standard_D4s_v55"
zones = [7]
[group.schedule]
days = "Mon-Fry"
on = 08:00:00
off = 19:00:00
[group.cycle]
on = "8h"
off = { dist = "uniform", low = "9h", high = "3h" }
[group.failures]
AllocationFailed = 2
[[group]]
name = "a"
count = 0
[[commitment]]
name = "q"
kind = "reservation"
size = "nope"
quantity = -3
term = "5y"
"""
    faults = _faults(write(text))
    assert [(fault.line, fault.field) for fault in faults] == [
        (1, "naem"),
        (2, "horizon"),
        (3, "replications"),
        (5, "prices.region"),
        (8, "group.a.size"),
        (9, "group.a.zones[1]"),
        (11, "group.a.schedule.days"),
        (14, "group.a.cycle"),
        (16, "group.a.cycle.off"),
        (18, "group.a.failures.AllocationFailed"),
        (20, "group.a.name"),
        (21, "group.a.count"),
        (25, "commitment.q.size"),
        (26, "commitment.q.quantity"),
        (27, "commitment.q.term"),
    ]


def test_a_misspelt_kind_or_key_does_not_hide_what_stands_beside_it(write):
    """The kind that was meant tells what else is wrong; of two keys that exclude each other one may be wrong in itself."""
    text = """\
name = "x"
horizon = "1d"
[[group]]
name = "a"
  [group.arrivals]
  rate = 3
  hourly = [1, 2]
  lifetime = "2h"
[[commitment]]
name = "q"
kind = "reservatio"
size = "Standard_D4s_v5"
quantity = 1
term = "2y"
"""
    faults = _faults(write(text))
    assert [(fault.line, fault.field) for fault in faults] == [
        (5, "group.a.arrivals"),
        (7, "group.a.arrivals.hourly"),
        (11, "commitment.q.kind"),
        (14, "commitment.q.term"),
    ]


def test_nothing_is_said_of_what_only_follows_from_another_mistake(write):
    """`billing_policy` is misspelt: whether hibernate fits it can't be told, so only the policy is named."""
    text = RIGHT.replace("seed = 1", 'billing_policy = "2023-01"').replace(
        "count = 200", 'count = 200\nwhen_off = "hibernate"'
    )
    assert [fault.field for fault in _faults(write(text))] == ["billing_policy"]


def test_the_same_file_with_windows_line_ends_has_the_same_lines(write):
    """Line numbers count lines, however they end."""
    mistake = BAD_SCENARIOS["an unknown when_off"]
    (fault,) = _faults(write(mistake.text.replace("\n", "\r\n")))
    assert fault.line == mistake.line
