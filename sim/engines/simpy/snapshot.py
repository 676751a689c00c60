"""The fleet at one instant: where every VM stands, what it shows, and since when."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.engines.group_setup import GroupSetup
from sim.engines.simpy.fleet import Fleet
from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import FleetPlan
from sim.model.state_machine import DEMANDS
from sim.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class VmView:
    """What one VM shows."""

    name: str
    group: str
    power: PowerState
    provisioning: ProvisioningState
    failure_code: str  # of a failed provisioning state
    provisioning_since_s: float
    power_since_s: float


@dataclass(slots=True)
class _Last:
    """The last move of each VM, and when its two states last changed."""

    views: dict[tuple[int, int], VmView] = field(default_factory=dict)

    def listen(
        self, setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        for t_s, move, vm in zip(when.tolist(), what.tolist(), whom.tolist(), strict=True):
            transition = setup.state_machine.transitions[move // DEMANDS]
            state = transition.target
            before = self.views.pop((setup.index, vm), None)
            if state.power is None or state.provisioning is None:
                continue
            failed = state.provisioning is ProvisioningState.FAILED
            same_provisioning = before is not None and before.provisioning is state.provisioning
            same_power = before is not None and before.power is state.power
            self.views[setup.index, vm] = VmView(
                name=f"{setup.plan.name}-{vm:04d}",
                group=setup.plan.name,
                power=state.power,
                provisioning=state.provisioning,
                failure_code=(transition.code or (before.failure_code if before else "")) if failed else "",
                provisioning_since_s=before.provisioning_since_s if before and same_provisioning else t_s,
                power_since_s=before.power_since_s if before and same_power else t_s,
            )


def snapshot(plan: FleetPlan, seed: int, replication: int, at_s: float) -> list[VmView]:
    """Every VM that exists at an instant (s, moves at that very instant done), by group and number.

    Raises ValueError if the instant is not inside the run.
    """
    if not 0 <= at_s <= plan.horizon_s:
        raise ValueError(
            f"the instant must lie between 0 and the horizon ({format_duration(plan.horizon_s)}), not at {format_duration(at_s)}"
        )
    last = _Last()
    until_s = min(math.nextafter(at_s, math.inf), plan.horizon_s) if at_s < plan.horizon_s else plan.horizon_s
    Fleet(replace(plan, horizon_s=until_s, warm_up_s=0.0), seed, replication, listener=last.listen).run()
    return [view for _, view in sorted(last.views.items())]
