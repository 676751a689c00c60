"""`vmfleet`: the list of commands, and the exit status of each way of ending.

Exit status: 0 done, 2 the user's input is wrong, 1 a defect of ours, 3 a condition of --fail-if is true, 130 interrupted.
"""

import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from sim.cli import (
    azure,
    backtest,
    billing,
    fit,
    inspect,
    new,
    prices,
    reference,
    run,
    searches,
    snapshots,
    streams,
    studies,
)
from sim.cli.examples import epilog
from sim.errors import InputError, VmfleetWarning
from sim.version import __version__

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy

DONE, DEFECT, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="vmfleet",
    help="Simulate a fleet of cloud virtual machines: what its VMs do, what is billed, and why.",
    epilog="Start with `vmfleet demo`; every command explains itself with --help.",
    rich_markup_mode=None,  # plain help: rich alone would cost most of the start-up
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
about_prices = typer.Typer(name="prices", help="Price catalogues: import, show, url.", rich_markup_mode=None)
for _name, _prices in (("import", prices.import_pages), ("show", prices.show), ("url", prices.url)):
    about_prices.command(_name, epilog=epilog(f"prices {_name}"))(_prices)
for _command in (
    run.run, run.demo, run.merge, new.new, studies.compare, studies.sweep, searches.size, searches.sensitivity, searches.recommend,
    inspect.validate, inspect.report, inspect.states, inspect.schema, snapshots.snapshot, snapshots.explain, prices.sizes,
    prices.regions, billing.bill, fit.fit, azure.from_azure, backtest.backtest, reference.metrics, reference.causes,
    reference.keys, reference.verify,
):  # fmt: skip
    _name = _command.__name__.replace("_", "-")
    app.command(_name, epilog=epilog(_name))(_command)
app.add_typer(about_prices)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vmfleet {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def vmfleet(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Simulate a fleet of cloud virtual machines: what its VMs do, what is billed, and why."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(WRONG_INPUT)
    from sim.fields.plugins import load_plugins  # start-up: not for --help

    load_plugins()  # every command may meet what a plug-in adds


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program `vmfleet`: runs the command and exits with its status."""
    sys.exit(_status_of(arguments))


def _status_of(arguments: Sequence[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    warnings.showwarning = _warn  # type: ignore[assignment]  # where it happened doesn't matter to a user
    try:
        streams.prepare(given)
        status = app(args=given, prog_name="vmfleet", standalone_mode=False)
        streams.finish()
        if status == INTERRUPTED:  # the parser caught Ctrl-C before us
            raise KeyboardInterrupt
        return status if isinstance(status, int) else DONE
    except typer.TyperException as mistake:  # the command line itself: unknown option, missing argument
        _complain(
            mistake.format_message() + _as_given(mistake, given),
            "`vmfleet --help` and `vmfleet COMMAND --help` list commands and options.",
        )
        return WRONG_INPUT
    except InputError as mistake:
        _complain(str(mistake))
        return WRONG_INPUT
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted; what was finished is kept: the same command with --resume goes on from it")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the answer has seen enough, as in `vmfleet states | head`
        streams.give_up()
        return DONE
    except SystemExit as left:  # so the parser leaves where the reader of the answer has gone
        if not isinstance(left.__context__, BrokenPipeError):
            raise
        streams.give_up()
        return DONE
    except MemoryError as refusal:
        _complain(
            f"the machine's memory is not enough{f' ({refusal})' if str(refusal) else ''}",
            "Take a smaller fleet, a shorter horizon, or fewer --jobs; `vmfleet validate` says what a run takes.",
        )
        return WRONG_INPUT
    except OSError as refusal:  # the disk is full, a right is missing, a file too large: the machine's, not ours
        streams.give_up()
        _complain(f"{refusal.filename or 'the machine'}: {refusal.strerror or refusal}")
        return WRONG_INPUT
    except Exception as error:  # noqa: BLE001  the last resort: say whose defect this is, and how to report it
        return _own_defect(error)


def _as_given(mistake: typer.TyperException, arguments: Sequence[str]) -> str:
    """The value that an option can't take, where the parser's own message leaves it out."""
    names = getattr(getattr(mistake, "param", None), "opts", ())
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in names:
            continue
        given = value if equals else "".join(arguments[place + 1 : place + 2])
        if given and given not in mistake.format_message():
            return f" (given: {given})"
    return ""


def _own_defect(error: Exception) -> int:
    import platform
    import traceback

    from sim.fields.plugins import blamed, modules

    traceback.print_exc()
    if plug_in := blamed(error):
        _complain(f"the plug-in {plug_in} failed ({type(error).__name__}: {error})", "Its author can mend it.")
        return WRONG_INPUT
    _complain(
        f"this is a defect of vmfleet{' or of a plug-in (' + ', '.join(modules()) + ')' if modules() else ''}, not of your input.",
        "Please report it with the lines above, the command, the scenario file, and: "
        f"vmfleet {__version__}, Python {platform.python_version()}, {platform.platform()}.",
    )
    return DEFECT


def _warn(message: Warning | str, category: type[Warning], *_where: object) -> None:
    """Warnings of ours in words; those of libraries are for programmers."""
    if issubclass(category, VmfleetWarning):
        typer.echo(streams.printable(f"note: {message}"), err=True)


def _complain(*lines: str) -> None:
    """An error message on standard error, where it never mixes with results; if that is closed or full, nowhere."""
    with suppress(OSError):
        typer.echo(streams.printable("vmfleet: " + "\n".join(lines)), err=True)
