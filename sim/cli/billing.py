"""`vmfleet bill`: rates real usage records, and compares with their invoice and with a simulated bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli import options, terminal
from sim.cli.options import Prices
from sim.errors import InputError
from sim.fields.numbers import in_currency, money, percent, relative
from sim.units import format_duration

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:  # start-up: `vmfleet --help` loads no numpy
    from sim.billing.breakdown import VmBreakdown
    from sim.billing.commitments import Commitment
    from sim.billing.invoice import Invoice
    from sim.billing.rating import Rating
    from sim.catalog.catalogue import Catalogue
    from sim.lifecycle.policy import BillingPolicy
    from sim.recognise import Recognised
    from sim.runs.results import StoredResult
    from sim.scenario.scenario import Scenario


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("bill")(bill)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillOptions:
    """The options of `vmfleet bill`."""

    scenario: Annotated[
        Path | None,
        typer.Option(
            "--scenario",
            metavar="SCENARIO.toml",
            help="Take prices, region, billing policy, rounding and commitments from it.",
        ),
    ] = None
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RESULT_DIR", help="Set the bill that `vmfleet run` found beside it."),
    ] = None
    size: Annotated[str | None, typer.Option("--size", metavar="SIZE", help="Where the file doesn't say.")] = None
    os: Annotated[str, typer.Option("--os", metavar="NAME", help="Where the file doesn't say.")] = "linux"
    disks: Annotated[
        list[str] | None,
        typer.Option("--disk", metavar="TIER", help="Of each VM, where the file doesn't say; repeatable."),
    ] = None
    region: Annotated[
        str | None,
        typer.Option(
            "--region", metavar="NAME", help="Where the file doesn't say. [default: the scenario's, or westeurope]"
        ),
    ] = None
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="NAME", help="Billing policy. [default: the scenario's, or 2018-08]"),
    ] = None
    rounding: Annotated[
        str | None,
        typer.Option("--rounding", metavar="HOW", help="exact or floor-minute. [default: the scenario's, or exact]"),
    ] = None
    catalogue: Prices = None
    exchange_rate: Annotated[
        float | None,
        typer.Option(
            "--exchange-rate",
            metavar="N",
            min=1e-9,
            help="Of an invoice's currency per one of the list's. [default: the bundled table's]",
        ),
    ] = None
    focus: Annotated[
        Path | None, typer.Option("--focus", metavar="FILE.csv", help="Also write the bill as FOCUS rows.")
    ] = None
    as_json: options.Json = False


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
    from sim.runs.results import read  # start-up: `vmfleet --help` loads no numpy

    scenario = _checked_scenario(asked)
    simulated = None if asked.against is None else read(asked.against)
    with terminal.working(f"rating {usage.name}", quiet=asked.as_json):
        rated = _rate(usage, asked, scenario)
    if scenario is not None:
        for section in scenario.commitments:
            for each in section.warnings(scenario.catalogue()):
                typer.echo(f"note: {each}", err=True)
    _warn_of_days(rated)
    if simulated is not None:
        _warn_of_length(rated, simulated)
    beside = _beside(rated, simulated)
    if asked.as_json:
        terminal.print_json(_as_object(rated, beside, simulated))
        return
    if rated.invoice is not None:
        from sim.cli.invoice_output import print_invoice  # start-up

        print_invoice(rated.invoice)
    if rated.rating is not None and (rated.invoice is None or rated.rating.bill.commitments):
        title = f"{usage.name}: {money(rated.rating.bill.total)} {rated.currency}, billing {rated.policy.name}"
        _print_lines(rated.rating, title, rated.currency)
    _print_beside(beside, simulated, rated.currency)
    if asked.focus is not None:
        typer.echo(f"Written: {asked.focus}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rated:
    """A file's bill, and what it was made with."""

    rating: Rating | None  # None where nothing in the file could be rated
    end_s: float
    currency: str
    policy: BillingPolicy
    invoice: Invoice | None = None  # None for a list of stays
    amortized: bool = False


