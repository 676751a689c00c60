"""Mistakes in a scenario file. TOML itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import ON, STARTING, Bad, bad, check_mistake, group_key, starting

MISTAKES: dict[str, Bad] = {
    "a duration without quotes": bad(
        'horizon = "28d"', "horizon = 28d #!", "", "TOML syntax", 'horizon = "28d"'
    ),
    "a time without seconds in an inline table": bad(
        ON, "x = { on = 8:00, off = 19:00:00 } #!\n", "", "TOML syntax", "on = 08:00:00"
    ),
    "a time with one digit": bad(ON, "on = 8:00:00 #!\n", "", "TOML syntax", "on = 08:00:00"),
    "an hour that no day has": bad(ON, "on = 24:00:00 #!\n", "", "TOML syntax", "hours go from 00 to 23", "midnight is on = 00:00:00"),
    "an hour that no day has, within braces": bad(
        ON, "x = { on = 08:00:00, off = 25:00 } #!\n", "", "TOML syntax", "midnight is off = 00:00:00"
    ),
    "the second time of a line": bad(ON, "x = { on = 08:00:00, off = 19:00 } #!\n", "", "TOML syntax", "off = 19:00:00"),
    "a time without seconds": bad(ON, "on = 08:00 #!\n", "", "TOML syntax", "on = 08:00:00"),
    "a text without quotes": bad('name = "dev"', "name = dev #!", "", "TOML syntax", 'name = "dev"'),
    "True with a capital": bad(*group_key("public_ip = True"), "", "TOML syntax", "write true"),
    "a key given twice": bad("seed = 1", "seed = 1\nseed = 2 #!", "", "TOML syntax", "seed is given twice", "first on line 4", "given once"),
    "a table given twice": bad("[[commitment]]", "[group.retry] #!\nattempts = 2\n[[commitment]]", "", "[group.retry] is given twice", "first on line 22"),
    "a key given twice inside a line": bad(
        STARTING, starting('{ dist = "lognormal", dist = "gamma" }'), "", "dist is given twice"
    ),
    "two equals signs": bad("seed = 1", "seed = = 1 #!", "", "TOML syntax", "one = is enough: seed = 1"),
    "an unclosed text": bad('name = "dev"', 'name = "dev #!', "", "TOML syntax"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
