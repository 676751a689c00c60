"""The `[[commitment]]` sections: promises that lower the price, or hold room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from sim.billing.commitments import TERMS
from sim.fields.types import Flag, Name, NotNegative, Section, Text, Whole, default_field


def _term(text: str) -> str:
    if text not in TERMS:
        raise ValueError(f"a term is one of {', '.join(TERMS)}")
    return text


TermName = Annotated[Text, AfterValidator(_term), WithJsonSchema({"type": "string", "enum": list(TERMS)})]
Groups = Annotated[tuple[Text, ...], Field(description="Names of groups.")]
Quantity = Annotated[Whole, Field(ge=0, le=1_000_000_000)]


class ReservationSection(Section):
    """VMs of one size paid for a term, used or not."""

    name: Name
    kind: Literal["reservation"]
    size: Text
    quantity: NotNegative
    term: TermName
    size_flexible: Flag = default_field(
        "commitment.size_flexible", "Covers other sizes of its flexibility group, by ratio."
    )


class SavingsPlanSection(Section):
    """Dollars of compute bought every hour for a term, used or not."""

    name: Name
    kind: Literal["savings-plan"]
    hourly: NotNegative = Field(description="USD per hour.")
    term: TermName


class CapacityReservationSection(Section):
    """Room held for VMs of one size, billed as if they ran."""

    name: Name
    kind: Literal["capacity-reservation"]
    size: Text
    quantity: Quantity
    groups: Groups = Field((), description="Groups whose VMs name it; left out: every regular group of its size.")


class DedicatedHostSection(Section):
    """Whole machines, billed for their existence; VMs on them pay no compute."""

    name: Name
    kind: Literal["dedicated-host"]
    quantity: Quantity = Field(description="Machines.")
    hourly: NotNegative = Field(description="USD per hour of one machine.")
    vcpus: Annotated[Whole, Field(ge=1, le=100_000)] = Field(description="vCPUs of one machine.")
    groups: Groups = Field(min_length=1, description="Groups whose VMs live on them.")


CommitmentSection = Annotated[
    ReservationSection | SavingsPlanSection | CapacityReservationSection | DedicatedHostSection,
    Field(discriminator="kind"),
]
COMMITMENT_KINDS: Mapping[str, type[Section]] = {
    get_args(section.model_fields["kind"].annotation)[0]: section
    for section in (ReservationSection, SavingsPlanSection, CapacityReservationSection, DedicatedHostSection)
}