def _checked_scenario(asked: BillOptions) -> Scenario | None:
    """The scenario given, if any; raises InputError for options that exclude each other or have no such value."""
    from sim import load  # start-up
    from sim.billing.stays import ROUNDINGS
    from sim.runs.invoice import check_file

    if asked.scenario is not None and asked.catalogue is not None:
        raise InputError("--catalogue and --scenario: give one of them, both set the prices")
    if asked.rounding is not None and asked.rounding not in ROUNDINGS:
        raise InputError(f"--rounding {asked.rounding}: it is one of {', '.join(ROUNDINGS)}")
    if asked.os.lower() not in ("linux", "windows"):
        raise InputError(f"--os {asked.os}: it is one of linux, windows")
    scenario = None if asked.scenario is None else load(asked.scenario)
    if asked.focus is not None:
        check_file(asked.focus)
    return scenario


def _rate(usage: Path, asked: BillOptions, scenario: Scenario | None) -> _Rated:
    """Read the file and rate it; options come before the scenario's values, these before the defaults."""
    from sim import catalog  # start-up
    from sim.lifecycle.policy import get_policy
    from sim.recognise import COST_EXPORT, recognise

    policy = get_policy(asked.policy or (scenario.billing_policy if scenario else "2018-08"))
    region = asked.region or (scenario.prices.region if scenario else "westeurope")
    if scenario is not None:
        catalogue = scenario.catalogue()
    else:
        catalogue = catalog.load_bundled() if asked.catalogue is None else catalog.load(asked.catalogue)
    commitments = scenario.billed_commitments() if scenario else ()
    seen = recognise(usage)
    if seen.kind == COST_EXPORT:
        return _rate_invoice(usage, asked, seen, (catalogue, region, commitments), policy)
    return _rate_stays(usage, asked, (catalogue, region, commitments), policy, scenario)


_With = tuple["Catalogue", str, "Sequence[Commitment]"]
"""Price list, the region where a file names none, commitments."""


def _rate_invoice(usage: Path, asked: BillOptions, seen: Recognised, with_: _With, policy: BillingPolicy) -> _Rated:
    from sim.billing.invoice import read_invoice  # start-up

    catalogue, region, commitments = with_
    invoice = read_invoice(usage, catalogue, region=region, exchange_rate=asked.exchange_rate, seen=seen)
    rating = invoice.rate_hours(commitments)
    if asked.focus is not None:
        if rating is None:
            raise InputError(f"{usage}: no row could be rated, so there is nothing to write to {asked.focus}")
        _write_focus(rating, asked.focus, invoice.start, invoice.export.currency)
    return _Rated(
        rating=rating,
        end_s=invoice.end_s,
        currency=invoice.export.currency,
        policy=policy,
        invoice=invoice,
        amortized=bool(commitments) and invoice.effective_total is not None,
    )


def _rate_stays(
    usage: Path, asked: BillOptions, with_: _With, policy: BillingPolicy, scenario: Scenario | None
) -> _Rated:
    from sim.billing.breakdown import Days, VmBreakdown  # start-up
    from sim.billing.usage_file import read_stays
    from sim.usage.ledger import to_ticks

    catalogue, region, commitments = with_
    rounding = asked.rounding or (scenario.rounding if scenario else "exact")
    file = read_stays(usage, size=asked.size, region=region, os=asked.os, disks=asked.disks or ())
    rating = file.rate(catalogue, policy, commitments, rounding=rounding)
    if asked.focus is not None:
        spread = VmBreakdown(
            rating=rating,
            days=Days.of(rating, file.start or _SOME_YEAR),
            stays=file.stays,
            policy=policy,
            window=(0, to_ticks(file.end_s)),
            rounding=rounding,
        )
        _write_focus(rating, asked.focus, file.start, catalogue.currency, spread)
    return _Rated(rating=rating, end_s=file.end_s, currency=catalogue.currency, policy=policy)


