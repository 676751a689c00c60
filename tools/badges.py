"""The badges of README.md: what the kept figures of docs/proof say.

`tools.proof_page` writes them with the page. A part without figures has no badge; where something should hold and doesn't, it is red.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

Figures = Mapping[str, Any]
Badge = tuple[str, str, bool | None]  # label, figure, whether it is as it should be; None: it is a share

HEIGHT, PADDING = 20, 7  # px
GOOD, BAD, PLAIN = "#2a7a3b", "#b3261e", "#2d5f9a"  # white text on them has a contrast above 4.5
COLOURS = {True: GOOD, False: BAD, None: PLAIN}
EM = 6.6  # px: about a letter of Verdana at 11 px; `textLength` makes it exact in every font


def reproducibility(found: Figures) -> Badge:
    """Versions of Python that give the same bits."""
    same = {
        name: each["committed_same"] and not each["unlike"] and not each["engines_differ"]
        for name, each in found["versions"].items()
    }
    versions = ", ".join(name.removeprefix("Python ").rpartition(".")[0] for name, good in same.items() if good)
    return "same bits on Python", versions or "none", all(same.values())


def mutation(found: Figures) -> Badge:
    """The share of changes that a test sees."""
    return "mutants seen by a test", f"{found['killed'] / found['drawn']:.0%}", None


def branches(found: Figures) -> Badge:
    """The share of branches that a test takes."""
    _, _, of, taken = (sum(each) for each in zip(*found["packages"].values(), strict=True))
    return "branch coverage", f"{taken / of:.0%}", None


def second_opinion(found: Figures) -> Badge:
    """Programs that agree, and wrong models that don't."""
    programs = {name for rows in found["scenarios"].values() for row in rows.values() for name in row} - {"ours"}
    refused = all(each["differ"] for each in found["wrong"].values())
    return "agrees with", ", ".join(sorted(name.split()[0] for name in programs)), refused


def soak(found: Figures) -> Badge:
    """Long runs."""
    flat = [each["is_flat"] and each["exit_status"] == 0 for each in found["works"].values()]
    return "memory of long runs", "flat" if all(flat) else "grows", all(flat)


BADGES: Mapping[str, Callable[[Figures], Badge]] = {
    "reproducibility": reproducibility,
    "branches": branches,
    "mutation": mutation,
    "second_opinion": second_opinion,
    "soak": soak,
}


def picture(label: str, figure: str, good: bool | None) -> str:
    """One badge as SVG."""
    shapes, left = [], 0.0
    for text, fill in ((label, "#555"), (figure, COLOURS[good])):
        width = EM * len(text)
        place = f'x="{left + PADDING:.1f}" y="14" textLength="{width:.1f}"'
        shapes.append(f'<rect x="{left:.1f}" width="{width + 2 * PADDING:.1f}" height="{HEIGHT}" fill="{fill}"/>')
        shapes.append(f'<text {place} lengthAdjust="spacingAndGlyphs">{escape(text)}</text>')
        left += width + 2 * PADDING
    words = escape(f"{label}: {figure}")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{left:.1f}" height="{HEIGHT}" role="img" aria-label="{words}">
<title>{words}</title>
<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
{chr(10).join(shapes)}
</g>
</svg>
"""


def pictures(found: Mapping[str, Figures]) -> dict[str, str]:
    """The badge of each part that has figures, by the name of the part."""
    return {name: picture(*badge(found[name])) for name, badge in BADGES.items() if name in found}
