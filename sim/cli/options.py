"""The options that several commands share, each declared once, and the decorator that gives them to a command."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sim.cli import terminal
from sim.engines.names import Engine
from sim.errors import InputError, ScenarioError
from sim.files import refusal

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.runs.estimate import WorkEstimate
    from sim.runs.options import RunOptions


MOST_LETTERS = 40  # of a number that is read


def _from(least: int, name: str, *, but: int | None = None) -> Callable[[int | None], int | None]:
    """A check that a number is at least *least*, or is *but*; said with the value, before anything is written."""

    def check(value: int | None) -> int | None:
        if value is not None and value < least and value != but:
            also = "" if but is None else f", or {but} for all there are"
            raise InputError(f"{name} is {value}; it is a whole number from {least} up{also}")
        return value

    return check


def _checked_replications(text: str | None) -> str | None:
    """A number of replications, or a range of them, as it was written."""
    replications_of(text)
    return text


def _amount(name: str) -> Callable[[float | None], float | None]:
    """A check that a sum of money is one."""

    def check(value: float | None) -> float | None:
        if value is not None and not 0.0 <= value < math.inf:
            raise InputError(f"{name} is {value}; it is an amount of money from 0 up")
        return value

    return check


SCENARIO = typer.Argument(metavar="SCENARIO.toml", help="The fleet, its demand and its failures, as a TOML file.")

ScenarioFile = Annotated[Path, SCENARIO]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", callback=_from(0, "--seed"), metavar="N", help="Seed of every draw. [default: the scenario's]"
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change one value of the scenario, e.g. group.dev.count=300; repeatable."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output, and nothing else there.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="The answer as Markdown on standard output, and nothing else there.")
]
Prices = Annotated[
    Path | None, typer.Option("--catalogue", metavar="FILE", help="A catalogue of your own. [default: the bundled one]")
]

FocusVersion = Annotated[
    str | None,
    typer.Option(
        "--focus-version",
        metavar="1.2|1.3",
        help="Of the FOCUS rows; 1.3 with its contract commitments beside them. [default: 1.2]",
    ),
]


def focus_version(asked: str | None, file: Path | None) -> str:
    """The version of FOCUS to write; raises InputError for one that isn't written, and where no file is."""
    if asked is not None and file is None:
        raise InputError("--focus-version: has no effect without --focus FILE.csv")
    if asked not in (None, "1.2", "1.3"):
        raise InputError(f"--focus-version {asked}: it is one of 1.2, 1.3")
    return asked or "1.2"


def folder(given: str) -> Path:
    """A result folder as it was given: a path, or an address in a store. Raises InputError for a text that is no whole address."""
    from sim.runs.remote import url_of

    url_of(given)  # a `Path` has lost how many slashes there were
    return Path(given)


def option(default: Any, *flags: str, **how: Any) -> Any:
    """A field of a dataclass of options: its default, its flags, and what `typer.Option` takes besides."""
    return field(default=default, metadata={"option": typer.Option(*flags, **how)})


