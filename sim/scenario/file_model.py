"""The sections of a scenario file, key by key: types, ranges and defaults.

Only what one key can say of itself is checked here; what keys say of each other stands in `rules`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from sim.distributions.specs import Varying
from sim.engines.shared.placement import POLICIES, PlacementPolicy
from sim.errors import PlugInError
from sim.fields.messages import close_match
from sim.fields.registry import Registry
from sim.fields.tables import GROUP_TABLES, PLATFORM_TABLES
from sim.fields.types import (
    Flag,
    Instant,
    Name,
    Number,
    OneOrMore,
    Positive,
    PositiveSeconds,
    Price,
    Seconds,
    Section,
    Share,
    Text,
    Title,
    WarmUp,
    Whole,
    Zone,
    add_field,
    default_field,
    rebuild_sections,
)
from sim.lifecycle.policy import BILLING_POLICIES
from sim.model.demand import DEMAND_KINDS, AlwaysOn, Demand, DemandSection, Parked
from sim.model.demand.closed_days import CalendarSection
from sim.model.demand.people import PeopleSection
from sim.model.faults import GROUP_FAULTS, PLATFORM_FAULTS, GroupFault
from sim.model.faults.failures import Failures
from sim.model.growth import CountStep, Growth, Steps, from_start, grown
from sim.model.when_off import WhenOff
from sim.scenario.commitments_section import CommitmentSection
from sim.scenario.platform_section import Platform, admit_policies

MOST_VMS = 1_000_000_000
"""VMs in one group; the number of a VM must fit its name and its stream."""


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError('a currency has three capital letters, such as "USD"')
    return text


def _policy(text: str) -> str:
    if text not in BILLING_POLICIES:
        meant = close_match(text, BILLING_POLICIES)
        raise ValueError(f"no such billing policy; {meant or 'there are ' + ' and '.join(BILLING_POLICIES)}")
    return text


Currency = Annotated[Text, AfterValidator(_currency)]
PolicyName = Annotated[
    Text, AfterValidator(_policy), WithJsonSchema({"type": "string", "enum": list(BILLING_POLICIES)})
]


# --- prices ---------------------------------------------------------------------------------------------------------


class PriceOverride(Section):
    """USD per hour of one size, in place of the catalogue's."""

    linux: Price | None = Field(None, description="Pay-as-you-go without a licence.")
    windows: Price | None = Field(None, description="Pay-as-you-go with the Windows licence.")
    spot: Price | None = Field(None, description="Spot.")
    reservation_1y: Price | None = Field(None, description="Reserved, 1 year.")
    reservation_3y: Price | None = Field(None, description="Reserved, 3 years.")
    savings_plan_1y: Price | None = Field(None, description="Under a savings plan, 1 year.")
    savings_plan_3y: Price | None = Field(None, description="Under a savings plan, 3 years.")


SpotFactor = Annotated[Positive, Field(le=10)]


class Prices(Section):
    """Where prices come from."""

    region: Text = default_field("prices.region", "Region of groups that name none, such as westeurope.")
    currency: Currency = default_field(
        "prices.currency", "Currency of all amounts; the list is converted at the bundled, dated rate."
    )
    exchange_rate: Annotated[Positive, Field(le=1e6)] | None = Field(
        None, description="Units of the currency per USD of the list, instead of the bundled rate."
    )
    discount: Share = default_field("prices.discount", "Negotiated, off the list's pay-as-you-go prices.")
    catalogue: Text | None = Field(
        None, description="Price catalogue from `vmfleet prices import`; default: the bundled list."
    )
    override: Mapping[str, PriceOverride] = Field(default_factory=dict, description="Own prices by size.")
    override_disks: Mapping[str, Price] = Field(
        default_factory=dict, description="Own prices per month by disk tier, such as P10 = 19.71."
    )
    spot_steps: tuple[SpotFactor, ...] | None = Field(
        None,
        min_length=1,
        max_length=1200,
        description="Factors on spot prices, one per calendar month (UTC) from the month of `start`; the last goes on. "
        "Real ones change about once a month, by -20 % to +10 %.",
    )


# --- groups ---------------------------------------------------------------------------------------------------------


class Durations(Section):
    """How long each step of an operation takes."""

    allocating: Varying = default_field("group.durations.allocating", "Request accepted until hardware is found.")
    starting: Varying = default_field("group.durations.starting", "Powering up.")
    os_provisioning: Varying = default_field(
        "group.durations.os_provisioning", "The guest sets itself up; generalized images only."
    )
    extensions: Varying = default_field("group.durations.extensions", "Extensions install.")
    stopping: Varying = default_field("group.durations.stopping", "Shutting down.")
    deallocating: Varying = default_field("group.durations.deallocating", "Giving the hardware back.")
    restarting: Varying = default_field("group.durations.restarting", "A restart; the VM stays Running.")
    updating: Varying = default_field("group.durations.updating", "An update of the VM's model.")
    deleting: Varying = default_field("group.durations.deleting", "Deletion requested until the VM is gone.")


