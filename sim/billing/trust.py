"""How far the prices of a bill may be believed: where each meter's price came from, and which of them are trusted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sim.billing.commitments import CapacityReservation, Commitment, Reservation
from sim.billing.meters import BillLine, RatedGroup
from sim.catalog.catalogue import Catalogue, Provenance
from sim.catalog.terms import PAY_AS_YOU_GO, Term


def sources_of(catalogue: Catalogue, group: RatedGroup, meter: str) -> list[Provenance]:
    """Where the price of a group's meter came from; several where it is a difference of prices.

    A kind that isn't here (a plug-in's) has prices that the user wrote.
    """
    kind, _, detail = meter.partition(".")
    terms = PAY_AS_YOU_GO[group.priority]
    if kind == "disk":
        return [catalogue.disk(detail.partition(".")[0], group.region).provenance]
    if kind == "network":
        return [catalogue.public_ip(group.region)[1]]
    used = {"compute": [terms["linux"]], "license": [terms["windows"], terms["linux"]]}.get(kind, [])
    return [catalogue.price(group.size, group.region, term).provenance for term in used]


def commitment_sources(catalogue: Catalogue, commitment: Commitment) -> list[Provenance]:
    """Where the price of a commitment came from; the user writes a savings plan's amount and a dedicated host's price."""
    if isinstance(commitment, Reservation):
        return [catalogue.price(commitment.size, commitment.region, f"reservation_{commitment.term}").provenance]
    if isinstance(commitment, CapacityReservation):
        return [catalogue.price(commitment.size, commitment.region, Term.LINUX).provenance]
    return []


def mark_untrusted(
    lines: Iterable[BillLine], groups: Sequence[RatedGroup], catalogue: Catalogue, commitments: Sequence[Commitment]
) -> tuple[BillLine, ...]:
    """The lines of a bill, those that cost something at an estimated price or a stand-in marked as not trusted."""
    by_name = {group.name: group for group in groups}
    bought = {commitment.name: commitment for commitment in commitments}
    known: dict[tuple[str, str], bool] = {}

    def is_trusted(line: BillLine) -> bool:
        key = (line.group, line.meter)
        if key not in known:
            if line.kind == "commitment":
                name = line.meter.removeprefix("commitment.").rpartition(".")[0]
                sources = commitment_sources(catalogue, bought[name]) if name in bought else []
            else:
                sources = sources_of(catalogue, by_name[line.group], line.meter)
            known[key] = all(source.is_trusted for source in sources)
        return known[key]

    return tuple(line if not line.amount_nano or is_trusted(line) else replace(line, trusted=False) for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class UntrustedPrice:
    """A price of a bill that is an estimate or a stand-in: of which meters, and why."""

    meters: tuple[str, ...]
    provenance: Provenance


def untrusted_prices(
    catalogue: Catalogue, meters: Iterable[tuple[RatedGroup, str]], commitments: Sequence[Commitment]
) -> list[UntrustedPrice]:
    """The prices of these meters and commitments that are not trusted, those of one source together."""
    found: dict[Provenance, dict[str, None]] = {}
    for group, meter in meters:
        for source in sources_of(catalogue, group, meter):
            found.setdefault(source, {})[f"{meter} in {group.region}"] = None
    for commitment in commitments:
        for source in commitment_sources(catalogue, commitment):
            found.setdefault(source, {})[f"commitment.{commitment.name}"] = None
    return [
        UntrustedPrice(meters=tuple(meters), provenance=source)
        for source, meters in found.items()
        if not source.is_trusted
    ]
