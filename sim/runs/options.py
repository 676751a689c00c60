"""How a scenario is simulated: how many replications, which random numbers, which engine, and on which processes."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from sim.engines.names import ENGINES
from sim.errors import InputError
from sim.runs.cache import RunCache
from sim.runs.estimate import WorkEstimate
from sim.runs.executors import Executor, Workers
from sim.runs.listeners import Listener
from sim.runs.metrics import HEADLINES
from sim.scenario.scenario import Scenario

MOST_REPLICATIONS = 1_000_000
MOST_THREADS = 1_024
CAP = 1_000  # replications at most while a precision is waited for

Progress = Callable[[int, int], None]
"""Called with (replications done, replications expected in all)."""


def no_progress(_done: int, _total: int) -> None:
    """Progress that is reported to no one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run or a study; the figures depend on *replications*, *seed* and *precision* alone.

    Raises InputError for a value that can't be.
    """

    # None: the scenario's own; the cap where a precision is asked for. A range: only these numbers, a shard of a run.
    replications: int | range | None = None
    seed: int | None = None  # None: the scenario's own
    jobs: int = 1  # processes; -1: every core
    threads: int | None = None  # of the compiled engine in each replication; None: the cores that *jobs* leave
    engine: str = "auto"
    precision: float | None = None  # relative half-width of every headline metric; None: no sequential stopping
    headlines: Sequence[str] = HEADLINES  # the metrics that must reach *precision*
    events: bool = False  # keep every event for `events.parquet`
    listeners: Sequence[Listener] = ()  # called with every event, in order, once each replication is over
    budget_usd: float | None = None  # report the probability that the bill exceeds it
    cache: RunCache | None = None  # replications found here are read, not simulated again
    workers: Executor | None = None  # instead of *jobs*: a cluster
    progress: Progress | None = None
    consent: Callable[[WorkEstimate], None] | None = None  # asked with what the work will take, before it starts
    resume: bool = False  # go on from what an interrupted run has kept beside its folder

    def __post_init__(self) -> None:
        if isinstance(self.replications, range):
            self._check_shard(self.replications)
        elif self.replications is not None:
            if self.replications < 1:
                raise InputError(f"replications is {self.replications}; at least 1 is needed, and 2 for an interval")
            if self.replications > MOST_REPLICATIONS:
                raise InputError(f"replications is {self.replications:,}; at most {MOST_REPLICATIONS:,} are simulated")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it is a whole number from 0 to 2**63 - 1")
        if self.engine not in ENGINES:
            raise InputError(f"engine is {self.engine!r}; it is one of {', '.join(ENGINES)}")
        if self.precision is not None and not 0.0 < self.precision < 1.0:
            raise InputError(f"precision is {self.precision}; it is a share above 0 and below 1, such as 0.01 for 1 %")
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise InputError(f"threads is {self.threads}; it is a whole number from 1 to {MOST_THREADS}")
        if self.threads is not None and self.threads > 1 and self.engine == "simpy":
            raise InputError(
                f"threads is {self.threads}, but SimPy runs in one thread; leave it out, or ask for another engine"
            )
        for each in self.listeners:
            if not callable(each):
                raise InputError(
                    f"listeners: {each!r} is no function; each is called with a `sim.runs.listeners.Event`"
                )
        Workers(jobs=self.jobs)  # checks the number

    def _check_shard(self, numbers: range) -> None:
        """Raise InputError unless these can be the numbers of a shard's replications."""
        written = f"{numbers.start}..{numbers.stop - 1}"
        if not numbers or numbers.step != 1 or numbers.start < 0:
            raise InputError(f"replications {written}: write FIRST..LAST, whole numbers from 0 up, such as 0..999")
        if numbers.stop > MOST_REPLICATIONS:
            raise InputError(
                f"replications {written}: at most {MOST_REPLICATIONS:,} are simulated, so LAST is below it"
            )
        if self.listeners:
            raise InputError(f"replications {written}: a shard has no listeners; run all of them")
        if self.precision is not None:
            raise InputError(f"replications {written}: a shard has a fixed number of them; leave the precision out")

    @property
    def notes_events(self) -> bool:
        """Whether replications write their events: for the result folder, or for listeners."""
        return self.events or bool(self.listeners)

    @property
    def executor(self) -> Executor:
        """What simulates the replications."""
        return self.workers or Workers(jobs=self.jobs)

    @property
    def cap(self) -> int:
        """The most replications while a precision is waited for."""
        return CAP if self.replications is None else whole_run(self.replications)

    def numbers(self, scenario: Scenario) -> range:
        """The numbers of the replications to simulate."""
        return self.replications if isinstance(self.replications, range) else range(self.count(scenario))

    def count(self, scenario: Scenario) -> int:
        """Replications to simulate: those asked for, or the scenario's own."""
        return scenario.replications if self.replications is None else whole_run(self.replications)

    def seeded(self, scenario: Scenario) -> "RunOptions":
        """The same options with the scenario's own seed where none was asked for."""
        return replace(self, seed=scenario.seed) if self.seed is None else self


def whole_run(replications: int | range) -> int:
    """The number of replications of a study. Raises InputError for a shard: only runs have shards."""
    if isinstance(replications, range):
        raise InputError("replications FIRST..LAST: only `run` simulates a part of its replications; write a number")
    return replications


class SharedKeywords(TypedDict, total=False):
    """Keywords of every study; *options* gives several at once, and the others override it. See `RunOptions`."""

    options: RunOptions
    seed: int | None
    jobs: int
    threads: int | None
    engine: str
    progress: Progress | None
    cache: RunCache | None
    workers: Executor | None


class StudyKeywords(SharedKeywords, total=False):
    """Keywords of studies with a fixed number of replications."""

    replications: int | None


class PreciseKeywords(StudyKeywords, total=False):
    """Keywords of studies that can wait for a precision."""

    precision: float | None


class RunKeywords(SharedKeywords, total=False):
    """Keywords of a run."""

    replications: int | range | None
    precision: float | None
    headlines: Sequence[str] | None
    events: bool
    listeners: Sequence[Listener]
    budget_usd: float | None


def options_from(keywords: Mapping[str, Any], known: type, function: str) -> RunOptions:
    """The options that *function* was called with; InputError names the option that a wrong keyword may have meant.

    >>> options_from({"sed": 1}, RunKeywords, "run")
    Traceback (most recent call last):
    sim.errors.InputError: run() has no option 'sed'; did you mean seed?
    """
    names: frozenset[str] = known.__optional_keys__  # type: ignore[attr-defined]
    for name in keywords:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(names))}"
            raise InputError(f"{function}() has no option {name!r}; {hint}")
    given = dict(keywords)
    options: RunOptions = given.pop("options", RunOptions())
    if given.get("headlines", HEADLINES) is None:
        del given["headlines"]
    return replace(options, **given)
