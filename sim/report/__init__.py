"""Figures and the page that a fleet's month is read from; everything comes from a result folder.

`build` is looked up late, so that naming this package costs neither matplotlib nor jinja2.
"""

from __future__ import annotations

from pathlib import Path


def build(folder: str | Path) -> Path:
    """Draw every figure of a result folder and write its `report.html`; the answer is where the page stands."""
    from sim.report.pages import (
        build_pages,
    )  # no module may be called `build`: it would take this function's place

    return build_pages(Path(folder))
