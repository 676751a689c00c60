"""What is kept of a replication is what was simulated, to the last bit, or nothing."""

from __future__ import annotations

import math
import os
import random
import shutil
import tracemalloc
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim.billing.daily_cost import DailyCost
from sim.billing.meters import line
from sim.billing.sla import Deployment
from sim.billing.uptime import Uptime
from sim.engines.events import EventColumns
from sim.errors import ResultError, VmfleetWarning
from sim.runs import cache as cache_file
from sim.runs import kept as kept_file
from sim.runs.blocks import MOST_IN_A_BLOCK, Block, in_blocks, pack
from sim.runs.cache import CacheEntry, RunCache
from sim.runs.determinism import digest
from sim.runs.event_writer import ROWS_HELD, EventWriter, merge
from sim.runs.kept import Replications
from sim.runs.replication import Replication, Timeline
from sim.runs.results import CommitmentHours
from sim.usage.ledger import UsedTicks


def _replication(number: int = 3) -> Replication:
    rng = np.random.default_rng(number)
    disk = line("dév", "disk.P10", 1 / 3, "disk hour", 0.027)
    return Replication(
        number=number,
        engine="simpy",
        engine_why="asked for",
        metrics={"": {"cost.total": 0.1 + 0.2, "availability": math.nan}, "dév": {"cost.total": 1e-300 * number}},
        bill=(disk, replace(disk, amount_nano=-(10**24) - number), *[disk] * (number % 3)),
        timeline={"dév": Timeline(first_hour=2, vms=rng.random((5, 8)))},
        ready_curve={"": rng.random((4, 3)), "dév": np.zeros((0, 3))},
        daily_cost=DailyCost(first_day=date(2026, 1, 5), keys=(("dév", "disk"),), amounts=rng.random((1, 4))),
        used={"dév": UsedTicks(2**62, 1, 2, 3, number, 5, -(2**60))},
        vm_timelines=(("dév-0000", 0.1, "creating"), ("dév-0000", 7.25, "")),
        vms=7,
        uptimes=(
            Uptime(
                month="2026-01", name="dév", deployment=Deployment.ZONES, deployments=1, deployed_min=0.1, down_min=number / 7,
                worst=0.5, breaches=2, credit_usd={"dév": 0.3, "web": -0.0},
            ),
        ),
        commitment_hours=(CommitmentHours(name="ri", unit="h", first_hour=1, bought=rng.random(3), used=rng.random(3)),),
    )  # fmt: skip


def _kept(entry: CacheEntry) -> dict[int, Replication]:
    return {number: each for block in entry.blocks() for number, each in block.replications().items()}


def test_kept_replications_come_back_bit_for_bit(tmp_path: Path) -> None:
    """Every field, to the last bit: NaN, subnormal and negative zero, whole numbers of any length; alike or not, in any order."""
    entry = CacheEntry(folder=tmp_path / "entry")
    for numbers in ((5, 3, 4), (0,), (1, 2)):
        entry.put(pack([_replication(number) for number in numbers]))
    kept = _kept(entry)
    assert sorted(kept) == [0, 1, 2, 3, 4, 5]
    for number, found in kept.items():
        ran = _replication(number)
        assert digest(found) == digest(ran)
        assert (found.engine, found.engine_why) == (ran.engine, ran.engine_why)
        assert [str(own.vms) for own in found.timeline.values()] == [str(own.vms) for own in ran.timeline.values()]
    assert digest(kept[3]) != digest(_replication(4))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    """Two runs into one folder: the loser says what happened, instead of failing to write for no visible reason."""
    entry = CacheEntry(folder=tmp_path / "entry")
    kept = Replications([entry.put(pack([_replication()]))], range(3, 4))
    shutil.rmtree(entry.folder)
    with pytest.raises(ResultError, match="same result folder"):
        _ = kept[0]
    assert [*entry.blocks()] == []


