"""Report pages in headless Chromium: on a phone and a desk, dark and printed, by keyboard, without script, and judged by axe.

Needs the packages that `.ci/run` installs for it, and a Chromium: on the path, or named in CHROMIUM.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api", reason="needs playwright; .ci/run installs it")
axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-playwright-python; .ci/run installs it")
pypdf = pytest.importorskip("pypdf", reason="needs pypdf; .ci/run installs it")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path, and none in CHROMIUM"),
]

WIDTHS = {"phone": 390, "desk": 1440}
FLEET = """
name = "small"
title = "Developer VMs of a team, nights off, and a web farm"
horizon = "7d"
replications = 4
[[group]]
name = "dev"
count = 4
disks = ["P10"]
[group.schedule]
days = "Mon-Fri"
on = 08:00:00
off = 19:00:00
time_zone = "Europe/Amsterdam"
[group.people]
forgets = 0.3
[[group]]
name = "web"
[group.autoscale]
load = { hourly = [0, 0, 0, 0, 0, 0, 100, 300, 500, 700, 800, 800, 700, 800, 800, 700, 500, 300, 200, 100, 0, 0, 0, 0] }
per_vm = 100.0
min = 1
max = 9
tick = "5min"
scale_out = { above = 0.7, by = 2, cooldown = "5min" }
scale_in = { below = 0.3, by = 1, cooldown = "10min" }
[group.failures]
OSProvisioningTimedOut = 0.1
[[platform.hosts]]
name = "ours"
count = 3
vcpus = 16
memory_gib = 128
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 2
term = "1y"
"""
COMMANDS = {
    "run": ["run", "fleet.toml"],
    "compare": ["compare", "fleet.toml", "--variant", "off at 18: group.dev.schedule.off=18:00:00", "--variant", "same: seed=1"],
    "sweep": ["sweep", "fleet.toml", "--vary", "group.dev.count=2,4", "--vary", "group.dev.when_off=stop,deallocate"],
    "size": ["size", "fleet.toml", "--vary", "platform.hosts.ours.count=1..4", "--keep", "allocation.failure_rate<=5 %"],
    "demo": ["demo"],
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "fleet.toml").write_text(FLEET, encoding="utf-8")
    for name, words in COMMANDS.items():
        command = [sys.executable, "-m", "sim", *words, "--out", name, "--quiet"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return {name: folder / name / "report.html" for name in COMMANDS}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests here."""
    with api.sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """Opens a page; what it asked for and complained about is kept in `page.asked` and `page.complaints`."""
    contexts = []

    def open_page(path: Path, *, width: int = 1440, unfold: bool = True, **how: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **how)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path.as_uri())
        if unfold and how.get("java_script_enabled", True):
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        return page

    yield open_page
    for context in contexts:
        context.close()


LAID_OUT = """() => {
  const found = [], say = (what, element) => found.push(`${what}: ${element.textContent.trim().slice(0, 60)}`);
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide in a window of ${innerWidth}`);
  for (const element of document.querySelectorAll("h1, h2, p, caption, th, td, button, summary")) {
    if (!element.offsetParent) continue;
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth) say("cut", element);
    if (parseFloat(getComputedStyle(element).fontSize) < 11) say("too small", element);
    const box = element.getBoundingClientRect();
    if (!element.closest(".scroll") && box.right > innerWidth + 1) say("beyond the window", element);
  }
  for (const picture of document.querySelectorAll("figure svg")) {
    const frame = picture.getBoundingClientRect();
    if (!frame.width) continue;
    const scale = frame.width / picture.viewBox.baseVal.width;
    const boxes = [];
    for (const text of picture.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (parseFloat(text.getAttribute("font-size")) * scale < 11) say("too small", text);
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) say("cut", text);
      for (const other of boxes) {
        const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (across > 2 && down > 4 * scale) say("covered", text);
      }
      boxes.push(box);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
@pytest.mark.parametrize("name", COMMANDS)
def test_no_text_is_cut_covered_or_too_small(pages: dict[str, Path], opened: Any, name: str, width: int) -> None:
    """At 390 px as at 1440 px: no page wider than its window, every word of every figure inside it and 11 px high."""
    assert opened(pages[name], width=width).evaluate(LAID_OUT) == []


@pytest.mark.parametrize("look", [("light", 390), ("light", 1440), ("dark", 390), ("dark", 1440)], ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_axe_finds_nothing(pages: dict[str, Path], opened: Any, name: str, look: tuple[str, int]) -> None:
    """Contrast, names, roles, landmarks, focus: the rules of axe-core, all of them."""
    page = opened(pages[name], width=look[1], color_scheme=look[0])
    assert violations(page) == []


def violations(page: Any) -> list[str]:
    """What axe finds; its script comes from the driver, which no page's policy stops."""
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{each['id']}: {node['target']}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_asks_no_network_and_keeps_to_its_policy(pages: dict[str, Path], opened: Any, name: str) -> None:
    """One request, for itself; style and script run by their digests, and nothing is reported against the policy."""
    page = opened(pages[name])
    assert page.asked == [pages[name].as_uri()]
    assert page.complaints == []
    assert page.locator(".tools").count() > 0  # the script ran
    assert pages[name].stat().st_size < 1_000_000


