"""A meter: each VM is protected by a backup that costs a fixed sum per instance and month, from its creation to its deletion."""

from sim.billing.meter_kinds import MeterKind, Service, add_meter, existing_lines
from sim.units import HOURS_PER_MONTH

PER_MONTH = 10.0  # per instance; an example, not a quotation: put your own contract's price here

add_meter(
    MeterKind(
        kind="backup",
        label="backup",
        unit="instance hour",
        prices=lambda _catalogue, _group: [("instance", PER_MONTH / HOURS_PER_MONTH)],
        lines=existing_lines,
        service=Service(category="Storage", subcategory="Backup Storage", name="Backup", resource="Protected instance"),
    )
)
