"""Rating the ledgers of a run: which hours pay which meter, and that the parts make the total."""

from __future__ import annotations

import math
from functools import reduce
from operator import add

import numpy as np
import pytest

from sim.billing import METERS, RatedGroup, rate_run
from sim.billing.money import exact_price, split, to_nano
from sim.catalog import load_bundled
from sim.errors import CatalogueError
from sim.lifecycle.power import PowerState
from sim.usage.ledger import COLUMNS, STATES, TICKS_PER_HOUR, GroupUsage, column

CATALOGUE = load_bundled()
SIZE, REGION = "Standard_D4s_v5", "westeurope"


def group(name: str = "dev", **changes: object) -> RatedGroup:
    """A group of D4s_v5 in West Europe."""
    return RatedGroup(**{"name": name, "size": SIZE, "region": REGION, **changes})


def usage(name: str = "dev", **hours_in: list[float]) -> GroupUsage:
    """A ledger with so many VM hours by state and clock hour."""
    clock_hours = max(len(hours) for hours in hours_in.values())
    cells = np.zeros((clock_hours, COLUMNS), dtype=np.int64)
    for state, hours in hours_in.items():
        slot = STATES.index(PowerState(state))
        cells[: len(hours), column(slot, 1)] = np.rint(np.array(hours) * TICKS_PER_HOUR).astype(np.int64)
    return GroupUsage(group=name, start_s=0.0, end_s=3600.0 * clock_hours, cells=cells)


ONE_OF_EACH = {str(state): [1.0] for state in PowerState}


@pytest.mark.parametrize(
    ("policy", "os", "compute_h", "license_h"),
    [
        ("2018-08", "linux", 3, 0),  # running, stopping, stopped
        ("2018-08", "windows", 3, 2),  # the footnote: no licence when stopped
        ("2023-10", "linux", 4, 0),  # starting too
        ("2023-10", "windows", 4, 3),
    ],
)
def test_an_hour_in_every_state_pays_what_the_policy_says(policy, os, compute_h, license_h):
    """Compute and licence follow the policy's two columns; disks and the address run in all eight states."""
    bill = rate_run(
        [group(os=os, disks=("P10",), public_ip=True)], {"dev": usage(**ONE_OF_EACH)}, CATALOGUE, policy
    ).bill
    linux = CATALOGUE.price_per_h(SIZE, REGION, "linux")
    windows = CATALOGUE.price_per_h(SIZE, REGION, "windows")
    assert bill.cost("compute") == pytest.approx(compute_h * linux, abs=1e-9)
    assert bill.cost("license") == pytest.approx(license_h * (windows - linux), abs=1e-9)
    assert bill.cost("disk") == pytest.approx(8 * CATALOGUE.disk("P10", REGION).per_month / 730, abs=1e-9)
    assert bill.cost("network") == pytest.approx(8 * CATALOGUE.public_ip_per_h(REGION), abs=1e-9)


def test_hybrid_benefit_makes_a_windows_vm_cost_what_linux_costs():
    """The owned licence switches the licence meter off and nothing else."""
    books = {"dev": usage(running=[5.0])}
    owned = rate_run([group(os="windows", hybrid_benefit=True)], books, CATALOGUE, "2018-08").bill
    linux = rate_run([group(os="linux")], books, CATALOGUE, "2018-08").bill
    bought = rate_run([group(os="windows")], books, CATALOGUE, "2018-08").bill
    assert owned.total == linux.total
    assert owned.total < bought.total


def test_spot_pays_the_spot_price():
    """Priority chooses the price, of the licence part too."""
    books = {"dev": usage(running=[2.0])}
    bill = rate_run([group(os="windows", priority="spot")], books, CATALOGUE, "2018-08").bill
    assert bill.total == pytest.approx(2 * CATALOGUE.price_per_h(SIZE, REGION, "spot_windows"), abs=2e-9)


def test_parts_make_the_total_to_the_last_digit():
    """Sums over groups, over kinds and over lines are the same integer, although no amount is a round number."""
    groups = [group(f"g{i}", os="windows", disks=("P10", "E:200"), public_ip=True) for i in range(7)]
    books = {g.name: usage(g.name, running=[1 / 3, 0.1 * i], stopped=[0.7]) for i, g in enumerate(groups)}
    bill = rate_run(groups, books, CATALOGUE, "2018-08").bill
    whole = bill.amount_nano()
    assert whole == sum(bill.amount_nano(kind=kind) for kind in METERS)
    assert whole == sum(bill.amount_nano(group=g.name) for g in groups)
    assert whole == sum(bill.amount_nano(group=g.name, kind=kind) for g in groups for kind in METERS)
    assert whole == sum(line.amount_nano for line in bill.lines)
    # The same sum over the bare floats goes wrong, which is why amounts are integers.
    floats = [0.1] * 10
    assert reduce(add, floats) != 1.0  # `sum` compensates from Python 3.12 on
    assert sum(to_nano(1, each) for each in floats) == to_nano(1, 1.0)


def test_doubling_a_price_doubles_the_bill():
    """Rating is linear in prices: nothing in it is a constant of its own."""
    price = CATALOGUE.price_per_h(SIZE, REGION, "linux")
    dear = CATALOGUE.with_overrides(REGION, {SIZE: {"linux": 2 * price}})
    books = {"dev": usage(running=[3.3], stopped=[1.7])}
    once = rate_run([group()], books, CATALOGUE, "2018-08").bill.cost("compute")
    twice = rate_run([group()], books, dear, "2018-08").bill.cost("compute")
    assert twice == pytest.approx(2 * once, abs=2e-9)


def test_a_hibernating_windows_vm_needs_a_larger_os_disk():
    """128 GiB hold a Windows image of 127 GiB but not 16 GiB of memory too: the step up to P15 has its own line."""
    books = {"dev": usage(hibernated=[10.0])}
    bill = rate_run([group(os="windows", disks=("P10",), hibernates=True)], books, CATALOGUE, "2023-10").bill
    lines = {line.meter: line for line in bill.lines}
    step = CATALOGUE.disk("P15", REGION).per_month - CATALOGUE.disk("P10", REGION).per_month
    assert lines["disk.P15.hibernation"].amount == pytest.approx(10 * step / 730, abs=1e-9)
    assert bill.cost("compute") == bill.cost("license") == 0.0


def test_a_disk_that_is_no_disk_is_refused_in_words():
    """The message says how to write one."""
    with pytest.raises(CatalogueError, match="kind and GiB"):
        rate_run([group(disks=("X9",))], {"dev": usage(running=[1.0])}, CATALOGUE, "2018-08")


def test_split_loses_nothing():
    """However awkward the weights, shares are whole nano-dollars that make the amount."""
    weights = [1 / 3, 0.1, 0.0, 7e-9, 12345.678]
    shares = split(1_000_000_007, np.array(weights)).tolist()
    assert sum(shares) == 1_000_000_007
    assert shares[2] == 0
    assert all(abs(s - 1_000_000_007 * w / math.fsum(weights)) <= 1 for s, w in zip(shares, weights, strict=True))


def test_prices_are_the_decimals_that_were_written():
    """0.1 is a tenth, not the nearest binary fraction: three hours at 0.1 cost 0.3 exactly."""
    assert exact_price(0.1) * 3 == exact_price(0.3)