# A file that counts in seconds has no date of its own; its clock starts at the beginning of some year.
_SOME_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def _write_focus(
    rating: Rating, path: Path, start: datetime | None, currency: str, spread: VmBreakdown | None = None
) -> None:
    """By VM where the file lists stays, else by group."""
    from sim.billing.focus import focus_rows  # start-up
    from sim.runs.invoice import write_rows

    write_rows(path, focus_rows(rating, start or _SOME_YEAR, spread, currency=currency))


Row = tuple[str, float | None, float | None, Mapping[str, float | None] | None]
"""Kind of meter, invoiced (if the file says), rated (if it could be), simulated (mean, low, high; if it was asked for)."""


def _beside(rated: _Rated, simulated: StoredResult | None) -> list[Row]:
    """What each kind of meter came to: on the invoice, rated here, in the simulation."""
    from sim.billing.meter_kinds import METERS  # start-up

    rows: Sequence[tuple[str, float | None, float | None]]
    if rated.invoice is not None:
        rows = rated.invoice.differences(rated.rating, amortized=rated.amortized)
    elif simulated is None or rated.rating is None:
        return []
    else:
        bill = rated.rating.bill
        rows = [*((kind, None, bill.cost(kind)) for kind in METERS), ("total", None, bill.total)]
    return [(kind, invoiced, cost, _simulated(simulated, kind)) for kind, invoiced, cost in rows]


def _simulated(result: StoredResult | None, kind: str) -> Mapping[str, float | None] | None:
    """The simulated cost of one or several kinds; several have no interval of their own."""
    if result is None:
        return None
    metrics = result.summary["metrics"]
    parts = [metrics.get(f"cost.{each}") for each in kind.split(" + ")]
    if any(part is None for part in parts):
        return None
    if len(parts) == 1:
        return {name: parts[0][name] for name in ("mean", "low", "high")}
    return {"mean": sum(part["mean"] for part in parts), "low": None, "high": None}


def _print_lines(rating: Rating, title: str, currency: str) -> None:
    terminal.print_table(
        title,
        ("group", "meter", "quantity", "unit", f"{currency} a unit", currency),
        [
            (
                each.group,
                each.meter,
                f"{each.quantity:,.4f}",
                in_currency(each.unit, currency),
                f"{each.unit_price:.6g}",
                f"{each.amount:,.4f}",
            )
            for each in rating.bill.lines
        ],
        left=2,
    )
    uses = rating.bill.commitments
    if uses:
        terminal.print_table(
            "Commitments",
            ("name", "unit", "bought", "used", "unused"),
            [
                (
                    name,
                    in_currency(use.unit, currency),
                    f"{use.bought:,.2f}",
                    f"{use.used:,.2f}",
                    percent(use.unused_fraction),
                )
                for name, use in uses.items()
            ],
            left=2,
        )


def _print_beside(rows: Sequence[Row], simulated: StoredResult | None, currency: str) -> None:
    if not rows:
        return
    has_invoice = rows[-1][1] is not None
    columns = ["kind", *(["invoiced"] if has_invoice else []), "rated"]
    columns += ["rated - invoiced"] if has_invoice else []
    if simulated is not None:
        level = f"{100 * simulated.summary.get('confidence', 0.95):g} % interval of the mean"
        columns += ["simulated", level, f"simulated - {'invoiced' if has_invoice else 'rated'}"]
    shown = []
    for kind, invoiced, rated, found in rows:
        row = [kind]
        if invoiced is not None:
            row.append(f"{invoiced:,.2f}")
        row.append("–" if rated is None else f"{rated:,.2f}")
        if invoiced is not None:
            row.append("–" if rated is None else _difference(rated, invoiced))
        if simulated is not None:
            row += _simulated_cells(found, (rated or 0.0) if invoiced is None else invoiced)
        shown.append(row)
    what = "invoiced" if has_invoice else "simulated"
    terminal.print_table(f"Against what was {what}, {currency}", columns, shown)


