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
    from sim.experiment.compare import Comparison, compare
    from sim.experiment.results import read, write
    from sim.experiment.run_result import RunResult
    from sim.experiment.scenario import Scenario, from_dict, load
    from sim.experiment.study import run
    from sim.experiment.sweep import Sweep, sweep

_HOMES = {
    "Comparison": "sim.experiment.compare",
    "InputError": "sim.errors",
    "ResultError": "sim.errors",
    "RunResult": "sim.experiment.run_result",
    "Scenario": "sim.experiment.scenario",
    "ScenarioError": "sim.errors",
    "Sweep": "sim.experiment.sweep",
    "VmfleetError": "sim.errors",
    "compare": "sim.experiment.compare",
    "from_dict": "sim.experiment.scenario",
    "load": "sim.experiment.scenario",
    "read": "sim.experiment.results",
    "run": "sim.experiment.study",
    "sweep": "sim.experiment.sweep",
    "write": "sim.experiment.results",
}

__all__ = [
    "Comparison",
    "InputError",
    "ResultError",
    "RunResult",
    "Scenario",
    "ScenarioError",
    "Sweep",
    "VmfleetError",
    "compare",
    "from_dict",
    "load",
    "read",
    "run",
    "sweep",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
