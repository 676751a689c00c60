"""Studies on an existing dask or ray cluster, with the same bits as on one machine.

`dask://host:port` joins a running scheduler, `ray://auto` the ray cluster this machine belongs to, `ray://host:port` one
by its client port. Before any work is sent, every worker must say within a time limit that it can import vmfleet, and
which version it has: work for workers that can't would be waited for for ever, and another version would give other figures.
"""

import math
import platform
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from sim.errors import InputError, MachineError, VmfleetError
from sim.fields import plugins
from sim.runs.blocks import Block
from sim.runs.dispatch import Dispatch, Finished, Pool, run_part
from sim.runs.executors import Executor, Taken, Task, Workers
from sim.runs.provenance import program_digest
from sim.version import __version__

# start-up: dask and ray are optional, and a worker imports this module itself

LIMIT_S = 30.0  # for every answer of a worker


class _NotTheClusters(Exception):
    """What was finished could not be taken, since this computer's disk is full, say."""


@dataclass(slots=True)
class Cluster(AbstractContextManager["Cluster"]):
    """Worker processes on other machines; use it as a context, and give it to a study as its *workers*."""

    address: str
    limit_s: float = LIMIT_S
    _pool: "ClusterPool | None" = field(init=False, default=None)

    def __post_init__(self) -> None:
        kind, _, place = self.address.partition("://")
        if kind not in ("dask", "ray") or not place:
            raise InputError(f"--cluster {self.address}: write dask://host:port, ray://auto or ray://host:port")

    @property
    def kind(self) -> str:
        """dask or ray."""
        return self.address.partition("://")[0]

    @property
    def place(self) -> str:
        """What stands after the kind."""
        return self.address.partition("://")[2]

    @property
    def processes(self) -> int:
        """How many replications are simulated at a time."""
        return self._pool.slots if self._pool is not None else 0

    def __enter__(self) -> Self:
        pool, answers = (_join_dask if self.kind == "dask" else _join_ray)(self)
        try:
            check_answers(self.address, answers, who_am_i())
        except BaseException:
            pool.close()
            raise
        self._pool = pool
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._pool is not None
        self._pool.close()
        self._pool = None

    def threads(self, replications: int) -> int:  # noqa: ARG002
        """One: its processes share the cores already."""
        return 1

    def run(self, tasks: Sequence[Task], finished: Taken) -> None:
        """Simulate every replication of every task; *finished* gets them in blocks, as they come.

        Raises MachineError: the cluster gave up, its last worker is gone, say.
        """
        if any(task.events_folder is not None for task in tasks):
            raise InputError(
                "--events can't be kept on a cluster: workers don't share our disk; run it here, with --jobs"
            )
        assert self._pool is not None

        def take(index: int, block: Block) -> None:
            try:
                finished(index, block)
            except OSError as wrong:
                raise _NotTheClusters(wrong) from None

        try:
            Dispatch(tasks, self._pool, self.limit_s).run(take)
        except _NotTheClusters as ours:
            raise ours.args[0] from None
        except MachineError as gone:
            raise _gave_up(self.address, str(gone)) from None
        except VmfleetError:
            raise
        except BaseException as failure:
            if type(failure).__module__.partition(".")[0] not in (
                "distributed",
                "dask",
                "ray",
                "asyncio",
                "builtins",
                "concurrent",
            ):
                raise
            if type(failure).__module__ == "builtins" and not isinstance(failure, OSError | TimeoutError):
                raise
            said = " ".join(f"{type(failure).__name__}: {failure}".split())  # dask's has several lines
            raise _gave_up(self.address, said) from failure
        finally:
            self._pool.forget()


def _refused(address: str, why: str) -> InputError:
    return InputError(f"--cluster {address}: {why}")


def _gave_up(address: str, said: str) -> MachineError:
    return MachineError(
        f"--cluster {address}: the cluster gave up ({said}); are its workers short of memory? Finished replications are "
        "kept: --resume goes on from them"
    )


@contextmanager
def workers_for(jobs: int, cluster: str | None) -> Iterator[Executor]:
    """The executor that `--jobs` and `--cluster` ask for, ready to run."""
    if cluster is None:
        yield Workers(jobs=jobs)
        return
    with Cluster(cluster) as joined:
        yield joined


def who_am_i() -> dict[str, str]:
    """What a worker must have in common with this process for the figures to be the same bits."""
    return {"python": platform.python_version(), "program": __version__, "digest": program_digest()}


