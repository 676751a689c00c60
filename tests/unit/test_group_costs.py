"""Costs by group as they are shown: the same in the terminal and in the report, and adding up to the total."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest

from sim.cli import main
from sim.fields.numbers import money_scale
from sim.report import folder, totals
from sim.runs.group_costs import costs_shown, group_costs

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


@pytest.mark.parametrize("seed", range(200))
def test_amounts_that_are_shown_twice_have_the_same_cents(seed: int) -> None:
    """The row of commitments is their meter; meters that add up as they are stay as they are; everything adds up."""
    chance = np.random.default_rng(seed)
    meters = ("compute", "license", "disk", "network")
    groups = [f"g{number}" for number in range(int(chance.integers(1, 7)))]
    found = {(f"cost.{meter}", group): float(chance.uniform(0, 3_000)) for meter in meters for group in groups}
    found |= {(f"cost.{meter}", ""): math.fsum(found[f"cost.{meter}", group] for group in groups) for meter in meters}
    found["cost.commitment", ""] = float(chance.uniform(0, 3_000))
    whole = math.fsum(found[f"cost.{meter}", ""] for meter in (*meters, "commitment"))

    def mean(metric: str, group: str) -> float:
        return whole if metric == "cost.total" and not group else found.get((metric, group), 0.0)

    costs = group_costs(mean, [(group,) for group in groups])
    shown = dict(zip(costs.meters, costs.table.columns, strict=True))
    assert costs.table.rows[-1] == pytest.approx(shown["commitment"], abs=1e-9)
    assert {f"cost.{meter}": amount for meter, amount in shown.items()} == pytest.approx(
        {name: amount for name, amount in costs_shown(mean).items() if amount}, abs=1e-9
    )
    digits = money_scale(whole, "").decimals  # none from a thousand on
    naturally = {meter: round(found[f"cost.{meter}", ""], digits) for meter in shown}
    if round(math.fsum(naturally.values()), digits) == round(whole, digits):
        assert shown == pytest.approx(naturally, abs=1e-9)
    assert costs.table.total == pytest.approx(round(whole, digits), abs=1e-9)
    assert math.fsum(costs.table.rows) == pytest.approx(costs.table.total, abs=1e-9)
    for row, group in zip(costs.table.cells, groups, strict=False):
        exact = [found[f"cost.{meter}", group] if meter in meters else 0.0 for meter in costs.meters]
        assert row == pytest.approx(exact, abs=2 * 10.0**-digits)


def test_terminal_report_and_spreadsheet_show_the_same_amounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a fleet whose commitments were a cent less in the table of groups than in the table above it."""
    file, out = tmp_path / "cents.toml", tmp_path / "out"
    prices = (
        SCENARIO.replace("0.00416667", "0.0104937")
        .replace("0.001", "0.5207")
        .replace('horizon = "1d"', 'horizon = "7d"')
    )
    file.write_text(prices + "".join(GROUP.format(name) for name in "abcdefg"))
    with pytest.raises(SystemExit):
        main(["run", str(file), "--out", str(out)])
    text = capsys.readouterr().out
    whole, groups = text.split("By group (means)")
    labels = {"compute": "cost of compute", "network": "cost of public IPs", "commitment": "cost of commitments"}
    parts = totals.money_parts(folder.read(out))
    shown = dict(zip(parts.meters, parts.table.columns, strict=True))
    rows = list(csv.DictReader((out / "summary.csv").open(encoding="utf-8-sig")))
    found = {row["figure"]: float(row["mean"]) for row in rows if row["group"] == "whole fleet"}
    for meter, amount in shown.items():
        (line,) = [
            line for line in whole.splitlines() if line.startswith((f" {labels[meter]} (USD)", f" cost of {meter}"))
        ]
        assert float(line.split(")")[1].split()[0].replace(",", "")) == amount
        assert found[line.partition(" (")[0].strip()] == amount
    last = next(line for line in groups.splitlines() if line.startswith(" commitments"))
    assert float(last.split()[-1].replace(",", "")) == shown["commitment"]
