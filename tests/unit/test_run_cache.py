"""What is kept of a replication is what was simulated, to the last bit, or nothing."""

from __future__ import annotations

import math
import os
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim.billing.daily_cost import DailyCost
from sim.billing.meters import line
from sim.engines.events import EventColumns
from sim.errors import ResultError, VmfleetWarning
from sim.runs.cache import CacheEntry, RunCache
from sim.runs.event_writer import ROWS_HELD, EventWriter, merge
from sim.runs.replication import Replication, Timeline


def _replication(number: int = 3, events: Path | None = None) -> Replication:
    rng = np.random.default_rng(number)
    return Replication(
        number=number,
        engine="simpy",
        engine_why="asked for",
        metrics={"": {"cost.total": 0.1 + 0.2, "availability": math.nan}, "dév": {"cost.total": 1e-300}},
        bill=(line("dév", "disk.P10", 1 / 3, "disk hour", 0.027),),
        timeline={"dév": Timeline(first_hour=2, vms=rng.random((5, 8)))},
        daily_cost=DailyCost(first_day=date(2026, 1, 5), keys=(("dév", "disk"),), amounts=rng.random((1, 4))),
        vm_timelines=(("dév-0000", 0.1, "creating"), ("dév-0000", 7.25, "")),
        events=events,
    )


def test_a_kept_replication_comes_back_bit_for_bit(tmp_path: Path):
    """Resuming must end with the bits of an undisturbed run; NaN and subnormal figures included."""
    entry = CacheEntry(folder=tmp_path / "shelf")
    ran = _replication()
    entry.put(ran)
    kept = entry.get(3)
    assert kept is not None
    assert repr(kept.metrics) == repr(ran.metrics)
    assert (kept.bill, kept.vm_timelines, kept.engine_why) == (ran.bill, ran.vm_timelines, ran.engine_why)
    assert (kept.daily_cost.first_day, kept.daily_cost.keys) == (ran.daily_cost.first_day, ran.daily_cost.keys)
    assert kept.daily_cost.amounts.tobytes() == ran.daily_cost.amounts.tobytes()
    assert kept.timeline["dév"].first_hour == 2
    assert kept.timeline["dév"].vms.tobytes() == ran.timeline["dév"].vms.tobytes()


def test_a_missing_file_is_reported(tmp_path: Path):
    """Two runs into one folder: the loser says what happened, instead of failing to write for no visible reason."""
    entry = CacheEntry(folder=tmp_path / "shelf")
    kept = entry.put(_replication())
    entry.forget()
    with pytest.raises(ResultError, match="same result folder"):
        _ = kept.timeline["dév"]
    assert entry.get(3) is None