def _simulated_cells(found: Mapping[str, float | None] | None, other: float) -> list[str]:
    if found is None or found["mean"] is None:
        return ["–", "–", ""]
    low, high = found["low"], found["high"]
    interval = "–" if low is None or high is None else f"{low:,.2f} … {high:,.2f}"
    return [f"{found['mean']:,.2f}", interval, _difference(found["mean"], other)]


def _difference(value: float, other: float) -> str:
    change = "" if not other else relative((value - other) / abs(other))
    return f"{value - other:+,.2f}" + (f" ({change})" if change else "")


def _warn_of_days(rated: _Rated) -> None:
    """Warn that rows longer than an hour give hourly use on average only, and of what no comparison counts."""
    if rated.invoice is None:
        return
    longest_s = rated.invoice.longest_row_s
    if rated.rating is not None and rated.rating.bill.commitments and longest_s > 3600:
        typer.echo(
            f"note: rows of {format_duration(longest_s)} give hourly use on average only, and commitments apply hour by hour: "
            "they may cover less than rated here",
            err=True,
        )
    left_out = rated.invoice.left_out(amortized=rated.amortized)
    if left_out:
        cost = sum(each.row.cost for each in left_out)
        typer.echo(
            f"note: purchases of {cost:,.2f} {rated.currency} are for a longer time than the usage: they are not compared",
            err=True,
        )


def _warn_of_length(rated: _Rated, simulated: StoredResult) -> None:
    """Warn that bills of periods of different length can't be compared."""
    long_h = simulated.summary["horizon_h"] - simulated.summary.get("warm_up_h", 0.0)
    if abs(rated.end_s / 3600 - long_h) > 0.01 * long_h:
        typer.echo(
            f"note: the file covers {rated.end_s / 3600:,.1f} h, the simulation {long_h:,.1f} h: "
            "their bills differ for that alone",
            err=True,
        )


def _as_object(rated: _Rated, beside: Sequence[Row], simulated: StoredResult | None) -> dict[str, Any]:
    """The whole answer as JSON."""
    found: dict[str, Any] = {}
    if rated.invoice is not None:
        from sim.cli.invoice_output import invoice_object  # start-up

        found = invoice_object(rated.invoice)
    found |= {"hours": rated.end_s / 3600, "currency": rated.currency}
    found |= _bill_object(rated.rating, rated.currency)
    found["invoiced"] = {
        kind: {"invoiced": said, "rated": cost, "difference": None if cost is None else cost - said}
        for kind, said, cost, _ in beside
        if said is not None
    }
    if simulated is not None:
        found["simulated"] = {
            kind: dict(cost, difference=(cost["mean"] or 0.0) - ((own or 0.0) if said is None else said))
            for kind, said, own, cost in beside
            if cost is not None
        }
    return found


def _bill_object(rating: Rating | None, currency: str) -> dict[str, Any]:
    """Lines, costs by kind and use of commitments."""
    from sim.billing.meter_kinds import METERS  # start-up

    if rating is None:
        return {"lines": [], "costs": {}, "total_usd": None, "commitments": {}}
    return {
        "lines": [
            {
                "group": each.group,
                "meter": each.meter,
                "quantity": each.quantity,
                "unit": in_currency(each.unit, currency),
                "unit_price": each.unit_price,
                "amount": each.amount,
            }
            for each in rating.bill.lines
        ],
        "costs": {kind: rating.bill.cost(kind) for kind in METERS},
        "total_usd": rating.bill.total,
        "commitments": {
            name: {
                "unit": in_currency(use.unit, currency),
                "bought": use.bought,
                "used": use.used,
                "used_fraction": use.used_fraction,
                "unused_fraction": use.unused_fraction,
            }
            for name, use in rating.bill.commitments.items()
        },
    }
