"""`vmfleet bill`: rates real usage records, and compares with their invoice and with a simulated bill."""

from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.cli.rate_file import BillOptions, checked_scenario, rate_file


@options.expanded()
def bill(
    usage: Annotated[
        Path,
        typer.Argument(
            metavar="USAGE.csv",
            help="A cost export (FOCUS, Azure actual or amortized), or stays (vm, state, start, end).",
        ),
    ],
    asked: BillOptions,
) -> None:
    """Rate a cost export or a list of stays without a simulation; what can't be rated is listed with its reason."""
    from sim.cli.bill_output import bill_object, print_bill, print_notes  # start-up: `vmfleet --help` loads no numpy
    from sim.runs.results import read

    scenario = checked_scenario(asked)
    simulated = None if asked.against is None else read(asked.against)
    with terminal.working(f"rating {usage.name}", quiet=asked.as_json or asked.as_markdown):
        rated = rate_file(usage, asked, scenario)
    if scenario is not None:
        for section in scenario.commitments:
            for each in section.warnings(scenario.catalogue()):
                terminal.note(each)
    print_notes(rated, simulated)
    if asked.as_json:
        terminal.print_json(bill_object(rated, simulated))
        return
    with terminal.markdown(wanted=asked.as_markdown):
        print_bill(usage.name, rated, simulated)
    if asked.focus is not None:
        typer.echo(f"Written: {asked.focus}")
