"""A scenario in words: what will be simulated, and which assumptions it leans on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.catalog.defaults import Sourced, TomlValue, Trust
from sim.experiment.scenario_defaults import SCENARIO_DEFAULTS, to_plain
from sim.experiment.scenario_forms import DAYS
from sim.experiment.scenario_model import Group, ReservationSection, SavingsPlanSection, ScenarioFile
from sim.experiment.scenario_plan import FAILURE_CODES, os_provisioning_timeout_s
from sim.experiment.scenario_quantities import Section, shares, to_distribution
from sim.experiment.scenario_wording import list_words, show_value
from sim.lifecycle.policy import BILLING_POLICIES
from sim.sampling.distributions import Constant
from sim.units import format_duration

_WHEN_OFF = {
    "deallocate": "deallocated",
    "stop": "powered off (its host is kept)",
    "guest-shutdown": "shut down from inside the guest (its host is kept)",
    "hibernate": "hibernated",
    "keep": "left running",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultInUse:
    """A number that the scenario leans on without having written it."""

    key: str
    value: TomlValue
    unit: str
    source: str
    trust: Trust
    in_use_by: tuple[str, ...]  # groups; empty for what is not a group's

    @property
    def is_assumption(self) -> bool:
        """Whether nobody has published it."""
        return self.trust is Trust.ASSUMPTION


def describe(file: ScenarioFile) -> list[str]:
    """What will be simulated, group by group, then the defaults in use; assumptions are marked."""
    return [*_whole(file), *_groups(file), *_commitments(file), "", *_defaults(file)]


def _whole(file: ScenarioFile) -> list[str]:
    policy = BILLING_POLICIES[file.billing_policy]
    warm_up = (
        f", the first {format_duration(file.warm_up_s)} left out of every figure"
        if file.warm_up_s > 0
        else ""
    )
    priced = file.prices.catalogue or "the bundled price list"
    own = f", own prices for {list_words(file.prices.override, 'and')}" if file.prices.override else ""
    return [
        f"{file.name}: {format_duration(file.horizon_s)} from {file.start:%A %Y-%m-%d %H:%M} UTC{warm_up},",
        f"  {file.replications} replication{'s' * (file.replications != 1)} with seed {file.seed}, intervals of {file.confidence:.4g} confidence.",
        (
            f"  Billed by policy {policy.name} ({policy.title}), prices of {file.prices.region} in {file.prices.currency}"
            f" from {priced}{own}."
        ),
    ]


def _groups(file: ScenarioFile) -> list[str]:
    lines: list[str] = []
    for group in file.groups:
        lines += ["", f"Group {group.name}: {_what(group)}"]
        lines += [f"  {line}" for line in (_demand(group), *_chances(group)) if line]
    return lines


def _what(group: Group) -> str:
    number = "VMs" if group.arrivals is not None else f"{group.count:,} VM{'' if group.count == 1 else 's'}"
    words = [f"{number} of {group.size}, {group.os}"]
    if group.hybrid_benefit:
        words.append("with a licence of your own")
    words.append(f"{group.image} image")
    if group.priority == "spot":
        words.append("spot")
    words.append(f"disks {list_words(group.disks, 'and')}" if group.disks else "no disks billed")
    words.append("a public IP each" if group.public_ip else "no public IP")
    when = (
        f"created over {format_duration(group.create_over)}" if group.create_over > 0 else "created at t = 0"
    )
    return ", ".join(words) + ("." if group.arrivals is not None else f"; {when}.")


def _demand(group: Group) -> str:
    off = f"otherwise {_WHEN_OFF[group.when_off]}"
    if (schedule := group.schedule) is not None:
        days = list_words((DAYS[day] for day in schedule.days), "and")
        jitter = f", each edge later by {_varying(schedule.jitter)}" if schedule.jitter is not None else ""
        end = f"{schedule.off:%H:%M}" + (" the next day" if schedule.off <= schedule.on else "")
        return f"Wanted on {days} from {schedule.on:%H:%M} to {end} ({schedule.time_zone}){jitter}; {off}."
    if (cycle := group.cycle) is not None:
        return f"Wanted for {_varying(cycle.on)}, then unwanted for {_varying(cycle.off)}, for ever; {off}."
    if (arrivals := group.arrivals) is not None:
        rates = arrivals.rates_per_h
        hours = {1: "", 24: ", by hour of the day", 168: ", by hour of the week"}[len(rates)]
        rate = f"{rates[0]:g}" if len(rates) == 1 else f"{min(rates):g} to {max(rates):g}"
        batch = ""
        if arrivals.batch is not None:
            parts = zip(arrivals.batch.sizes, shares(arrivals.batch.weights), strict=True)
            batch = f" in batches of {list_words((f'{size} ({share:.3g})' for size, share in parts), 'and')}"
        zone = f" ({arrivals.time_zone})" if len(rates) > 1 else ""
        return f"Requested {rate} times per hour{hours}{zone}{batch}; each lives for {_varying(arrivals.lifetime)}, then is deleted."
    return "Always wanted."


def _chances(group: Group) -> list[str]:
    failures = group.failures
    struck = [f"{code} {chance:g}" for code in FAILURE_CODES if (chance := getattr(failures, code)) > 0]
    lines = []
    if struck:
        lines.append(
            f"Fails with probability per attempt: {', '.join(struck)}; a failed VM is replaced after {_varying(failures.reaction)}."
        )
        lines.append(
            f"Given up after {format_duration(os_provisioning_timeout_s(group))} of OS provisioning, "
            f"{format_duration(failures.extensions_timeout)} of extensions."
        )
    else:
        lines.append("No failures.")
    if (crash := group.guest_crash) is not None:
        lines.append(
            f"The guest crashes after {_varying(crash.time_between)} of running, noticed after {_varying(crash.detection)}."
        )
    spot = group.spot
    if spot is not None and group.priority != "spot":
        lines.append('[group.spot] is not used: priority is "regular".')
    elif spot is not None:
        again = "never" if spot.restart_after is None else f"after {_varying(spot.restart_after)}"
        hazard = f"Evicted with probability {spot.eviction_per_hour:g} per hour of running ({spot.policy})"
        lines.append(f"{hazard}; asked for again: {again}.")
    elif group.priority == "spot":
        lines.append("Spot prices, but no evictions: there is no [group.spot].")
    return lines


def _varying(varying: Any) -> str:
    law = to_distribution(varying)
    return format_duration(law.mean) if isinstance(law, Constant) else law.describe()


def _commitments(file: ScenarioFile) -> list[str]:
    lines: list[str] = []
    for commitment in file.commitments:
        if isinstance(commitment, SavingsPlanSection):
            what = (
                f"{commitment.hourly:g} {file.prices.currency} of compute every hour, term {commitment.term}"
            )
        elif isinstance(commitment, ReservationSection):
            what = f"{commitment.quantity:g} of {commitment.size}, term {commitment.term}"
        else:
            what = f"{commitment.quantity:g} of {commitment.size}, room held"
        lines.append(f"Commitment {commitment.name}: {commitment.kind}, {what}.")
    return ["", *lines] if lines else []


# --- defaults -------------------------------------------------------------------------------------------------------


def defaults_in_use(file: ScenarioFile) -> list[DefaultInUse]:
    """Every default of the catalogue that this scenario leans on, in the catalogue's order, with the groups that do."""
    users: dict[str, list[str]] = {}
    _unset(file, "", "", users)
    for group in file.groups:
        for key in _unset_in_group(group):
            users.setdefault(key, []).append(group.name)
    return [_in_use(key, sourced, users[key]) for key, sourced in SCENARIO_DEFAULTS.items() if key in users]


