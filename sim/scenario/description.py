"""A scenario in words: what will be simulated, and which assumptions it leans on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sim.billing.meters import RatedGroup
from sim.billing.trust import UntrustedPrice
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import PAY_AS_YOU_GO
from sim.fields.defaults import DEFAULTS, OURS, SYSTEMS, Sourced, Trust, default_key, to_plain
from sim.fields.messages import list_words, show_value
from sim.fields.numbers import how_many
from sim.fields.registry import checked_sentence, checked_sentences
from sim.fields.tables import GROUP_TABLES, own_words
from sim.fields.types import Section
from sim.lifecycle.policy import BILLING_POLICIES
from sim.model.demand import AlwaysOn
from sim.model.demand.always_on import WORDS as ALWAYS_ON
from sim.model.demand.parked import words as parked_words
from sim.model.faults import GROUP_FAULTS, Circumstances
from sim.scenario.file_model import Durations, Group, ScenarioFile
from sim.scenario.platform_description import describe_platform, where_it_runs
from sim.scenario.platform_plan import pools_in
from sim.scenario.resolved_groups import ResolvedGroups
from sim.scenario.unlikely import unlikely
from sim.units import format_duration

MOST_STEPS = 12  # of the number of VMs, shown of one group
MOST_METERS = 6  # named of one source


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultInUse(Sourced):
    """A default that the scenario leans on without having written it."""

    key: str
    in_use_by: tuple[str, ...]  # groups; empty for what is not a group's


def describe(
    file: ScenarioFile,
    resolved: ResolvedGroups,
    catalogue: Catalogue,
    meters: Sequence[tuple[RatedGroup, str]],
    untrusted: Sequence[UntrustedPrice],
) -> list[str]:
    """What will be simulated, group by group, then the defaults in use; assumptions are marked."""
    return [
        *_whole(file, resolved, catalogue),
        *_groups(file, resolved, catalogue),
        *describe_platform(file, resolved),
        *_commitments(file, catalogue),
        *(f"Warning: {sentence}" for sentence in unlikely(file, resolved, catalogue)),
        "",
        *_meters(meters),
        *_trust(untrusted),
        "",
        *_defaults(file, resolved),
    ]


def _whole(file: ScenarioFile, resolved: ResolvedGroups, catalogue: Catalogue) -> list[str]:
    policy = BILLING_POLICIES[file.billing_policy]
    warm_up = ""
    if file.warm_up == "auto":
        warm_up = ", a start-up that is yet to be found (MSER-5, in a pilot) left out of every figure"
    elif file.warm_up_s > 0:
        warm_up = f", the first {format_duration(file.warm_up_s)} left out of every figure"
    priced = file.prices.catalogue or "the bundled price list"
    rounded = ", each billed stretch cut to whole minutes" if file.rounding == "floor-minute" else ""
    own = f", own prices for {list_words(file.prices.override, 'and')}" if file.prices.override else ""
    regions = list(dict.fromkeys(member.region for member in resolved.groups)) or [file.prices.region]
    adjusted = f", {catalogue.adjusted}" if catalogue.adjusted else ""
    return [
        *([file.title] if file.title else []),
        *(file.description or "").strip().splitlines(),
        f"{file.name}: {format_duration(file.horizon_s)} from {file.start:%A %Y-%m-%d %H:%M} UTC{warm_up},",
        f"  {how_many(file.replications, 'replication')} with seed {file.seed}, intervals of {file.confidence:.4g} confidence.",
        (
            f"  Billed by policy {policy.name} ({policy.title}), prices of {list_words(regions, 'and')} in {file.prices.currency}"
            f" from {priced}{adjusted}{own}{rounded}."
        ),
        *_spot_steps(file, resolved),
    ]


def _trust(untrusted: Sequence[UntrustedPrice]) -> list[str]:
    """Which prices are neither of a list nor the user's."""
    if not untrusted:
        return ["Prices: all are list prices, imported prices or your own."]
    lines = ["Prices: list prices, imported prices or your own, except"]
    for price in untrusted:
        named = ", ".join(price.meters[:MOST_METERS])
        more = f" and {len(price.meters) - MOST_METERS} more" if len(price.meters) > MOST_METERS else ""
        lines.append(f"* {named}{more}: {price.provenance.words}")
    return lines


