"""A file that `vmfleet bill` is given, rated as its options say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli import options
from sim.cli.options import Prices, option
from sim.errors import InputError

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.billing.commitments import Commitment
    from sim.billing.invoice import Invoice
    from sim.billing.rating import Rating
    from sim.catalog.catalogue import Catalogue
    from sim.lifecycle.policy import BillingPolicy
    from sim.recognise import Recognised
    from sim.scenario.scenario import Scenario

MOST_REPLICATIONS = 20  # beside an invoice; a prediction interval gains little from more


@dataclass(frozen=True, slots=True, kw_only=True)
class BillOptions:
    """The options of `vmfleet bill`."""

    scenario: Path | None = option(
        None,
        "--scenario",
        metavar="SCENARIO.toml",
        help="Take prices, region, billing policy, rounding and commitments from it; where it is of the invoice's days, "
        "simulate it over them.",
    )
    inventory: list[Path] | None = option(
        None,
        "--inventory",
        metavar="FILE_OR_FOLDER",
        help="VM lists, Resource Graph rows and Activity Logs of the invoice's days: they tell what is idle; repeatable.",
    )
    against: Path | None = option(
        None,
        "--against",
        parser=options.folder,
        metavar="RESULT_DIR",
        help="Set the bill that `vmfleet run` found beside it.",
    )
    size: str | None = option(None, "--size", metavar="SIZE", help="Where the file doesn't say.")
    os: str = option("linux", "--os", metavar="NAME", help="Where the file doesn't say.")
    disks: list[str] | None = option(
        None, "--disk", metavar="TIER", help="Of each VM, where the file doesn't say; repeatable."
    )
    region: str | None = option(
        None, "--region", metavar="NAME", help="Where the file doesn't say. [default: the scenario's, or westeurope]"
    )
    policy: str | None = option(
        None, "--policy", metavar="NAME", help="Billing policy. [default: the scenario's, or 2018-08]"
    )
    rounding: str | None = option(
        None, "--rounding", metavar="HOW", help="exact or floor-minute. [default: the scenario's, or exact]"
    )
    catalogue: Prices = None
    exchange_rate: float | None = option(
        None,
        "--exchange-rate",
        metavar="N",
        min=1e-9,
        max=1e9,
        help="Of an invoice's currency per one of the list's. [default: the bundled table's]",
    )
    focus: Path | None = option(None, "--focus", metavar="FILE.csv", help="Also write the bill as FOCUS rows.")
    focus_version: options.FocusVersion = None
    as_json: options.Json = False
    as_markdown: options.Markdown = False

    def __post_init__(self) -> None:
        options.one_form(as_json=self.as_json, as_markdown=self.as_markdown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A file's bill, and what it was made with."""

    rating: Rating | None  # None where nothing in the file could be rated
    end_s: float
    currency: str
    policy: BillingPolicy
    invoice: Invoice | None = None  # None for a list of stays
    amortized: bool = False
    simulation: Mapping[str, Any] | None = None  # of the scenario over the invoice's days, as a back-test says it
    idle: Sequence[Mapping[str, Any]] | None = None  # None: no inventory tells

    @property
    def trusted_share(self) -> float | None:
        """The share of the bill, of an invoice at list price, at trusted prices; None where nothing could be priced."""
        if self.rating is not None and (self.invoice is None or self.rating.bill.commitments):
            return self.rating.bill.trusted_share()
        return None if self.invoice is None else self.invoice.trusted_share


def checked_scenario(asked: BillOptions) -> Scenario | None:
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
    options.focus_version(asked.focus_version, asked.focus)
    if asked.focus is not None:
        check_file(asked.focus)
    return scenario


def rate_file(usage: Path, asked: BillOptions, scenario: Scenario | None) -> Rated:
    """Read the file and rate it; options come before the scenario's values, these before the defaults."""
    from sim import catalog  # start-up
    from sim.lifecycle.policy import get_policy
    from sim.recognise import COST_EXPORT, recognise

    policy = get_policy(asked.policy or (scenario.billing_policy if scenario else "2018-08"))
    region = asked.region or (scenario.prices.region if scenario else "westeurope")
    catalogue = scenario.catalogue() if scenario is not None else catalog.load(asked.catalogue)
    commitments = scenario.billed_commitments() if scenario else ()
    seen = recognise(usage)
    if seen.kind == COST_EXPORT:
        rated = _rate_invoice(usage, asked, seen, (catalogue, region, commitments), policy)
        return replace(rated, simulation=_simulated(usage, rated, scenario), idle=_idle(usage, rated, asked.inventory))
    if asked.inventory:
        raise InputError(f"--inventory: {usage} is no cost export; a list of stays says itself what was stopped")
    return _rate_stays(usage, asked, (catalogue, region, commitments), policy, scenario)


