"""SimGrid's Python binding (Debian package python3-simgrid): each machine is an actor that sleeps."""

import random
import sys
from pathlib import Path

import work
from simgrid import Actor, Engine, this_actor

PLATFORM = """<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1"><zone id="z" routing="Full"><host id="control" speed="1Gf"/></zone></platform>
"""
hours = {"starting": 0.0, "running": 0.0, "deallocating": 0.0}
finished = 0
rng = random.Random(1)


def machine() -> None:
    """Start, run, be deleted."""
    global finished
    for state, law in (("starting", work.STARTING), ("running", work.LIFETIME), ("deallocating", work.DELETING)):
        since = Engine.clock
        this_actor.sleep_for(rng.lognormvariate(*law))
        hours[state] += (Engine.clock - since) / work.HOUR_S
    finished += 1


def arrivals(lives: int, gap_s: float) -> None:
    """Machines come."""
    host = this_actor.get_host()
    for _ in range(lives):
        this_actor.sleep_for(rng.expovariate(1 / gap_s))
        Actor.create("machine", host, machine)


def lives(count: int, alive: int) -> tuple[int, float]:
    """All lives to their end."""
    engine = Engine([sys.argv[0], "--log=root.thres:error"])
    file = Path(sys.argv[4])
    file.write_text(PLATFORM)
    engine.load_platform(str(file))
    Actor.create("arrivals", engine.all_hosts[0], arrivals, count, work.gap_s(alive))
    engine.run()
    return finished, hours["running"]


work.main(lives=lives)
