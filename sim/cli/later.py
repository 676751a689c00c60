"""Commands that are promised and not built yet: each says so, and what does its job meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import typer

from sim.errors import InputError

# command -> (what it will do, what does the job meanwhile)
LATER = {
    "snapshot": (
        "The fleet at one instant as the platform's JSON.",
        "run with --events and read the moves up to that instant",
    ),
}


def add_to(app: typer.Typer) -> None:
    """Name the commands in the help, so that nobody thinks a misspelling is at fault."""
    for name, (what, instead) in LATER.items():
        app.command(
            name,
            help=f"{what} (not in this version yet)",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_refuse(name, instead))


def _refuse(name: str, instead: str) -> Callable[[], None]:
    def refuse() -> None:
        raise InputError(f"`vmfleet {name}` is not in this version yet; {instead}")

    return refuse
