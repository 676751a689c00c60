"""Studies on an existing dask or ray cluster, with the same bits as on one machine.

`dask://host:port` joins a running scheduler, `ray://auto` the ray cluster this machine belongs to, `ray://host:port` one
by its client port. Before any work is sent, every worker must say within a time limit that it can import vmfleet, and
which version it has: joblib would wait for ever for workers that can't, and another version would give other figures.
"""

import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sim.errors import InputError, MachineError, VmfleetError
from sim.runs.executors import CHUNK, Executor, Task, Workers, chunks
from sim.runs.provenance import program_digest
from sim.runs.replication import Replication
from sim.version import __version__

# start-up: dask and ray are optional, a worker imports this module itself, and joblib takes as long to load as numpy

SENT_AT_ONCE = 20  # parts of work in a round: results come back, and are kept, a round at a time
LIMIT_S = 30.0  # for every answer of a worker


@dataclass(slots=True)
class Cluster(AbstractContextManager["Cluster"]):
    """Worker processes on other machines; use it as a context, and give it to a study as its *workers*."""

    address: str
    limit_s: float = LIMIT_S
    slots: int = field(init=False, default=0)  # worker processes that answered
    _close: Callable[[], None] = field(init=False, default=lambda: None)
    _has_workers: Callable[[], bool] = field(init=False, default=lambda: True)

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
        """Worker processes."""
        return self.slots

    def __enter__(self) -> Self:
        self._close, self._has_workers, answers = (_join_dask if self.kind == "dask" else _join_ray)(self)
        try:
            check_answers(self.address, answers, who_am_i())
        except BaseException:
            self._close()
            raise
        self.slots = len(answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def threads(self, replications: int) -> int:  # noqa: ARG002
        """One: its processes share the cores already."""
        return 1

    def run(self, tasks: Sequence[Task], finished: Callable[[int, Replication], None]) -> None:
        """Simulate every replication of every task, in rounds; *finished* gets each with its task's index, in order."""
        if any(task.events_folder is not None for task in tasks):
            raise InputError(
                "--events can't be kept on a cluster: workers don't share our disk; run it here, with --jobs"
            )
        left = [(index, number) for index, task in enumerate(tasks) for number in task.numbers]
        parts = chunks(left, size=CHUNK)
        for first in range(0, len(parts), SENT_AT_ONCE):
            sent = parts[first : first + SENT_AT_ONCE]
            back = self._answers([tasks[index].part(numbers) for index, numbers in sent])
            for (index, _), replications in zip(sent, back, strict=True):
                for replication in replications:
                    finished(index, replication)

    def _while_there_are_workers(self, work: Callable[[], list[list[Replication]]]) -> list[list[Replication]]:
        """What *work* returns; MachineError once there has been no worker for as long as one may take to answer.

        dask keeps work for workers that may still come, for ever.
        """
        future: Future[list[list[Replication]]] = Future()

        def settle() -> None:
            try:
                future.set_result(work())
            except BaseException as failure:  # noqa: BLE001  raised again where the answer is awaited
                future.set_exception(failure)

        threading.Thread(
            target=settle, daemon=True
        ).start()  # a pool's thread would be awaited at the end of the program
        seen_s = time.monotonic()
        while not future.done():
            wait([future], timeout=min(1.0, self.limit_s / 4))
            if self._has_workers():
                seen_s = time.monotonic()
            elif time.monotonic() - seen_s > self.limit_s:
                raise _gave_up(self.address, f"no worker for {self.limit_s:g} s")
        return future.result()

    def _answers(self, tasks: Sequence[Task]) -> list[list[Replication]]:
        """What the workers make of the tasks. Raises MachineError: the cluster gave up, its last worker is gone, say."""

        from joblib import Parallel, delayed

        def work() -> list[list[Replication]]:
            with _backend(self):
                return list(Parallel()(delayed(Task.run)(task) for task in tasks))

        try:
            return self._while_there_are_workers(work)
        except VmfleetError:
            raise
        except Exception as failure:
            if type(failure).__module__.partition(".")[0] not in ("distributed", "dask", "ray", "asyncio", "builtins"):
                raise
            if type(failure).__module__ == "builtins" and not isinstance(failure, OSError | TimeoutError):
                raise
            raise _gave_up(self.address, f"{type(failure).__name__}: {failure}") from failure


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


@contextmanager
def _backend(cluster: Cluster) -> Iterator[None]:
    from joblib import parallel_config

    if cluster.kind == "ray":
        from ray.util.joblib import register_ray

        register_ray()
        with parallel_config(backend="ray", n_jobs=cluster.slots):
            yield
        return
    with parallel_config(backend="dask", n_jobs=-1, wait_for_workers_timeout=cluster.limit_s):
        yield


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


def input_for_worker() -> Callable[[], dict[str, str]]:
    """A function that is pickled by value, so that it also runs where vmfleet can't be imported."""

    def ask() -> dict[str, str]:
        try:
            from sim.runs.cluster import who_am_i as answer
        except Exception as error:  # noqa: BLE001  whatever keeps a worker from importing us is the answer
            return {"error": f"{type(error).__name__}: {error}"}
        return answer()

    return ask


Joined = tuple[Callable[[], None], Callable[[], bool], dict[str, Any]]
"""How to leave a cluster, whether it has workers at this moment, and what its workers answered."""


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

    def has_workers() -> bool:
        with suppress(OSError, TimeoutError, ValueError):
            return bool(client.scheduler_info(n_workers=-1)["workers"])
        return False

    return client.close, has_workers, answers


def _ask_dask(client: Any, limit_s: float) -> dict[str, Any]:
    """What every worker answers; TimeoutError if one of them doesn't. (`run` itself would wait for ever.)"""
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        with suppress(OSError, TimeoutError):  # the scheduler went away meanwhile: no answer either
            answers.append(client.run(input_for_worker(), wait=True, on_error="return"))

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
    asked = [ray.remote(input_for_worker()).remote() for _ in range(cores)]
    answered, silent = ray.wait(asked, num_returns=len(asked), timeout=cluster.limit_s) if asked else ([], [])
    answers = {f"core {index}": answer for index, answer in enumerate(ray.get(answered))}
    if silent:  # a core that is busy or hung would hold the study up, or another program might sit on it
        ray.shutdown()
        raise _refused(cluster.address, f"its workers don't answer within {cluster.limit_s:g} s")
    return ray.shutdown, lambda: True, answers  # ray itself gives up on work that no node can take
