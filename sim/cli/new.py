"""`vmfleet new`: a short commented scenario from flags, or from a few questions on a terminal."""

import sys
import tomllib
from dataclasses import dataclass, fields
from datetime import time
from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options
from sim.cli.options import option
from sim.errors import InputError
from sim.files import write_whole

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is asked of a new fleet; None: not said."""

    size: str | None = option(
        None, "--size", metavar="SIZE", help="`vmfleet sizes` lists them. [default: Standard_D4s_v5]"
    )
    count: int | None = option(None, "--count", metavar="N", help="How many VMs. [default: 10]")
    region: str | None = option(
        None, "--region", metavar="REGION", help="`vmfleet regions` lists them. [default: westeurope]"
    )
    os: str | None = option(None, "--os", metavar="linux|windows", help="Guest operating system. [default: linux]")
    on: str | None = option(
        None, "--on", metavar="HH:MM", help="When a day begins; without --on and --off the VMs are always on."
    )
    off: str | None = option(None, "--off", metavar="HH:MM", help="When it ends.")
    days: str | None = option(None, "--days", metavar="DAYS", help="On which days. [default: Mon-Fri]")
    time_zone: str | None = option(None, "--time-zone", metavar="ZONE", help="Whose clock. [default: UTC]")
    when_off: str | None = option(
        None,
        "--when-off",
        metavar="WAY",
        help="deallocate, stop, guest-shutdown, hibernate, delete or keep. [default: deallocate]",
    )


QUESTIONS = (  # of a terminal where nothing is said: name, question, default
    ("count", "How many VMs", "10"),
    ("size", "Size", "Standard_D4s_v5"),
    ("os", "Guest operating system (linux or windows)", "linux"),
    ("region", "Region", "westeurope"),
    ("on", "From what time are they needed (HH:MM; empty: always)", ""),
)
OF_A_DAY = (
    ("off", "Until what time", "19:00"),
    ("days", "On which days", "Mon-Fri"),
    ("time_zone", "Time zone, such as Europe/Amsterdam", "UTC"),
    ("when_off", "What is done at night (deallocate, stop, guest-shutdown, delete, keep)", "deallocate"),
)


@options.expanded("quiet")
def new(
    answers: Answers,
    shared: options.Shared,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the scenario.")] = "fleet",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="[default: NAME.toml]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a short commented scenario, from flags or from a few questions."""
    from sim import from_dict

    file = Path(f"{name}.toml") if out is None else out
    if file.is_file() and not force:
        raise InputError(f"{file}: is there already; --force overwrites it, --out names another file")
    if not file.absolute().parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.absolute().parent}; make it first")
    if file.is_dir():
        raise InputError(f"{file}: is a folder; --out names a file")
    said = {each.name: getattr(answers, each.name) for each in fields(answers)}
    if not any(value is not None for value in said.values()) and sys.stdin.isatty() and not shared.quiet:
        said |= _ask()
    text = scenario_text(name, said)
    from_dict(tomllib.loads(text))  # wrong answers are refused before anything is written
    write_whole(file, text)
    if not shared.quiet:
        typer.echo(f"Wrote {file}. Next: vmfleet validate {file}, vmfleet run {file}")


def _ask() -> dict[str, object]:
    """The answers of a person."""
    found: dict[str, object] = {key: typer.prompt(question, default=default) for key, question, default in QUESTIONS}
    if found["on"]:
        found |= {key: typer.prompt(question, default=default) for key, question, default in OF_A_DAY}
    return {key: value for key, value in found.items() if value != ""}


def scenario_text(name: str, said: dict[str, object]) -> str:
    """The scenario as TOML with comments. Raises InputError where a window has one end only, or half a time."""
    given = {key: value for key, value in said.items() if value is not None}
    if ("on" in given) != ("off" in given):
        raise InputError(f"--{'off' if 'on' in given else 'on'}: is missing; a day has --on and --off")
    alone = [key for key in ("days", "time_zone", "when_off") if key in given and "on" not in given]
    if alone:
        raise InputError(f"--{alone[0].replace('_', '-')}: has no effect without --on and --off: the VMs are always on")
    schedule = f"""
# When the VMs are needed, on the local clock, and what is done with them at other times:
# "deallocate" frees the hardware, and nothing but disks is billed; "stop" keeps it, and is billed like running.
when_off = {_text(given.get("when_off", "deallocate"))}
schedule = {{ days = {_text(given.get("days", "Mon-Fri"))}, on = {_time("on", given)}, off = {_time("off", given)}, time_zone = {_text(given.get("time_zone", "UTC"))} }}
"""
    hibernates = given.get("when_off") == "hibernate"
    policy = 'billing_policy = "2023-10"  # the one that knows Hibernated\n' if hibernates else ""
    return f"""# What does this fleet cost, and what would another habit cost?
# `vmfleet validate` says it in words with every default; `vmfleet keys` lists all that may stand here.
name = {_text(name)}
start = 2026-01-05T00:00:00Z  # a Monday
horizon = "28d"  # how long to simulate
replications = 20  # how often, each with other random numbers
{policy}
[prices]
region = {_text(given.get("region", "westeurope"))}

[[group]]  # like VMs; add one for each size or habit
name = "vm"
size = {_text(given.get("size", "Standard_D4s_v5"))}
os = {_text(given.get("os", "linux"))}
count = {_number(given.get("count", 10))}
disks = ["P10"]  # of each VM; billed whatever its power state
{schedule if "on" in given else ""}"""


def _text(value: object) -> str:
    from sim.scenario.writing import toml_value

    return toml_value(str(value))


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise InputError(f"--count: {value} is no whole number") from None


def _time(key: str, given: dict[str, object]) -> str:
    """A wall-clock time as TOML writes it: 8:00 and 08:00:00 read alike."""
    if key not in given:
        return ""
    hour, colon, rest = str(given[key]).partition(":")
    try:
        found = time.fromisoformat(f"{hour.zfill(2)}{colon}{rest}" if hour else "")
        if found.tzinfo is not None:
            raise ValueError
        return found.isoformat()
    except ValueError:
        raise InputError(f"--{key} {given[key]}: is no time of day; write HH:MM, such as 08:00") from None
