"""Mistakes in a scenario file. Traces that are replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import SCHEDULE, Bad, bad, check_mistake, traced

MISTAKES: dict[str, Bad] = {
    "a record that is not there": bad(
        *traced('file = "none.csv"', format="columns"),
        "group.dev.trace.file",
        "there is no file",
        "none.csv",
        "relative to the scenario file",
    ),
    "a record without a file": bad(
        'count = 200\ndisks = ["P10"]\n' + SCHEDULE,
        '[group.trace] #!\nformat = "columns"\n',
        "group.dev.trace.file",
        "is missing",
    ),
    "an unknown format": bad(
        *traced('format = "azure-2018"', file="none.csv"),
        "group.dev.trace.format",
        "no such format of traces",
        "did you mean",
    ),
    "count and trace": bad(
        'disks = ["P10"]\n' + SCHEDULE,
        '[group.trace]\nfile = "none.csv"\nformat = "azure-2018"\n',
        "group.dev.trace.format",
        "no such format",
    ),
    "sizes that are numbers": bad(
        *traced("sizes = 4", file="none.csv", format="columns"), "group.dev.trace.sizes", "neither", '"auto"'
    ),
    "a window without unit": bad(
        *traced('window = "30"', file="none.csv", format="columns"), "group.dev.trace.window", "unit is missing"
    ),
    "no size in the pool": bad(
        *traced("sizes = []", file="none.csv", format="columns"), "group.dev.trace.sizes", "names or patterns in quotes"
    ),
    "a size that is a number": bad(
        *traced('sizes = { "1/1.75" = 4 }', file="none.csv", format="columns"), "group.dev.trace.sizes",
        'the size for "1/1.75" is not a text', '"1/1.75" = "Standard_D4s_v5"',
    ),
    "an origin without an offset from UTC": bad(
        *traced("origin = 2026-01-05T00:00:00", file="none.csv", format="columns"), "group.dev.trace.origin",
        "the offset from UTC is missing", "2026-01-05T00:00:00Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
