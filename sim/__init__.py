"""vmfleet: simulates fleets of cloud virtual machines and their bill. The public interface for scripts.

>>> import sim
>>> "run" in dir(sim)
True

Names are imported when they are first used, so that `import sim` costs nothing; their modules document them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sim.version import __version__ as __version__

if TYPE_CHECKING:  # start-up: names are loaded on first use
    from sim.azure.answer import from_azure
    from sim.engines.simpy.fleet import Fleet
    from sim.errors import InputError, OperationNotAllowed, ResultError, ScenarioError, VmfleetError
    from sim.report.build import build_report
    from sim.report.plot import plot
    from sim.runs.cache import RunCache
    from sim.runs.cluster import Cluster, workers_for
    from sim.runs.determinism import check_determinism
    from sim.runs.history import History, explain
    from sim.runs.listeners import Event
    from sim.runs.results import read
    from sim.runs.run import run
    from sim.runs.run_result import RunResult, write
    from sim.runs.shards import merge
    from sim.runs.warm_up import long_run, with_warm_up
    from sim.scenario.scenario import Scenario, from_dict, load
    from sim.statistics.intervals import Estimate
    from sim.studies.backtest import Backtest, backtest
    from sim.studies.closed_forms import verify
    from sim.studies.compare import Comparison, compare
    from sim.studies.recommend import Recommendation, recommend
    from sim.studies.selection import Selection, best_of
    from sim.studies.sensitivity import Sensitivity, sensitivity
    from sim.studies.sizing import Sizing, size
    from sim.studies.study_object import Study
    from sim.studies.sweep import Sweep, sweep
    from sim.traces.to_toml import fit_trace

_NAMES = {
    "sim.azure.answer": ("from_azure",),
    "sim.errors": ("InputError", "OperationNotAllowed", "ResultError", "ScenarioError", "VmfleetError"),
    "sim.report.build": ("build_report",),
    "sim.report.plot": ("plot",),
    "sim.runs.cache": ("RunCache",),
    "sim.engines.simpy.fleet": ("Fleet",),
    "sim.runs.cluster": ("Cluster", "workers_for"),
    "sim.runs.determinism": ("check_determinism",),
    "sim.runs.history": ("History", "explain"),
    "sim.runs.listeners": ("Event",),
    "sim.runs.results": ("read",),
    "sim.runs.run": ("run",),
    "sim.runs.run_result": ("RunResult", "write"),
    "sim.runs.shards": ("merge",),
    "sim.runs.warm_up": ("long_run", "with_warm_up"),
    "sim.scenario.scenario": ("Scenario", "from_dict", "load"),
    "sim.statistics.intervals": ("Estimate",),
    "sim.studies.backtest": ("Backtest", "backtest"),
    "sim.studies.closed_forms": ("verify",),
    "sim.studies.compare": ("Comparison", "compare"),
    "sim.studies.recommend": ("Recommendation", "recommend"),
    "sim.studies.selection": ("Selection", "best_of"),
    "sim.studies.sensitivity": ("Sensitivity", "sensitivity"),
    "sim.studies.sizing": ("Sizing", "size"),
    "sim.studies.study_object": ("Study",),
    "sim.studies.sweep": ("Sweep", "sweep"),
    "sim.traces.to_toml": ("fit_trace",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Backtest", "Cluster", "Comparison", "Estimate", "Event", "Fleet", "History", "InputError", "OperationNotAllowed", "Recommendation",
    "ResultError", "RunCache", "RunResult", "Scenario", "ScenarioError", "Selection", "Sensitivity", "Sizing",
    "Study", "Sweep", "VmfleetError", "backtest", "best_of", "build_report", "check_determinism", "compare",
    "explain", "fit_trace", "from_azure", "from_dict", "load", "long_run", "merge", "plot", "read", "recommend",
    "run", "sensitivity", "size", "sweep", "verify", "with_warm_up", "workers_for", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
