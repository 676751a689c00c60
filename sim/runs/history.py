"""One VM's history in words: every event of one replication as a sentence, and the hours that it was in each power state."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sim.engines.events import COLUMNS, EventColumns
from sim.engines.simulate import simulate
from sim.errors import InputError
from sim.fields.messages import close_match
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.lifecycle.power import POWER, PowerState
from sim.scenario.scenario import Scenario
from sim.units import SECONDS_PER_HOUR

SENTENCES = {
    "accepted": "The platform accepts a request to {operation} it.",
    "succeeded": "The request to {operation} it has succeeded.",
    "failed": "The request to {operation} it fails with {code}: {why}",
    "rejected": "A request to {operation} it is rejected with {code}: {why}",
    "eviction": "It is evicted.",
    "guest_crash": "Its guest OS crashes.",
    "service_healing": "The platform moves it off a failed host.",
    "maintenance": "Maintenance of its host interrupts it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a VM: seconds after the start, the wall clock, a sentence."""

    t_s: float
    at: datetime
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one VM went through in one replication."""

    vm: str
    replication: int
    seed: int
    events: tuple[Event, ...]
    hours: dict[PowerState, float]  # by power state, until the horizon; the warm-up is among them
    policy: BillingPolicy

    @property
    def billed_hours(self) -> float:
        """Hours in states that the billing policy bills."""
        return sum(hours for state, hours in self.hours.items() if self.policy.bills(state))

    @property
    def ending(self) -> str:
        """The hours by state in a sentence."""
        parts = [
            f"{hours:,.2f} h {state}{'' if self.policy.bills(state) else ' (not billed)'}"
            for state, hours in self.hours.items()
        ]
        return f"In all: {', '.join(parts)}; {self.billed_hours:,.2f} h are billed."


def explain(scenario: Scenario, vm: str, *, replication: int = 0, seed: int | None = None) -> History:
    """Simulate one replication and tell what becomes of one VM. Raises InputError: there is no such VM."""
    if replication < 0:
        raise InputError(f"--replication is {replication}; the first one is 0")
    seed = scenario.seed if seed is None else seed
    rows: list[tuple[float, dict[str, str | None]]] = []
    names: set[str] = set()

    def take(events: EventColumns) -> None:
        (whose, vms), *_ = events.columns
        names.update(vms)
        if vm not in vms:
            return
        for row in (whose == list(vms).index(vm)).nonzero()[0]:
            values = (column[row] for column, _ in events.columns)
            words = (
                None if place < 0 else known[place] for place, (_, known) in zip(values, events.columns, strict=True)
            )
            rows.append((float(events.t_s[row]), dict(zip(COLUMNS, words, strict=True))))

    simulate(scenario.fleet_plan(), seed=seed, replication=replication, engine="auto", events=take)
    if not rows:
        known = sorted(name for name in names if "/" not in name)
        hint = close_match(vm, known) or (f"there are {known[0]} to {known[-1]}" if known else "there is none")
        raise InputError(f"--vm {vm}: replication {replication} has no such VM; {hint}")
    policy = get_policy(scenario.billing_policy)
    events = tuple(
        Event(t_s=t_s, at=scenario.start + timedelta(seconds=t_s), words=_sentence(row, vm, policy))
        for t_s, row in rows
    )
    moves = [(t_s, row["to"]) for t_s, row in rows if row["kind"] == "power"]
    hours: dict[PowerState, float] = {}
    for (since_s, state), (until_s, _) in zip(moves, [*moves[1:], (scenario.horizon_s, None)], strict=True):
        if state is not None:
            power = PowerState(state)
            hours[power] = hours.get(power, 0.0) + (until_s - since_s) / SECONDS_PER_HOUR
    return History(vm=vm, replication=replication, seed=seed, events=events, hours=hours, policy=policy)


def _sentence(row: dict[str, str | None], vm: str, policy: BillingPolicy) -> str:
    kind, to, code = row["kind"], row["to"], row["code"]
    if kind == "operation":
        facts = FAILURES.get(code or "")
        why = facts.message.format(vm=vm) if facts else "no further word."
        return SENTENCES[to or ""].format(operation=(row["operation"] or "").replace("_", " "), code=code, why=why)
    if kind == "power":
        if to is None:
            return "It is gone."
        state = PowerState(to)
        billed, host = (
            "billed" if policy.bills(state) else "not billed",
            "on a host" if POWER[state].on_host else "on no host",
        )
        return f"It is {state}: {billed}, {host}."
    if kind == "provisioning":
        return f"Its provisioning state is {to}." if to else "Its provisioning state ends with it."
    return SENTENCES[kind or ""]
