"""Where the commands put results and keep replications, and the course of every study command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import typer

from sim.cli import options, terminal
from sim.errors import InputError
from sim.fields.numbers import how_many

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.runs.cache import RunCache
    from sim.runs.options import RunOptions

RESULTS = Path("results")  # where result folders go unless --out says otherwise
MAIN_FILES = {
    "run": "summary.json",
    "compare": "comparison.json",
    "sweep": "sweep.json",
    "size": "size.json",
    "sensitivity": "sensitivity.json",
    "backtest": "backtest.json",
    "recommend": "recommend.json",
}


class Answer(Protocol):
    """The result of a study."""

    def write(self, folder: str | Path) -> Path:
        """Write its result folder."""

    def summary(self) -> Mapping[str, Any]:
        """The content of its main file."""


A = TypeVar("A", bound=Answer)


def folder_for(shared: options.Shared, name: str, command: str) -> Path:
    """Where a result goes: where --out says, else into the folder of the scenario's name. Raises ResultError, before a long run."""
    from sim.runs.atomic_write import check_folder

    if shared.out is not None:
        return shared.out
    folder = RESULTS / (name if ".." not in (shared.replications or "") else f"{name}-{shared.replications}")
    for _, goal in _other_result(folder, command):
        check_folder(goal)
    return folder


def keep_other_result(folder: Path, command: str, shared: options.Shared) -> None:
    """Before this command's result is written: another one's moves out of its way. A folder that --out names is replaced."""
    from sim.runs.atomic_write import move_result

    for other, goal in _other_result(folder, command) if shared.out is None else ():
        move_result(folder, goal)
        if not shared.quiet:
            terminal.note(
                f"the result of `vmfleet {other}` in {folder} is now in {goal}; --out DIR leaves it in its place"
            )


def _other_result(folder: Path, command: str) -> list[tuple[str, Path]]:
    """The other command whose result a folder holds, if any, and where that goes."""
    found = [other for other, file in MAIN_FILES.items() if other != command and (folder / file).exists()]
    return [(other, folder.with_name(f"{folder.name}-{other}")) for other in found[:1]]


def print_answer(summary: Mapping[str, Any], show: Callable[[Mapping[str, Any]], None], shared: options.Shared) -> bool:
    """A summary as JSON, or as it is shown, in Markdown where that is asked for; whether more may follow, as where it was written."""
    if shared.as_json:
        terminal.print_json(summary)
    elif shared.as_markdown or not shared.quiet:
        with terminal.markdown(wanted=shared.as_markdown):
            show(summary)
    return not shared.silent


def run_study(
    command: str,
    name: str,
    shared: options.Shared,
    simulate: Callable[[RunOptions], A],
    show: Callable[[Mapping[str, Any]], None],
) -> A:
    """Run a study of the scenario *name*, write its folder and report, show its summary, and return it."""
    from sim.runs.cluster import workers_for

    folder = folder_for(shared, name, command)
    asked = options.run_options(shared)
    with workers_for(shared.jobs, shared.cluster) as workers, _kept(folder, shared) as cache:
        with terminal.progress_bar("replications", quiet=shared.silent) as progress:
            answer = simulate(replace(asked, workers=workers, cache=cache, progress=progress))
        keep_other_result(folder, command, shared)
        answer.write(folder)
    if not shared.no_report:
        terminal.build_report(folder, quiet=shared.silent)
    summary = answer.summary()
    if print_answer(summary, show, shared):
        if cache.reused:
            typer.echo(
                f"{how_many(cache.reused, 'replication')} {'was' if cache.reused == 1 else 'were'} read from {cache.folder}, not simulated again "
                "(--no-cache simulates them)"
            )
        main = "sweep.csv" if command == "sweep" else MAIN_FILES[command]
        typer.echo(f"Written: {terminal.address(folder, main if shared.no_report else 'report.html')}")
    return answer


@contextmanager
def _kept(folder: Path, shared: options.Shared) -> Iterator[RunCache]:
    """Where a study keeps replications: for later studies, or, without a cache, until this one is written."""
    from sim.runs.atomic_write import check_folder, full_disk_explained, unfinished_folder
    from sim.runs.cache import RunCache, cache_beside

    is_new = not folder.parent.exists()
    check_folder(folder)
    # Not where `run` keeps its own: a study of the same folder must not take what an interrupted run has finished.
    unfinished = RunCache(unfinished_folder(folder, "study"))
    if shared.no_cache and not shared.resume:
        unfinished.forget()
    # What was begun without a cache goes on without one.
    without = shared.no_cache or (shared.resume and not unfinished.is_empty())
    cache = unfinished if without else cache_beside(folder)
    try:
        with full_disk_explained(folder):
            yield cache
    except InputError:
        if is_new:  # wrong input leaves nothing behind
            with suppress(OSError):  # unless there is something to keep
                folder.parent.rmdir()
        raise
    finally:
        if cache is not unfinished:
            cache.sign()
    if cache is unfinished:
        cache.forget()
    else:
        cache.trim()