def _spot_steps(file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    if (steps := file.prices.spot_steps) is None:
        return []
    if not any(member.priority == "spot" for member in resolved.groups):
        return ["  prices.spot_steps is not used: no VM is spot."]
    shown = ", ".join(f"{factor:g}" for factor in steps[:12]) + (", ..." if len(steps) > 12 else "")
    return [
        f"  Spot compute costs {shown} times the list's price, month by month from {file.start:%Y-%m}; the last goes on."
    ]


def _groups(file: ScenarioFile, resolved: ResolvedGroups, catalogue: Catalogue) -> list[str]:
    lines: list[str] = []
    for number, group in enumerate(file.groups):
        lines += ["", f"Group {group.name}: {_what(group)}"]
        said = (
            *_trace(number, file, resolved),
            _growth(group, file),
            *_demand(group, file),
            *_ready(group),
            *where_it_runs(number, file, resolved),
            *_faults(number, file, resolved),
            *_parts(number, resolved),
            *_spot_price(number, file, resolved, catalogue),
        )
        lines += [f"  {line}" for line in said if line]
    return lines


def _demand(group: Group, file: ScenarioFile) -> tuple[str, ...]:
    section = group.demand_section
    if not group.wanted:
        return (parked_words(group.when_off),)
    if section is None:
        return (ALWAYS_ON,)
    return checked_sentence(section.describe(group), section), section.refinements(group, file.years)


def _ready(group: Group) -> list[str]:
    """What counts as late, where the scenario says so."""
    if "ready" not in group.model_fields_set:
        return []
    return [f"A VM is late that is not ready {format_duration(group.ready.within)} after it is needed."]


def _growth(group: Group, file: ScenarioFile) -> str:
    """How the number of VMs changes."""
    if not group.has_steps:
        return ""
    first, steps = group.counts(file.start, file.horizon_s)
    rate = "" if group.growth_per_month is None else f" (growth of {100 * group.growth_per_month:g} % a month)"
    shown = [f"{count:,} from {file.start + timedelta(seconds=at_s):%Y-%m-%d}" for at_s, count in steps]
    if len(shown) > MOST_STEPS:
        shown = [*shown[: MOST_STEPS - 1], "...", shown[-1]]
    later = f", then {', '.join(shown)}" if shown else ", and no step in the run"
    return f"{how_many(first, 'VM')} at t = 0{later}{rate}; where the number falls, the highest numbers are deleted."


def _what(group: Group) -> str:
    number = how_many(group.count, "VM") if group.is_counted else "VMs"
    by_record = group.has_own_sizes and "size" not in group.model_fields_set
    words = [f"{number} of {'the sizes in its trace' if by_record else group.size}, {group.os}"]
    if group.region is not None:
        words.append(f"in {group.region}")
    if group.hybrid_benefit:
        words.append("with a licence of your own")
    words.append(f"{group.image} image")
    if group.has_spot:
        words.append(" and ".join(group.priorities.values()))
    kept = " that outlive their VM" if group.keeps_disks else ""
    words.append(f"disks {list_words(group.disks, 'and')}{kept}" if group.disks else "no disks billed")
    words.append("a public IP each" if group.public_ip else "no public IP")
    if group.initial is not None:
        return ", ".join(words) + f"; they exist at t = 0, {group.initial}."
    when = f"created over {format_duration(group.create_over)}" if group.create_over > 0 else "created at t = 0"
    if group.when_off == "delete" and group.demand.turns_off:
        when = "created when they are first needed"
    return ", ".join(words) + (f"; {when}." if group.is_counted else ".")


def _trace(number: int, file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    """What is known of the file that lists a group's VMs, and which sizes stand for them."""
    split = resolved.splits.get(number)
    if split is None:
        return []
    lines = list(split.words)
    parts = [f"{member.name} ({member.vms:,})" for member in resolved.parts(number)]
    if parts:
        lines.append(f"Simulated and counted as {list_words(parts, 'and')}.")
    if file.horizon_s > split.known_until_s:
        lines.append(
            f"The trace ends after {format_duration(split.known_until_s)}: from then on nothing is requested, and VMs that still exist go on."
        )
    return lines


def _parts(number: int, resolved: ResolvedGroups) -> list[str]:
    """The names in results, where a group's VMs of the two priorities are counted apart; of a trace, `_trace` says it."""
    mine = [f"{member.name} ({member.priority})" for member in resolved.parts(number)]
    return [f"Counted as {list_words(mine, 'and')}."] * (len(mine) > 1 and number not in resolved.splits)


def _spot_price(number: int, file: ScenarioFile, resolved: ResolvedGroups, catalogue: Catalogue) -> list[str]:
    """What a group's spot VMs cost per hour, and how far that price is to be trusted; of VMs of many sizes it is not said."""
    spot = [member for member in resolved.parts(number) if member.priority == "spot"]
    if len(spot) != 1:
        return []
    of, terms = spot[0], (PAY_AS_YOU_GO["spot"], PAY_AS_YOU_GO["regular"])
    system = "linux" if of.group.hybrid_benefit else of.group.os
    price, regular = (catalogue.find_price(of.size.name, of.region, term[system]) for term in terms)
    if price is None:
        return []
    is_cheaper = regular is not None and regular.per_h > price.per_h
    saving = f", {1 - price.per_h / regular.per_h:.0%} below pay as you go" if regular and is_cheaper else ""
    words = (
        f"A spot hour of {of.size.name} in {of.region} costs {price.per_h:.5g} {file.prices.currency}{saving}"
        f" ({price.provenance.words})."
    )
    return [words]


def _faults(number: int, file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    group, lines = file.groups[number], file.groups[number].failures.describe()
    has_hosts = any(pools_in(member.region, file) for member in resolved.parts(number))
    demand = group.demand_section
    circumstances = Circumstances(
        priority="spot" if group.has_spot else "regular", has_hosts=has_hosts,
        demand=AlwaysOn if demand is None else demand.demand, has_work=group.has_work,
        sets_aside=demand is not None and demand.sets_aside,
    )  # fmt: skip
    warnings = group.failures.warn() + ([] if demand is None else checked_sentences(demand.warn(), demand, "warn"))
    lines += own_words(group, GROUP_TABLES)
    for key, kind in GROUP_FAULTS.items():
        lines += checked_sentences(kind.describe(group.fault(key), circumstances), kind)
        warnings += checked_sentences(kind.warn(group.fault(key), circumstances), kind, "warn")
    return lines + [f"Warning: {warning}" for warning in warnings]


def _meters(meters: Sequence[tuple[RatedGroup, str]]) -> list[str]:
    """What the bill counts, as docs/bill.md explains it: each meter with the groups that pay it."""
    payers: dict[str, list[str]] = {}
    for group, meter in meters:
        payers.setdefault(meter, []).append(group.name)
    return [
        "Meters of the bill:",
        *(f"  {meter} ({', '.join(dict.fromkeys(names))})" for meter, names in payers.items()),
        "",
    ]


def _commitments(file: ScenarioFile, catalogue: Catalogue) -> list[str]:
    has_hosts = file.platform is not None and bool(file.platform.hosts)
    lines = [
        f"Commitment {section.name}: {section.kind}, {section.describe(file.prices.currency, has_hosts=has_hosts)}."
        for section in file.commitments
    ]
    lines += [f"Note: {each}." for section in file.commitments for each in section.warnings(catalogue)]
    return ["", *lines] if lines else []


# --- defaults -------------------------------------------------------------------------------------------------------


def defaults_in_use(file: ScenarioFile, resolved: ResolvedGroups) -> list[DefaultInUse]:
    """Every default of the catalogue that this scenario leans on, table by table, with the groups that do."""
    users: dict[str, list[str]] = {}
    _unset(file, "", users)
    for key in _unused_on_platform(file):
        users.pop(key, None)
    for number, group in enumerate(file.groups):
        spot = any(member.priority == "spot" for member in resolved.parts(number))
        for key in _unset_in_group(group, has_spot=spot):
            users.setdefault(key, []).append(group.name)
    tables = list(dict.fromkeys(key.rpartition(".")[0] for key in DEFAULTS))
    in_order = sorted((key for key in DEFAULTS if key in users), key=lambda key: tables.index(key.rpartition(".")[0]))
    rows = ((key, DEFAULTS[key]) for key in in_order)
    return [
        DefaultInUse(
            key=key, value=to_plain(row.value), unit=row.unit, source=row.source, trust=row.trust,
            in_use_by=tuple(users[key]),
        )
        for key, row in rows
    ]  # fmt: skip


def _unused_on_platform(file: ScenarioFile) -> set[str]:
    platform = file.platform
    if platform is None:
        return set()
    unused = set() if platform.hosts else {"platform.placement"}
    if platform.placement != "balanced" and not any(fault.key == "rack_failures" for fault in platform.faults):
        unused.add("platform.hosts.racks")
    return unused | {
        f"platform.{fault.key}.{key}" for fault in platform.faults for key in fault.unused_defaults(platform)
    }


def _unset(section: Section, place: str, users: dict[str, list[str]], group: Group | None = None) -> None:
    """Notes the defaults of the keys that a section leaves out; groups are distinguished by name, and by guest OS."""
    for name, field in type(section).model_fields.items():
        key = f"{place}{field.alias or name}"
        value = getattr(section, name)
        tables = value if isinstance(value, tuple) else (value,)
        if isinstance(section, ScenarioFile) and name == "groups":
            continue
        if name in section.model_fields_set and all(_is_table(table) for table in tables):
            for table in tables:
                _unset(table, f"{key}.", users, group)
        elif _is_table(value):
            _unset(value, f"{key}.", users, group)
        elif name not in section.model_fields_set and (
            default := default_key(key, os=group.os if group else SYSTEMS[0])
        ):
            named = users.setdefault(default, [])
            named.extend([group.name] if group and group.name not in named else [])


def _is_table(value: object) -> bool:
    return isinstance(value, Section) and not hasattr(value, "dist")


def _unset_in_group(group: Group, *, has_spot: bool) -> list[str]:
    users: dict[str, list[str]] = {}
    _unset(group, "group.", users, group)
    keys = list(users)
    unused = set() if group.is_counted else {"group.count", "group.create_over"}
    if not has_spot:
        unused |= {key for key in keys if key.startswith("group.spot.")}
    if group.image == "specialized":
        unused |= {key for key in keys if "os_provisioning" in key}
    if not group.demand.turns_off:
        unused.add("group.when_off")
    section = group.demand_section
    for waiting in group.demand_sections:
        if section is None or waiting.key != section.key:
            unused |= {key for key in keys if key.startswith(f"group.{waiting.key}.")}
    if section is not None:
        unused |= section.unused_defaults(group)
    if section is not None and section.default_durations:
        unused |= {key for key in keys if key.startswith("group.durations.")}
        if not set(Durations.model_fields) <= group.durations.model_fields_set:
            keys.append(section.default_durations)
    return [key for key in keys if key not in unused]


def _defaults(file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    found = defaults_in_use(file, resolved)
    assumed = sum(default.is_assumption for default in found)
    lines = [
        f"Defaults in use: {len(found)}, of which {assumed} are assumptions (marked *): vary them before you rely on a figure."
    ]
    every = tuple(group.name for group in file.groups)
    for default in found:
        mark = "*" if default.is_assumption else " "
        value = show_value(default.value).strip('"')
        who = "" if default.in_use_by in ((), every) else f" [{', '.join(default.in_use_by)}]"
        is_free = default.trust is Trust.CONVENTION and default.source == OURS
        origin = " (default)" if is_free else f": {default.trust}; {default.source}"
        lines.append(f"{mark} {default.key} = {value}" + (f" ({default.unit})" if default.unit not in ("", "duration") else "")
                     + f"{who}{origin}")  # fmt: skip
    return lines
