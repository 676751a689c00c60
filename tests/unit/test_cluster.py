"""Compute clusters: the same bits as on one computer, or an error that says why not."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import sim
from sim.errors import InputError, MachineError
from sim.runs.cluster import Cluster, check_answers, input_for_worker, who_am_i, workers_for
from sim.runs.executors import Task, Workers


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """A few VMs that sometimes fail."""
    return sim.from_dict(
        {
            "name": "fleet",
            "horizon": "2d",
            "replications": 12,
            "group": [{"name": "web", "count": 4, "failures": {"OSProvisioningTimedOut": 0.3}}],
        }
    )


@pytest.mark.parametrize("address", ["dask", "dask://", "spark://host:1", "tcp://host:1"])
def test_an_address_that_is_none_is_refused(address: str):
    """With the forms that would be right."""
    with pytest.raises(InputError, match="dask://host:port"):
        Cluster(address)


def test_workers_that_differ_are_named_in_words():
    """No answer, import fails, other code, other libraries: four messages, each with what to do."""
    ours = who_am_i()
    check_answers("dask://s:1", {"tcp://w:1": dict(ours)}, ours)
    with pytest.raises(InputError, match="no workers are connected"):
        check_answers("dask://s:1", {}, ours)
    with pytest.raises(InputError, match=r"worker tcp://w:1 can't import vmfleet \(ModuleNotFoundError"):
        check_answers("dask://s:1", {"tcp://w:1": {"error": "ModuleNotFoundError: No module named 'sim'"}}, ours)
    with pytest.raises(InputError, match="another program"):
        check_answers("dask://s:1", {"w": {**ours, "program": "0.0.1", "digest": "other"}}, ours)
    with pytest.raises(InputError, match="another source or libraries"):
        check_answers("dask://s:1", {"w": {**ours, "digest": "other"}}, ours)


def test_the_question_to_a_worker_needs_nothing_of_ours(tmp_path: Path):
    """It travels by value: a Python that can't import sim answers with its error instead of breaking."""
    (tmp_path / "ask.pickle").write_bytes(cloudpickle.dumps(input_for_worker()))
    program = "import pickle, sys; sys.modules['sim'] = None; print(pickle.load(open(sys.argv[1], 'rb'))())"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "ask.pickle")], capture_output=True, text=True, check=True
    )
    assert "error" in done.stdout
    assert input_for_worker()() == who_am_i()


def test_without_a_cluster_the_work_stays_here():
    """--jobs alone is processes on this computer."""
    with workers_for(2, None) as workers:
        assert workers == Workers(jobs=2)


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """A dask scheduler and a worker in threads of this process: no start of another one to wait for."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None,
        silence_logs=50,
    ) as local:  # fmt: skip
        yield local.scheduler_address.replace("tcp", "dask")


def test_a_cluster_in_threads_gives_the_bits_of_this_process(threads: str, fleet: sim.Scenario):
    """Of several tasks that share their inputs, too; events are refused, for a worker has another disk."""
    with Cluster(threads, 10.0) as cluster:
        assert (cluster.kind, cluster.processes, cluster.threads(12)) == ("dask", 1, 1)
        there = sim.run(fleet, workers=cluster, engine="simpy")
        sweep = sim.sweep(fleet, {"group.web.count": [1, 2]}, replications=3, engine="simpy", workers=cluster)
        with pytest.raises(InputError, match="--events can't be kept on a cluster: workers don't share our disk"):
            sim.run(fleet, events=True, workers=cluster)
    assert cluster.processes == 0
    assert figures(there) == figures(sim.run(fleet, engine="simpy"))
    here = sim.sweep(fleet, {"group.web.count": [1, 2]}, replications=3, engine="simpy")
    assert list(map(repr, sweep.rows())) == list(map(repr, here.rows()))


class Stopped(Exception):
    """What a user's own function raises."""


@pytest.mark.parametrize(
    "wrong", [Stopped("enough"), ValueError("no"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))], ids=repr
)
def test_what_goes_wrong_here_is_not_the_clusters_fault(threads: str, fleet: sim.Scenario, wrong: Exception):
    """An error of the caller's function, or of this computer's disk, comes as it is."""

    def progress(done: int, _total: int) -> None:
        if done:
            raise wrong

    with Cluster(threads, 10.0) as cluster, pytest.raises(type(wrong)) as raised:
        sim.run(fleet, workers=cluster, engine="simpy", progress=progress)
    assert raised.value is wrong


@pytest.mark.parametrize(
    ("wrong", "comes", "says"),
    [
        (RuntimeError("a bug"), RuntimeError, "a bug"),
        (
            ConnectionError("lost"),
            MachineError,
            r"the cluster gave up \(ConnectionError: lost\); are its workers short",
        ),
        (InputError("a value"), InputError, "a value"),
    ],
)
def test_what_a_worker_raises_comes_here(
    threads: str, fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch, wrong: Exception, comes: type, says: str
):
    """Errors of a simulation as they are; those of the network as the cluster's."""

    def fail(*_: object) -> None:
        raise wrong

    monkeypatch.setattr(Task, "run", fail)
    with Cluster(threads, 10.0) as cluster, pytest.raises(comes, match=says):
        sim.run(fleet, workers=cluster, engine="simpy")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real dask scheduler with two worker processes on this computer."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["."] + [part for part in sys.path if part])}
    port = 18_786
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
                env=environment, stdout=subprocess.DEVNULL, stderr=(folder / f"{len(running)}.log").open("wb"),
            )
        )  # fmt: skip

    start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    time.sleep(1.0)
    for _ in range(2):
        start("dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-nanny", "--no-dashboard",
              "--local-directory", str(folder))  # fmt: skip
    yield f"dask://127.0.0.1:{port}"
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:  # a busy computer, not a defect
            process.kill()
            process.wait()


