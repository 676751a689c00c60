"""A year of 10,000 VMs, hour by hour: 88 million VM hours rated under 10 s and 1 GiB, as array work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# In a process of its own, so that the peak of memory is the rating's and not the test runner's.
PROGRAM = """
import json, resource, time
import numpy as np
from sim.billing import CapacityReservation, RatedGroup, Reservation, SavingsPlan
from sim.billing.rating import rate_stays
from tests.helpers.vm_hours import vm_hours
from sim.billing.stays import Stays
from sim.catalog import load_bundled
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import STATES, TICKS_PER_HOUR

VMS, STAYS, HOURS = 10_000, 6 * 365, 8760  # six moves a day
SIZES = ["Standard_D2s_v5", "Standard_D4s_v5", "Standard_D8s_v5", "Standard_E4s_v5", "Standard_F4s_v2"]
groups = tuple(
    RatedGroup(name=f"g{i}", size=SIZES[i % 5], region="westeurope", os=("linux", "windows")[i % 2], disks=("P10",))
    for i in range(10)
)
random = np.random.default_rng(1)
start = np.zeros((VMS, STAYS), dtype=np.int64)
for row in start:
    row[1:] = np.sort(random.integers(0, HOURS * TICKS_PER_HOUR, STAYS - 1))
end = np.empty_like(start)
end[:, :-1], end[:, -1] = start[:, 1:], HOURS * TICKS_PER_HOUR
cycle = [PowerState.STARTING, PowerState.RUNNING, PowerState.STOPPING, PowerState.STOPPED,
         PowerState.DEALLOCATING, PowerState.DEALLOCATED]
state = np.tile(np.array([STATES.index(each) for each in cycle], dtype=np.int8), VMS * STAYS // 6)
catalogue = load_bundled().with_overrides("westeurope", {s: {"reservation_1y": 0.1, "savings_plan_3y": 0.1} for s in SIZES})
commitments = [
    Reservation(name="ri", size=SIZES[1], quantity=1500, term="1y", region="westeurope"),
    SavingsPlan(name="plan", hourly_usd=100.0, term="3y"),
    CapacityReservation(name="room", size=SIZES[3], quantity=1500, region="westeurope"),
]
begin = time.perf_counter()
stays = Stays(
    groups=groups, vms=range(VMS), group_of=np.arange(VMS, dtype=np.int32) % 10,
    vm=np.repeat(np.arange(VMS, dtype=np.int32), STAYS), state=state, start=start.ravel(), end=end.ravel(),
)
rating = rate_stays(stays, catalogue, "2018-08", commitments)
billed_s = time.perf_counter() - begin
left = {name: demand.left for name, demand in rating.allocation.demands.items()}
each = vm_hours(stays, get_policy("2018-08"), (0, HOURS * TICKS_PER_HOUR), rating.hours, left)
print(json.dumps({
    "vm_hours": float(each["existing"].sum()),
    "bill_s": billed_s,
    "bill_and_each_vm_s": time.perf_counter() - begin,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


@pytest.mark.benchmark
@pytest.mark.slow
def test_a_year_of_ten_thousand_vms_is_rated_in_seconds(capsys):
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    measured = json.loads(output)
    with capsys.disabled():
        print(f"\n{measured}")
    assert measured["vm_hours"] == pytest.approx(87_600_000)
    assert measured["bill_and_each_vm_s"] < 10.0
    assert measured["peak_mib"] < 1024
