"""Python blocks of README.md and docs/*.md are run as tests, so that no example goes stale."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

HERE = Path(__file__).parent

collect_ignore_glob = ["tests/benchmarks/peers/*"]  # programs for other environments, not modules of ours


def _in_a_new_folder(namespace: dict[str, object]) -> None:
    """Examples write their results somewhere else, and find the checkout's files by their README paths."""
    scratch = TemporaryDirectory(prefix="vmfleet-prose-")
    namespace["_scratch"] = scratch
    namespace["_home"] = Path.cwd()
    for shared in ("scenarios", "sim"):
        (Path(scratch.name) / shared).symlink_to(HERE / shared)
    os.chdir(scratch.name)


def _back(namespace: dict[str, object]) -> None:
    home, scratch = namespace["_home"], namespace["_scratch"]
    assert isinstance(home, Path)
    assert isinstance(scratch, TemporaryDirectory)
    os.chdir(home)
    scratch.cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_in_a_new_folder,
    teardown=_back,
).pytest()