@pytest.mark.slow
def test_dask_gives_the_bits_of_this_process(scheduler: str, fleet: sim.Scenario, tmp_path: Path):
    """A real scheduler and two worker processes: every file of the result is the same to the last byte."""
    here = sim.run(fleet, engine="simpy")
    with Cluster(scheduler) as cluster:
        assert 1 <= cluster.processes <= 2
        there = sim.run(fleet, workers=cluster, engine="simpy")
        sweep = sim.sweep(fleet, {"group.web.count": [1, 2]}, replications=3, workers=cluster)
    here.write(tmp_path / "here")
    there.write(tmp_path / "there")

    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "provenance.json"}

    assert files(tmp_path / "here") == files(tmp_path / "there")
    assert list(sweep.rows()) == list(sim.sweep(fleet, {"group.web.count": [1, 2]}, replications=3).rows())


@pytest.mark.slow
def test_events_are_refused_on_a_cluster(scheduler: str, fleet: sim.Scenario):
    """Workers don't share our disk: said at once, instead of a missing file at the end."""
    with Cluster(scheduler) as cluster, pytest.raises(InputError, match="--events"):
        sim.run(fleet, events=True, workers=cluster)


@pytest.mark.slow
def test_workers_that_hang_are_reported_within_the_limit():
    """A worker process that was halted does not answer: an error, not an endless wait."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        (worker,) = local.workers.values()
        pid = worker.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with (
                pytest.raises(InputError, match="don't answer within 2 s; are they busy, or hung"),
                Cluster(local.scheduler_address.replace("tcp", "dask"), 2.0),
            ):
                pass
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_cluster_whose_last_worker_goes_is_not_awaited_for_ever(fleet: sim.Scenario):
    """dask keeps the work for workers that may still come; after the limit it is an error, and says how to go on."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as local,
        Cluster(local.scheduler_address.replace("tcp", "dask"), 12.0) as cluster,
    ):
        assert sim.run(fleet, replications=1, workers=cluster).n == 1
        local.scale(0)
        until = time.monotonic() + 30
        while local.scheduler_info["workers"] and time.monotonic() < until:
            time.sleep(0.1)
        with pytest.raises(MachineError, match=r"the cluster gave up \(.*worker.*--resume goes on"):
            sim.run(fleet, replications=2, workers=cluster)


@pytest.fixture
def long(fleet: sim.Scenario) -> sim.Scenario:
    """Replications that take a while."""
    return fleet.replace("horizon", "60d").replace("group.web.count", 40)


def figures(result: sim.RunResult) -> list[str]:
    """As text: what isn't defined is NaN, which equals nothing, itself included."""
    return [repr(each.metrics) for each in result.replications]


@pytest.mark.slow
def test_a_lost_worker_loses_nothing(long: sim.Scenario):
    """One of two is killed in the middle: the other one does its work, to the last bit."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as local,
        Cluster(local.scheduler_address.replace("tcp", "dask")) as cluster,
    ):
        pids = [worker.pid for worker in local.workers.values()]
        killed: list[int] = []

        def kill(done: int, _total: int) -> None:
            if done and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        there = sim.run(long, replications=16, workers=cluster, engine="simpy", progress=kill)
        assert killed
    assert figures(there) == figures(sim.run(long, replications=16, engine="simpy"))


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_in_words_and_what_was_finished_is_kept(long: sim.Scenario, tmp_path: Path):
    """No wait for ever; the same call goes on from there, without it."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["."] + [part for part in sys.path if part])}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *words],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name, *words in (
            ("scheduler", "--host", "127.0.0.1", "--port", "18787", "--no-dashboard"),
            ("worker", "tcp://127.0.0.1:18787", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path)),
        )
    ]  # fmt: skip
    try:
        with Cluster("dask://127.0.0.1:18787", 60.0) as cluster:

            def kill(done: int, _total: int) -> None:
                if done:
                    started[0].kill()

            kept = sim.RunCache(tmp_path / "kept")
            with pytest.raises(MachineError, match=r"the cluster gave up \(.*--resume goes on"):
                sim.run(long, replications=16, workers=cluster, engine="simpy", progress=kill, cache=kept)
        there = sim.run(long, replications=16, engine="simpy", cache=kept)
        assert kept.reused >= 1
        assert figures(there) == figures(sim.run(long, replications=16, engine="simpy"))
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_missing_scheduler_is_reported_within_the_limit():
    """Not a wait for ever."""
    pytest.importorskip("distributed")
    with (
        pytest.raises(InputError, match="no dask scheduler answers there within 2 s"),
        Cluster("dask://127.0.0.1:9", 2.0),
    ):
        pass


@pytest.mark.slow
def test_ray_gives_the_bits_of_this_process(fleet: sim.Scenario):
    """A local ray cluster of two; skipped where ray isn't installed."""
    ray: Any = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with Cluster("ray://auto") as cluster:
            there = sim.run(fleet, workers=cluster, engine="simpy")
        here = sim.run(fleet, engine="simpy")
        assert figures(there) == figures(here)
    finally:
        ray.shutdown()
