"""200 developer VMs that people switch off by hand: what do forgotten evenings cost, and what does an automatic stop save?

Covers: people who forget, an automatic stop, forgotten hours and their cost, common random numbers.
Question: 5 % of evenings are forgotten. What is left of the saving, and what does an automatic stop at 22:00 bring back?
Expect: always on, a VM runs 672 hours in the four weeks; switched off on time, 220 (20 windows of 11 hours). A forgotten VM runs on to
    the next morning (13 hours), over a weekend (61 hours; 54 to the end of the run): at 5 % these are 22.25 hours a VM, a
    twentieth of the saving of 452 hours. With a stop at 22:00 they are 3 hours an evening, and 3 hours a VM in all: it
    brings back 87 % of what was lost. The cost of forgetting is proportional to the share of evenings.
"""

from pathlib import Path

from sim import RunResult, load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
SHARES = (0.0, 0.02, 0.05, 0.10)  # of evenings that are forgotten
VMS, USD_PER_H = 200, 0.23  # Standard_D4s_v5, Linux, westeurope, read 2026-08-22
ALWAYS_H, WANTED_H = 672.0, 220.0  # a VM, in four weeks
NIGHT_H, WEEKEND_H, LAST_WEEKEND_H = 13.0, 61.0, 54.0
LEFT_ON_H = 16 * NIGHT_H + 3 * WEEKEND_H + LAST_WEEKEND_H  # a VM that is forgotten on every evening
UNTIL_TEN_H = 20 * 3.0  # the same with a stop at 22:00


def simulate(share: float, *, auto_off: bool, replications: int | None = None) -> RunResult:
    """Four weeks in which a share of evenings is forgotten; all variants use common random numbers."""
    stop = "22:00:00" if auto_off else "none"
    return run(
        load(SCENARIO, [f"group.dev.people.forgets={share}", f"group.dev.people.auto_off={stop}"]),
        replications=replications,
    )


def main(
    replications: int | None = None, folder: Path | str = "results/forgotten-evenings"
) -> dict[tuple[float, bool], RunResult]:
    """Simulate each share of forgotten evenings, with and without the stop, and print what is left of the saving."""
    found = {
        (share, auto_off): simulate(share, auto_off=auto_off, replications=replications)
        for auto_off in (False, True)
        for share in SHARES
    }
    print("200 x Standard_D4s_v5, westeurope, four weeks; forgotten hours a VM and what is left of the saving")
    print(f"{'forgotten':>9} {'stop':>6} {'hours/VM':>9} {'by hand':>8} {'cost, USD':>10} {'saving left':>12}")
    for (share, auto_off), result in found.items():
        hours, cost = (result.estimate(name).mean for name in ("forgotten_hours", "forgotten_cost"))
        by_hand = share * (UNTIL_TEN_H if auto_off else LEFT_ON_H)
        left = 1 - hours / VMS / (ALWAYS_H - WANTED_H)
        print(
            f"{share:>9.0%} {'22:00' if auto_off else '-':>6} {hours / VMS:>9.2f} {by_hand:>8.2f} {cost:>10,.2f} {left:>12.1%}"
        )
    plot(
        folder,
        "cost_of_forgotten_evenings",
        "What do forgotten evenings cost, and what does a stop at 22:00 save?",
        {
            "no stop": {100 * share: found[share, False].estimate("forgotten_cost") for share in SHARES},
            "no stop, by hand": {100 * share: share * LEFT_ON_H * VMS * USD_PER_H for share in SHARES},
            "stop at 22:00": {100 * share: found[share, True].estimate("forgotten_cost") for share in SHARES},
            "stop at 22:00, by hand": {100 * share: share * UNTIL_TEN_H * VMS * USD_PER_H for share in SHARES},
        },
        x="evenings forgotten, %",
        y="USD in four weeks",
        note=f"{found[SHARES[0], False].n} replications, 95 % intervals",
    )
    return found


if __name__ == "__main__":
    main()
