"""One replication's invoice as FOCUS rows: a row for each VM, day and meter, and unused commitment in rows of its own.

The replication is simulated once more, this time with the stays of its VMs kept; it is the same to the last bit.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from sim.billing.breakdown import Breakdown, Days, VmBreakdown
from sim.billing.focus import Cell, focus_rows, write_focus
from sim.billing.focus_contracts import COLUMNS_1_3, CONTRACT_COLUMNS, contract_rows, rows_1_3
from sim.billing.rating import Rating
from sim.errors import AuditError, ResultError
from sim.lifecycle.policy import get_policy
from sim.runs.rate_replication import simulate_and_rate
from sim.runs.simulation_input import compile_scenario
from sim.scenario.scenario import Scenario
from sim.usage.ledger import to_ticks


def check_file(file: str | Path) -> None:
    """Raise ResultError if no invoice could be written here: ask before a long run, not after it."""
    file = Path(file)
    if file.is_dir():
        raise ResultError(f"{file}: is a folder; give the name of a CSV file")
    if not file.absolute().parent.is_dir():
        raise ResultError(f"{file}: there is no folder {file.parent}; make it first")
    if not os.access(file.absolute().parent, os.W_OK):
        raise ResultError(f"{file}: no right to write there")


def write_invoice(
    scenario: Scenario,
    file: str | Path,
    *,
    seed: int | None = None,
    engine: str = "auto",
    total_usd: float | None = None,
    version: str = "1.2",
) -> int:
    """Write replication 0's invoice as a FOCUS file of that *version*; the answer is how many rows it has.

    *total_usd* is what the replication's bill came to when it was rated by group: the invoice must say the same.
    Raises ResultError where the file can't be written, AuditError (a defect of ours) where the two differ.
    """
    check_file(file)
    question = compile_scenario(scenario)
    rated = simulate_and_rate(question, scenario.seed if seed is None else seed, 0, engine, by_vm=True)
    if total_usd is not None:
        _check(rated.rating, total_usd)
    assert rated.stays is not None
    spread = VmBreakdown(
        rating=rated.rating,
        days=Days.of(rated.rating, question.plan.start),
        stays=rated.stays,
        policy=get_policy(question.billing_policy),
        window=(to_ticks(question.plan.warm_up_s), to_ticks(question.plan.horizon_s)),
        rounding=question.rounding,
    )
    return write_export(
        Path(file), rated.rating, question.plan.start, spread, currency=scenario.prices.currency, version=version
    )


def write_export(
    file: Path,
    rating: Rating,
    start: datetime,
    breakdown: Breakdown | None = None,
    *,
    currency: str,
    version: str = "1.2",
) -> int:
    """Write a bill as FOCUS rows, of version 1.3 with its contract commitments in `<name>.contract-commitments.csv` beside it.

    Returns how many charges there are; raises ResultError where a file can't be written.
    """
    rows: Iterable[Mapping[str, Cell]] = focus_rows(rating, start, breakdown, currency=currency)
    try:
        if version == "1.2":
            return write_focus(file, rows)
        contracts = contract_rows(rating, start, currency=currency)
        beside = file.with_name(f"{file.stem}.contract-commitments.csv")
        write_focus(beside, contracts, columns=CONTRACT_COLUMNS, validator_columns=False)
        return write_focus(file, rows_1_3(rows), columns=COLUMNS_1_3, validator_columns=False)
    except OSError as refusal:
        raise ResultError(f"{file}: can't be written: {refusal.strerror}") from refusal


def _check(rating: Rating, total_usd: float) -> None:
    """Two ways of counting, one bill, to the last bit."""
    if rating.bill.total != total_usd:
        raise AuditError(
            f"the bill by VM is {rating.bill.total!r} USD, by group {total_usd!r} USD: one of them is wrong"
        )
