"""Costs by group as they are shown: the same in the terminal and in the report, and adding up to the total."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.cli import main
from sim.report import folder, totals
from sim.runs.group_costs import group_costs

SCENARIO = """
name = "thirds"
horizon = "1d"
replications = 3
[prices.override."Standard_D4s_v5"]
linux = 0.00416667
reservation_1y = 0.001
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 1
term = "1y"
"""
GROUP = '[[group]]\nname = "{}"\nsize = "Standard_D4s_v5"\ncount = 33\npublic_ip = true\n'


def test_three_thirds_of_a_coin_add_up() -> None:
    """Each of three groups costs 33.333, the fleet 100.00: one of them is shown with a cent more."""

    def mean(metric: str, group: str) -> float:
        return {"cost.total": 1.0, "cost.compute": 1.0}.get(metric, 0.0) * (100 / 3 if group else 100.0)

    costs = group_costs(mean, [("a",), ("b",), ("c",)])
    assert sorted(costs.table.rows) == [33.33, 33.33, 33.34]
    assert not costs.has_rest


def test_the_terminal_shows_the_costs_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the cent, the reservation that belongs to no group included; the rows add up to the cost of the fleet as shown."""
    file, out = tmp_path / "thirds.toml", tmp_path / "out"
    file.write_text(SCENARIO + "".join(GROUP.format(name) for name in "abcdefg"))
    with pytest.raises(SystemExit) as end:
        main(["run", str(file), "--out", str(out), "--no-report"])
    assert not end.value.code
    text = capsys.readouterr().out
    table = text.partition("By group (means)")[2]
    shown = {name: float(cost) for name, cost in re.findall(r"^ ([a-g]|commitments) .*?([\d.]+)$", table, re.MULTILINE)}
    parts = totals.money_parts(folder.read(out))
    assert shown == dict(zip(parts.groups, parts.table.rows, strict=True))
    assert len(shown) == 8
    whole = re.search(r"^ cost \(USD\) +([\d.]+)", text, re.MULTILINE)
    assert whole is not None
    assert sum(shown.values()) == pytest.approx(float(whole[1]), abs=1e-9)