class Retry(Section):
    """The automation's answer to an operation that failed."""

    attempts: Annotated[Whole, Field(ge=1, le=1_000_000)] = default_field(
        "group.retry.attempts", "The first one counted: 1 means no retry."
    )
    backoff: Seconds = default_field("group.retry.backoff", "Before the second attempt.")
    multiplier: Annotated[Number, Field(ge=1, le=1e6)] = default_field(
        "group.retry.multiplier", "Growth of the backoff per attempt."
    )
    max_backoff: Seconds = default_field("group.retry.max_backoff", "The backoff never grows beyond this.")


class Ready(Section):
    """What counts as late."""

    within: Seconds = default_field(
        "group.ready.within", "A VM is late that is not ready so long after the moment at which it is needed."
    )


class Group(Section):
    """A group of like VMs: what they are, who wants them on and when, how long steps take, what goes wrong."""

    name: Name = default_field("group.name", "VMs are named <name>-0000, <name>-0001, ...")
    region: Text | None = Field(None, description="Region of the group; left out: that of [prices].")
    size: Text = default_field("group.size", "VM size, such as Standard_D4s_v5.")
    os: Literal["linux", "windows"] = default_field("group.os", "Guest operating system.")
    hybrid_benefit: Flag = default_field("group.hybrid_benefit", "The Windows licence is owned already.")
    image: Literal["generalized", "specialized"] = default_field(
        "group.image", "Specialized images skip OS provisioning."
    )
    count: Annotated[Whole, Field(ge=0, le=MOST_VMS)] = default_field("group.count", "VMs created from t = 0 on.")
    count_steps: tuple[CountStep, ...] = Field(
        (), description="Later numbers of VMs: the next numbers are created, or the highest deleted, at each instant."
    )
    growth_per_month: Growth | None = Field(
        None,
        description="Growth of the number of VMs on the first of each month (UTC), such as 3 %; negative: it falls.",
    )
    initial: Literal["running", "stopped", "deallocated", "hibernated"] | None = Field(
        None, description="Power state in which the VMs exist at t = 0; left out: they are created then."
    )
    wanted: Flag = default_field("group.wanted", "Whether anyone wants the VMs at all; parked VMs are never wanted.")
    create_over: Seconds = default_field("group.create_over", "The creates are spread evenly over this.")
    priority: Literal["regular", "spot"] = default_field("group.priority", "Spot VMs are cheaper and may be evicted.")
    disks: tuple[Text, ...] = Field(
        (),
        description='Disks of each VM: tiers such as "P10", or kind and GiB such as "E:200"; billed from creation to deletion.',
    )
    keeps_disks: Flag = default_field("group.keeps_disks", "Disks outlive their VM, and go on being billed.")
    public_ip: Flag = default_field("group.public_ip", "Each VM has a public IP address.")
    zones: tuple[Zone, ...] = Field(
        (), description="Availability zones, taken in turn by the VMs; left out: a regional deployment."
    )
    availability_set: Name | None = Field(
        None, description="Its VMs stay on one cluster of hosts; groups may share one."
    )
    when_off: WhenOff = default_field("group.when_off", "What is done with a VM that is not needed.")
    calendar: CalendarSection | None = Field(None, description="Days without demand, beside a schedule.")
    ready: Ready = Field(default_factory=Ready, description="When a VM is late.")
    people: PeopleSection | None = Field(None, description="What people do with a schedule.")
    durations: Durations = Field(default_factory=Durations)
    failures: Failures = Field(default_factory=Failures)
    retry: Retry = Field(default_factory=Retry)

    @model_validator(mode="after")
    def _defaults_of_its_os(self) -> Self:
        for name in ("durations", "failures"):
            self.__dict__[name] = getattr(self, name).with_defaults_of(self.os, f"group.{name}")
        return self

    @property
    def has_steps(self) -> bool:
        """Whether the number of its VMs changes."""
        return bool(self.count_steps) or self.growth_per_month is not None

    def counts(self, start: datetime, horizon_s: float) -> tuple[int, tuple[tuple[float, int], ...]]:
        """The number of VMs at t = 0, and later ones with their instants (s)."""
        steps: Steps = [(step.at, step.count) for step in self.count_steps]
        if self.growth_per_month is not None:
            steps = grown(self.count, self.growth_per_month, start, start + timedelta(seconds=horizon_s))
        return from_start(self.count, steps, start, horizon_s)

    def most_vms(self, start: datetime, horizon_s: float) -> int:
        """The most VMs that are asked for at once."""
        count, steps = self.counts(start, horizon_s)
        return max([count, *(vms for _, vms in steps)])

    @property
    def is_counted(self) -> bool:
        """Whether `count` says how many VMs there are; else they come and go."""
        return not any(section.demand.is_open for section in self.demand_sections)

    def fault(self, key: str) -> GroupFault | None:
        """Its table about a kind of fault."""
        section: GroupFault | None = getattr(self, key)
        return section

    @property
    def demand_sections(self) -> list[DemandSection]:
        """The tables that say who wants the VMs; a sound group has at most one, or one that waits for autoscale."""
        given = [table for key in DEMAND_KINDS if (table := getattr(self, key)) is not None]
        return [table[0].joined(table) if isinstance(table, tuple) else table for table in given]

    @property
    def demand_section(self) -> DemandSection | None:
        """The table that is simulated; None: always wanted."""
        given = self.demand_sections
        return next((section for section in given if section.demand.is_scaled), next(iter(given), None))

    @property
    def demand(self) -> type[Demand]:
        """The demand kind that is simulated."""
        if not self.wanted:
            return Parked
        return AlwaysOn if self.demand_section is None else self.demand_section.demand

    @property
    def priorities(self) -> Mapping[str, str]:
        """The priorities of its VMs, by what follows the group's name in results (those of a trace are in its file)."""
        section = self.demand_section
        own = {"": self.priority} if section is None else section.priorities(self)
        faults = [fault for key in GROUP_FAULTS if (fault := self.fault(key)) is not None]
        return {
            key: value
            for each in (own, *(f.stand_in_priorities for f in faults if "spot" in own.values()))
            for key, value in each.items()
        }

    @property
    def has_work(self) -> bool:
        """Whether the lifetime of its VMs is work."""
        return self.demand_section is not None and self.demand_section.has_work

    @property
    def has_spot(self) -> bool:
        """Whether some of its VMs are spot."""
        return "spot" in self.priorities.values()

    @property
    def has_own_sizes(self) -> bool:
        """Whether the VMs are of several sizes, known only when the file that lists them is read."""
        return self.demand_section is not None and self.demand_section.has_own_sizes