def check_answers(address: str, answers: Mapping[str, Mapping[str, str]], ours: Mapping[str, str]) -> None:
    """Raise InputError in words unless every worker answered, can import us, and has our program."""
    if not answers:
        raise _refused(address, "no workers are connected; start some, then try again")
    for worker, answer in answers.items():
        if "error" in answer:
            install = f"install vmfleet {ours['program']} in the workers' environment"
            raise _refused(address, f"worker {worker} can't import vmfleet ({answer['error']}); {install}")
        if answer["digest"] != ours["digest"]:
            what = "program" if answer["program"] != ours["program"] else "source or libraries"
            theirs = f"vmfleet {answer['program']}, Python {answer['python']}"
            here = f"here vmfleet {ours['program']}, Python {ours['python']}"
            differ = f"worker {worker} has another {what} ({theirs}; {here}), so its figures could differ"
            raise _refused(address, f"{differ}; install the same everywhere")


def input_for_worker(modules: tuple[str, ...] = ()) -> Callable[[], dict[str, str]]:
    """A function that is pickled by value, so that it also runs where vmfleet can't be imported; *modules* are plug-ins."""

    def ask() -> dict[str, str]:
        try:
            from sim.fields.plugins import import_again
            from sim.runs.cluster import who_am_i as answer

            import_again(modules)
        except Exception as error:  # noqa: BLE001  whatever keeps a worker from importing us is the answer
            return {"error": f"{type(error).__name__}: {error}"}
        return answer()

    return ask


Joined = tuple["ClusterPool", dict[str, Any]]
"""A cluster that was joined, and what its workers answered."""


def _join_dask(cluster: Cluster) -> Joined:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--cluster dask://... needs dask: pip install 'vmfleet[cluster]'") from None
    try:
        client = Client(f"tcp://{cluster.place}", timeout=cluster.limit_s, set_as_default=True)
    except (OSError, TimeoutError, ValueError) as refusal:
        said = f"no dask scheduler answers there within {cluster.limit_s:g} s ({refusal})"
        raise _refused(cluster.address, said) from None
    try:
        future = _ask_dask(client, cluster.limit_s) if _workers_of(client) else {}
    except (OSError, TimeoutError) as refusal:
        client.close(timeout=1)
        said = f" ({refusal})" if str(refusal) else ""
        silent = f"its workers don't answer within {cluster.limit_s:g} s{said}"
        raise _refused(cluster.address, f"{silent}; are they busy, or hung?") from None
    answers = {
        name: {"error": repr(answer)} if isinstance(answer, BaseException) else answer
        for name, answer in future.items()
    }

    return DaskPool(client, cluster.limit_s), answers


def _ask_dask(client: Any, limit_s: float) -> dict[str, Any]:
    """What every worker answers; TimeoutError if one of them doesn't. (`run` itself would wait for ever.)"""
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        with suppress(OSError, TimeoutError):  # the scheduler went away meanwhile: no answer either
            answers.append(client.run(input_for_worker(plugins.modules()), wait=True, on_error="return"))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(limit_s)
    if not answers:
        raise TimeoutError
    return answers[0]


def _workers_of(client: Any) -> list[str]:
    """Addresses of the workers, given a moment to appear."""
    until = time.monotonic() + 5.0
    while True:
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        if workers or time.monotonic() > until:
            return workers
        time.sleep(0.1)


def _join_ray(cluster: Cluster) -> Joined:
    try:
        import ray
    except ImportError:
        raise InputError("--cluster ray://... needs ray: pip install 'vmfleet[ray]'") from None
    place = "auto" if cluster.place == "auto" else cluster.address
    try:
        ray.init(address=place, ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, RuntimeError, TimeoutError) as refusal:
        raise _refused(cluster.address, f"no ray cluster answers there ({refusal})") from None
    cores = int(ray.cluster_resources().get("CPU", 0))
    asked = [ray.remote(input_for_worker(plugins.modules())).remote() for _ in range(cores)]
    answered, silent = ray.wait(asked, num_returns=len(asked), timeout=cluster.limit_s) if asked else ([], [])
    answers = {f"core {index}": answer for index, answer in enumerate(ray.get(answered))}
    if silent:  # a core that is busy or hung would hold the study up, or another program might sit on it
        ray.shutdown()
        raise _refused(cluster.address, f"its workers don't answer within {cluster.limit_s:g} s")
    return RayPool(cores), answers


