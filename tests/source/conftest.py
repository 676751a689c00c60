"""The source document taken apart, and the second transcription, for the tests beside this file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
TITLE = "Lifecycle and states of a VM in Azure"
STATUS_KEYS = ("code", "level", "displayStatus", "message", "time")


@dataclass(frozen=True)
class ParsedDocument:
    """What the source document states, read by its layout alone."""

    power: list[dict[str, str]]
    footnote: str
    operations: dict[str, str]
    provisioning: list[dict[str, str]]


def parse(text: str) -> ParsedDocument:
    """Take the document apart: rows and columns of its tables, status entries, bullets, footnote."""
    power_part, provisioning_part = text.split("## Provisioning states")
    provisioning_part = provisioning_part.split("## VM instance view")[0]
    power = []
    for row in _rows(power_part)[1:]:  # the first row is the heading
        state, description, billed = row
        power.append(
            {"state": _plain(state), "description": _plain(description), "billed": _plain(billed)}
            | _status(description)
        )
    footnote = re.search(r"^&#42;(.+)$", power_part, flags=re.MULTILINE)
    assert footnote is not None, "the document has no footnote"
    operations = dict(
        re.findall(r"^- \*\*(Create|Update|Delete|Deallocate)\*\* – (.+)$", provisioning_part, flags=re.MULTILINE)
    )
    provisioning = [{"state": _plain(row[0])} | _status(row[1]) for row in _rows(provisioning_part) if _status(row[1])]
    for state, rest in re.findall(
        r"^- \*\*(Succeeded|Failed)\*\*(.+?```.+?```)", provisioning_part, flags=re.MULTILINE | re.DOTALL
    ):
        provisioning.append({"state": state} | _status(rest))
    return ParsedDocument(
        power, _plain(footnote[1]), {name: words.strip() for name, words in operations.items()}, provisioning
    )


def _rows(part: str) -> list[list[str]]:
    rows = re.findall(r":::row:::(.*?):::row-end:::", part, flags=re.DOTALL)
    return [re.findall(r':::column span="\d?":::(.*?):::column-end:::', row, flags=re.DOTALL) for row in rows]


def _status(column: str) -> dict[str, str]:
    # The document's JSON doesn't close its lists, so its pairs are read one by one.
    return {key: value for key, value in re.findall(r'"(\w+)": "([^"]*)"', column) if key in STATUS_KEYS}


def _plain(column: str) -> str:
    """Words only: no code block, no bold, one space between words; a star that follows a word stays."""
    words = re.sub(r"```.*?```", "", column, flags=re.DOTALL).strip()
    words = re.sub(r"\*\*(.+?)\*\*", r"\1", words.replace("***", "**\N{ASTERISK OPERATOR}"))
    return " ".join(words.replace("\N{ASTERISK OPERATOR}", "*").split())


@pytest.fixture(scope="session")
def document_text() -> str:
    """The source document, where the folder of shared papers lies beside the checkout."""
    shared = HERE.parents[1] / ".." / "shared"
    for path in sorted(shared.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if f"title: {TITLE}" in text:
            return text
    pytest.skip("the source document isn't here; the second transcription is tested all the same")


@pytest.fixture(scope="session")
def document(document_text: str) -> ParsedDocument:
    """The source document taken apart."""
    return parse(document_text)


@pytest.fixture(scope="session")
def take_apart() -> Any:
    """The parser itself, for tests that plant a change in the document."""
    return parse


@pytest.fixture(scope="session")
def transcription() -> dict[str, Any]:
    """The second transcription."""
    return tomllib.loads((HERE / "transcription.toml").read_text(encoding="utf-8"))


def ours() -> ParsedDocument:
    """What sim/ states, in the form in which the document is taken apart."""
    from datetime import UTC, datetime

    from sim.lifecycle.instance_view import VmMoment, provisioning_status
    from sim.lifecycle.policy import get_policy
    from sim.lifecycle.power import POWER, PowerState
    from sim.lifecycle.provisioning import ProvisioningState

    policy = get_policy("2018-08")
    power = [
        {
            "state": state.capitalize(),
            "description": facts.description,
            "billed": policy.rows[state].words,
            "code": facts.shows[0].code,
            "level": str(facts.shows[0].level),
            "displayStatus": facts.shows[0].display_status,
        }
        for state, facts in POWER.items()
        if facts.in_source
    ]
    provisioning = []
    for state in ProvisioningState:
        failed = state is ProvisioningState.FAILED
        entry = provisioning_status(
            VmMoment(
                name="vm",
                power=PowerState.RUNNING,
                provisioning=state,
                failure_code="InternalOperationError" if failed else None,
                changed_at=datetime(2018, 8, 9, tzinfo=UTC),
            )
        )
        name = state.rpartition("/")[2]
        provisioning.append({"state": name[0].upper() + name[1:]} | {key: str(value) for key, value in entry.items()})
    return ParsedDocument(power, policy.footnote, {}, provisioning)


@pytest.fixture(scope="session")
def our_tables() -> ParsedDocument:
    """What sim/ states."""
    return ours()
