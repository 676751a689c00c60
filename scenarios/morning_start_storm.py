"""Deallocated overnight, wanted by nine: who waits for a VM, and why?

Covers: hosts and placement, hardware given back and found again, capacity refusals with retries, other tenants who arrive in
    batches, the number of operations that a subscription may request at once (token bucket).
Question: which share of 2,400 VMs is late at 09:00, with 90 ... 110 % of the hardware that is needed on average?
    And if a script starts all of them at 08:58?
Expect: two effects. Requests in the last 38 s (10 s allocating, 28 s starting) of the 30 minutes are always late: 2.1 %.
    Where room runs out, the last requests are refused: at 90 % of the hardware 11 % are late, and at 100 % still more than
    2.1 %, because the other tenants' batches make their number uncertain (240, sd 89). Of the script's starts 1,500 are accepted at
    once, 500 a minute later, and the other 400 only at 09:01: those are 16.7 %, and slow boots make it 18.5 %.
"""

import math
from pathlib import Path

from sim import Sweep, load, plot, run, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
HOSTS = "platform.hosts.cluster.count"
LEVELS = {hosts / 110: hosts for hosts in (99, 102, 105, 107, 110, 113, 115, 118, 121)}  # 90 ... 110 %
VMS, PER_HOST = 2400, 24  # VMs of 4 vCPUs on hosts of 96
REQUESTS, BATCHES = 30 / 4.9 * 8, {1: 0.9, 40: 0.1}  # of other tenants between 01:00 and 09:00
DELAY_S, RUSH_S = 10 + 25 * math.exp(0.5**2 / 2), 1800.0  # request to Running; 08:30 to 09:00
WAITING = 400 / 2400  # refused at 08:58 and, a minute later, again
BOOT_60S, BOOT_120S = (0.5 * math.erfc(math.log(s / 25) / 0.5 / math.sqrt(2)) for s in (50, 110))
SCRIPTED_LATE = WAITING + 500 / 2400 * BOOT_60S + 1500 / 2400 * BOOT_120S


def expected_late(hosts: int) -> float:
    """Share late at nine: refused for lack of room (compound Poisson arrivals of others), or requested too late."""
    chance, mean = [math.exp(-REQUESTS)], 0.0  # Panjer's recursion for the number of others' VMs
    for n in range(1, 2000):
        chance.append(REQUESTS / n * sum(b * p * chance[n - b] for b, p in BATCHES.items() if b <= n))
    for n, p in enumerate(chance):
        short = max(0, VMS + n - hosts * PER_HOST) / (VMS + 15)  # 15 VMs of others arrive in the rush, too
        mean += p * max(short, DELAY_S / RUSH_S)
    return mean


def main(replications: int | None = None, folder: Path | str = "results/morning-start-storm") -> tuple[Sweep, float]:
    """Simulate each level of hardware, then the script, and print the share that is late."""
    found = sweep(
        SCENARIO,
        {HOSTS: list(LEVELS.values())},
        metrics=["availability"],
        replications=replications,
        engine="compiled",  # 20 replications in the time that SimPy takes for one
    )
    print(f"{VMS} VMs wanted by 09:00, {found.n} replications: late at nine (95 % interval)")
    print(f"{'hardware':>9} {'hosts':>6} {'late':>8} {'interval':>18} {'by hand':>8}")
    late, by_hand = {}, {}
    for level, hosts in LEVELS.items():
        served = found.estimate("availability", "dev", **{HOSTS: hosts})
        late[100 * level], by_hand[100 * level] = served.complement, expected_late(hosts)
        share = late[100 * level]
        print(
            f"{level:>9.0%} {hosts:>6} {share.mean:>8.2%} {share.low:>8.2%} .. {share.high:>6.2%} {by_hand[100 * level]:>8.2%}"
        )
    script = [
        f"{HOSTS}=121",
        "group.dev.schedule.on=08:58:00",
        "group.dev.schedule.jitter=0s",
        "platform.throttle={ burst = 1500, refill_per_min = 500 }",
    ]
    scripted = run(load(SCENARIO, script), replications=min(found.n, 5)).estimate("availability", "dev").complement
    print(f"a script at 08:58, hardware 110 %: {scripted.mean:.2%} late; by hand {SCRIPTED_LATE:.2%} or more")
    found.write(folder)
    plot(
        folder,
        "late_at_nine",
        "Which share of the VMs is late at nine?",
        {"simulated": late, "by hand": by_hand},
        x="hardware, % of what is needed on average",
        y="VMs late at 09:00",
        percent=True,
        note=f"{found.n} replications, 95 % intervals",
    )
    return found, scripted.mean


if __name__ == "__main__":
    main()
