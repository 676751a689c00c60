"""German values in the cells of Azure's cost exports, as the portal writes them for accounts in German, and the English ones.

Names of columns come as `Deutscher Name (EnglishName)` (`sim.recognise.column_key`); values come without their English form.
"""

import re
from collections.abc import Mapping

# By our name of the cell (`export_rows.COLUMNS`); compared without case.
_VALUES: Mapping[str, Mapping[str, str]] = {
    "charge": {
        "nutzung": "Usage", "verbrauch": "Usage", "kauf": "Purchase", "einkauf": "Purchase", "erwerb": "Purchase",
        "rückerstattung": "Refund", "erstattung": "Refund", "steuer": "Tax", "gutschrift": "Credit", "anpassung": "Adjustment",
        "rundungsanpassung": "RoundingAdjustment", "nicht verwendete reservierung": "UnusedReservation",
        "nicht genutzte reservierung": "UnusedReservation", "nicht verwendeter sparplan": "UnusedSavingsPlan",
        "nicht genutzter sparplan": "UnusedSavingsPlan",
    },
    "pricing": {
        "bedarfsgesteuert": "OnDemand", "bei bedarf": "OnDemand", "nach bedarf": "OnDemand", "reservierung": "Reservation",
        "sparplan": "SavingsPlan",
    },
    "category": {
        "virtuelle computer": "Virtual Machines", "virtuelle maschinen": "Virtual Machines", "speicher": "Storage",
        "virtuelles netzwerk": "Virtual Network", "bandbreite": "Bandwidth",
        "lizenzen für virtuelle computer": "Virtual Machines Licenses", "virtuelle computer – lizenzen": "Virtual Machines Licenses",
    },
}  # fmt: skip
_SAME = {"discount": "pricing"}  # cells that hold the values of another

# Words inside meters and units, longest first.
_METER = (
    (r"-?datenträgervorgänge", " Disk Operations"), (r"-?momentaufnahmen", " Snapshots"), (r"-?datenträger\b", " Disk"),
    (r"statische öffentliche ipv4(?:-adresse)?", "IPv4 Static Public IP"),
    (r"ausgehende standarddatenübertragung|standarddatenübertragung, ausgehend", "Standard Data Transfer Out"),
)  # fmt: skip
_UNITS = {
    "stunde": "Hour", "stunden": "Hours", "std": "Hours", "std.": "Hours", "monat": "Month", "monate": "Months",
    "einheit": "Unit", "einheiten": "Units", "vorgänge": "Operations", "transaktionen": "Transactions", "tage": "Days",
}  # fmt: skip


def english(cell: str, text: str) -> str:
    """What a cell says in English; anything else as it is.

    >>> english("charge", "Nutzung"), english("unit", "10 Stunden"), english("unit", "10.000"), english("meter", "P10 LRS-Datenträger")
    ('Usage', '10 Hours', '10,000', 'P10 LRS Disk')
    """
    if cell in ("unit", "consumed_unit"):
        text = re.sub(r"\b(\d{1,3})\.(?=\d{3}\b)", r"\1,", text)
        return re.sub(r"[A-Za-zäöü]+\.?", lambda found: _UNITS.get(found[0].lower(), found[0]), text)
    if cell == "meter":
        for words, meter in _METER:
            text = re.sub(words, meter, text, flags=re.IGNORECASE)
        return re.sub(" +", " ", text)
    return _VALUES.get(_SAME.get(cell, cell), {}).get(text.lower(), text)


GERMAN = ("charge", "pricing", "discount", "category", "unit", "consumed_unit", "meter")
"""The cells that may hold German values."""
