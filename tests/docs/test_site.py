"""The site builds without a warning, leads nowhere wrong, asks no other host, and its reference has every name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date, datetime, time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from typer.main import get_command

import sim
from sim.cli.app import app
from sim.lifecycle.power import POWER
from sim.runs.metrics import metric_rows
from sim.scenario.keys import key_rows
from sim.scenario.schema import json_schema
from tools.docs_site.reference import EXAMPLE_FILES, anchor, examples

ROOT = Path(__file__).parents[2]
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "use": "href",
    "image": "href",
}
PUBLISHED = {"traces.toml"}  # names data sets that are no part of the project
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Links(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what this element has."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get(LOADS.get(tag, "")) and given.get("rel") != "canonical":
            self.loads.append(given[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the command that CONTRIBUTING.md names; any warning fails it."""
    place = tmp_path_factory.mktemp("site")
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(place)]
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return place


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    """Every page of it."""
    return {page.resolve(): Links(page) for page in sorted(site.rglob("*.html")) if page.name != "404.html"}


def test_every_link_leads_to_a_page_and_to_a_place_on_it(pages: dict[Path, Links]) -> None:
    """Pictures, style sheets and anchors included."""
    wrong = []
    for page, links in pages.items():
        for target in links.links + links.loads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not file.is_file():
                wrong.append(f"{page.name}: {target}")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].ids:
                wrong.append(f"{page.name}: {target}: no such place")
    assert len(pages) > 40
    assert not wrong, "\n".join(wrong)


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[Path, Links]) -> None:
    """Scripts, styles, fonts and pictures are files of the site; only a reader's click leaves it."""
    for page, links in pages.items():
        assert not [each for each in links.loads if urlsplit(each).netloc], page.name
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8"), "the theme would fetch a script to draw it"
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style.name


def browse(address: str, folder: Path) -> tuple[str, set[str]]:
    """What a page shows once its scripts have run, and every address that it asked a network for."""
    log = folder / "net.json"
    command = [
        str(CHROMIUM), "--headless=new", "--no-sandbox", f"--user-data-dir={folder}", f"--log-net-log={log}",
        "--virtual-time-budget=20000", "--dump-dom", address,
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    events = [each.get("params", {}) for each in json.loads(log.read_text(encoding="utf-8"))["events"]]
    own = "not an origin"  # what the browser asks for itself
    return shown, {each["url"] for each in events if each.get("initiator", own) != own}


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_finds_by_searching_and_asks_no_other_host(site: Path, tmp_path: Path) -> None:
    """The search of the site is a script: only a browser shows that it works, here without any server."""
    shown, asked = browse(f"{site.as_uri()}/index.html?q=forgets", tmp_path)
    assert "reference/keys.html?h=forgets#group.people.forgets" in shown, "search finds the key"
    assert not asked


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_page_that_asks_another_host_is_noticed(tmp_path: Path) -> None:
    """The check above can fail."""
    page = tmp_path / "page.html"
    page.write_text('<script src="http://127.0.0.1:9/x.js"></script>', encoding="utf-8")
    _, asked = browse(page.as_uri(), tmp_path)
    assert asked == {"http://127.0.0.1:9/x.js"}


def test_the_reference_has_every_key_metric_command_and_name(pages: dict[Path, Links]) -> None:
    """From the registries, which the tables of the terminal show, too."""
    found = {page.name: links.ids for page, links in pages.items() if page.parent.name == "reference"}
    named = {anchor(row.path) for row in key_rows()}
    assert named <= found["keys.html"], named - found["keys.html"]
    assert {anchor(row.name) for row in metric_rows()} <= found["metrics.html"]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        assert {f"{name}-{each}" for each in inner} or {name} <= found["commands.html"]
    assert {f"sim.{name}" for name in sim.__all__} <= found["python.html"]


def test_every_key_has_an_example() -> None:
    """Of a scenario that simulates, or of a file that fits the schema."""
    assert not {row.path for row in key_rows()} - set(examples())


def plain(value: Any) -> Any:
    """A parsed TOML value as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


@pytest.mark.parametrize("file", EXAMPLE_FILES, ids=lambda file: file.name)
def test_the_examples_are_scenarios(file: Path) -> None:
    """By the schema, and read by the program."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(plain(content))), json_schema())
    if file.name not in PUBLISHED:
        sim.load(file)


def test_the_picture_of_the_power_states_is_their_table(site: Path) -> None:
    """Every state, every move and nothing else; the operations begin with the moves of their stages."""
    shown = (site / "model.html").read_text(encoding="utf-8")
    assert set(re.findall(r'data-state="(\w+)"', shown)) == {str(state) for state in POWER}
    drawn = re.findall(r'data-move="(\w+) (\w+)"', shown)
    assert sorted(drawn) == sorted((str(a), str(b)) for a, facts in POWER.items() for b in facts.goes_to)
    assert "Running to Stopping: power_off, guest_shutdown" in shown
    assert "Starting to Stopped: VMStartTimedOut" in shown
