"""How many VMs were in which power state, hour by hour, and how far that differs from replication to replication."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sim.arrays import Floats
from sim.errors import ResultError
from sim.lifecycle.power import PowerState
from sim.report.folder import RANGE
from sim.runs import arrow
from sim.runs.metrics import FLEET

MOST_POINTS = 1100  # a curve of more points than this shows no more on paper; six weeks of hours fit
COARSER_H = (1, 24, 168, 730, 8760)
BATCH_ROWS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A number of VMs over time: the mean over replications and, if there are several, the 5-95 % range."""

    mean: Floats
    low: Floats | None
    high: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The fleet's states (and each shown group's running VMs) in equal steps of time."""

    step_h: int
    edges_h: Floats  # one more than there are steps
    states: Mapping[PowerState, Band]  # of the whole fleet; only states in which a VM ever was
    running: Mapping[str, Band]  # by group


def step_h(horizon_h: float) -> int:
    """The shortest step, in whole hours, that shows the horizon in a readable number of points."""
    return next((step for step in COARSER_H if horizon_h / step <= MOST_POINTS), COARSER_H[-1])


def read(path: Path, *, horizon_h: float, numbers: npt.NDArray[np.int64], groups: Sequence[str]) -> Timeline | None:
    """Read the first replications' part of `timeline.parquet`, in pieces, so that memory grows with what is shown, not with the file."""
    if not path.exists():
        return None
    replications = len(numbers)
    step = step_h(horizon_h)
    steps = max(1, math.ceil(horizon_h / step - 1e-9))
    states = list(PowerState)
    by_name = {str(state): code for code, state in enumerate(states)}
    shown = {name: code for code, name in enumerate(groups)}
    fleet = np.zeros((replications, steps, len(states)))  # sums over the file's rows named FLEET
    summed = np.zeros_like(fleet)  # sums over all groups, for a file without such rows
    running = np.zeros((len(groups), replications, steps))
    has_fleet = False
    try:
        file = pq.ParquetFile(path)
        batches = file.iter_batches(BATCH_ROWS, columns=["replication", "group", "hour", "state", "vms"])
        for batch in batches:
            number = arrow.as_numbers(batch.column("replication"))
            if len(number) and number[0] > numbers[-1]:
                break  # of those that aren't drawn
            batch = batch.slice(0, int(np.searchsorted(number, numbers[-1], side="right")))
            group, group_names = arrow.as_words(batch.column("group"))
            state, state_names = arrow.as_words(batch.column("state"))
            state = np.array([by_name.get(name, -1) for name in state_names])[state]
            if (state < 0).any():
                raise ResultError(f"{path}: a state that no VM can be in; known: {', '.join(by_name)}")
            replication = np.searchsorted(numbers, number[: batch.num_rows])
            hour = arrow.as_numbers(batch.column("hour")).astype(np.int64)
            vms = arrow.as_numbers(batch.column("vms")).astype(np.float64)
            cell = (replication * steps + np.minimum(hour // step, steps - 1)) * len(states) + state
            is_fleet = np.array([name == FLEET for name in group_names])[group]
            has_fleet = has_fleet or bool(is_fleet.any())
            _add(fleet, cell[is_fleet], vms[is_fleet])
            _add(summed, cell[~is_fleet], vms[~is_fleet])
            shown_code = np.array([shown.get(name, -1) for name in group_names])[group]
            is_running = (state == by_name[PowerState.RUNNING]) & (shown_code >= 0)
            cell = (shown_code * replications + replication) * steps + np.minimum(hour // step, steps - 1)
            _add(running, cell[is_running], vms[is_running])
    except (pa.ArrowException, KeyError, IndexError) as error:
        raise ResultError(f"{path}: not a timeline of {replications} replications: {error}") from error
    hours_in_step = np.minimum(step, math.ceil(horizon_h - 1e-9) - step * np.arange(steps))
    fleet = (fleet if has_fleet else summed) / hours_in_step[:, None]
    running /= hours_in_step
    edges = np.minimum(np.arange(steps + 1, dtype=np.float64) * step, horizon_h)
    return Timeline(
        step_h=step,
        edges_h=edges,
        states={state: _band(fleet[:, :, code]) for code, state in enumerate(states) if fleet[:, :, code].any()},
        running={name: _band(running[code]) for name, code in shown.items()},
    )


def _add(to: Floats, cell: npt.NDArray[np.int64], vms: Floats) -> None:
    if cell.size:
        if cell.max() >= to.size or cell.min() < 0:
            raise IndexError("a replication, hour or state lies outside")
        to += np.bincount(cell, weights=vms, minlength=to.size).reshape(to.shape)


def _band(by_replication: Floats) -> Band:
    """Mean and range over replications (the first axis)."""
    if len(by_replication) == 1:
        return Band(mean=by_replication[0], low=None, high=None)
    low, high = np.quantile(by_replication, RANGE, axis=0)
    return Band(mean=by_replication.mean(axis=0), low=low, high=high)