class ClusterPool(Pool, Protocol):
    """A pool that can be left."""

    def forget(self) -> None:
        """Give up work that is out, and what was sent for it."""

    def close(self) -> None:
        """Leave the cluster; it goes on running."""


class DaskPool:
    """Workers of a dask cluster, asked through futures; dask itself sends the work of a lost worker to another."""

    def __init__(self, client: Any, limit_s: float) -> None:
        from distributed import as_completed

        self._client = client
        self._done: Any = as_completed([], loop=client.loop, with_results=True, raise_errors=False)
        self._inputs: dict[int, Any] = {}  # of a task: on the cluster, sent once
        self._out: set[Any] = set()
        self._checked_s, self._check_every_s = -math.inf, limit_s / 8
        self._slots = 0
        self.has_workers()

    @property
    def slots(self) -> int:
        """Threads of all workers, as last seen: workers may come and go."""
        return self._slots

    def submit(self, task: Task) -> Hashable:
        """A future; the inputs of a task go over the wire once, and can be made again from the scheduler's copy."""
        key = id(task.inputs)
        if key not in self._inputs:
            self._inputs[key] = self._client.submit(_itself, task.inputs, pure=False)
        future = self._client.submit(run_part, self._inputs[key], task.without_inputs, pure=False)
        self._done.add(future)
        self._out.add(future)
        return future  # type: ignore[no-any-return]

    def wait(self, timeout_s: float) -> list[tuple[Hashable, Finished]]:
        """Futures that have ended."""
        until_s = time.monotonic() + timeout_s
        while not self._done.has_ready() and time.monotonic() < until_s:
            time.sleep(0.002)
        ended = self._done.next_batch(block=False)
        self._out.difference_update(future for future, _ in ended)
        return [(future, _of_dask(future.status, result)) for future, result in ended]

    def has_workers(self) -> bool:
        """Asked for now and then: with many workers the answer is long."""
        if time.monotonic() - self._checked_s >= self._check_every_s:
            self._checked_s, self._slots = time.monotonic(), 0
            with suppress(OSError, TimeoutError, ValueError):
                workers = self._client.scheduler_info(n_workers=-1)["workers"]
                self._slots = sum(int(worker["nthreads"]) for worker in workers.values())
        return self._slots > 0

    def forget(self) -> None:
        """Give up what is out."""
        with suppress(OSError, TimeoutError, ValueError):  # the scheduler may be gone
            self._client.cancel(list(self._out))
        self._out.clear()
        self._done.clear()
        self._inputs.clear()

    def close(self) -> None:
        """Leave the scheduler."""
        self._client.close()


def _itself(value: Any) -> Any:
    return value


def _of_dask(status: str, result: Any) -> Finished:
    if status == "finished":
        return Finished(*result)
    failure = result[1] if isinstance(result, tuple) else result
    return Finished(failure=failure if isinstance(failure, BaseException) else MachineError(f"its work was {status}"))


class RayPool:
    """Cores of a ray cluster; ray itself sends the work of a lost node to another, and gives up on what none can take."""

    def __init__(self, cores: int) -> None:
        import ray

        self.slots = cores
        self._ray: Any = ray
        self._run: Any = ray.remote(run_part)
        self._inputs: dict[int, Any] = {}
        self._out: list[Any] = []

    def submit(self, task: Task) -> Hashable:
        """A reference; the inputs of a task are put into the object store once."""
        key = id(task.inputs)
        if key not in self._inputs:
            self._inputs[key] = self._ray.put(task.inputs)
        self._out.append(self._run.remote(self._inputs[key], task.without_inputs))
        return self._out[-1]  # type: ignore[no-any-return]

    def wait(self, timeout_s: float) -> list[tuple[Hashable, Finished]]:
        """References whose work has ended."""
        self._ray.wait(self._out, num_returns=1, timeout=timeout_s)
        done, self._out = self._ray.wait(self._out, num_returns=len(self._out), timeout=0)
        return [(reference, self._of(reference)) for reference in done]

    def _of(self, reference: Any) -> Finished:
        try:
            return Finished(*self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as failed:
            return Finished(failure=failed.cause if isinstance(failed.cause, BaseException) else failed)
        except self._ray.exceptions.RayError as failed:
            return Finished(failure=failed)

    def has_workers(self) -> bool:
        """Always: ray gives up by itself."""
        return True

    def forget(self) -> None:
        """Give up what is out."""
        for reference in self._out:
            self._ray.cancel(reference, force=True)
        self._out.clear()
        self._inputs.clear()

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()
