"""vmfleet: what fleets of cloud virtual machines do, what is billed, and why. The front door for scripts.

>>> import sim
>>> "run" in dir(sim)
True

Names are looked up late, so that `import sim` costs nothing; what each does stands in the module it comes from.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.errors import InputError, ResultError, ScenarioError, VmfleetError
    from sim.experiment.cache import RunCache
    from sim.experiment.cluster import Cluster, workers_for
    from sim.experiment.compare import Comparison, compare
    from sim.experiment.purchase import Purchase, best_commitment
    from sim.experiment.results import read, write
    from sim.experiment.run_result import RunResult
    from sim.experiment.scenario import Scenario, from_dict, load
    from sim.experiment.selection import Selection, best_of
    from sim.experiment.sensitivity import Sensitivity, sensitivity
    from sim.experiment.sizing import Sizing, size
    from sim.experiment.study import run
    from sim.experiment.study_object import Study
    from sim.experiment.sweep import Sweep, sweep
    from sim.experiment.warm_up import long_run, with_warm_up
    from sim.report.plot import plot

_HOMES = {
    "Cluster": "sim.experiment.cluster",
    "Comparison": "sim.experiment.compare",
    "InputError": "sim.errors",
    "Purchase": "sim.experiment.purchase",
    "ResultError": "sim.errors",
    "RunCache": "sim.experiment.cache",
    "RunResult": "sim.experiment.run_result",
    "Scenario": "sim.experiment.scenario",
    "ScenarioError": "sim.errors",
    "Selection": "sim.experiment.selection",
    "Sensitivity": "sim.experiment.sensitivity",
    "Sizing": "sim.experiment.sizing",
    "Study": "sim.experiment.study_object",
    "Sweep": "sim.experiment.sweep",
    "VmfleetError": "sim.errors",
    "best_commitment": "sim.experiment.purchase",
    "best_of": "sim.experiment.selection",
    "compare": "sim.experiment.compare",
    "from_dict": "sim.experiment.scenario",
    "load": "sim.experiment.scenario",
    "long_run": "sim.experiment.warm_up",
    "plot": "sim.report.plot",
    "read": "sim.experiment.results",
    "run": "sim.experiment.study",
    "sensitivity": "sim.experiment.sensitivity",
    "size": "sim.experiment.sizing",
    "sweep": "sim.experiment.sweep",
    "with_warm_up": "sim.experiment.warm_up",
    "workers_for": "sim.experiment.cluster",
    "write": "sim.experiment.results",
}

__all__ = [
    "Cluster",
    "Comparison",
    "InputError",
    "Purchase",
    "ResultError",
    "RunCache",
    "RunResult",
    "Scenario",
    "ScenarioError",
    "Selection",
    "Sensitivity",
    "Sizing",
    "Study",
    "Sweep",
    "VmfleetError",
    "best_commitment",
    "best_of",
    "compare",
    "from_dict",
    "load",
    "long_run",
    "plot",
    "read",
    "run",
    "sensitivity",
    "size",
    "sweep",
    "with_warm_up",
    "workers_for",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
