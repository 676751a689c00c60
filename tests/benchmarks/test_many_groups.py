"""What many groups cost: 500 teams of 20 VMs against one group of as many VMs, whole processes, in turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_start_up import cpu_s

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

GROUPS_RATIO = 3.0  # target; see docs/performance.md
HEAD = 'name = "{name}"\nstart = 2026-01-05T00:00:00Z\nhorizon = "28d"\nreplications = 10\n'
GROUP = """[[group]]
name = "team-{number}"
size = "Standard_D4s_v5"
count = {count}
disks = ["P10"]
schedule = {{ days = "Mon-Fri", on = 08:00:00, off = 19:00:00, jitter = {{ dist = "uniform", low = "0s", high = "20min" }} }}
"""


def test_five_hundred_groups_cost_at_most_thrice_one_of_as_many_vms(tmp_path: Path) -> None:
    """What is done for each group, its metrics and its rows, must stay small beside its VMs."""
    for name, groups in (("one", 1), ("many", 500)):
        sections = (GROUP.format(number=number, count=10_000 // groups) for number in range(groups))
        (tmp_path / f"{name}.toml").write_text(HEAD.format(name=name) + "".join(sections))
    ratios = []
    for _ in range(3):
        one, many = (
            cpu_s("run", f"{name}.toml", "--engine", "compiled", "--no-report", "--quiet", folder=tmp_path, rounds=1)
            for name in ("one", "many")
        )
        ratios.append(many / one)
    assert sorted(ratios)[1] <= GROUPS_RATIO
