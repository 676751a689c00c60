"""What `vmfleet bill` says of a cost export: which share of it was rated, meter by meter, and the rest with its reasons."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.billing.classify import KINDS
from sim.billing.invoice import Charge, Invoice
from sim.billing.savings import savings_of
from sim.cli import terminal
from sim.fields.numbers import how_many, in_currency, money, percent

SHOWN = 15  # of the listed rows' groups, on a terminal; all are in the JSON


def invoice_object(invoice: Invoice) -> dict[str, Any]:
    """The pinned part of the answer as JSON."""
    rated, listed, total = invoice.rated, invoice.listed, invoice.total
    rated_cost = math.fsum(each.row.cost for each in rated)
    period = invoice.period
    found: dict[str, Any] = {
        "file": Path(invoice.export.path).name,
        "format": invoice.export.format,
        "currency": invoice.export.currency,
        "period": dict(zip(("from", "to"), (at.isoformat() for at in period) if period else (None, None), strict=True)),
        "cost_column": invoice.export.cost_column,
        "exchange_rate": invoice.rate,
        "exchange_rate_source": invoice.conversion.source or None,
        "total": total,
    }
    if invoice.effective_total is not None:
        found["effective_total"] = invoice.effective_total
    found["rated"] = {
        "rows": len(rated), "cost": rated_cost, "list": invoice.list_total,
        "list_currency": None if invoice.rate is None else invoice.export.currency,
    }  # fmt: skip
    found["listed"] = {"rows": len(listed), "cost": math.fsum(each.row.cost for each in listed)}
    found["rated_share"] = rated_cost / total if total else None
    found["meters"] = _meters(rated)
    found["listed_rows"] = _listed(listed)
    found["savings"] = [each.as_object() for each in savings_of(invoice)]
    return found


def print_savings(invoice: Invoice) -> None:
    """What commitments came to on the invoice."""
    rows = [each.as_object() for each in savings_of(invoice)]
    if not rows:
        return
    terminal.print_table(
        f"Commitments on the invoice, amortized, {invoice.export.currency}",
        ("", "at list", "paid", "unused", "coverage", "utilisation", "effective savings rate"),
        [
            (
                each["name"] or "all compute but spot", *(_figure(each[key], ",.2f") for key in ("list", "amortized", "unused")),
                "" if each["name"] else percent(each["coverage"]), percent(each["utilisation"]), percent(each["effective_savings_rate"]),
            )
            for each in rows
        ],
    )  # fmt: skip
    if rows[0]["amortized"] is None:
        terminal.say(
            "This export doesn't say what the hours that commitments paid cost: an amortized one, or FOCUS, does."
        )


def print_idle(idle: Sequence[Mapping[str, Any]], currency: str) -> None:
    """What is paid and used by no one."""
    rest = idle[SHOWN:]
    rows = [(each["why"], each["name"], f"{each['hours']:,.1f}", money(each["list"])) for each in idle[:SHOWN]]
    if rest:
        rows.append(("others", f"{len(rest)}", "", money(math.fsum(each["list"] for each in rest))))
    rows.append(("all", "", "", money(math.fsum(each["list"] for each in idle))))
    terminal.print_table(f"Idle, at list price, {currency}", ("why", "what", "hours", currency), rows, left=2)


def print_invoice(invoice: Invoice) -> None:
    """The share that was rated, the meters, and what was listed."""
    rated = math.fsum(each.row.cost for each in invoice.rated)
    total, currency = invoice.total, invoice.export.currency
    share = f"{100 * rated / total:.1f} % of " if total else ""
    value = invoice.list_total
    at_list = "no list price" if value is None else f"{money(value)} {currency} at list price"
    terminal.say(
        f"Rated: {share}{money(total)} {currency} ({invoice.export.format}): {money(rated)} invoiced, {at_list}; "
        f"{len(invoice.rated):,} of {how_many(len(invoice.charges), 'row')}"
    )
    if value is None:
        terminal.note(f"{invoice.conversion.source}: nothing is set against the list; give --exchange-rate")
    elif invoice.conversion.source:
        terminal.say(f"List prices in {currency}: times {invoice.rate:.6g} ({invoice.conversion.source})")
    if invoice.rated:
        terminal.print_table(
            "Meters",
            ("kind", "meter", "region", "quantity", "unit", f"{currency} a unit", "at list", "invoiced", "rows"),
            [
                (
                    each["kind"], each["meter"], each["region"], f"{each['quantity']:,.4f}", in_currency(each["unit"], currency),
                    _figure(each["unit_price"], ".6g"), _figure(each["list"], ",.4f"), f"{each['cost']:,.4f}", str(each["rows"]),
                )
                for each in _meters(invoice.rated)
            ],
            left=3,
        )  # fmt: skip
    rest = _listed(invoice.listed)
    if rest:
        terminal.print_table(
            "Not rated" + (f" (the {SHOWN} that cost most of {len(rest)})" if len(rest) > SHOWN else ""),
            ("what", "reason", f"invoiced, {currency}", "rows", "first in line"),
            [
                (each["what"], each["reason"], f"{each['cost']:,.4f}", str(each["rows"]), str(each["first_row"]))
                for each in sorted(rest, key=lambda each: -abs(each["cost"]))[:SHOWN]
            ],
            left=2,
        )


def _meters(rated: Sequence[Charge]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str, str, float | None], list[Charge]] = {}
    for each in rated:
        meter = each.meter
        groups.setdefault((meter.kind, meter.name, meter.region, meter.unit, each.unit_price), []).append(each)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return [
        {
            "kind": kind, "meter": name, "region": region or None, "quantity": math.fsum(each.quantity for each in charges), "unit": unit,
            "unit_price": price, "list": None if price is None else math.fsum(each.list_cost or 0.0 for each in charges),
            "cost": math.fsum(each.row.cost for each in charges), "rows": len(charges),
        }
        for (kind, name, region, unit, price), charges in sorted(groups.items(), key=lambda each: (order[each[0][0]], str(each[0])))
    ]  # fmt: skip


def _listed(listed: Sequence[Charge]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[Charge]] = {}
    for each in listed:
        what = each.row.sku.product or each.meter.name
        groups.setdefault((what, each.meter.kind, each.meter.reason), []).append(each)
    return [
        {
            "what": what, "kind": kind, "reason": reason, "rows": len(charges), "cost": math.fsum(each.row.cost for each in charges),
            "first_row": min(each.row.line for each in charges),
        }
        for (what, kind, reason), charges in groups.items()
    ]  # fmt: skip


def _figure(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form)
