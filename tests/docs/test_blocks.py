"""Every block of the documentation is run by its page's test, or says why not and is checked as far as it can be."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from sim.cli.folders import MAIN_FILES
from sim.scenario.keys import key_rows
from tests.helpers.command_line import calls, check_arguments
from tests.helpers.doc_blocks import Block, blocks_of
from tools.docs_site.reference import settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SKIP = "<!-- skip: next -->\n"
WHY = re.compile(r"<!-- not run: [^\n]+ -->\n<!-- skip: next -->\n\Z")
RUN = {"sh", "python"}
SHOWN = {"text", "mermaid", "toml", "csv", "json", "yaml"}
BLOCKS = [
    pytest.param(page, start, block, id=f"{page.relative_to(ROOT)}:{page.read_text()[:start].count(chr(10)) + 1}")
    for page in PAGES
    for start, _, block in blocks_of(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_its_language(page: Path) -> None:
    """A block without one, or one made by indenting, would escape the tests."""
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```.*$", text, re.MULTILINE)
    parsed = sum(2 + 2 * (block.output is not None) for _, _, block in blocks_of(text))
    assert len(fences) == parsed, f"{page.name}: {len(fences)} fences, {parsed} of them understood"
    assert not re.search(r"\n\n {4}(?:vmfleet|python|pip|\[)", text), "a block made by indenting"


@pytest.mark.parametrize(("page", "start", "block"), BLOCKS)
def test_blocks_that_are_not_run_say_why_and_can_be_read(page: Path, start: int, block: Block) -> None:
    """Commands are parsed, data and programs too; a fragment of a scenario has keys that exist."""
    assert block.language in RUN | SHOWN, block.language
    before = page.read_text(encoding="utf-8")[:start]
    if before.endswith(SKIP):
        assert WHY.search(before), "say why it is not run"
    if block.language == "sh":
        for words in calls(block.text):
            check_arguments(words)
    elif block.language == "python":
        compile(block.text, page.name, "exec")
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)
    elif block.language == "json":
        assert json.loads(block.text)
    elif block.language == "toml" and block.title != "pyproject.toml":
        paths = {path.replace("defaults.", "group[].") for path, _, _ in settings(tomllib.loads(block.text))}
        named = {path for path in paths if path.startswith("prices.override_disks.") or path.endswith(".dist")}
        assert not paths - named - PLUGGED - {row.path for row in key_rows()}


@pytest.mark.parametrize("name", ["estate", "size-hosts", "spot-mix", "my-trace", "notebook"])
def test_a_newcomer_finds_the_answer_in_three_commands(name: str) -> None:
    """From the README to the page, and there no more than that."""
    page = ROOT / "docs" / "how-to" / f"{name}.md"
    assert f"(docs/how-to/{name}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [block for _, _, block in blocks_of(page.read_text(encoding="utf-8"))]
    commands = [line for block in blocks if block.language == "sh" for line in block.text.splitlines()]
    assert len(commands) <= 3
    assert any(block.output for block in blocks)


COMMANDS_IN_PROSE = re.compile(rf"`(vmfleet (?:{'|'.join(MAIN_FILES)}) [^`\n]*\.toml[^`\n]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_of_a_page_writes_over_the_result_of_another_one(page: Path) -> None:
    """What a page points to is still there when its reader has typed all of it."""
    assert not written_twice(page.read_text(encoding="utf-8"))


def test_a_page_that_writes_over_its_own_result_is_noticed() -> None:
    """The check above can fail, also for a command in a sentence."""
    page = "```sh\nvmfleet run a.toml\nvmfleet size b.toml -o there\n```\n\nand `vmfleet recommend a.toml` or `vmfleet run b.toml`"
    assert written_twice(page) == ["a"]


def written_twice(text: str) -> list[str]:
    """The result folders that more than one command of a page writes."""
    shell = [block.text for _, _, block in blocks_of(text) if block.language == "sh"]
    written = []
    lines = "\n".join([*shell, *COMMANDS_IN_PROSE.findall(text)]).splitlines()
    for words in calls("\n".join(line for line in lines if "$SLURM" not in line)):  # one folder a job
        scenario = next((Path(word).stem for word in words if word.endswith(".toml")), None)
        named = [words[place + 1] for place, word in enumerate(words) if word in ("--out", "-o")]
        if words[1] in MAIN_FILES and scenario:
            written += named or [scenario]
    return sorted({folder for folder in written if written.count(folder) > 1})


PLUGGED = {"group[].every_other_day", "group[].every_other_day.length"}  # of the page on a behaviour of one's own


def test_a_command_with_a_typing_error_is_noticed() -> None:
    """The check above can fail."""
    (words,) = calls("vmfleet run dev.toml --replicatoins 3 > out.txt")
    assert words[-1] == "3"
    with pytest.raises(typer.TyperException):
        check_arguments(words)
