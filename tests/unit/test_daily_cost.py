"""Cost by day and month: every group, meter and commitment, and together the bill to the last nano-dollar."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim import from_dict, read, run

AT_ONCE = dict.fromkeys(("allocating", "starting", "os_provisioning", "deallocating", "deleting"), "0s")
FLEET: dict[str, Any] = {
    "name": "months", "start": "2026-01-30T12:00:00Z", "horizon": "4d", "replications": 2,
    "group": [
        {"name": "web", "size": "Standard_D2s_v5", "count": 2, "disks": ["P10"], "public_ip": True, "durations": AT_ONCE},
        {
            "name": "dev", "size": "Standard_D2s_v5", "os": "windows", "durations": AT_ONCE,
            "schedule": {"days": "Mon-Sun", "on": time(8), "off": time(18)},
        },
    ],
    "commitment": [
        {"name": "ri", "kind": "reservation", "size": "Standard_D2s_v5", "quantity": 1, "term": "1y"},
        {"name": "odcr", "kind": "capacity-reservation", "size": "Standard_D2s_v5", "quantity": 4},
    ],
}  # fmt: skip


def test_days_and_months_add_up_to_the_bill(tmp_path: Path) -> None:
    """By group and kind; a commitment has its own name; the days of January and February stand apart."""
    result = run(from_dict(FLEET), engine="simpy")
    result.write(tmp_path / "out")
    days = pq.read_table(tmp_path / "out" / "cost_timeline.parquet").to_pandas()
    assert list(days.columns) == ["replication", "group", "day", "kind", "amount"]
    assert sorted(days["day"].unique()) == [
        date(2026, 1, 30),
        date(2026, 1, 31),
        *(date(2026, 2, d) for d in (1, 2, 3)),
    ]
    for replication in result.replications:
        own = days[days["replication"] == replication.number]
        for kind in ("compute", "license", "disk", "network", "commitment"):
            found = float(own[own["kind"] == kind]["amount"].sum())
            assert found == pytest.approx(replication.metrics[""][f"cost.{kind}"], abs=1e-8), kind
        for group in ("web", "dev"):
            found = float(own[own["group"] == group]["amount"].sum())
            assert found == pytest.approx(replication.metrics[group]["cost.total"], abs=1e-8)
    assert set(days["group"]) == {"web", "dev", "ri", "odcr"}
    months = pq.read_table(tmp_path / "out" / "cost_by_month.parquet").to_pandas()
    assert (tmp_path / "out" / "cost_by_month.csv").read_text().startswith("replication,group,month,kind,amount\n")
    assert set(months["month"]) == {"2026-01", "2026-02"}
    by_month = read(tmp_path / "out").cost_by_month
    assert list(by_month) == ["2026-01", "2026-02"]
    every = [amount for own in by_month.values() for amount in own.values()]
    assert sum(every) == pytest.approx(result.estimate("cost.total").mean, abs=1e-6)
    assert by_month["2026-02"]["license"] == pytest.approx(
        months[(months["month"] == "2026-02") & (months["kind"] == "license")]["amount"].mean(), abs=1e-9
    )
    assert months["amount"].sum() == pytest.approx(days["amount"].sum(), abs=1e-8)


def test_a_day_costs_what_its_own_hours_cost() -> None:
    """A reservation of one unit costs a day's 24 hours; half of the first and of the last day are billed."""
    cost = run(from_dict(FLEET), engine="simpy").replications[0].daily_cost
    bought = cost.amounts[cost.keys.index(("ri", "commitment"))]
    assert bought == pytest.approx(bought.sum() * np.array([0.125, 0.25, 0.25, 0.25, 0.125]), rel=1e-6)
    licence = cost.amounts[cost.keys.index(("dev", "license"))]
    assert licence == pytest.approx(licence.sum() * np.array([6, 10, 10, 10, 4]) / 40, rel=1e-6)
    disks = cost.amounts[cost.keys.index(("web", "disk"))]
    # 744 hours in January, 672 in February.
    assert disks[1] / disks[2] == pytest.approx(672 / 744, rel=1e-6)
