"""vmfleet beside its peers, interleaved in one run, as rates and as ratios to plain SimPy.

    python tests/benchmarks/peers/compare.py [--rounds 3]

Peers are installed by package name into an environment of their own (`.venv-peers`, which git ignores). SimGrid comes from
Debian: `apt-get install python3-simgrid`; without it that row is left out. Slow peers get fewer lives, which is kind to
them: their rate is measured while few machines are alive.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from work import OFF_H, ON_H

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ENVIRONMENT = ROOT / ".venv-peers"
PACKAGES = ("simpy", "salabim", "ciw", "cimba")
ALIVE = (1_000, 10_000)


# job, its sizes (machines alive), unit of the rate
JOBS = (("lives", "create, run, delete", "VMs/s"), ("cycle", "on and off", "changes of state/s"))


@dataclass
class Peer:
    """One program, and how much of each job it is given: a peer a hundred times slower needn't run as long."""

    name: str
    command: list[str]
    lives: int
    changes: int = 0  # about so many in the second job; 0: it has no such model
    arguments: list[str] = field(default_factory=list)

    def rate(self, job: str, alive: int) -> float | None:
        """One measurement, start-up and compiling left out; None where the peer has no such model."""
        if job == "cycle" and not self.changes:
            return None
        changes_per_machine_h = 4 / (ON_H + OFF_H)
        sizes = (
            (max(self.lives, 3 * alive if self.lives >= 50_000 else 0), alive)
            if job == "lives"
            else (alive, max(24, round(self.changes / alive / changes_per_machine_h)))
        )
        call = [*self.command, job, *map(str, sizes), *self.arguments]
        done = subprocess.run(call, cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{self.name} failed:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return found["done"] / found["seconds"]


def peers(scratch: Path) -> list[Peer]:
    """Those that can be had here; installs what is missing."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    own = [sys.executable, "peer_vmfleet.py"]
    found = [
        Peer("plain SimPy", [str(python), "peer_simpy.py"], 100_000, 400_000),
        Peer("vmfleet, SimPy engine", own, 100_000, 400_000, ["simpy"]),
        Peer("vmfleet, compiled engine, one thread", own, 1_000_000, 2_000_000, ["compiled"]),
        Peer("Cimba, one worker", [str(python), "peer_cimba.py"], 200_000, 2_000_000),
        Peer("salabim", [str(python), "peer_salabim.py"], 20_000),
        Peer("Ciw", [str(python), "peer_ciw.py"], 2_000),
    ]
    simgrid = ["/usr/bin/python3", "-c", "import simgrid"]
    if subprocess.run(simgrid, capture_output=True, check=False).returncode == 0:
        platform = str(scratch / "platform.xml")
        found.append(Peer("SimGrid, Python binding", ["/usr/bin/python3", "peer_simgrid.py"], 3_000, 0, [platform]))
    else:
        print("SimGrid is not here: apt-get install python3-simgrid", file=sys.stderr)
    return found


def main() -> None:
    """Measure in rounds, each peer once a round; print medians and ratios."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        contest = peers(Path(scratch))
        rates: dict[tuple[str, str, int], list[float]] = {}
        for _ in range(options.rounds):
            for job, _, _ in JOBS:
                for alive in ALIVE:
                    for peer in contest:
                        rate = peer.rate(job, alive)
                        if rate is not None:
                            rates.setdefault((peer.name, job, alive), []).append(rate)
    median = {key: statistics.median(values) for key, values in rates.items()}
    for job, words, unit in JOBS:
        heads = [f"{alive:,} alive: {unit} | ratio" for alive in ALIVE]
        print(f"\n| {words} | {' | '.join(heads)} |")
        print("|---|" + "--:|--:|" * len(ALIVE))
        for peer in contest:
            if (peer.name, job, ALIVE[0]) not in median:
                continue
            cells = []
            for alive in ALIVE:
                rate = median[peer.name, job, alive]
                ratio = rate / median["plain SimPy", job, alive]
                cells.append(f"{rate:,.0f} | {ratio:.2f}" if ratio < 10 else f"{rate:,.0f} | {ratio:.0f}")
            print(f"| {peer.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
