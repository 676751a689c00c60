"""From a group's plan to its state machine."""

import math
from collections.abc import Mapping

import numpy as np

from sim.distributions.kinds import Constant, Distribution, Exponential
from sim.lifecycle.power import PowerState
from sim.model.plan import GroupPlan, Platform, Retry
from sim.model.state_machine import DEMANDS, TURNS, Attempts, Delay, Life, LifeTimer, State, StateMachine, Transition
from sim.model.states.automation import AUTOMATION
from sim.model.states.deletion import DELETION
from sim.model.states.draft import Draft
from sim.model.states.faults import FAULTS
from sim.model.states.initial import first_transitions
from sim.model.states.requests import add_requests
from sim.model.states.resources import add_refusals, needs_resource
from sim.model.states.spot import SPOT
from sim.units import LONGEST_S, SECONDS_PER_HOUR


def compile_state_machine(
    plan: GroupPlan, platform: Platform | None = None, *, takes_requests: bool = False
) -> StateMachine:
    """The state machine of a group's VMs; with *takes_requests*, it also accepts requests from outside.

    Raises LifecycleError where a transition would be an illegal move: a defect of the rows.
    """
    draft = Draft(plan, platform, rows={**AUTOMATION, **DELETION, **FAULTS, **SPOT})
    first, later = first_transitions(draft)
    asks = add_requests(draft) if takes_requests else {}
    streams = _streams(draft)
    if plan.demand.is_scaled:
        _let_scale_in(draft, asks)
    if platform is not None:
        add_refusals(draft)
    _derive(draft, streams)
    return StateMachine(
        plan=plan,
        states=tuple(draft.states),
        transitions=tuple(draft.transitions),
        first=first,
        later=later,
        stream_names=tuple(draft.streams),
        samplers=tuple(draft.samplers),
        backoff_s=_backoffs(plan.retry),
        crash_stream=streams["crash"],
        eviction_stream=streams["eviction"],
        lifetime_stream=streams["lifetime"],
        shortage_stream=streams["shortage"],
        edge_streams=(streams["on"], streams["off"]),
        asks=asks,
    )


def _let_scale_in(draft: Draft, asks: Mapping[tuple[int, str], Transition]) -> None:
    """How an autoscaler takes VMs away; none from which an operation or an eviction is under way."""
    for state in draft.states:
        if state.operation is None and not state.closed:
            state.removed = asks.get((state.index, "delete"))
            is_off = state.power is PowerState.DEALLOCATED
            state.set_aside = state.down or (None if is_off else state.removed)


def _streams(draft: Draft) -> Mapping[str, int]:
    """The streams of timers and of demand; -1: there is none."""
    plan, demand = draft.plan, draft.plan.demand
    streams = dict.fromkeys(("crash", "eviction", "lifetime", "shortage", "on", "off"), -1)
    if plan.guest_crash:
        streams["crash"] = draft.stream("guest_crash", plan.guest_crash.time_between_s)
    if plan.spot and plan.spot.eviction_per_hour > 0:
        streams["eviction"] = draft.stream("eviction", _time_to_eviction(plan.spot.eviction_per_hour))
    if demand.drawn_lifetime_s is not None:
        streams["lifetime"] = draft.stream("lifetime", demand.drawn_lifetime_s)
    if draft.platform is not None and any(plan.name in one.groups for one in draft.platform.shortages):
        streams["shortage"] = draft.stream("shortage")
    if demand.edge_delays is not None:
        on, off = demand.edge_delays
        streams["on"], streams["off"] = draft.stream(*on), draft.stream(*off)
    return streams


def _derive(draft: Draft, streams: Mapping[str, int]) -> None:
    """Fill in what an engine would otherwise ask at every step."""
    plan = draft.plan
    throttled = draft.platform is not None and draft.platform.throttle is not None
    retries = any(transition.attempts is Attempts.ADD for transition in draft.transitions)
    without_vm = [state for state in draft.states if state.name in ("lost", "evicted.deleted") and state.power is None]
    evicting = draft.known.get("evicted.going")
    for transition in draft.transitions:
        if not plan.demand.has_lifetime:
            transition.life = Life.KEEP
        elif transition.code and transition.target in without_vm and not plan.fall_back:
            transition.life = Life.LOST
        leaves_pause = transition.source.wait is Delay.BACKOFF and transition is not transition.source.next
        if leaves_pause and transition.attempts is Attempts.KEEP:
            transition.attempts = Attempts.RESET  # what follows is another operation
        transition.resamples_eviction = transition.resamples_eviction and streams["eviction"] >= 0
        transition.evicts = transition.target is evicting and plan.spot is not None
        if plan.spot and plan.spot.lost_work_s > 0:
            source = transition.source
            transition.starts_work = transition.target.serving and not (source.serving or source.keeps_memory)
        transition.ends_demand = transition.ends_demand or transition.target.moves_on
        transition.completes_work = transition is transition.source.life and plan.demand.deadline_s < math.inf
        transition.has_effect = _has_effect(transition, retries=retries)
        transition.needs_resource = draft.platform is not None and needs_resource(transition, throttled=throttled)
    for state in draft.states:
        state.fixed_s = _constant_of(draft, state)
        state.has_timers = not (state.crash is state.evict is state.life is state.moves is None)
        if plan.demand.lifetime_is_work:
            state.life_timer = LifeTimer.WORKS if state.serving else LifeTimer.WAITS
        state.runs_timers = (
            (streams["crash"] >= 0 and state.runs_crash_timer)
            or (streams["eviction"] >= 0 and state.is_running)
            or state.life_timer is LifeTimer.WORKS
        )
        state.answers = state.up is not None or state.down is not None
        state.turns = DEMANDS * len(draft.transitions) + TURNS * state.index


def _has_effect(transition: Transition, *, retries: bool) -> bool:
    """Whether taking the transition does more than change the state."""
    return (
        bool(transition.code)
        or (retries and transition.attempts is Attempts.RESET)
        or transition.life is not Life.KEEP
        or transition.ends_demand
        or transition.resamples_crash
        or transition.resamples_eviction
        or transition.evicts
        or transition.starts_work
        or transition.completes_work
    )


def _constant_of(draft: Draft, state: State) -> float | None:
    sampler = draft.samplers[state.stream] if state.wait is Delay.SAMPLED else None
    if sampler is None or sampler.support[0] != sampler.support[1]:
        return None
    return sampler.support[0]


def _backoffs(retry: Retry) -> tuple[float, ...]:
    """How long the automation waits (s) after the 1st, 2nd, ... failed attempt."""
    grown_s, waits = retry.backoff_s, []
    for _ in range(max(1, retry.attempts - 1)):
        waits.append(min(grown_s, retry.max_backoff_s))
        grown_s *= retry.multiplier  # past the largest float it is infinite, and capped all the same
    return tuple(waits)


def _time_to_eviction(eviction_per_hour: float) -> Distribution:
    """Time to eviction from its probability within one hour of running: a constant hazard, exponential times.

    At probability 1 the hazard is infinite: the VM is evicted at once. A mean beyond the longest time that a distribution
    may have is cut to it, which changes no figure.
    """
    if eviction_per_hour >= 1:
        return Constant(value=0.0)
    return Exponential(mean=min(SECONDS_PER_HOUR / -float(np.log1p(-eviction_per_hour)), LONGEST_S))