def _in_use(key: str, sourced: Sourced, users: list[str]) -> DefaultInUse:
    return DefaultInUse(
        key=key,
        value=to_plain(sourced.value),
        unit=sourced.unit,
        source=sourced.source,
        trust=sourced.trust,
        in_use_by=tuple(users),
    )


def _unset(section: Section, place: str, user: str, users: dict[str, list[str]]) -> None:
    """Notes the keys of a section that were left to their defaults; groups are told apart by name."""
    for name, field in type(section).model_fields.items():
        key = f"{place}{field.alias or name}"
        value = getattr(section, name)
        if isinstance(value, Section) and not hasattr(value, "dist"):
            _unset(value, f"{key}.", user, users)
        elif name not in section.model_fields_set and key in SCENARIO_DEFAULTS:
            users.setdefault(key, []).extend([user] if user else [])


def _unset_in_group(group: Group) -> list[str]:
    users: dict[str, list[str]] = {}
    _unset(group, "group.", group.name, users)
    keys = list(users)
    if group.failures.os_provisioning_timeout is None:
        keys.append(f"group.failures.os_provisioning_timeout.{group.os}")
    unused = {"group.count", "group.create_over"} if group.arrivals is not None else set()
    if group.priority != "spot":
        unused |= {key for key in keys if key.startswith("group.spot.")}
    if group.image == "specialized":
        unused |= {key for key in keys if "os_provisioning" in key}
    if group.schedule is None and group.cycle is None:
        unused.add("group.when_off")
    return [key for key in keys if key not in unused]


def _defaults(file: ScenarioFile) -> list[str]:
    found = defaults_in_use(file)
    assumed = sum(default.is_assumption for default in found)
    lines = [
        f"Defaults in use: {len(found)}, of which {assumed} are assumptions (marked *): vary them before you rely on a figure."
    ]
    every = tuple(group.name for group in file.groups)
    for default in found:
        mark = "*" if default.is_assumption else " "
        value = show_value(default.value).strip('"')
        who = "" if default.in_use_by in ((), every) else f" [{', '.join(default.in_use_by)}]"
        lines.append(f"{mark} {default.key} = {value}" + (f" ({default.unit})" if default.unit not in ("", "duration") else "")
                     + f"{who}: {default.trust}; {default.source}")  # fmt: skip
    return lines