def one_form(*, as_json: bool, as_markdown: bool) -> None:
    """Refuse an answer in two forms: standard output has one."""
    if as_json and as_markdown:
        raise InputError("--json and --markdown: give one of them, standard output has one form")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Options of the commands that simulate, in the order of their help; a command may take a part of them."""

    seed: Seed = None
    replications: str | None = option(
        None,
        "--replications",
        "-n",
        callback=_checked_replications,
        metavar="N",
        help="Independent repetitions; of `size`: at most so many at a value; of `run` also FIRST..LAST, a shard for `merge`. "
        "[default: the scenario's; `size`: as it takes]",
    )
    precision: str | None = option(
        None,
        "--precision",
        metavar="SHARE",
        help="Replicate until the half-width of every headline metric is below this share of it, e.g. 1%.",
    )
    budget: float | None = option(
        None, "--budget", metavar="AMOUNT", callback=_amount("--budget"), help="Say how likely the bill exceeds this."
    )
    jobs: int = option(
        1, "--jobs", "-j", callback=_from(1, "--jobs", but=-1), metavar="N", help="Processes; -1 for every core."
    )
    threads: int | None = option(
        None,
        "--threads",
        callback=_from(1, "--threads"),
        metavar="N",
        help="Threads of the compiled engine in each replication. [default: the cores that --jobs leave]",
    )
    cluster: str | None = option(
        None,
        "--cluster",
        metavar="ADDRESS",
        help="Run on an existing cluster instead: dask://host:port, ray://auto or ray://host:port.",
    )
    out: Path | None = option(
        None, "--out", "-o", parser=folder, metavar="DIR", help="Result folder. [default: results/<scenario name>]"
    )
    overrides: Overrides = None
    engine: Engine = option(
        "auto", "--engine", help="simpy: the model of record; compiled: the same bits, faster; auto: picks."
    )
    metrics: list[str] | None = option(
        None, "--metric", metavar="NAME", help="A metric to show; repeatable. [default: the headlines]"
    )
    events: bool = option(False, "--events", help="Also write every event of every VM (events.parquet).")
    focus: Path | None = option(
        None,
        "--focus",
        metavar="FILE.csv",
        help="Also write replication 0's invoice as FOCUS rows: one for each VM, day and meter.",
    )
    focus_version: FocusVersion = None
    no_report: bool = option(False, "--no-report", help="Skip figures and report.html; `vmfleet report` makes them.")
    resume: bool = option(
        False, "--resume", help="Go on from what an interrupted run with the same inputs has finished."
    )
    no_cache: bool = option(
        False, "--no-cache", help="Simulate every replication anew, and keep none for later studies in .vmfleet-cache."
    )
    fail_if: list[str] | None = option(
        None,
        "--fail-if",
        metavar="CONDITION",
        help="Exit status 3 where this is true, e.g. cost.total>50000; repeatable.",
    )
    yes: bool = option(False, "--yes", "-y", help="Start also what exceeds this machine's memory, or takes very long.")
    quiet: Quiet = False
    as_json: Json = False
    as_markdown: Markdown = False

    def __post_init__(self) -> None:
        one_form(as_json=self.as_json, as_markdown=self.as_markdown)

    @property
    def silent(self) -> bool:
        """Whether nothing but the answer goes to the terminal: no progress."""
        return self.quiet or self.as_json or self.as_markdown


def expanded(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that its dataclass parameters declare, in their place; those of `Shared` come last.

    *names* are the options of `Shared` that it takes.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        groups: dict[str, tuple[Any, list[str]]] = {}
        parameters: list[inspect.Parameter] = []
        last: list[inspect.Parameter] = []  # the shared options
        for parameter in inspect.signature(command).parameters.values():
            kind = hints[parameter.name]
            if not is_dataclass(kind):
                parameters.append(parameter.replace(annotation=kind))
                continue
            own = get_type_hints(kind, include_extras=True)
            own |= {
                each.name: Annotated[own[each.name], *each.metadata.values()] for each in fields(kind) if each.metadata
            }
            taken = [each for each in fields(kind) if kind is not Shared or each.name in names]
            groups[parameter.name] = (kind, [each.name for each in taken])
            (last if kind is Shared else parameters).extend(
                inspect.Parameter(each.name, parameter.KEYWORD_ONLY, default=each.default, annotation=own[each.name])
                for each in taken
            )

        @functools.wraps(command)
        def call(**given: Any) -> None:
            for name, (kind, taken) in groups.items():
                given[name] = kind(**{each: given.pop(each) for each in taken})
            command(**given)

        ordered = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*parameters, *last)]
        call.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
        call.__annotations__ = {each.name: each.annotation for each in ordered}
        return call

    return decorate


STUDY = (
    "seed", "replications", "precision", "jobs", "threads", "cluster", "out", "overrides", "engine", "no_report", "resume",
    "no_cache", "yes", "quiet", "as_json", "as_markdown",
)  # fmt: skip


def run_options(shared: Shared) -> RunOptions:
    """The options of a run or a study as they stand on the command line."""
    from sim.runs.options import RunOptions

    return RunOptions(
        replications=replications_of(shared.replications),
        seed=shared.seed,
        jobs=shared.jobs,
        threads=shared.threads,
        engine=shared.engine,
        precision=share_of(shared.precision),
        events=shared.events,
        budget_usd=shared.budget,
        resume=shared.resume,
        consent=None if shared.yes else _consent,
    )


def replications_of(text: str | None) -> int | range | None:
    """A number of replications, or the numbers FIRST..LAST of a shard."""
    if text is None:
        return None
    first, dots, last = text.partition("..")
    wrong = len(text) > MOST_LETTERS or not first.isdecimal() or not (last.isdecimal() if dots else int(first) > 0)
    if wrong:
        numbers = "a whole number from 1 up; `run` also takes FIRST..LAST, such as 4000..4999"
        raise InputError(f"--replications is {text[:MOST_LETTERS]}; it is {numbers}")
    return range(int(first), int(last) + 1) if dots else int(first)


def _consent(found: WorkEstimate) -> None:
    """Ask on a terminal whether to start what exceeds the machine; without one it is refused."""
    from sim.runs.estimate import refuse_excess

    on_a_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    question = f"Expected: {found.words}; {found.excess}. Start it?"
    if found.excess and on_a_terminal and terminal.confirm(question):
        return
    refuse_excess(found)


def share_of(text: str | None, option: str = "--precision") -> float | None:
    """A share as people write it, `1%` or `0.01`, for an option."""
    if text is None:
        return None
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        share = float("nan")
    if not 0.0 < share < 1.0:
        raise refusal(ScenarioError, "", f"{text!r} is no share", "say 1% or 0.01, above 0 and below 1", field=option)
    return share
