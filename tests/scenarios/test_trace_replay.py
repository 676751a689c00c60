"""A real fleet replayed end to end: file, hosts, ledger and bill."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sim import from_dict, run
from sim.catalog import load_bundled
from sim.traces import open_trace

REAL_DAY = Path(__file__).parents[3] / "shared" / "data" / "traces" / "azure2017_vms_one_day.csv.gz"
HOSTS = 800  # of 96 vCPUs: room for all VMs


def replay(window_s: float, hosts: int):
    """The fleet of the day on this number of hosts, one disk per VM."""
    return run(
        from_dict(
            {
                "name": "replay",
                "horizon": f"{window_s}s",
                "replications": 1,
                "platform": {"hosts": [{"name": "cluster", "count": hosts, "vcpus": 96, "memory_gib": 768}]},
                "group": [
                    {
                        "name": "real",
                        "disks": ["P10"],
                        "retry": {"attempts": 1},
                        "trace": {"file": str(REAL_DAY), "format": "columns"},
                    }
                ],
            }
        ),
        engine="compiled",
    )


@pytest.mark.skipif(not REAL_DAY.exists(), reason="the shared data is not here")
def test_hours_and_bill_of_a_real_day_on_hosts_are_those_of_its_file() -> None:
    """87,550 VMs: hours to the ledger's rounding in ticks, and each size's hours at its price."""
    trace = open_trace(REAL_DAY, "columns")
    result = replay(trace.window_s, HOSTS)
    rounding_h = trace.rows * 2 / 65536 / 3600  # half a tick at each end would do
    for name in ("hours.running", "billed_hours", "wanted_hours", "served_hours"):
        assert result.estimate(name).mean == pytest.approx(trace.vm_h, abs=rounding_h), name
    assert result.estimate("vms.created").mean == trace.rows == 87_550
    assert result.estimate("vms.deleted").mean == trace.rows - trace.still_alive
    assert result.estimate("allocation.failures").mean == 0

    prices = load_bundled()
    compute_usd = 0.0
    for group in result.groups:
        size = "Standard_" + group.removeprefix("real-")
        hours = result.estimate("billed_hours", group).mean
        compute_usd += hours * prices.price_per_h(size, "westeurope", "linux")
    assert result.estimate("cost.compute").mean == pytest.approx(compute_usd, rel=1e-12)
    disk_usd = trace.vm_h * prices.disk("P10", "westeurope").per_month / 730
    assert result.estimate("cost.disk").mean == pytest.approx(disk_usd, rel=1e-9)
    assert math.isclose(result.estimate("cost.total").mean, compute_usd + disk_usd, rel_tol=1e-9)


@pytest.mark.skipif(not REAL_DAY.exists(), reason="the shared data is not here")
def test_a_real_day_on_too_few_hosts_loses_hours() -> None:
    """If hosts were ignored, the test above would still pass: on a quarter of them VMs are refused, and hours are lost."""
    trace = open_trace(REAL_DAY, "columns")
    result = replay(trace.window_s, HOSTS // 4)
    refused = result.estimate("allocation.failures").mean
    assert refused > 1000
    assert result.estimate("vms.created").mean == trace.rows - refused
    assert result.estimate("hours.running").mean < 0.99 * trace.vm_h
