"""The `[[commitment]]` sections: what is bought in advance to lower the price, or to hold room."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from sim.billing.commitments import TERMS, CapacityReservation, Commitment, DedicatedHost, Reservation, SavingsPlan
from sim.catalog import Catalogue, Term
from sim.fields.messages import list_words
from sim.fields.numbers import how_many
from sim.fields.types import Flag, Name, NotNegative, Price, Section, Text, Whole, default_field


def _term(text: str) -> str:
    if text not in TERMS:
        raise ValueError(f"a term is one of {', '.join(TERMS)}")
    return text


TermName = Annotated[Text, AfterValidator(_term), WithJsonSchema({"type": "string", "enum": list(TERMS)})]
Groups = Annotated[tuple[Text, ...], Field(description="Names of groups.")]
MOST_UNITS = 1_000_000_000
REGION = Field(None, description="Region that it belongs to; left out: that of [prices].")
Quantity = Annotated[Whole, Field(ge=0, le=MOST_UNITS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentContext:
    """What a commitment is rated with."""

    catalogue: Catalogue
    region: str  # of what names none
    resolved_names: Callable[[tuple[str, ...]], tuple[str, ...]]  # groups of the file -> groups as they are simulated

    def region_of(self, section: "CommitmentBase") -> str:
        """The region that a commitment belongs to, as the price list spells it."""
        return self.catalogue.get_region(section.own_region or self.region)


class CommitmentBase(Section):
    """What every kind of commitment has."""

    users: ClassVar[str] = ""
    """What the VMs of the groups that it names use; empty: it names none."""
    name: Name = Field(description="Name in results and in paths.")

    @property
    def own_region(self) -> str | None:
        """The region that it names; None: that of [prices], or every region."""
        return getattr(self, "region", None)

    @property
    def priced_at(self) -> tuple[str, str] | None:
        """The size and the term of the price that it takes; None: it has a price of its own."""
        return None

    @property
    def held_room(self) -> tuple[str, int] | None:
        """The size and the number of VMs that it holds room for on hosts."""
        return None

    @property
    def named_groups(self) -> tuple[str, ...]:
        """Groups of the file that may use it."""
        return getattr(self, "groups", ())

    @abstractmethod
    def to_commitment(self, context: CommitmentContext) -> Commitment:
        """The commitment as billing rates it."""

    def warnings(self, catalogue: Catalogue) -> list[str]:  # noqa: ARG002
        """What is likely not meant, in words."""
        return []

    @abstractmethod
    def describe(self, currency: str, *, has_hosts: bool) -> str:
        """What is bought, in words."""


class ReservationSection(CommitmentBase):
    """VMs of one size paid for a term, used or not."""

    kind: Literal["reservation"]
    size: Text = Field(description="VM size.")
    quantity: Annotated[NotNegative, Field(le=MOST_UNITS)] = Field(description="Units: VMs of this size.")
    term: TermName = Field(description="How long it is bought for.")
    region: Text | None = REGION
    size_flexible: Flag = default_field(
        "commitment.size_flexible", "Covers other sizes of its flexibility group, by ratio."
    )

    @property
    def priced_at(self) -> tuple[str, str]:
        return self.size, f"reservation_{self.term}"

    def to_commitment(self, context: CommitmentContext) -> Reservation:
        return Reservation(
            name=self.name, size=context.catalogue.get_size(self.size).name, quantity=self.quantity, term=self.term,
            region=context.region_of(self), size_flexible=self.size_flexible,
        )  # fmt: skip

    def describe(self, currency: str, *, has_hosts: bool) -> str:  # noqa: ARG002
        bound = "" if self.size_flexible else ", for this size alone"
        return f"{self.quantity:g} of {self.size}, term {self.term}{bound}"

    def warnings(self, catalogue: Catalogue) -> list[str]:
        """Flexible without a flexibility group: it covers its own size alone."""
        size = catalogue.get_size(self.size)
        if not self.size_flexible or size.flexibility_group is not None:
            return []
        words = f"the price list knows no flexibility group of {size.name}: it covers this size alone"
        return [f"commitment {self.name} is size-flexible, but {words}"]


class SavingsPlanSection(CommitmentBase):
    """Compute bought every hour for a term, used or not, in every region."""

    kind: Literal["savings-plan"]
    hourly: Price = Field(description="Per hour, in the currency of [prices].")
    term: TermName = Field(description="How long it is bought for.")

    def to_commitment(self, context: CommitmentContext) -> SavingsPlan:  # noqa: ARG002
        return SavingsPlan(name=self.name, hourly_usd=self.hourly, term=self.term)

    def describe(self, currency: str, *, has_hosts: bool) -> str:  # noqa: ARG002
        return f"{self.hourly:g} {currency} of compute every hour, term {self.term}"


class CapacityReservationSection(CommitmentBase):
    """Room held for VMs of one size, billed as if they ran."""

    users = "a capacity reservation"
    kind: Literal["capacity-reservation"]
    size: Text = Field(description="VM size.")
    quantity: Quantity = Field(description="VMs that it holds room for.")
    region: Text | None = REGION
    groups: Groups = Field((), description="Groups whose VMs name it; left out: every regular group of its size.")

    @property
    def priced_at(self) -> tuple[str, str]:
        return self.size, Term.LINUX

    @property
    def held_room(self) -> tuple[str, int]:
        return self.size, self.quantity

    def to_commitment(self, context: CommitmentContext) -> CapacityReservation:
        return CapacityReservation(
            name=self.name, size=context.catalogue.get_size(self.size).name, quantity=self.quantity,
            region=context.region_of(self), groups=context.resolved_names(self.groups),
        )  # fmt: skip

    def describe(self, currency: str, *, has_hosts: bool) -> str:  # noqa: ARG002
        named = f" for {list_words(self.groups, 'and')}" if self.groups else ""
        return f"{self.quantity} of {self.size}, room held{named}{', on the hosts too' if has_hosts else ''}"


class DedicatedHostSection(CommitmentBase):
    """Whole machines, billed for their existence; VMs on them pay no compute."""

    users = "a dedicated host"
    kind: Literal["dedicated-host"]
    quantity: Quantity = Field(description="Machines.")
    hourly: Price = Field(description="Per hour of one machine, in the currency of [prices].")
    vcpus: Annotated[Whole, Field(ge=1, le=100_000)] = Field(description="vCPUs of one machine.")
    groups: Groups = Field(min_length=1, description="Groups whose VMs run on them.")

    def to_commitment(self, context: CommitmentContext) -> DedicatedHost:
        groups = context.resolved_names(self.groups)
        return DedicatedHost(
            name=self.name, quantity=self.quantity, usd_per_h=self.hourly, vcpus=self.vcpus, groups=groups
        )

    def describe(self, currency: str, *, has_hosts: bool) -> str:  # noqa: ARG002
        return (
            f"{how_many(self.quantity, 'machine')} of {self.vcpus} vCPU at {self.hourly:g} "
            f"{currency} an hour for {list_words(self.groups, 'and')}"
        )


CommitmentSection = Annotated[
    ReservationSection | SavingsPlanSection | CapacityReservationSection | DedicatedHostSection,
    Field(discriminator="kind"),
]
COMMITMENT_KINDS: Mapping[str, type[Section]] = {
    get_args(section.model_fields["kind"].annotation)[0]: section
    for section in (ReservationSection, SavingsPlanSection, CapacityReservationSection, DedicatedHostSection)
}
