"""What runs seldom meet: no number at all, a damaged file, a user's own function that fails."""

from __future__ import annotations

import errno
import math
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sim
from sim.engines.events import COLUMNS, EventColumns
from sim.errors import InputError, MachineError, PlugInError, ResultError
from sim.fields.metrics import METRICS, Metric, Unit
from sim.runs import arrow, estimate, event_writer, provenance
from sim.runs.atomic_write import full_disk_explained
from sim.runs.event_writer import EventWriter, merge
from sim.runs.history import explain
from sim.runs.invoice import check_file
from sim.runs.metrics import html_table
from sim.runs.options import RunOptions
from sim.runs.results import read_json, read_table
from sim.runs.stopping import expected_replications, is_precise
from sim.runs.warm_up import batch_means
from sim.runs.workplace import clear_leftovers

ONE = {"name": "one", "horizon": "2h", "replications": 2, "group": [{"name": "web", "count": 1}]}


@pytest.fixture(scope="module")
def one() -> sim.Scenario:
    """A VM for two hours."""
    return sim.from_dict(ONE)


# --- numbers that aren't there


def test_a_metric_that_is_defined_in_no_replication_has_no_quantile(one: sim.Scenario) -> None:
    """Nothing is wanted of a VM that never starts late: the mean lateness is a share of nothing."""
    result = sim.run(one, engine="simpy")
    undefined = next(name for name in result.metric_names() if all(map(math.isnan, result.values(name))))
    value, low, high = result.quantile(undefined, 0.5)
    assert math.isnan(value)
    assert (low, high) == (None, None)


def test_what_does_not_vary_is_precise_and_what_one_replication_says_is_not(one: sim.Scenario) -> None:
    """A half-width of 0 is within any share of the mean, none is within no share; without a mean there is nothing to wait for."""
    found = sim.run(one, engine="simpy")
    assert is_precise(found.estimate("vms.created"), 1e-9)
    single = sim.run(one, replications=1, engine="simpy")
    assert not is_precise(single.estimate("vms.created"), 0.5)
    undefined = next(name for name in found.metric_names() if all(map(math.isnan, found.values(name))))
    assert is_precise(found.estimate(undefined), 1e-9)
    # Nothing foretells more than the rounds that are there: the first.
    assert expected_replications(found, 0.01, [undefined], 1000) <= expected_replications(
        found, 0.01, ["cost.total"], 1000
    )


def test_a_series_that_never_changes_has_batches_without_spread() -> None:
    """It is as independent as can be, and its mean is exact."""
    found = batch_means([3.0] * 400)
    assert found.independent
    assert (found.interval.mean, found.interval.half_width) == (3.0, 0.0)


def test_the_table_for_notebooks_leaves_out_what_a_run_does_not_have() -> None:
    """A folder of another version may lack a metric."""
    numbers = dict.fromkeys(("mean", "low", "high", "p05", "p50", "p95"), 12.5)
    table = html_table("a run", {"cost.total": numbers}, "USD")
    assert table.count("<tr") == 2
    assert "12.5" in table


@pytest.mark.parametrize("kind", [pa.int16(), pa.float32()])
def test_numbers_of_another_width_are_read_too(kind: pa.DataType) -> None:
    """Another program may have written the table; a column of nothing has no buffer at all."""
    assert arrow.as_numbers(pa.array([1, 2], kind)).tolist() == [1, 2]
    assert np.isnan(arrow.as_numbers(pa.array([1, None], kind))).tolist() == [False, True]


# --- what is refused


def test_a_shard_has_no_listeners() -> None:
    """They are called in order of all replications, which a shard doesn't have."""
    with pytest.raises(InputError, match=r"replications 2\.\.3: a shard has no listeners; run all of them"):
        RunOptions(replications=range(2, 4), listeners=[print])


def test_headlines_that_are_none_are_the_usual_ones(one: sim.Scenario) -> None:
    """A caller passes on what it was given, None included."""
    result = sim.run(one, replications=40, precision=0.5, headlines=None, engine="simpy")  # type: ignore[arg-type]
    assert result.stopping is not None
    assert tuple(result.stopping.waited_for) == tuple(RunOptions().headlines)


def test_no_replication_comes_before_the_first(one: sim.Scenario) -> None:
    """Its number is counted from 0."""
    with pytest.raises(InputError, match="--replication is -1; the first one is 0"):
        explain(one, "web-0000", replication=-1)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are those of POSIX")
def test_a_folder_that_takes_no_file_is_refused_before_a_long_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may write anywhere, so the question is answered here."""
    monkeypatch.setattr(os, "access", lambda path, how: not (how == os.W_OK and Path(path) == tmp_path))
    with pytest.raises(ResultError, match=r"bill\.csv: no right to write there"):
        check_file(tmp_path / "bill.csv")


def test_a_file_of_a_result_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """A list where an object belongs, a table without a column."""
    (tmp_path / "summary.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ResultError, match=r"summary\.json: is no JSON object but a list"):
        read_json(tmp_path / "summary.json")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "metrics.parquet")
    with pytest.raises(ResultError, match=r"metrics\.parquet: has no column b, c"):
        read_table(tmp_path / "metrics.parquet", ["a", "b", "c"])


def test_only_a_run_longer_than_a_day_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory apart: the machine has all it needs."""
    plan = sim.from_dict({**ONE, "group": [{"name": "web", "count": 10}]}).fleet_plan()
    few = estimate.estimate([plan], 1)
    monkeypatch.setattr(estimate, "MOST_S", few.seconds / 2)
    assert few.excess.startswith("that is longer than ")
    monkeypatch.setattr(estimate, "MOST_S", few.seconds * 2)
    assert few.excess == ""


# --- a user's own metric


