"""What the platform sells: sizes, prices by region and term, and the defaults a scenario leans on, all with their source."""

from sim.catalog.catalogue import Catalogue, DiskPrice, Price, Provenance
from sim.catalog.defaults import DEFAULTS, Sourced, Trust, get_default
from sim.catalog.disks import tier_for, tier_gib
from sim.catalog.form import load, load_bundled, save
from sim.catalog.sizes import Size
from sim.catalog.terms import TERM_HOURS, Term

__all__ = [
    "DEFAULTS",
    "TERM_HOURS",
    "Catalogue",
    "DiskPrice",
    "Price",
    "Provenance",
    "Size",
    "Sourced",
    "Term",
    "Trust",
    "get_default",
    "load",
    "load_bundled",
    "save",
    "tier_for",
    "tier_gib",
]
