"""docs/reference/results.md describes the files and columns that commands write: all of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers.command_line import run_command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "results.md").read_text(encoding="utf-8")
FIRST = {"variant", "point", "trial", "scenario"}  # of replications.parquet, as the page says
VARIED = "group.dev.count"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Result folders of every command that writes one, of fleets in which every table has something."""
    place = tmp_path_factory.mktemp("written")
    small = ["-n", "2", "--quiet", "--no-report", "--no-cache"]
    run, office = (
        small[:-1],
        [str(ROOT / "scenarios" / "office_hours.toml"), "--set", "horizon=2d", "--set", f"{VARIED}=3"],
    )
    maintained, reserved = (
        str(ROOT / "scenarios" / f"{name}.toml") for name in ("maintenance_week", "how_many_reservations")
    )
    for arguments in (
        ["run", maintained, *run, "--events"],
        ["run", reserved, *run],
        ["compare", *office, "--variant", "keep: group.dev.when_off=keep", *small],
        ["sweep", *office, "--vary", f"{VARIED}=3,4", "--metric", "cost.total", *small],
        ["size", *office, "--vary", f"{VARIED}=1..4", "--keep", "cost.total<=20", "--largest", *small],
        ["sensitivity", *office, "--vary", f"{VARIED}=3..4", *small],
        ["recommend", *(word.replace("2d", "7d") for word in office), *small],
    ):
        assert run_command([*arguments, "--out", place / f"{arguments[0]}-{Path(arguments[1]).stem}"]) == 0, arguments
    return place


def described() -> dict[str, set[str]]:
    """The columns of each table on the page, by the name of its file without the ending."""
    found: dict[str, set[str]] = {}
    for section in PAGE.split("\n### ")[1:]:
        name = section.partition(".")[0]
        rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        found[name] = {column for row in rows for column in re.findall(r"`(\w+)`", row)}
    return found


def test_every_table_has_its_columns_on_the_page(written: Path) -> None:
    """By the files, not by the program that wrote them."""
    found: dict[str, set[str]] = {}
    for file in sorted(written.rglob("*.parquet")):
        found.setdefault(file.stem, set()).update(pq.read_schema(file).names)
    found["replications"] -= FIRST
    found["sweep"] -= {VARIED}
    assert found == described()


def test_every_other_file_is_named_on_the_page(written: Path) -> None:
    """Also those that only a study writes."""
    tables = set(described())
    for file in written.rglob("*"):
        if file.is_file() and file.stem not in tables and not {"figures", "scenarios"} & set(file.parts):
            assert f"`{file.name}`" in PAGE, file.name
