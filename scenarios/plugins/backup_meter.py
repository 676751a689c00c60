"""A meter with a table of its own: VMs of a group with `[group.backup]` cost a fixed sum a month each, from creation to deletion."""

from pydantic import Field

from sim.billing.meter_kinds import MeterKind, Service, add_meter, existing_lines
from sim.fields.tables import GROUP_TABLES
from sim.fields.types import Price, Section
from sim.units import HOURS_PER_MONTH


@GROUP_TABLES.register("backup")
class Backup(Section):
    """Its VMs are protected by a backup."""

    per_month: Price = Field(description="Of your contract, per instance.")


def prices(_catalogue, group) -> list[tuple[str, float]]:
    """USD per hour and instance; nothing for groups without the table."""
    return [("instance", group.own["backup"]["per_month"] / HOURS_PER_MONTH)] if "backup" in group.own else []


add_meter(
    MeterKind(
        kind="backup", label="backup", unit="instance hour", prices=prices, lines=existing_lines,
        service=Service(category="Storage", subcategory="Backup Storage", name="Backup", resource="Protected instance"),
    )
)  # fmt: skip