# --- the file -------------------------------------------------------------------------------------------------------


class ScenarioFile(Section):
    """A fleet, its prices, and how long and how often to simulate it."""

    name: Title = Field(description="Name of the scenario and of its result folder.")
    title: Text | None = Field(None, min_length=1, max_length=200, description="What reports call it.")
    description: Text | None = Field(None, max_length=5000, description="What it is about, for reports.")
    start: Instant = default_field("start", "Wall-clock instant of t = 0, with its offset from UTC.")
    horizon_s: PositiveSeconds = Field(alias="horizon", description="How long to simulate.")
    warm_up: WarmUp = default_field(
        "warm_up", 'Left out of every figure; "auto" finds where the start-up ends (MSER-5).'
    )
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = default_field("seed", "Another seed gives other random numbers.")
    replications: Annotated[Whole, Field(ge=1, le=1_000_000)] = default_field(
        "replications", "How often the same is simulated."
    )
    confidence: Annotated[Number, Field(gt=0, lt=1)] = default_field("confidence", "Of every interval.")
    billing_policy: PolicyName = default_field("billing_policy", "Which power states are billed.")
    rounding: Literal["exact", "floor-minute"] = default_field(
        "rounding", "Of billed time: exact, or each stretch cut to whole minutes."
    )
    prices: Prices = Field(default_factory=Prices)
    groups: tuple[Group, ...] = Field(alias="group", min_length=1, description="Groups of like VMs: [[group]].")
    commitments: tuple[CommitmentSection, ...] = Field(
        (), alias="commitment", description="Reservations and plans: [[commitment]]."
    )
    platform: Platform | None = Field(None, description="Hosts, quota and faults: [platform].")

    @property
    def years(self) -> range:
        """The calendar years that the run reaches into, wherever its VMs are."""
        day = timedelta(days=1)
        return range((self.start - day).year, (self.start + timedelta(seconds=self.horizon_s) + day).year + 1)

    @property
    def warm_up_s(self) -> float:
        """Seconds left out of every figure; none while they are yet to be found."""
        return 0.0 if self.warm_up == "auto" else self.warm_up


def _admit(model: type[Section], kinds: Registry[Any], before: str = "") -> None:
    """Gives groups, or the platform, the tables of all kinds of a registry, also of those registered later."""

    def admit(key: str, section: type[Section]) -> None:
        if key in {field.alias or name for name, field in model.model_fields.items()}:
            origin = kinds.origins[key]
            kinds.remove(key)
            raise PlugInError(
                f"{kinds.kind} {key!r} of {origin}: {model.__name__.lower()}s have another key of this name"
            )
        add_field(model, key, _table(section), before=before)

    def admit_later(key: str, section: type[Section]) -> None:
        admit(key, section)
        rebuild_sections()

    for key, section in [*kinds.items()]:
        admit(key, section)
    kinds.watch(admit_later)


def _table(section: type[Section]) -> Any:
    """The table, or where its kind may be a list of tables, one or more; or none."""
    if getattr(section, "is_list", False):
        return Annotated[tuple[section, ...], OneOrMore(), Field(min_length=1)] | None  # type: ignore[valid-type]
    return section | None


_admit(Group, DEMAND_KINDS, before="when_off")
_admit(Group, GROUP_FAULTS)
_admit(Platform, PLATFORM_FAULTS)
_admit(Group, GROUP_TABLES)
_admit(Platform, PLATFORM_TABLES)


def _admit_policy(_name: str, _policy: PlacementPolicy) -> None:
    admit_policies()
    rebuild_sections()


admit_policies()
POLICIES.watch(_admit_policy)
rebuild_sections()
