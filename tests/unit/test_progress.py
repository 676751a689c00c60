"""How far a replication has come is reported while it is simulated, by every engine, and moves no figure."""

from __future__ import annotations

import io
import sys
from typing import Self

import pytest
from rich.console import Console

import sim
from sim.cli import terminal
from sim.engines.progress import progress_to, report_progress

HOSTS = {"hosts": [{"name": "rack", "zone": 1, "count": 400, "vcpus": 64, "memory_gib": 512}]}
CYCLE = {"on": {"dist": "exponential", "mean": "2h"}, "off": {"dist": "exponential", "mean": "2h"}}


def fleet(count: int, **more) -> sim.Scenario:
    """So many VMs that are switched on and off for a fortnight."""
    group = {"name": "g", "size": "Standard_D4s_v5", "count": count, "cycle": CYCLE}
    return sim.from_dict({"name": "p", "horizon": "14d", "replications": 1, "group": [group]} | more)


@pytest.mark.parametrize(
    ("engine", "scenario"),
    [("simpy", fleet(20)), ("compiled", fleet(20_000)), ("compiled", fleet(2_000, platform=HOSTS))],
    ids=["simpy", "private", "shared"],
)
def test_a_replication_reports_its_parts(engine: str, scenario: sim.Scenario):
    """In order, none above the whole, and more than one; the figures are those without a listener."""
    shares: list[float] = []
    with progress_to(shares.append):
        heard = sim.run(scenario, engine=engine)
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.6
    assert shares[0] < shares[-1] <= 1.0
    assert heard.summary()["metrics"] == sim.run(scenario, engine=engine).summary()["metrics"]
    before = len(shares)
    report_progress(0.5)
    assert len(shares) == before, "no one listens any more"


def test_the_bar_moves_within_a_replication(monkeypatch: pytest.MonkeyPatch):
    """Half of the third replication counts as about a half; a whole one overrides it."""
    updates: list[tuple[float, int | None]] = []

    class Bar:
        """Keeps what is reported."""

        def __init__(self, *_columns: object, **_options: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_error: object) -> None: ...
        def add_task(self, _what: str, *, total: int | None) -> int:
            return 0

        def update(self, _task: int, *, completed: float, total: int | None = None) -> None:
            updates.append((completed, total))

    monkeypatch.setattr("rich.progress.Progress", Bar)
    monkeypatch.setattr("rich.console.Console", lambda **_options: Console(file=io.StringIO()))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with terminal.progress_bar("replications", quiet=False) as show:
        show(2, 20)
        report_progress(0.5)
        show(3, 20)
    assert updates == [(2, 20), (pytest.approx(2.495), None), (3, 20)]
