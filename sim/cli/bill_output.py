"""What `vmfleet bill` says: the lines of a bill, invoice and simulation beside it, notes, and all of it as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.billing.meter_kinds import METERS
from sim.billing.rating import Rating
from sim.cli import terminal
from sim.cli.backtest import print_sides
from sim.cli.invoice_output import invoice_object, print_idle, print_invoice, print_savings
from sim.cli.rate_file import Rated
from sim.fields.metrics import trust_sentence
from sim.fields.numbers import in_currency, money, percent, relative
from sim.runs.answer_words import counted_h
from sim.runs.results import StoredResult
from sim.units import format_duration

LINE = ("group", "meter", "quantity", "unit", "unit_price", "amount")
USE = ("unit", "bought", "used", "used_fraction", "unused_fraction", "coverage", "effective_savings_rate")
Row = tuple[str, float | None, float | None, Mapping[str, float | None] | None]
"""Kind of meter, invoiced (if the file says), rated (if it could be), simulated (mean, low, high; if it was asked for)."""


def print_bill(name: str, rated: Rated, simulated: StoredResult | None) -> None:
    """The bill of a file called *name*: what was rated, at which prices, and what it is set beside."""
    if rated.invoice is not None:
        print_invoice(rated.invoice)
    if rated.rating is not None and (rated.invoice is None or rated.rating.bill.commitments):
        title = f"{name}: {money(rated.rating.bill.total)} {rated.currency}, billing {rated.policy.name}"
        _print_lines(rated.rating, title, rated.currency)
    if sentence := trust_sentence(rated.trusted_share, "the cost" if rated.invoice is None else "what was rated"):
        terminal.say(sentence)
    _print_beside(_beside(rated, simulated), simulated, rated.currency)
    if rated.invoice is not None:
        print_savings(rated.invoice)
    if rated.simulation is not None:
        print_sides(rated.simulation)
    if rated.idle is not None:
        print_idle(rated.idle, rated.currency)


def print_notes(rated: Rated, simulated: StoredResult | None) -> None:
    """What to know before the figures are compared, on standard error."""
    _warn_of_days(rated)
    if simulated is not None:
        _warn_of_length(rated, simulated)


def bill_object(rated: Rated, simulated: StoredResult | None) -> dict[str, Any]:
    """The whole answer as JSON."""
    beside = _beside(rated, simulated)
    found = {} if rated.invoice is None else invoice_object(rated.invoice)
    found |= {"hours": rated.end_s / 3600, "currency": rated.currency, "trusted_share": rated.trusted_share}
    found |= _rating_object(rated.rating, rated.currency)
    found["invoiced"] = {
        kind: {"invoiced": said, "rated": cost, "difference": None if cost is None else cost - said}
        for kind, said, cost, _ in beside
        if said is not None
    }
    found |= {"simulation": rated.simulation, "idle": rated.idle}
    if simulated is not None:
        found["simulated"] = {
            kind: dict(cost, difference=(cost["mean"] or 0.0) - ((own or 0.0) if said is None else said))
            for kind, said, own, cost in beside
            if cost is not None
        }
    return found


def _beside(rated: Rated, simulated: StoredResult | None) -> list[Row]:
    """What each kind of meter came to: on the invoice, rated here, in the simulation."""
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
    columns, rows = ("group", "meter", "quantity", "unit", f"{currency} a unit", currency), []
    for each in rating.bill.lines:
        unit, price = in_currency(each.unit, currency), f"{each.unit_price:.6g}"
        rows.append((each.group, each.meter, f"{each.quantity:,.4f}", unit, price, f"{each.amount:,.4f}"))
    terminal.print_table(title, columns, rows, left=2)
    uses = [
        (
            name, in_currency(use.unit, currency), f"{use.bought:,.2f}", f"{use.used:,.2f}",
            *map(percent, (use.unused_fraction, use.coverage, use.effective_savings_rate)),
        )
        for name, use in rating.bill.commitments.items()
    ]  # fmt: skip
    if uses:
        head = ("name", "unit", "bought", "used", "unused", "coverage", "effective savings rate")
        terminal.print_table("Commitments", head, uses, left=2)


def _print_beside(rows: Sequence[Row], simulated: StoredResult | None, currency: str) -> None:
    if not rows:
        return
    has_invoice = rows[-1][1] is not None
    columns = ["kind", "invoiced", "rated", "rated - invoiced"] if has_invoice else ["kind", "rated"]
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


def _warn_of_days(rated: Rated) -> None:
    """Warn that rows longer than an hour give hourly use on average only, and of what no comparison counts."""
    if rated.invoice is None:
        return
    longest_s = rated.invoice.longest_row_s
    if rated.rating is not None and rated.rating.bill.commitments and longest_s > 3600:
        rows = f"rows of {format_duration(longest_s)} give hourly use on average only"
        terminal.note(f"{rows}, and commitments apply hour by hour: they may cover less than rated here")
    left_out = rated.invoice.left_out(amortized=rated.amortized)
    if left_out:
        cost = f"{sum(each.row.cost for each in left_out):,.2f} {rated.currency}"
        terminal.note(f"purchases of {cost} are for a longer time than the usage: they are not compared")


def _warn_of_length(rated: Rated, simulated: StoredResult) -> None:
    """Warn that bills of periods of different length can't be compared."""
    own_h, long_h = rated.end_s / 3600, counted_h(simulated.summary)
    if abs(own_h - long_h) > 0.01 * long_h:
        periods = f"the file covers {own_h:,.1f} h, the simulation {long_h:,.1f} h"
        terminal.note(f"{periods}: their bills differ for that alone")


def _rating_object(rating: Rating | None, currency: str) -> dict[str, Any]:
    """Lines, costs by kind and use of commitments."""
    if rating is None:
        return {"lines": [], "costs": {}, "total_usd": None, "commitments": {}}
    uses = rating.bill.commitments
    return {
        "lines": [_figures_of(each, LINE, currency) for each in rating.bill.lines],
        "costs": {kind: rating.bill.cost(kind) for kind in METERS},
        "total_usd": rating.bill.total,
        "commitments": {name: _figures_of(use, USE, currency) for name, use in uses.items()},
    }


def _figures_of(one: object, names: Sequence[str], currency: str) -> dict[str, Any]:
    """Attributes by name; a unit of money in the bill's currency."""
    found = {name: getattr(one, name) for name in names}
    return found | {"unit": in_currency(found["unit"], currency)}