def test_the_same_replication_makes_the_same_file(tmp_path: Path):
    """Content-addressed: no clock, no process number, no order of happening in it."""
    files = []
    for name in ("a", "b"):
        entry = CacheEntry(folder=tmp_path / name)
        entry.put(_replication())
        files.append((entry.folder / "000003.npz").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_torn_file_counts_as_absent(tmp_path: Path, cut: int):
    """A computer that crashed may leave half a file; the replication is simulated again."""
    entry = CacheEntry(folder=tmp_path)
    entry.put(_replication())
    file = tmp_path / "000003.npz"
    file.write_bytes(file.read_bytes()[:cut])
    assert entry.get(3) is None


def test_a_flipped_bit_counts_as_absent(tmp_path: Path):
    """The file carries check sums: a figure damaged on disk is simulated again."""
    entry = CacheEntry(folder=tmp_path)
    entry.put(_replication())
    file = tmp_path / "000003.npz"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    file.write_bytes(content)
    assert entry.get(3) is None


def test_what_could_not_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk in the middle of a file: no file, no leftovers, and the error is not swallowed."""

    def full(*_args: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        CacheEntry(folder=tmp_path).put(_replication())
    assert list(tmp_path.iterdir()) == []


def _events(first: int, many: int, vm: str = "web-0001") -> EventColumns:
    """So many rows, a second apart."""
    none, one = np.full(many, -1, dtype=np.int32), np.zeros(many, dtype=np.int32)
    words = [(one, [vm]), (one, ["power"]), (none, []), (one, ["creating"]), (one, ["create"]), (none, [])]
    return EventColumns(t_s=np.arange(first, first + many, dtype=np.float64), columns=words)


@pytest.mark.parametrize("at_once", [ROWS_HELD // 3, 2 * ROWS_HELD])
def test_moves_reach_the_disk_while_they_come(tmp_path: Path, at_once: int):
    """Memory must not grow with moves: what is held is less than a row group, and all of it arrives in order."""
    with EventWriter(tmp_path / "events-000000.parquet", 4) as journal:
        for part in range(7):
            journal.take(_events(part * at_once, at_once, f"web-{part:04d}"))
            assert journal.rows < ROWS_HELD
    table = pq.read_table(tmp_path / "events-000000.parquet")
    assert np.array_equal(table.column("t_s").to_numpy(), np.arange(7 * at_once))
    assert table.column("vm").to_pylist()[::at_once] == [f"web-{part:04d}" for part in range(7)]
    assert set(table.column("replication").to_pylist()) == {4}
    assert set(table.column("from").to_pylist()) == {None}
    assert table.column_names == ["replication", "t_s", "vm", "kind", "from", "to", "operation", "code"]


def test_a_replication_that_broke_leaves_no_part_file(tmp_path: Path):
    """Half an event file must never be merged into events.parquet."""

    def breaks() -> None:
        with EventWriter(tmp_path / "part.parquet", 0) as journal:
            journal.take(_events(0, 1))
            journal.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    assert list(tmp_path.iterdir()) == []


def test_part_files_are_merged_in_order(tmp_path: Path):
    """events.parquet reads like one run after the other, also where a replication had no moves."""
    parts = []
    for number, moves in enumerate((2, 0, 3)):
        parts.append(tmp_path / f"events-{number}.parquet")
        with EventWriter(parts[-1], number) as journal:
            journal.take(_events(0, moves, f"vm-{number}"))
    merge(parts, tmp_path / "events.parquet")
    table = pq.read_table(tmp_path / "events.parquet")
    assert table.column("replication").to_pylist() == [0, 0, 2, 2, 2]
    assert table.column("vm").to_pylist() == ["vm-0", "vm-0", "vm-2", "vm-2", "vm-2"]


def test_a_cache_that_has_grown_too_large_loses_what_was_used_longest_ago(tmp_path: Path):
    """But nothing that another study may be reading, and never more than it takes."""
    cache = RunCache(tmp_path / "cache")
    for age, name in enumerate(("aa", "bb", "cc")):
        entry = cache.folder / name / "shelf"
        entry.mkdir(parents=True)
        (entry / "000000.npz").write_bytes(bytes(1000))
        os.utime(entry, (1e9 - age, 1e9 - age))
    cache.trim(most_bytes=3000)
    assert len(list(cache.folder.glob("??/*"))) == 3
    cache.trim(most_bytes=2500)
    assert [entry.parent.name for entry in sorted(cache.folder.glob("??/*"))] == ["aa", "bb"]
    os.utime(cache.folder / "aa" / "shelf")
    cache.trim(most_bytes=0)
    assert [entry.parent.name for entry in cache.folder.glob("??/*")] == ["aa"]


def test_a_shelf_that_is_read_is_one_that_is_used(tmp_path: Path):
    """Else a study that only reads would find its figures gone."""
    entry = CacheEntry(folder=tmp_path / "aa" / "shelf")
    entry.put(_replication())
    os.utime(entry.folder, (1e9, 1e9))
    assert entry.get(3) is not None
    assert entry.folder.stat().st_mtime > 1.5e9


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_entry_is_simulated_again_and_said(tmp_path: Path, seed: int):
    """One flipped bit anywhere, a cut or an empty file: a warning, and no entry; never an error of zip or zlib, early or late."""
    import random

    entry = CacheEntry(folder=tmp_path / "entry")
    entry.put(_replication())
    (file,) = entry.folder.glob("*.npz")
    whole = bytearray(file.read_bytes())
    chance = random.Random(seed)
    if seed < 30:
        whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    else:
        del whole[chance.randrange(len(whole)) if seed < 39 else 0 :]
    file.write_bytes(whole)
    with pytest.warns(VmfleetWarning, match="damaged"):
        assert entry.get(3) is None