def test_the_same_replications_make_the_same_file(tmp_path: Path) -> None:
    """No clock, no process number, no order of happening in it."""
    files = []
    for name in ("a", "b"):
        entry = CacheEntry(folder=tmp_path / name)
        entry.put(pack([_replication(1), _replication(2)]))
        (file,) = entry.folder.iterdir()
        files.append(file.read_bytes())
    assert files[0] == files[1]


@pytest.fixture
def three(tmp_path: Path) -> tuple[CacheEntry, Path, list[int]]:
    """An entry of three blocks in one file, and where each ends."""
    entry, ends = CacheEntry(folder=tmp_path / "entry"), []
    for number in range(3):
        block = entry.put(pack([_replication(2 * number), _replication(2 * number + 1)]))
        ends.append(block.at + block.size)
    (file,) = entry.folder.iterdir()
    assert file.stat().st_size == ends[-1]
    return entry, file, ends


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_a_torn_tail_is_named_and_what_is_whole_before_it_counts(
    three: tuple[CacheEntry, Path, list[int]], cut: int
) -> None:
    """A computer that crashed may leave half a block; only its replications are simulated again, and new ones can be kept."""
    entry, file, ends = three
    size = ends[1] + (ends[2] - ends[1]) * cut // 100
    file.write_bytes(file.read_bytes()[:size])
    if size == ends[1]:
        found = _kept(entry)
    else:
        with pytest.warns(VmfleetWarning, match=f"{file}: .*damaged.*cut off.*simulated again"):
            found = _kept(entry)
    assert {number: digest(each) for number, each in found.items()} == {n: digest(_replication(n)) for n in range(4)}
    later = CacheEntry(folder=entry.folder)
    later.put(pack([_replication(4), _replication(5)]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sorted(_kept(entry)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_costs_no_more_than_what_it_hit(three: tuple[CacheEntry, Path, list[int]], seed: int) -> None:
    """Anywhere in the middle block: a warning; what comes back is what was written, and never less than the block before."""
    entry, file, ends = three
    whole, chance = bytearray(file.read_bytes()), random.Random(seed)
    whole[chance.randrange(ends[0], ends[1])] ^= 1 << chance.randrange(8)
    file.write_bytes(whole)
    with pytest.warns(VmfleetWarning, match="damaged"):
        found = _kept(entry)
    assert {0, 1} <= set(found) <= {0, 1, 4, 5}
    assert all(digest(each) == digest(_replication(number)) for number, each in found.items())


def test_what_could_not_be_written_leaves_what_was_there(three: tuple[CacheEntry, Path, list[int]]) -> None:
    """A full disk in the middle of a block: the error is not swallowed, and the file ends where it did."""
    entry, file, ends = three

    class Full(Block):
        def write(self, stream: object) -> None:
            super().write(stream)  # type: ignore[arg-type]
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        entry.put(Full(content=pack([_replication(9)]).content))
    assert file.stat().st_size == ends[-1]
    assert len(_kept(entry)) == 6


def test_two_processes_that_keep_the_same_do_not_mix(tmp_path: Path) -> None:
    """Each appends to a file of its own; a replication that both have counts once."""
    one, other = CacheEntry(folder=tmp_path), CacheEntry(folder=tmp_path)
    one.put(pack([_replication(0), _replication(1)]))
    other.put(pack([_replication(1), _replication(2)]))
    one.put(pack([_replication(3)]))
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(_kept(one)) == [0, 1, 3]


def test_a_full_part_file_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files stay of a size that can be copied, and are not one for each replication."""
    size = len(pack([_replication()]).content)
    monkeypatch.setattr(cache_file, "PART_BYTES", 10 * size)
    entry = CacheEntry(folder=tmp_path)
    for number in range(100):
        entry.put(pack([_replication(number)]))
    assert 8 <= len(list(tmp_path.iterdir())) <= 13
    assert sorted(_kept(entry)) == [*range(100)]


def test_events_are_kept_with_their_replications(tmp_path: Path) -> None:
    """In the same file: nothing is left of the files of single replications, and a bit that turns is noticed."""
    entry, loose, wanted = CacheEntry(folder=tmp_path / "entry"), [], []
    for number in range(3):
        loose.append(tmp_path / f"events-{number}.parquet")
        with EventWriter(loose[-1], number) as journal:
            journal.take(_events(0, 100 * number))
        wanted.append(loose[-1].read_bytes())
    entry.put(pack([_replication(number) for number in range(3)], loose))
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
    (block,) = entry.blocks()
    assert [bytes(found) for found in block.events().values() if not isinstance(found, Path)] == wanted
    (file,) = entry.folder.iterdir()
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.warns(VmfleetWarning, match="its events have changed"):
        assert [*entry.blocks()] == []


def _many(numbers: range) -> Iterator[tuple[Replication, None]]:
    figures = {group: {f"m{index}": float(index) for index in range(60)} for group in ("", "dév")}
    made = replace(_replication(0), commitment_hours=(), vm_timelines=())
    for number in numbers:
        yield replace(made, number=number, metrics={**figures, "": {**figures[""], "cost.total": float(number)}}), None


def test_many_replications_are_one_file_and_little_memory(tmp_path: Path) -> None:
    """Counted, not timed: files, bytes on the disk, and what stays in memory; at 100,000 replications that is 20 MB."""
    entry, count = CacheEntry(folder=tmp_path), 6_000
    blocks = [entry.put(block) for block in in_blocks(_many(range(1_000)))]
    tracemalloc.start()
    blocks += (entry.put(block) for block in in_blocks(_many(range(1_000, count))))
    kept = Replications(blocks, range(count))
    assert len(kept.heads) == 1
    stays, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stays < 200 * (count - 1_000)
    assert len(list(tmp_path.iterdir())) == 1
    assert len(blocks) == count // MOST_IN_A_BLOCK
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 100 * count
    assert kept.values("cost.total", "").tolist() == [float(number) for number in range(count)]


def test_figures_are_read_some_columns_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held of them doesn't grow with the replications; each column is right, in whatever order they are asked for."""
    monkeypatch.setattr(kept_file, "WINDOW", 1)
    blocks = [CacheEntry(folder=tmp_path).put(block) for block in in_blocks(_many(range(700)))]
    kept = Replications(blocks, range(5, 650))
    for name in ("m50", "m0", "cost.total", "m17"):
        wanted = range(5, 650) if name == "cost.total" else [int(name[1:])] * 645
        assert kept.values(name, "").tolist() == [float(number) for number in wanted]
    tracemalloc.start()
    kept.values("m59", "dév")
    stays, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stays < 20 * 8 * 645 < 60 * 8 * 645


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
    assert pq.read_metadata(tmp_path / "events.parquet").num_row_groups == 1


def test_part_files_share_row_groups_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand replications must not make a hundred thousand row groups, nor one that holds all rows."""
    parts = []
    for number in range(10):
        parts.append(tmp_path / f"events-{number}.parquet")
        with EventWriter(parts[-1], number) as journal:
            journal.take(_events(0, 3, f"vm-{number}"))
    monkeypatch.setattr("sim.runs.event_writer.ROWS_HELD", 8)
    merge(iter(parts), tmp_path / "events.parquet")
    file = pq.ParquetFile(tmp_path / "events.parquet")
    assert [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)] == [6] * 5
    assert file.read().column("vm").to_pylist() == [f"vm-{number}" for number in range(10) for _ in range(3)]


def test_a_cache_that_has_grown_too_large_loses_what_was_used_longest_ago(tmp_path: Path):
    """But nothing that another study may be reading, and never more than it takes."""
    cache = RunCache(tmp_path / "cache")
    for age, name in enumerate(("aa", "bb", "cc")):
        entry = cache.folder / name / "shelf"
        entry.mkdir(parents=True)
        (entry / "replications-000.part").write_bytes(bytes(1000))
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
    entry.put(pack([_replication()]))
    os.utime(entry.folder, (1e9, 1e9))
    assert len(_kept(entry)) == 1
    assert entry.folder.stat().st_mtime > 1.5e9
