"""Result folders made by hand, so that the report is tested apart from the simulation that fills them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState

RATE = {"compute": 0.23, "license": 0.0, "disk": 0.027, "network": 0.005}


def make_folder(
    folder: Path,
    *,
    name: str = "dev-fleet",
    groups: Sequence[str] = ("dev",),
    vms: int = 200,
    replications: int = 20,
    horizon_h: float = 672.0,
    warm_up_h: int = 0,
    policy: str = "2018-08",
    free: bool = False,
    commitment: float = 0.0,
    empty: bool = False,
    time_zone: str | None = "Europe/Amsterdam",
    start: str = "2026-01-05T00:00:00+00:00",
    failures: bool = True,
    lives: int = 12,
    spread: float = 0.0,
) -> Path:
    """A folder as `vmfleet run` writes it, of office-hours VMs whose numbers add up."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    bills = get_policy(policy)
    hours = int(np.ceil(horizon_h))
    lasts = np.minimum(1.0, horizon_h - np.arange(hours))
    clock = np.arange(hours)
    wanted_now = ((clock % 24 >= 8) & (clock % 24 < 19) & (clock // 24 % 7 < 5)) | (horizon_h <= 6)
    timeline: list[tuple[object, ...]] = []
    metric_rows: list[tuple[int, str, str, float | None]] = []
    bill_rows: list[tuple[int, str, str, float, str, float, float]] = []
    for replication in range(replications):
        per_group: dict[str, dict[str, float]] = {}
        dearer = 1.0 + spread * float(chance.normal()) if spread else 1.0
        for at, group in enumerate(groups):
            size = max(1, vms // (at + 1))
            share = np.where(wanted_now, 0.97, 0.02) + chance.normal(0, 0.01, hours)
            running = size * np.clip(share, 0, 1)
            rest = size - running
            parts = {
                PowerState.CREATING: np.where(clock == 0, 0.01, 0.0) * rest,
                PowerState.STARTING: np.where(wanted_now, 0.1, 0.0) * rest,
                PowerState.STOPPING: np.where(wanted_now, 0.05, 0.0) * rest,
                PowerState.STOPPED: 0.1 * rest * (at % 2 == 0),
                PowerState.DEALLOCATING: np.where(wanted_now, 0.1, 0.01) * rest,
            }
            parts[PowerState.RUNNING] = running
            parts[PowerState.DEALLOCATED] = size - sum(parts.values())
            if empty:
                parts = dict.fromkeys(parts, np.zeros(hours))
            for state in PowerState:
                now = parts.get(state, np.zeros(hours)) * (clock >= warm_up_h) * lasts
                parts[state] = now
                timeline += [
                    (replication, group, hour, str(state), float(now[hour])) for hour in range(warm_up_h, hours)
                ]
            m = {f"hours.{state}": float(parts[state].sum()) for state in PowerState}
            m["billed_hours"] = sum(m[f"hours.{state}"] for state in bills.compute)
            m["served_hours"] = 0.9 * m["hours.running"]
            m["wasted_hours"] = m["billed_hours"] - m["served_hours"]
            m["wanted_hours"] = m["served_hours"] * 1.004
            m["vms.created"] = float(size + chance.integers(0, 3)) if not empty else 0.0
            m["vms.deleted"] = float(chance.integers(0, 3)) if failures else 0.0
            m["vms.peak_allocated"] = m["vms.peak_running"] = float(size)
            exists = sum(m[f"hours.{state}"] for state in PowerState)
            for meter, rate in RATE.items():
                quantity = m["billed_hours"] if meter in ("compute", "license") else exists
                amount = 0.0 if free else quantity * rate * dearer * (1 + at / 7)
                m[f"cost.{meter}"] = amount
                if amount:
                    line = (f"{meter}.Standard_D4s_v5", quantity, "h", rate * dearer * (1 + at / 7), amount)
                    bill_rows.append((replication, group, *line))
            m["cost.commitment"] = 0.0
            m["operations.create.accepted"] = m["operations.create.succeeded"] = m["vms.created"]
            m["operations.start.accepted"] = 20.0 * size * (not empty)
            m["operations.start.succeeded"] = m["operations.start.accepted"]
            m["operations.create.failed"] = m["failures.OSProvisioningTimedOut"] = (
                float(chance.poisson(2.0)) if failures else 0.0
            )
            m["allocation.attempts"] = m["operations.start.accepted"]
            m["allocation.failures"] = m["evictions"] = m["host_failures"] = m["guest_crashes"] = 0.0
            per_group[group] = m
        fleet = {key: sum(m[key] for m in per_group.values()) for key in next(iter(per_group.values()))}
        fleet["cost.commitment"] = commitment
        if commitment:
            fleet["commitment.ri-d4.used_fraction"] = 0.42
            bill_rows.append((replication, "", "commitment.ri-d4.used", 1.0, "month", commitment, commitment))
        for m in (fleet, *per_group.values()):
            m["cost.total"] = sum(m[f"cost.{meter}"] for meter in (*RATE, "commitment"))
            m["availability"] = m["served_hours"] / m["wanted_hours"] if m["wanted_hours"] else np.nan
        for group, m in {"": fleet, **per_group}.items():
            metric_rows += [(replication, group, key, None if np.isnan(value) else value) for key, value in m.items()]

    def stats(group: str) -> dict[str, dict[str, float | int | None]]:
        found: dict[str, list[float | None]] = {}
        for _, at, metric, value in metric_rows:
            if at == group:
                found.setdefault(metric, []).append(value)
        return {metric: _stat(values) for metric, values in found.items()}

    summary = {
        "scenario": name,
        "seed": 1,
        "replications": replications,
        "start": start,
        "horizon_h": horizon_h,
        "warm_up_h": float(warm_up_h),
        "engine": "simpy",
        "billing_policy": policy,
        "currency": "USD",
        "confidence": 0.95,
        "metrics": stats(""),
        "groups": {group: {"metrics": stats(group)} for group in groups},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    zone = f'schedule = {{ time_zone = "{time_zone}" }}\n' if time_zone else ""
    (folder / "scenario.toml").write_text("".join(f"[[group]]\nname = {json.dumps(group)}\n{zone}" for group in groups))
    defaults = [
        {
            "key": "durations.starting",
            "value": {"dist": "lognormal", "median": "25s", "sigma": 0.5},
            "unit": "s",
            "source": "Hao et al. 2021, Table 3",
            "trust": "measured elsewhere",
            "in_use_by": list(groups)[:3],
        },
        {
            "key": "failures.reaction",
            "value": "2h",
            "unit": "s",
            "source": "not published",
            "trust": "assumption",
            "in_use_by": list(groups)[:3],
        },
    ]
    (folder / "provenance.json").write_text(
        json.dumps({"program": {"name": "vmfleet", "version": "0.1.0"}, "python": "3.11.2", "defaults": defaults})
    )
    _write(folder, "replications", ("replication", "group", "metric", "value"), metric_rows)
    columns = ("replication", "group", "meter", "quantity", "unit", "unit_price", "amount")
    _write(folder, "bill", columns, bill_rows)
    _write(folder, "timeline", ("replication", "group", "hour", "state", "vms"), timeline)
    moves: list[tuple[str, float, str | None]] = []
    for group in groups:
        for number in range(min(lives, vms)):
            vm = f"{group}-{number:04d}"
            moves += [(vm, 0.0, "creating"), (vm, 10.0, "starting"), (vm, 40.0, "running")]
            for day in range(int(min(horizon_h, 168) // 24)):
                off = day * 86400 + 19 * 3600 + float(chance.uniform(0, 1200))
                if day % 7 < 5:
                    if number % 4 == 0:
                        moves += [(vm, off, "stopping"), (vm, off + 20, "stopped")]
                    else:
                        moves += [(vm, off, "deallocating"), (vm, off + 45, "deallocated")]
                    on = off + 13 * 3600
                    if day % 7 < 4:
                        moves += [(vm, on, "starting"), (vm, on + 30, "running")]
            if number == 3:
                moves.append((vm, min(horizon_h, 160) * 3600, None))
    lives_rows = [move for move in moves if move[1] <= horizon_h * 3600]
    _write(folder, "vm_timelines", ("vm", "t_s", "state"), lives_rows)
    file = folder / "vm_timelines.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata({"vms_in_all": "1234"}), file)
    return folder


def _stat(values: Sequence[float | None]) -> dict[str, float | int | None]:
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return dict.fromkeys(("mean", "sd", "low", "high", "half_width", "p50", "p90", "p99"), None) | {"n": 0}
    mean, n = float(known.mean()), len(known)
    sd = float(known.std(ddof=1)) if n > 1 else None
    half = 2.0 * sd / n**0.5 if sd is not None else None
    return {
        "mean": mean,
        "sd": sd,
        "low": mean - half if half is not None else None,
        "high": mean + half if half is not None else None,
        "half_width": half,
        "n": n,
        **{f"p{p:02d}": float(np.quantile(known, p / 100)) for p in (5, 50, 90, 95, 99)},
    }


def _write(folder: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    texts = ("group", "metric", "state", "vm", "meter", "unit")
    whole = ("replication", "hour")
    kinds = [pa.string() if c in texts else pa.int64() if c in whole else pa.float64() for c in columns]
    made = [pa.array(values, kind) for values, kind in zip(by_column, kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(columns, made, strict=True))), folder / f"{name}.parquet")


@pytest.fixture
def result_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a result folder; keywords say what fleet it is of."""
    made = iter(range(1000))
    return lambda **what: make_folder(tmp_path / f"result-{next(made)}", **what)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Path]:
    """The maker itself, for folders that several tests share."""
    return make_folder
