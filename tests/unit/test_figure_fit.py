"""The figure of a fit shows the fit's numbers, and is the same each time."""

from __future__ import annotations

import numpy as np

from sim.report import figure_fit
from sim.traces import open_trace
from sim.traces.fit import fit


def test_the_figure_of_a_fit_has_its_numbers_and_the_same_bytes_twice(tmp_path):
    """Numbers lie beside the picture; a second drawing is the first one."""
    rng = np.random.default_rng(1)
    lines = [f"{at},{900 * rng.weibull(0.7):.1f},2,4\n" for at in range(0, 30_000, 60)]
    file = tmp_path / "t.csv"
    file.write_text("created,lifetime,vcpus,memory\n" + "".join(lines))
    found = fit(open_trace(file, "columns"), families=("weibull", "lognormal"))
    first, second = figure_fit.draw(found), figure_fit.draw(found)
    assert (first.svg, first.png, first.csv) == (second.svg, second.png, second.csv)
    assert first.title == "Which distribution do the lifetimes of t.csv follow?"
    table = [line.split(",") for line in first.csv.splitlines()]
    assert table[0] == ["age_s", "seen", *(distribution.family for distribution in found.distributions)]
    assert len(table) - 1 == len(found.empirical.at_s)
    worst = max(abs(float(row[1]) - float(row[2])) for row in table[1:])
    assert abs(worst - found.best.goodness.distance) < 1e-6
