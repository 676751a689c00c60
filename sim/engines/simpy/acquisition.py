"""What a transition needs of the platform: a token of the rate limit, quota, a host. And what it gives back.

At one instant, what is given back comes before what is asked for, and VMs come in the order of their rank.
"""

from collections.abc import Generator
from typing import Any

import simpy
from simpy.events import Event

from sim.engines.shared.priorities import RELEASES, REQUESTS
from sim.engines.simpy.demand import VmWithDemand
from sim.engines.simpy.group_run import Resources
from sim.lifecycle.power import ON_HOST, PowerState
from sim.model.state_machine import Refusal, Transition

Acquisition = Generator[Event, Any, Transition]
"""Takes simulated time, and returns the transition that comes of it."""


class VmOnPlatform(VmWithDemand):
    """A VM that shares hosts, quota and a rate limit with others."""

    __slots__ = ()

    def acquire_resources(self, transition: Transition, platform: Resources) -> Acquisition:
        """Ask for what the transition needs and give back what it frees; refused, the VM takes another transition."""
        if transition.target.begins and platform.throttled:
            transition = yield from self._be_admitted(transition, platform)
        self.acquiring = True
        target = transition.target
        off_host = target.power not in ON_HOST
        if off_host:
            self.pending = ""
        gone = target.power is None and target.operation is None
        if (off_host and (self.host >= 0 or self.going is not None)) or (gone and self.has_quota):
            yield self.group.env.at(self.now_s, RELEASES + self.rank)
            self._release(platform, host=off_host, quota=gone)
        refusal = None
        if transition.asks_quota and not self.has_quota:
            yield self.group.env.at(self.now_s, REQUESTS + self.rank)
            self.has_quota = platform.ask_quota(self)
            refusal = None if self.has_quota else self.state.no_quota
        host_is_lost = self.state.power is PowerState.STOPPED and self.host < 0 and not platform.is_endless(self)
        if refusal is None and (transition.asks_host or (host_is_lost and target.power is PowerState.STARTING)):
            refusal = yield from self._find_host(platform)
        self.acquiring = False
        if refusal is None:
            return transition
        transition = self.led_by(refusal)
        return (yield from self.acquire_resources(transition, platform)) if transition.needs_resource else transition

    def _release(self, platform: Resources, *, host: bool, quota: bool) -> None:
        if host and self.going is not None:
            platform.has_gone(self)
        if host and self.host >= 0:
            platform.give_host(self)
        if quota and self.has_quota:
            self.has_quota = False
            platform.give_quota(self)

    def _find_host(self, platform: Resources) -> Generator[Event, Any, Refusal | None]:
        """Move to a host with room, and wait for the VMs that are evicted for it; the refusal if there is none."""
        env, left = self.group.env, self.host
        if self.host >= 0:  # it leaves one host for another
            yield env.at(self.now_s, RELEASES + self.rank)
            if self.host >= 0:  # unless it has failed at this very instant
                platform.give_host(self)
        yield env.at(self.now_s, REQUESTS + self.rank)
        departures = platform.ask_host(self, left)
        if departures is None:
            return self.state.no_room
        if self.pending == "host_failed":
            self.pending = ""  # that was the host before
        for departure in departures:
            yield departure
            self.wait_until(env.now)
        return None

    def _be_admitted(self, transition: Transition, platform: Resources) -> Acquisition:
        """Wait until the subscription's rate limit admits the operation; back off from each refusal, which is counted.

        A refusal says when to come back (`Retry-After`); a longer back-off of the automation waits that long.
        """
        env, retry = self.group.env, self.group.state_machine.plan.retry
        pause_s = retry.backoff_s
        try:
            yield env.at(self.now_s, REQUESTS + self.rank)
            while transition.target.begins and (
                retry_after_s := platform.throttles(transition.target.operation or "", self)
            ):
                self.group.refuse(transition.target.operation or "", "TooManyRequests", self)
                again_s = self.now_s + max(pause_s, retry_after_s)
                yield env.at(again_s, REQUESTS + self.rank)
                self.wait_until(again_s)
                pause_s = min(pause_s * retry.multiplier, retry.max_backoff_s)
        except simpy.Interrupt as interrupt:
            self.wait_until(env.now)
            transition = self.transition_of(interrupt.cause)
            return (yield from self._be_admitted(transition, platform))
        return transition
