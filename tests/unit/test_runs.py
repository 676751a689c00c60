"""Runs of small fleets: same bits however they are run, and folders that are complete or absent."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import sim
from sim.cli.terminal import print_summary
from sim.errors import InputError, ResultError
from sim.lifecycle.power import PowerState
from sim.runs import run_result
from sim.runs.atomic_write import check_folder, new_folder, unfinished_folder
from sim.runs.cache import CacheEntry
from sim.runs.executors import Task, backend_for
from sim.runs.metrics import possible_metrics
from sim.runs.result_tables import write_json
from sim.runs.run import run_to_folder
from sim.runs.simulation_input import compile_scenario

OFFICE: dict[str, Any] = {
    "name": "office",
    "horizon": "3d",
    "seed": 7,
    "replications": 4,
    "group": [
        {
            "name": "dev",
            "count": 6,
            "disks": ["P10"],
            "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00"},
            "failures": {"OSProvisioningTimedOut": 0.2},
        },
        {"name": "web", "count": 2, "os": "windows"},
    ],
}


@pytest.fixture(scope="module")
def office() -> sim.Scenario:
    """Six scheduled VMs that sometimes fail to provision, two that are always on."""
    return sim.from_dict(OFFICE)


@pytest.fixture(scope="module")
def result(office: sim.Scenario) -> sim.RunResult:
    """Four replications of it; the engine is named, for `auto` picks it by the speed it measured."""
    return sim.run(office, engine="simpy")


def _bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a result but the one that holds the time."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "provenance.json"}


def test_the_same_question_gives_the_same_bytes(office: sim.Scenario, result: sim.RunResult, tmp_path: Path):
    """Same scenario, seed and code: every file but the provenance's time stamp is the same to the last byte."""
    result.write(tmp_path / "a")
    sim.run(office, engine="simpy").write(tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    one, two = (json.loads((tmp_path / name / "provenance.json").read_text()) for name in "ab")
    assert one.pop("timing")
    assert two.pop("timing")
    assert one == two


def test_another_seed_gives_other_figures(office: sim.Scenario, result: sim.RunResult):
    """The check above could not see a run that ignores its seed."""
    assert sim.run(office, seed=8).values("cost.total") != result.values("cost.total")


def test_workers_change_nothing(office: sim.Scenario, result: sim.RunResult, tmp_path: Path):
    """--jobs 2 writes the bytes of --jobs 1, events included."""
    sim.run(office, events=True, engine="simpy").write(tmp_path / "one")
    sim.run(office, jobs=2, events=True, engine="simpy").write(tmp_path / "two")
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


@pytest.mark.slow
def test_engines_and_threads_change_no_figure(office: sim.Scenario, result: sim.RunResult):
    """The compiled engine, alone and in two threads, gives the figures, bills and timelines of SimPy to the last bit."""
    for jobs in (1, 2):
        fast = sim.run(office, engine="compiled", jobs=jobs)
        assert fast.engine == "compiled"
        for mine, theirs in zip(fast.replications, result.replications, strict=True):
            assert repr(mine.metrics) == repr(theirs.metrics)
            assert mine.bill == theirs.bill
            assert mine.vm_timelines == theirs.vm_timelines
            for group in result.groups:
                assert mine.timeline[group].vms.tobytes() == theirs.timeline[group].vms.tobytes()


def test_more_replications_keep_the_first_ones(office: sim.Scenario, result: sim.RunResult):
    """Replication k doesn't know how many there are: earlier replications stay as they were."""
    longer = sim.run(office, replications=6)
    assert longer.values("billed_hours")[:4] == result.values("billed_hours")


def test_every_documented_metric_is_there(result: sim.RunResult):
    """The names of interface.md, for the fleet and for every group, whether or not anything happened."""
    documented = {
        "billed_hours", "wanted_hours", "served_hours", "wasted_hours", "availability", "vms.created", "vms.deleted",
        "vms.peak_allocated", "vms.peak_running", "allocation.attempts", "allocation.failures",
        "allocation.failure_rate", "evictions", "host_failures", "guest_crashes", "failures.AllocationFailed",
        "failures.OSProvisioningTimedOut", "failures.QuotaExceeded",
        *(f"hours.{state}" for state in PowerState),
        *(f"cost.{kind}" for kind in ("total", "compute", "license", "disk", "network", "commitment")),
        *(
            f"operations.{operation}.{outcome}"
            for operation in ("create", "start", "restart", "power_off", "deallocate", "hibernate", "update", "delete")
            for outcome in ("accepted", "succeeded", "failed", "rejected")
        ),
    }  # fmt: skip
    for group in ("", "dev", "web"):
        assert documented <= set(result.metric_names(group))
        never = {"hosts.used_share", "hosts.peak_used"}  # there are no hosts
        assert set(possible_metrics()) - never <= set(result.metric_names(group))


def test_groups_add_up_to_the_fleet(result: sim.RunResult):
    """Hours and money of the groups are the fleet's, in every replication; peaks are not sums, so they are left out."""
    for each in result.replications:
        for metric in ("billed_hours", "wanted_hours", "cost.total", "hours.running", "operations.create.accepted"):
            parts = sum(each.metrics[group][metric] for group in result.groups)
            assert parts == pytest.approx(each.metrics[""][metric], abs=1e-6)
        assert sum(row.amount for row in each.bill) == pytest.approx(each.metrics[""]["cost.total"], abs=1e-6)


def test_the_timeline_adds_up_to_the_hours(result: sim.RunResult, tmp_path: Path):
    """Mean VMs in a clock hour, summed over the hours, are VM hours; a timeline shifted by an hour would show too."""
    result.write(tmp_path / "result")
    frame = sim.read(tmp_path / "result").timeline
    assert len(frame) == 4 * 2 * 72 * 8
    for each in result.replications:
        for state in PowerState:
            mine = frame[(frame.replication == each.number) & (frame.state == str(state))]
            assert mine.vms.sum() == pytest.approx(each.metrics[""][f"hours.{state}"], abs=1e-6)
    always_on = frame[(frame.group == "web") & (frame.hour == 3) & (frame.state == "running")]
    assert always_on.vms.tolist() == [2.0] * 4


def test_an_hour_cut_by_the_window_is_averaged_over_its_part():
    """Two VMs that run all the time are 2.0 VMs in the last half hour too, and the warm-up is left out."""
    cut = sim.from_dict(
        {"name": "cut", "horizon": "270min", "warm_up": "90min", "group": [{"name": "web", "count": 2}]}
    )
    ran = sim.run(cut, replications=1).replications[0].timeline["web"]
    assert ran.first_hour == 1
    running = ran.vms[:, list(PowerState).index(PowerState.RUNNING)]
    assert running.tolist() == [2.0, 2.0, 2.0, 2.0]


def test_ratios_of_the_summary_are_ratios_of_means(result: sim.RunResult):
    """Availability in summary.json is served over wanted of all replications together."""
    served, wanted = result.values("served_hours"), result.values("wanted_hours")
    assert result.summary()["metrics"]["availability"]["mean"] == pytest.approx(sum(served) / sum(wanted))


def test_the_summary_is_json_also_where_nothing_is_defined(tmp_path: Path):
    """The VMs are never wanted and there is one replication: nulls, no NaN, and a folder that reads back."""
    idle = {"days": "Sat", "on": "08:00:00", "off": "19:00:00"}
    lazy = sim.from_dict({"name": "lazy", "horizon": "1d", "group": [{"name": "dev", "count": 1, "schedule": idle}]})
    sim.run(lazy, replications=1).write(tmp_path / "lazy")
    metrics = sim.read(tmp_path / "lazy").summary["metrics"]
    assert metrics["availability"]["mean"] is None
    assert metrics["cost.total"]["mean"] is not None
    assert metrics["cost.total"]["half_width"] is None
    assert (tmp_path / "lazy" / "replications.csv").read_text().count("availability,\n") == 2


def test_a_folder_of_ours_is_replaced_and_a_strangers_is_not(result: sim.RunResult, tmp_path: Path):
    """Running again is normal; overwriting someone's home is not, nor is losing notes put beside a result."""
    result.write(tmp_path / "ours")
    (tmp_path / "ours" / "report.html").write_text("old")
    result.write(tmp_path / "ours")
    assert not (tmp_path / "ours" / "report.html").exists()
    (tmp_path / "ours" / "notes.txt").write_text("mine")
    with pytest.raises(ResultError, match=r"notes\.txt"):
        result.write(tmp_path / "ours")
    assert (tmp_path / "ours" / "notes.txt").read_text() == "mine"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    for write in (result.write, check_folder):
        with pytest.raises(ResultError, match="holds no result of vmfleet"):
            write(tmp_path / "home")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="is a file"):
        check_folder(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    result.write(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "home", "ours"]


def test_a_full_disk_leaves_what_was_there(result: sim.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The old result stays whole, the new one leaves nothing, and the message says what happened."""
    result.write(tmp_path / "kept")
    before = _bytes(tmp_path / "kept")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_result, "write_replications", full)
    with pytest.raises(ResultError, match="the disk is full"):
        result.write(tmp_path / "kept")
    assert _bytes(tmp_path / "kept") == before
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_full_disk_says_where_finished_replications_are_kept(
    office: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Hours of simulation are not lost: the message names the folder and the option, and both work."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(run_result, "write_replications", full)
        with pytest.raises(ResultError, match=r"kept in .*\.result\.unfinished: --resume goes on"):
            run_to_folder(office, tmp_path / "result", replications=2, engine="simpy")
    stored = run_to_folder(office, tmp_path / "result", replications=2, resume=True, engine="simpy")
    assert stored.summary["replications"] == 2
    assert not (tmp_path / ".result.unfinished").exists()


def test_a_really_full_disk_says_so(result: sim.RunResult, tmp_path: Path):
    """Not only our own stand-in for one: /dev/full is as full as a disk can be."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")

    def write() -> None:
        with new_folder(tmp_path / "new") as place:
            (place / "summary.json").symlink_to("/dev/full")
            write_json(place / "summary.json", {"a": "x" * 100_000})

    with pytest.raises(ResultError, match="the disk is full"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_between_replications_names_the_folder(
    office: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not only while the result is written: finished replications are kept beside it before."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CacheEntry, "put", full)
    with pytest.raises(ResultError, match=r"out: can't write the result: the disk is full"):
        run_to_folder(office, tmp_path / "out", engine="simpy")
    assert not (tmp_path / "out").exists()


def test_a_path_through_a_file_is_refused_before_the_run(tmp_path: Path):
    """Asked before hours of work, not after."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="a part of the path is a file"):
        check_folder(tmp_path / "file" / "result")


def test_a_place_that_was_only_looked_at_has_nothing_new(tmp_path: Path):
    """A run that is refused after this look leaves no empty folders."""
    check_folder(tmp_path / "results" / "nights" / "off")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "says"), [(30, "the file system is read-only"), (13, "no right to write there")])
def test_a_read_only_folder_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
):
    """The same for a right that is missing (simulated: a test run by root may write anywhere)."""

    def refused(place: str, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(place))

    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(ResultError, match=says):
        check_folder(tmp_path / "locked" / "result")


def test_reading_says_what_is_missing_or_broken(result: sim.RunResult, tmp_path: Path):
    """Each way in which a folder is not a result has its own message."""
    with pytest.raises(ResultError, match="no such folder"):
        sim.read(tmp_path / "absent")
    (tmp_path / "other").mkdir()
    with pytest.raises(ResultError, match="vmfleet run"):
        sim.read(tmp_path / "other")
    folder = result.write(tmp_path / "result")
    with pytest.raises(ResultError, match="--events"):
        _ = sim.read(folder).events
    (folder / "bill.parquet").write_bytes(b"PAR1 no longer")
    with pytest.raises(ResultError, match="can't be read"):
        _ = sim.read(folder).bill
    (folder / "summary.json").write_text('{"scenario": "office",')
    with pytest.raises(ResultError, match="is not JSON"):
        sim.read(folder)
    (folder / "summary.json").write_text('{"scenario": "office"}')
    with pytest.raises(ResultError, match="'seed'"):
        sim.read(folder)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"replications": 0}, "at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"engine": "turbo"}, "auto, simpy, compiled"),
        ({"jobs": 0}, "jobs is 0"),
        ({"precision": 1.5}, "precision is 1.5"),
        ({"precision": 0.1, "headlines": ["cost.totl"]}, r"cost\.total"),
    ],
)
def test_wrong_arguments_are_the_users_errors(office: sim.Scenario, wrong: dict[str, Any], says: str):
    """Each says the value and what would be right."""
    with pytest.raises(InputError, match=says):
        sim.run(office, **{"replications": 2, **wrong})


def test_an_unknown_metric_or_group_is_named(result: sim.RunResult):
    """With the one that was probably meant."""
    with pytest.raises(InputError, match="did you mean availability"):
        result.estimate("availabilty")
    with pytest.raises(InputError, match="dev, web"):
        result.estimate("cost.total", "prod")


def test_progress_is_reported_from_start_to_end(office: sim.Scenario):
    """A bar that starts at none and ends full."""
    output: list[tuple[int, int]] = []
    sim.run(office, progress=lambda done, total: output.append((done, total)))
    assert output[0] == (0, 4)
    assert output[-1] == (4, 4)
    assert output == sorted(output)


def test_a_run_to_a_precision_estimates_its_length(office: sim.Scenario):
    """The cap until the first look, then what the half-widths foretell; and it ends where it said, within some rounds."""
    output: list[tuple[int, int]] = []
    found = sim.run(office, precision=0.005, progress=lambda done, total: output.append((done, total)))
    assert found.stopping is not None
    assert found.stopping.reached
    assert output[0] == (0, 1000)
    later = [total for done, total in output if done > 20]
    assert all(total < 1000 for total in later)
    assert found.n > 20
    assert abs(later[0] - found.n) <= 0.5 * found.n + 20


def test_what_was_finished_is_not_simulated_again(
    office: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Interrupted after two replications, resumed: the two others are simulated, and the folder is the undisturbed one."""
    from sim.runs import executors as workers

    run_to_folder(office, tmp_path / "undisturbed", events=True, engine="simpy")
    real, ran = workers.replicate, []

    def stubborn(question: Any, seed: int, number: int, **more: Any) -> Any:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(number)
        return real(question, seed, number, **more)

    monkeypatch.setattr(workers, "replicate", stubborn)
    with pytest.raises(KeyboardInterrupt):
        run_to_folder(office, tmp_path / "cut", events=True, engine="simpy")
    assert not (tmp_path / "cut").exists()
    monkeypatch.setattr(workers, "replicate", lambda q, s, n, **m: (ran.append(n), real(q, s, n, **m))[1])
    run_to_folder(office, tmp_path / "cut", events=True, resume=True, engine="simpy")
    assert ran == [0, 1, 2, 3]
    assert _bytes(tmp_path / "cut") == _bytes(tmp_path / "undisturbed")
    assert not unfinished_folder(tmp_path / "cut").exists()


def test_kept_replications_of_another_question_are_not_used(
    office: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Resuming with another fleet, seed or price must not mix them in: the folder is that of the new question."""
    monkeypatch.setattr(sim.RunResult, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_to_folder(office, tmp_path / "result", engine="simpy")
    monkeypatch.undo()
    assert unfinished_folder(tmp_path / "result").exists()
    bigger = office.replace("group.dev.count", 7)
    run_to_folder(bigger, tmp_path / "result", resume=True, engine="simpy")
    run_to_folder(bigger, tmp_path / "fresh", engine="simpy")
    assert _bytes(tmp_path / "result") == _bytes(tmp_path / "fresh")


KILLED = """
import sys, sim
from sim.runs.result_tables import write_json
from sim.runs.run import run_to_folder
from sim.runs.atomic_write import check_folder, new_folder, unfinished_folder
if __name__ == "__main__":
    scenario = sim.load(sys.argv[1])
    print("ready", flush=True)
    run_to_folder(scenario, sys.argv[2], replications=30, jobs=int(sys.argv[3]), resume=True, events=True, engine="simpy")
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_resumes_to_the_same_bytes(office: sim.Scenario, tmp_path: Path, jobs: int):
    """SIGKILL at 30 random moments: each time the folder is absent or whole, and at the end it is the undisturbed one."""
    import random

    scenario = tmp_path / "office.toml"
    scenario.write_text(office.to_toml(), encoding="utf-8")
    run_to_folder(office, tmp_path / "undisturbed", replications=30, events=True, engine="simpy")
    wanted = _bytes(tmp_path / "undisturbed")
    program = tmp_path / "killed.py"
    program.write_text(KILLED, encoding="utf-8")
    chance = random.Random(jobs)
    kills = 0
    while kills < 30:
        target = tmp_path / f"cut-{kills // 6}"
        running = subprocess.Popen(
            [sys.executable, str(program), str(scenario), str(target), str(jobs)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(chance.uniform(0.0, 1.2))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        kills += 1
        if target.exists():
            assert _bytes(target) == wanted
    for number in range(5):
        run_to_folder(
            office, tmp_path / f"cut-{number}", replications=30, jobs=jobs, resume=True, events=True, engine="simpy"
        )
        assert _bytes(tmp_path / f"cut-{number}") == wanted


def _kill_a_worker(until: float) -> int:
    """SIGKILL the first busy child of this process that turns up; its number, or 0 if none came."""
    me = os.getpid()
    while time.monotonic() < until:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                stat, words = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            parent, ticks = int(stat.rsplit(")", 1)[1].split()[1]), int(stat.rsplit(")", 1)[1].split()[11])
            if parent == me and b"popen_loky" in words and ticks > 100:  # it has worked for a second
                os.kill(int(entry.name), signal.SIGKILL)
                return int(entry.name)
        time.sleep(0.02)
    return 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="finds worker processes in /proc")
def test_a_killed_workers_replications_are_done_again(office: sim.Scenario):
    """One of two worker processes is killed in the middle (as on a computer short of memory): same figures, no error."""
    bigger = office.replace("group.dev.count", 300)
    killed: list[int] = []
    killer = threading.Thread(target=lambda: killed.append(_kill_a_worker(time.monotonic() + 60)))
    killer.start()
    disturbed = sim.run(bigger, replications=60, jobs=2, engine="simpy")
    killer.join()
    assert killed[0] > 0
    whole = sim.run(bigger, replications=60, engine="simpy")
    assert [repr(r.metrics) for r in disturbed.replications] == [repr(r.metrics) for r in whole.replications]


def test_an_error_of_a_worker_arrives_as_what_it_was():
    """Errors travel between processes by pickle; the issues and the message must survive it."""
    with pytest.raises(sim.ScenarioError) as caught:
        sim.from_dict({"name": "x", "horizon": "-1h", "group": [{"name": "a", "count": -2}]})
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert str(travelled) == str(caught.value)
    assert travelled.faults == caught.value.faults


def test_events_parquet_holds_every_replication(office: sim.Scenario, tmp_path: Path):
    """One row group or more a replication, in order, with the documented columns."""
    sim.run(office, replications=3, events=True).write(tmp_path / "result")
    table = pq.read_table(tmp_path / "result" / "events.parquet")
    assert table.column_names == ["replication", "t_s", "vm", "kind", "from", "to", "operation", "code"]
    numbers = table.column("replication").to_pylist()
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


def test_a_bill_is_in_the_currency_of_its_price_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A catalogue in EUR: neither the summary nor the screen says USD."""
    listed = json.loads((Path(sim.__file__).parent / "catalog/bundled/catalogue.json").read_text(encoding="utf-8"))
    (tmp_path / "euro.json").write_text(json.dumps({**listed, "currency": "EUR"}), encoding="utf-8")
    prices = {"catalogue": str(tmp_path / "euro.json"), "currency": "EUR"}
    run = sim.run(sim.from_dict({**OFFICE, "prices": prices}), replications=2)
    print_summary(run.summary())
    output = f"{capsys.readouterr().out} {run!r}"
    assert run.summary()["currency"] == "EUR"
    assert "cost (EUR)" in output
    assert "USD" not in output


def test_small_replications_are_shared_out_over_processes_where_there_are_very_many() -> None:
    """Of a small one most is Python, which threads would do one after the other; compiled code needs no process."""
    groups = {"small": {"count": 4, "horizon": "3d"}, "large": {"count": 50_000, "horizon": "28d"}}
    found = {}
    for name, size in groups.items():
        group = {
            "name": "dev",
            "count": size["count"],
            "schedule": {"days": "mon-fri", "on": "08:00:00", "off": "19:00:00"},
        }
        inputs = compile_scenario(sim.from_dict({"name": name, "horizon": size["horizon"], "group": [group]}))
        for engine, count in (("compiled", 100), ("compiled", 100_000), ("simpy", 100)):
            task = Task(inputs=inputs, seed=1, numbers=tuple(range(count)), engine=engine)
            found[name, engine, count] = backend_for([task])
    assert found.pop(("small", "compiled", 100_000)) == "loky"
    assert {backend for (_, engine, _), backend in found.items() if engine == "simpy"} == {"loky"}
    assert {backend for (_, engine, _), backend in found.items() if engine == "compiled"} == {"threading"}


def test_processes_give_the_figures_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code in worker processes: the same bytes, events too."""
    group = {"name": "dev", "count": 4, "schedule": {"days": "mon-fri", "on": "08:00:00", "off": "19:00:00"}}
    fleet = sim.from_dict({"name": "small", "horizon": "2d", "group": [group]})
    for name, worth in (("threads", 1e9), ("processes", 0.0)):
        monkeypatch.setattr("sim.runs.executors.WORTH_PROCESSES_S", worth)
        sim.run(fleet, replications=9, jobs=2, engine="compiled", events=True).write(tmp_path / name)
    tables = sorted(file.name for file in (tmp_path / "threads").iterdir() if file.name != "provenance.json")
    assert "events.parquet" in tables
    for name in tables:
        assert (tmp_path / "threads" / name).read_bytes() == (tmp_path / "processes" / name).read_bytes(), name
