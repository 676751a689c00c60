"""A script starts 2,400 VMs: how early must it run so that people find them ready at nine?

Covers: time from needed to ready (`ready.*`, `[group.ready]`), the rate limit of a subscription, back-off, a search for a target.
Question: at most 0.5 % of the VMs may be late at nine. When must the script run? And at which rate limit would two minutes do?
Expect: of 2,400 starts 1,500 are accepted at once, 500 a minute later, and the other 400, whose pause has doubled, after three
    minutes; a start then takes 10 s and a lognormal time (median 25 s, sigma 0.5). Two minutes before nine 18.5 % are late, the
    400 among them whatever their boots take. 0.5 % of all are 3 % of those 400: 3 min 10 s and 65 s, so the script runs at
    08:55:45. If 2,298 starts were accepted at once, two minutes would do.
"""

import math
from pathlib import Path

from sim import Sizing, Sweep, plot, size, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
LEADS_S = (60, 120, 180, 210, 240, 255, 270, 300)
VMS, ACCEPTED = 2400, {0.0: 1500, 60.0: 500, 180.0: 400}  # after so many seconds
TARGET = "ready.late_share<=0.5%"
BURST = "platform.throttle.burst"


def longer(s: float) -> float:
    """The probability that a start takes longer: 10 s, and a lognormal time."""
    return 1.0 if s <= 10 else 0.5 * math.erfc(math.log((s - 10) / 25) / 0.5 / math.sqrt(2))


def late(lead_s: float) -> float:
    """The share of the VMs that is not ready so long after the script has asked for them."""
    return sum(vms * longer(lead_s - after_s) for after_s, vms in ACCEPTED.items()) / VMS


def late_at_burst(burst: int) -> float:
    """The same two minutes after, if so many starts are accepted at once and all others a minute later."""
    return (burst * longer(120) + (VMS - burst) * longer(60)) / VMS


def main(replications: int | None = None, folder: Path | str = "results/ready-by-nine") -> tuple[Sweep, Sizing]:
    """Simulate the script at several times before nine, and search for the rate limit that two minutes need."""
    paths = ("group.dev.schedule.on", "group.dev.ready.within")
    times = [(f"08:{60 - -(-lead // 60):02d}:{-lead % 60:02d}", f"{lead}s") for lead in LEADS_S]
    found = sweep(SCENARIO, {paths: times}, metrics=["ready.late_share"], replications=replications, engine="compiled")
    print(f"{VMS} VMs, {found.n} replications of five mornings: late at nine (95 % interval)")
    print(f"{'script at':>9} {'late':>8} {'interval':>18} {'by hand':>8}")
    simulated, by_hand = {}, {}
    for lead, (on, within) in zip(LEADS_S, times, strict=True):
        share = simulated[lead] = found.estimate("ready.late_share", **dict(zip(paths, (on, within), strict=True)))
        by_hand[lead] = late(lead)
        print(f"{on:>9} {share.mean:>8.2%} {share.low:>8.2%} .. {share.high:>6.2%} {late(lead):>8.2%}")
    needed = size(SCENARIO, f"{BURST}=1900..2400", TARGET, replications=replications, engine="compiled")
    print(needed.words)
    found.write(folder)
    plot(
        folder,
        "late_at_nine",
        "How early must the script run so that VMs are ready at nine?",
        {"simulated": simulated, "by hand": by_hand},
        x="seconds before nine",
        y="VMs late at nine",
        percent=True,
        note=f"{found.n} replications, 95 % intervals",
    )
    return found, needed


if __name__ == "__main__":
    main()