def test_the_checks_refuse_a_page_that_is_wrong(pages: dict[str, Path], opened: Any, tmp_path: Path) -> None:
    """A style, a script and a picture from elsewhere, words too wide and too small, grey on grey, a region without a name."""
    text = pages["run"].read_text(encoding="utf-8")
    wrong = '<p style="color: red">x</p><script>document.title = "y"</script><img src="https://vmfleet.invalid/x.png">'
    (tmp_path / "wrong.html").write_text(text.replace("</main>", f"{wrong}</main>"), encoding="utf-8")
    page = opened(tmp_path / "wrong.html")
    assert len(page.complaints) >= 3
    assert page.title() != "y"
    assert any("image-alt" in each for each in violations(page))
    page.evaluate(
        "document.querySelector('h1').style.cssText = 'width: 40px; white-space: nowrap; overflow: hidden; overflow-wrap: normal'"
    )
    page.evaluate("document.querySelector('.kicker').style.fontSize = '9px'")
    page.evaluate("document.querySelector('.kicker').style.color = '#eeeeee'")
    page.evaluate("document.querySelector('figure .wide text').setAttribute('x', '500')")
    found = " ".join(page.evaluate(LAID_OUT))
    assert "cut: Developer" in found
    assert "too small: vmfleet" in found
    assert found.count("cut:") >= 2
    assert any("color-contrast" in each for each in violations(page))


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_the_keyboard_reaches_every_region_that_scrolls(pages: dict[str, Path], opened: Any, width: int) -> None:
    """Who can't point can still read wide tables: tab goes through all of them, each has a name, and arrows scroll it."""
    page = opened(pages["run"], width=width)
    wanted = page.evaluate("[...document.querySelectorAll('.scroll')].map((each) => each.getAttribute('aria-label'))")
    assert len(set(wanted)) == len(wanted)
    reached = set()
    for _ in range(page.locator("button, input, summary, .scroll").count() + 1):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert set(wanted) <= reached
    if width == WIDTHS["phone"]:
        page.evaluate("document.querySelector('[aria-label^=\"Table: Statistics\"]').focus()")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_tables_sort_filter_and_copy(pages: dict[str, Path], opened: Any) -> None:
    """By number where a column is one, both ways; a filter hides rows; CSV has plain numbers and the rows that are shown."""
    page = opened(pages["run"], permissions=["clipboard-read", "clipboard-write"])
    region = page.locator("[aria-label^='Table: Statistics, Headline']")
    head = region.locator("thead button", has_text="mean").first
    column = "[...document.querySelectorAll(\"[aria-label^='Table: Statistics, Headline'] tbody tr\")].map((row) => row.cells[2].textContent)"
    before = page.evaluate(column)
    numbers = sorted(float(text.replace(",", "")) for text in before)
    for way in (1, -1):
        head.click()
        shown = [float(text.replace(",", "")) for text in page.evaluate(column)]
        assert shown == numbers[::way]
        assert shown != [float(text.replace(",", "")) for text in before]
    tools = page.locator(".tools", has=page.get_by_label("filter rows of Headline figures"))
    tools.locator("input").fill("cost")
    rows = region.locator("tbody tr:visible")
    assert 0 < rows.count() < len(before)
    tools.locator("button").click()
    copied = list(csv.reader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert len(copied) == 1 + rows.count()
    assert all("cost" in row[0] for row in copied[1:])
    assert all(float(row[2]) >= 0 for row in copied[1:])


ODD_CELLS = {  # as they are shown -> as they are sorted
    "gaps": (["10", "\u2013", "9", "\u22121.5"], ["\u22121.5", "9", "10", "\u2013"]),
    "months": (["2026-03", "2026-01", "2025-12", "2026-02"], ["2025-12", "2026-01", "2026-02", "2026-03"]),
    "small": (["1.2e-05", "0.5", "2e-06", ""], ["2e-06", "1.2e-05", "0.5", ""]),
    "units": (["1,250 USD", "<\xa00.1 USD", "30 USD", "4 USD"], ["<\xa00.1 USD", "4 USD", "30 USD", "1,250 USD"]),
    "ranges": (["240 to 260", "99 to 100", "\u22125 to 3", "4.5 \xb1 1"], ["\u22125 to 3", "4.5 \xb1 1", "99 to 100", "240 to 260"]),
    "names": (["=1+1", "@b", "-c", "+d"], None),
}  # fmt: skip


def test_cells_that_are_no_plain_numbers_sort_and_copy_right(
    pages: dict[str, Path], opened: Any, tmp_path: Path
) -> None:
    """What is missing comes last both ways; months, exponents and units count; a name is no formula in a spreadsheet."""
    heads = "".join(f"<th>{name}</th>" for name in ODD_CELLS)
    cells = zip(*(shown for shown, _ in ODD_CELLS.values()), strict=True)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
    table = f"<table id='odd'><caption>Odd</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    text = pages["run"].read_text(encoding="utf-8")
    (tmp_path / "odd.html").write_text(text.replace("</main>", f"<div>{table}</div></main>"), encoding="utf-8")
    page = opened(tmp_path / "odd.html", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".tools button").last.click()
    copied = list(csv.reader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert [row[-1] for row in copied[1:]] == ["'=1+1", "'@b", "'-c", "'+d"]
    assert [row[0] for row in copied[1:]] == ["10", "\u2013", "9", "-1.5"]
    for column, (name, (shown, by_size)) in enumerate(ODD_CELLS.items()):
        if by_size is None:
            continue
        missing = [cell for cell in shown if cell in ("", "\u2013")]
        known = [cell for cell in by_size if cell not in missing]
        for expected in ([*known, *missing], [*known[::-1], *missing]):
            page.locator("#odd thead button", has_text=name).click()
            found = page.evaluate(
                f"[...document.querySelectorAll('#odd tbody tr')].map((r) => r.cells[{column}].textContent)"
            )
            assert found == expected


def test_without_script_everything_is_there(pages: dict[str, Path], opened: Any) -> None:
    """Mail programs and locked-down browsers run no script: the answer, the figures and the tables stay."""
    page = opened(pages["run"], java_script_enabled=False)
    assert "a month" in page.locator(".answer .first").inner_text()
    assert page.locator(".tools").count() == 0
    assert page.locator("figure .wide svg").first.is_visible()
    assert page.locator("table").first.is_visible()
    folded = page.locator("details").first
    folded.locator("summary").click()
    assert folded.locator("table").first.is_visible()


CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const light = (colour) => { const [r, g, b] = parts(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const least = (elements) => Math.min(...[...elements].map((element) => {
    const own = light(getComputedStyle(element).fill);
    return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05);
  }));
  const inside = [...document.querySelectorAll("figure .wide text")].filter((text) => text.getAttribute("text-anchor") !== "middle");
  return { paper, text: least(inside), bars: least(document.querySelectorAll("figure .wide path[fill^='#'], figure pattern path[fill^='#']")) };
}"""


@pytest.mark.parametrize("name", COMMANDS)
def test_figures_are_dark_on_a_dark_page_and_light_on_paper(pages: dict[str, Path], opened: Any, name: str) -> None:
    """The same picture: its words have a contrast of 4.5 to either ground, and print is light whatever the screen is."""
    page = opened(pages[name], color_scheme="dark")
    dark = page.evaluate(CONTRASTS)
    assert dark["paper"] < 0.05
    assert dark["text"] >= 4.5
    assert dark["bars"] >= 1.3
    page.emulate_media(media="print", color_scheme="dark")
    printed = page.evaluate(CONTRASTS)
    assert printed["paper"] == pytest.approx(1.0)
    assert printed["text"] >= 4.5


@pytest.mark.parametrize("name", COMMANDS)
def test_no_figure_is_split_in_print(pages: dict[str, Path], opened: Any, name: str, tmp_path: Path) -> None:
    """The question above a figure and the line below it stand on the same sheet of paper."""
    page = opened(pages[name])
    titles = page.locator("figure .wide svg > title").all_text_contents()
    page.pdf(path=str(tmp_path / "page.pdf"), format="A4", margin={"top": "15mm", "bottom": "15mm"})
    sheets = [
        "".join(unicodedata.normalize("NFKC", sheet.extract_text()).split())
        for sheet in pypdf.PdfReader(tmp_path / "page.pdf").pages
    ]
    assert titles
    for title in titles:
        on = [sheet for sheet in sheets if "".join(title.split()) in sheet]
        assert on, title
        after = on[0].partition("".join(title.split()))[2]
        assert "numbersinfigures/" in after, title
