"""The page of proof is what its program makes of the files of its figures, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.version import __version__
from tools import proof_page
from tools.badges import BAD, BADGES, pictures

MADE = {"date", "command", "version", "commit", "machine"}


def test_the_page_is_made_from_its_figures() -> None:
    """Every kept file has a part, and the page is up to date."""
    found = proof_page.kept()
    assert set(found) <= set(proof_page.PARTS)
    assert proof_page.PAGE.read_text(encoding="utf-8") == proof_page.page(found)
    badges = {file.stem: file.read_text(encoding="utf-8") for file in proof_page.KEPT.glob("*.svg")}
    assert badges == pictures(found)


@pytest.mark.parametrize("name", proof_page.kept())
def test_a_part_says_where_its_figures_come_from(name: str) -> None:
    """Date, command, machine, version and commit."""
    made = proof_page.kept()[name]["made"]
    assert set(made) == MADE
    assert all(made.values())
    assert "/" not in made["command"].replace("docs/", ""), "a path of one machine is no command for others"
    for figure in (made["date"], made["command"], made["version"], made["commit"], made["machine"]["cpu"]):
        assert figure in proof_page.page({name: proof_page.kept()[name]})


def numbers(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers of some figures are."""
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        yield from numbers(value, (*path, key))
    if isinstance(found, int | float) and not isinstance(found, bool):
        yield path


@pytest.mark.parametrize("name", proof_page.kept())
def test_another_figure_makes_another_page(name: str) -> None:
    """What is kept and shown nowhere would be kept for nothing; a page that ignores its figures would pass the test above."""
    before = proof_page.kept()[name]
    for path in numbers({key: value for key, value in before.items() if key != "made"}):
        changed = json.loads(json.dumps(before))
        *way, last = path
        place = changed
        for key in way:
            place = place[key]
        place[last] = 7 * place[last] + 12_345
        assert proof_page.page({name: changed}) != proof_page.page({name: before}), path


def test_a_record_is_kept_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`record` writes the file of a part and the page, with the run that made the figures."""
    monkeypatch.setattr(proof_page, "KEPT", tmp_path / "proof")
    monkeypatch.setattr(proof_page, "PAGE", tmp_path / "proof.md")
    each = {"replications": 39, "unlike": ["demo, simpy"], "engines_differ": [], "committed_same": False}
    proof_page.record("reproducibility", "python -m tools.reproduce python3", {"versions": {"Python 3.99.1": each}})
    made = json.loads((tmp_path / "proof" / "reproducibility.json").read_text(encoding="utf-8"))["made"]
    text = (tmp_path / "proof.md").read_text(encoding="utf-8")
    assert made["version"] == __version__
    assert "| Python 3.99.1 | 39 | 1 | 0 | **differ** |" in text
    assert made["machine"]["cpu"] in text


def test_a_badge_is_red_where_a_figure_is_bad() -> None:
    """A figure that gets worse shows in the picture; every part that has a badge is one of the page."""
    assert set(BADGES) <= set(proof_page.PARTS)
    good = proof_page.kept()["soak"]
    bad = json.loads(json.dumps(good))
    next(iter(bad["works"].values()))["is_flat"] = False
    assert BADGES["soak"](good) == ("memory of long runs", "flat", True)
    assert BADGES["soak"](bad) == ("memory of long runs", "grows", False)
    assert BAD in pictures({"soak": bad})["soak"]
    assert BAD not in pictures({"soak": good})["soak"]
