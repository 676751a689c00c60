"""What a page shows and folds, and that it keeps to its own content security policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import sim
from sim.report import style
from sim.report.build import build_report
from sim.scenario.month import month_of

Make = Callable[..., Path]


def page_of(folder: Path) -> str:
    """The page of a result folder."""
    return build_report(folder).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, bool]:
    """Heading of each section, and whether it is open."""
    found = re.findall(r"<(section|summary)><h2>(.*?)</h2>", text)
    return {title: tag == "section" for tag, title in found}


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a fleet whose people forget VMs, whose web farm scales, and whose jobs lose work at evictions."""
    schedule = {"days": "Mon-Fri", "on": "08:00", "off": "19:00", "time_zone": "UTC"}
    scale = {
        "load": {"hourly": [100.0] * 12 + [900.0] * 12}, "per_vm": 100.0, "min": 1, "max": 9, "tick": "5min",
        "scale_out": {"above": 0.7, "by": 2, "cooldown": "5min"}, "scale_in": {"below": 0.3, "by": 1, "cooldown": "10min"},
    }  # fmt: skip
    groups = [
        {"name": "dev", "count": 6, "schedule": schedule, "people": {"forgets": 0.5}},
        {"name": "web", "autoscale": scale},
        {"name": "jobs", "count": 3, "priority": "spot", "spot": {"eviction_per_hour": 0.2, "restart_after": "15min"}},
    ]
    content = {
        "name": "all",
        "title": "Everything at once",
        "start": "2026-01-05T00:00:00Z",
        "horizon": "4d",
        "replications": 2,
        "group": groups,
    }
    place = tmp_path_factory.mktemp("modelled") / "result"
    sim.run(sim.from_dict(content)).write(place)
    return page_of(place)


def test_what_was_modelled_has_a_section(modelled: str) -> None:
    """Each by its metrics' labels, with a column for each group that has any; the scenario's title names the page."""
    shown = sections(modelled)
    for title in ("Left on by people", "Load and autoscaling", "Evictions and lost work"):
        assert shown[title], title
    assert "<h1>Everything at once</h1>" in modelled
    for label in ("cost of hours left on by people (USD)", "share of load served (%)", "spot evictions"):
        assert f'<th scope="row">{label}</th>' in modelled
    people = modelled.partition("<h2>Left on by people</h2>")[2].partition("</table>")[0]
    assert re.findall(r'<th scope="col"[^>]*>(.*?)</th>', people) == ["metric", "whole fleet", "dev"]


def test_what_was_not_modelled_has_none_and_what_does_not_move_the_bill_is_folded(result_folder: Make) -> None:
    """A fleet without people, autoscaling and commitments is told nothing of them; single VMs and the origin stay folded."""
    shown = sections(page_of(result_folder(failures=False, replications=2, horizon_h=48.0)))
    assert not {"Left on by people", "Load and autoscaling", "Evictions and lost work", "Service level"} & set(shown)
    assert [title for title, is_open in shown.items() if is_open] == ["The bill", "What the VMs do", "Statistics"]
    assert not shown["Failures and operations"]
    assert sections(page_of(result_folder(replications=2, horizon_h=48.0)))["Failures and operations"]


def test_no_month_is_made_of_part_weeks(result_folder: Make) -> None:
    """Five working days over and over have no weekend: a month made of them is too dear for an office."""
    folder = result_folder(replications=2, horizon_h=120.0)
    assert "Cost a month" in page_of(folder)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | month_of([168], 120 * 3600.0).as_dict()))
    page = page_of(folder)
    assert "5 days say nothing of a month" in page
    assert "Cost a month" not in page
    assert "cost per month" not in page


def test_statistics_come_after_the_answer_and_no_key_of_the_file_is_a_label(modelled: str) -> None:
    """The first screen is money; intervals are for whoever reads on."""
    first = modelled.partition('class="first">')[2].partition("</p>")[0].replace("\N{NO-BREAK SPACE}", " ")
    assert re.match(r"Estimated cost: [\d,.]+ ± [\d,.]+ USD for 4 days[.;]", first)
    assert modelled.index("<h2>Statistics</h2>") > modelled.index("<h2>The bill</h2>")
    assert "interval" not in modelled.partition('class="cards"')[0].partition("<body>")[2]
    labels = re.findall(r"<(?:th|caption|h1|h2|text)\b[^>]*>(.*?)</", modelled.partition("<h2>Assumptions in use")[0])
    keys = r"\b(group|platform|commitment|hours|cost|load|ready|vms|operations)\.[\w*]+"
    assert len(labels) > 100
    assert [label for label in labels if re.search(keys, label)] == []


def test_the_policy_names_exactly_what_runs(modelled: str) -> None:
    """A digest of another style or script would leave a bare page; a style attribute or a handler would be refused."""
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', modelled)
    assert policy
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", modelled, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    body = modelled.partition("<body>")[2].partition("<script>")[0]
    assert not re.search(r"<[^>]*\s(style|on\w+)=", body)


def test_every_grey_of_a_figure_has_its_value_on_a_dark_page(modelled: str) -> None:
    """Ink on a dark ground would be black on black; colours of states and meters may stay as they are."""
    used = set(re.findall(r'(?:fill|stroke)="(#\w{6})"', modelled))
    greys = {colour for colour in used if max(part := [int(colour[i : i + 2], 16) for i in (1, 3, 5)]) - min(part) < 40}
    assert greys
    assert greys <= set(style.DARK)
    for light, dark in style.DARK.items():
        assert f'figure [fill="{light}"] {{ fill: {dark}; }}' in modelled


def test_a_mark_tells_its_value(modelled: str) -> None:
    """Under the pointer: what it is, how much, in which unit; stretches of time tell all their curves."""
    titles = re.findall(r"<path [^>]*><title>(.*?)</title>", modelled)
    assert any(re.match(r"web, compute, ready while needed: [\d,.]+\sUSD$", title) for title in titles)
    assert any(re.match(r"\w{3} \d+ Jan \d\d:00 to \d\d:00: .*running [\d,.]+", title) for title in titles)