def test_a_users_metric_of_words_gives_a_number_a_word(one: sim.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping of words is a row each; anything else is refused with the metric's name and what would be right."""
    given: list[Any] = [{"small": 2, "large": np.float32(0.5)}]
    row = Metric(
        name="mine.<size>",
        label="mine of <size>",
        unit=Unit.COUNT,
        section="events",
        definition="",
        compute=lambda _: given[0],
    )
    METRICS.add(row.name, row)
    monkeypatch.setitem(METRICS.origins, row.name, "my_metrics")
    try:
        result = sim.run(one, engine="simpy")
        assert [list(result.values(f"mine.{word}")) for word in ("small", "large")] == [[2.0, 2.0], [0.5, 0.5]]
        given[0] = 3.0
        with pytest.raises(PlugInError, match=r"metric mine\.<size> of my_metrics.*a mapping from words to numbers"):
            sim.run(one, engine="simpy")
    finally:
        METRICS.remove(row.name)


# --- other processes


@pytest.mark.parametrize(
    ("said", "words"), [("Traceback\nMemoryError: no\n", "MemoryError: no"), ("", "it ended with 3")]
)
def test_another_process_that_cannot_simulate_is_told_with_its_last_words(
    one: sim.Scenario, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    """It may lack a module, or memory; without a word its exit code is shown."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=3, stderr=said, stdout=""))
    with pytest.raises(MachineError, match=f"one: another process can't simulate it: {words}$"):
        sim.check_determinism(one, engine="simpy")


def test_a_program_outside_a_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed one; in a checkout it is git's, and what git can't say is left out."""
    monkeypatch.setattr(provenance, "package_folder", lambda: tmp_path / "sim")
    assert provenance.git_commit() is None
    (tmp_path / ".git").mkdir()
    assert provenance.git_commit() is None


def test_every_input_has_an_unambiguous_digest() -> None:
    """Numbers of numpy are those of Python, bytes are no text, and what has no form is refused by name."""
    assert provenance.pieces(np.int64(3)) == provenance.pieces(3)
    assert provenance.pieces(np.float32(0.5)) == provenance.pieces(0.5)
    assert provenance.pieces(b"3") != provenance.pieces("3")
    with pytest.raises(PlugInError, match=r"the inputs hold a builtins.object, which has no digest: <object"):
        provenance.pieces({"a": [object()]})


def test_the_digests_of_price_lists_are_forgotten_in_time(one: sim.Scenario) -> None:
    """A long session with many lists keeps about a thousand parts; what is asked again has the same digest."""
    listed = one.catalogue()
    first = provenance.digest_of(listed)
    for number in range(1_100):
        provenance.digest_of(replace(listed, name=f"list {number}"))
    assert provenance.digest_of(listed) == first


def test_an_empty_workplace_of_long_ago_is_removed(tmp_path: Path) -> None:
    """Killed before it had a marker; one of a moment ago may be another process's, and one with a file anyone's."""
    for name, age_s in (("old", 1e6), ("new", 0.0), ("full", 1e6)):
        place = tmp_path / f".vmfleet-writing-{name}"
        place.mkdir()
        if name == "full":
            (place / "thesis.tex").write_text("years of work")
        at = place.stat().st_mtime - age_s
        os.utime(place, (at, at))
    clear_leftovers(tmp_path / "fleet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".vmfleet-writing-full", ".vmfleet-writing-new"]


# --- events


def rows(count: int) -> EventColumns:
    """So many events that say the same."""
    places = np.zeros(count, dtype=np.int32)
    return EventColumns(t_s=np.arange(count, dtype=np.float64), columns=[(places, ["x"]) for _ in COLUMNS])


def test_a_replication_that_fails_before_its_first_event_leaves_no_file(tmp_path: Path) -> None:
    """Neither finished nor unfinished."""

    def fail() -> None:
        with EventWriter(tmp_path / "events.parquet", 0) as writer:
            writer.take(rows(3))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_parts_with_more_rows_than_are_held_are_merged_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first part alone has more."""
    parts = []
    for number, count in enumerate((7, 2, 2)):
        with EventWriter(tmp_path / f"{number}.parquet", number) as writer:
            writer.take(rows(count))
        parts.append(tmp_path / f"{number}.parquet")
    monkeypatch.setattr(event_writer, "ROWS_HELD", 5)
    merge(parts, tmp_path / "all.parquet")
    whole = pq.read_table(tmp_path / "all.parquet")
    assert whole["replication"].to_pylist() == [0] * 7 + [1] * 2 + [2] * 2
    assert whole["t_s"].to_pylist() == [*map(float, range(7)), 0.0, 1.0, 0.0, 1.0]


def test_a_vm_whose_provisioning_state_ends_is_told(one: sim.Scenario) -> None:
    """The states that the platform reports come and go with their VM."""
    found = explain(sim.from_dict({**ONE, "group": [{"name": "web", "count": 1, "when_off": "delete",
        "schedule": {"days": "Mon-Sun", "on": "00:00:00", "off": "00:40:00"}}]}), "web-0000")  # fmt: skip
    said = [event.words for event in found.events]
    assert any(words.startswith("Its provisioning state is ") for words in said)
    assert "Its provisioning state ends with it." in said


@pytest.mark.parametrize(
    ("number", "is_explained"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)]
)
def test_only_a_disk_that_is_full_is_told_as_such(tmp_path: Path, number: int, is_explained: bool) -> None:
    """Another error while replications are kept is what it is."""
    wrong = OSError(number, os.strerror(number))
    with pytest.raises(ResultError if is_explained else OSError) as raised, full_disk_explained(tmp_path / "r"):
        raise wrong
    assert (raised.value is wrong) is not is_explained
