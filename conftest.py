"""Blocks of code and commands in README.md and docs/ are run as tests (`tests/helpers/doc_blocks.py`), so that none goes stale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sybil import Document, Sybil
from sybil.parsers.markdown import SkipParser

from tests.helpers.doc_blocks import parse_blocks

HERE = Path(__file__).parent
PROSE = Sybil(parsers=[parse_blocks, SkipParser()], patterns=["README.md", "docs/*.md", "docs/**/*.md"])

collect_ignore_glob = ["tests/benchmarks/peers/*"]  # programs for other environments, not modules of ours


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much the suites with chance in them do (little in CI, more by option), and whether shown output is renewed."""
    parser.addoption("--fuzz-inputs", type=int, default=2_500, help="mutated inputs of tests/fuzz")
    parser.addoption("--fuzz-first", type=int, default=0, help="seed of the first of them")
    parser.addoption("--update-docs", action="store_true", help="write what examples print into README.md and docs/")
    parser.addoption("--kills", type=int, default=6, help="SIGKILLs of tests/fuzz/test_kills.py")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A page of prose is a test file."""
    return Page.from_parent(parent, path=file_path) if PROSE.should_parse(file_path) else None


class Page(pytest.File):
    """A page of prose."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for all its examples: later ones build on earlier ones, and tests may be shared out over processes."""
        document = PROSE.parse(self.path)
        if any(True for _ in document.examples()):
            yield Examples.from_parent(self, name="examples", document=document)
        if "<!-- generated:" in document.text:
            yield Generated.from_parent(self, name="generated")


class Generated(pytest.Item):
    """The generated parts of a page, and CITATION.cff with the citation."""

    def runtest(self) -> None:
        """They are what the program says now, or become it."""
        from tools.docs_site.fragments import CITATION, citation_file, filled

        made = {self.path: filled(self.path.read_text(encoding="utf-8"))}
        if self.path.name == "cite.md":
            made[CITATION] = citation_file()
        for path, text in made.items():
            if self.config.getoption("--update-docs"):
                path.write_text(text, encoding="utf-8")
            assert path.read_text(encoding="utf-8") == text, f"{path.name}: `pytest --update-docs docs` renews it"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the page is."""
        return self.path, 0, f"generated parts of {self.path.name}"


class Examples(pytest.Item):
    """The examples of one page, in their order."""

    def __init__(self, *, document: Document, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self.document = document

    def runtest(self) -> None:
        """They write their results somewhere else, and find the checkout's files by their README paths."""
        renews = self.config.getoption("--update-docs")
        corrections: list[tuple[tuple[int, int], str]] = []
        self.document.namespace["corrections"] = corrections if renews else None
        with TemporaryDirectory(prefix="vmfleet-prose-") as scratch, chdir(scratch):
            for shared in ("scenarios", "sim", "tools"):
                Path(scratch, shared).symlink_to(HERE / shared)
            for example in self.document.examples():
                example.evaluate()
        text = self.document.text
        for (start, end), printed in reversed(corrections):
            text = text[:start] + printed + text[end:]
        if corrections:
            self.path.write_text(text, encoding="utf-8")

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the page is."""
        return self.path, 0, f"examples of {self.path.name}"
