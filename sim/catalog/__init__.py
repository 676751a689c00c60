"""What the platform sells: sizes, prices by region and term, and the defaults a scenario leans on, all with their source."""

from sim.catalog.catalogue import Catalogue, DiskPrice, Price, Provenance
from sim.catalog.currencies import currencies, per_usd
from sim.catalog.disks import tier_for, tier_gib
from sim.catalog.form import load, load_bundled, save
from sim.catalog.pages import page_addresses
from sim.catalog.retail import RetailImport, import_pages
from sim.catalog.show import PriceRow, list_regions, list_sizes, show, show_disk
from sim.catalog.sizes import Size
from sim.catalog.terms import TERM_HOURS, Term
from sim.fields.defaults import DEFAULTS, Sourced, Trust, get_default

__all__ = [
    "DEFAULTS", "TERM_HOURS", "Catalogue", "DiskPrice", "Price", "PriceRow", "Provenance", "RetailImport", "Size",
    "Sourced", "Term", "Trust", "currencies", "get_default", "import_pages", "list_regions", "list_sizes", "load",
    "load_bundled", "page_addresses", "per_usd", "save", "show", "show_disk", "tier_for", "tier_gib",
]  # fmt: skip
