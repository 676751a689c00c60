"""`vmfleet from-azure`: a scenario from what people have saved of their subscription."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import options, terminal
from sim.cli.options import option
from sim.errors import InputError, UsageError
from sim.fields.numbers import how_many
from sim.files import refusal

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.azure.importing import Imported

SHOWN = 12  # VMs and charges left out, on a terminal


def day_of(text: str | None, option: str) -> date | None:
    """A day as people write it on the command line."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise refusal(UsageError, "", f"{text!r} is no day", "write it like 2026-09-01", field=option) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days to look at."""

    first: str | None = option(
        None, "--from", metavar="DAY", help="First day of the period. [default: what the files cover]"
    )
    last: str | None = option(None, "--to", metavar="DAY", help="Last day, included.")


@options.expanded()
def from_azure(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_FOLDER...", help="Saved files, in any mixture; docs/from-azure.md says how to save them."
        ),
    ],
    period: Period,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The scenario to write.")] = Path(
        "fleet.toml"
    ),
    catalogue: options.Prices = None,
    update: Annotated[
        bool, typer.Option("--update", help="Import again into a scenario that you edited: your edits stay.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the scenario file.")] = False,
    quiet: options.Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="What was found as JSON on standard output, and nothing else there.")
    ] = False,
) -> None:
    """A scenario from `az vm list -d`, Resource Graph, Activity Log, cost exports, Terraform."""
    from sim.azure import answer
    from sim.azure.importing import import_fleet

    first, last = day_of(period.first, "--from"), day_of(period.last, "--to")
    if out.exists() and not force and not update:
        raise InputError(
            f"{out}: is there already; --update keeps your edits in it, --force overwrites it, --out names another file"
        )
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.absolute().parent}; make it first")
    with terminal.working("reading", quiet=quiet or as_json):
        found = import_fleet(inputs, first=first, last=last, stem=out.stem, catalogue=catalogue)
    text = answer.scenario_text(found, answer.safe_stem(out), out.absolute().parent)
    kept = answer.write(found, out, text, update=update)
    if as_json:
        typer.echo(json.dumps(answer.as_object(found, str(out)) | {"kept": kept}, indent=1))
    elif not quiet:
        for edit in kept:
            typer.echo(f"kept: {edit}")
        _print(found, out)


def _print(found: Imported, out: Path) -> None:
    terminal.print_table(
        "Files",
        ("file", "what it is", "rows", "used"),
        [
            (each.path.name, each.seen.words, f"{each.rows:,}", "yes" if each.used else each.reason)
            for each in found.inputs
        ],
        left=2,
    )
    terminal.print_table(
        "Groups",
        ("group", "VMs", "size", "region", "demand", "hours on"),
        [
            (
                group.name, str(len(group.members)), group.members[0].vm.size, group.members[0].vm.region, group.demand,
                f"{sum(each.time.on_h for each in group.members):,.1f}",
            )
            for group in found.groups
        ],
        left=1,
    )  # fmt: skip
    left_out = [vm for vm in found.vms if vm.reason]
    for vm in left_out[:SHOWN]:
        typer.echo(f"left out: {vm.name}: {vm.reason}")
    if len(left_out) > SHOWN:
        typer.echo(f"and {len(left_out) - SHOWN} more, named in {out}")
    for note in found.warnings:
        terminal.note(note)
    typer.echo(
        f"Wrote {out}: {len(found.vms) - len(left_out):,} of {how_many(len(found.vms), 'VM')}. Next: vmfleet run {out}"
    )