_With = tuple["Catalogue", str, "Sequence[Commitment]"]
"""Price list, the region where a file names none, commitments."""


def _rate_invoice(usage: Path, asked: BillOptions, seen: Recognised, with_: _With, policy: BillingPolicy) -> Rated:
    from sim.billing.invoice import read_invoice  # start-up
    from sim.runs.invoice import write_export

    catalogue, region, commitments = with_
    invoice = read_invoice(usage, catalogue, region=region, exchange_rate=asked.exchange_rate, seen=seen)
    rating = invoice.rate_hours(commitments)
    if asked.focus is not None:
        if rating is None:
            raise InputError(f"{usage}: no row could be rated, so there is nothing to write to {asked.focus}")
        start = invoice.start or _SOME_YEAR
        write_export(asked.focus, rating, start, currency=invoice.export.currency, version=asked.focus_version or "1.2")
    return Rated(
        rating=rating,
        end_s=invoice.end_s,
        currency=invoice.export.currency,
        policy=policy,
        invoice=invoice,
        amortized=bool(commitments) and invoice.effective_total is not None,
    )


def _simulated(usage: Path, rated: Rated, scenario: Scenario | None) -> Mapping[str, Any] | None:
    """The scenario over the invoice's days; None where it is of other days, so that it lends its prices only."""
    from sim.studies.backtest import backtest  # start-up

    assert rated.invoice is not None
    period = rated.invoice.period
    if scenario is None or period is None or rated.invoice.start is None:
        return None
    end = scenario.start + timedelta(seconds=scenario.horizon_s)
    if not (scenario.start < period[1] and period[0] < end):
        return None
    first = max(scenario.start, period[0]).astimezone(UTC).date()
    last = (min(end, period[1]) - timedelta(microseconds=1)).astimezone(UTC).date()
    count = min(scenario.replications, MOST_REPLICATIONS)
    return backtest(scenario, [usage], first=first, last=last, replications=count).summary()


def _idle(usage: Path, rated: Rated, inventory: Sequence[Path] | None) -> Sequence[Mapping[str, Any]] | None:
    """What no one uses, from the files that `from-azure` reads."""
    from sim.azure.idle import idle_costs  # start-up
    from sim.azure.importing import import_fleet

    invoice = rated.invoice
    assert invoice is not None
    if not inventory or invoice.period is None:
        return None
    first, last = invoice.period[0].date(), (invoice.period[1] - timedelta(microseconds=1)).date()
    found = import_fleet([usage, *inventory], first=first, last=last, stem=usage.stem)
    return idle_costs(found, invoice.catalogue, invoice.rate or 1.0)


def _rate_stays(
    usage: Path, asked: BillOptions, with_: _With, policy: BillingPolicy, scenario: Scenario | None
) -> Rated:
    from sim.billing.breakdown import Days, VmBreakdown  # start-up
    from sim.billing.usage_file import read_stays
    from sim.runs.invoice import write_export
    from sim.usage.ledger import to_ticks

    catalogue, region, commitments = with_
    rounding = asked.rounding or (scenario.rounding if scenario else "exact")
    file = read_stays(usage, size=asked.size, region=region, os=asked.os, disks=asked.disks or ())
    rating = file.rate(catalogue, policy, commitments, rounding=rounding)
    if asked.focus is not None:
        start = file.start or _SOME_YEAR
        spread = VmBreakdown(
            rating=rating,
            days=Days.of(rating, start),
            stays=file.stays,
            policy=policy,
            window=(0, to_ticks(file.end_s)),
            rounding=rounding,
        )
        write_export(
            asked.focus, rating, start, spread, currency=catalogue.currency, version=asked.focus_version or "1.2"
        )
    return Rated(rating=rating, end_s=file.end_s, currency=catalogue.currency, policy=policy)


# A file that counts in seconds has no date of its own; its clock starts at the beginning of some year.
_SOME_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
