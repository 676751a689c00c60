"""The question put to the simulator: a checked, frozen scenario, read from a TOML file or made in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace as replace_fields
from html import escape
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from sim.billing.commitments import Commitment
from sim.billing.meter_kinds import group_prices
from sim.billing.meters import RatedGroup
from sim.billing.spot_prices import SpotSteps
from sim.billing.trust import UntrustedPrice, untrusted_prices
from sim.catalog import Catalogue
from sim.errors import Fault, ScenarioError
from sim.fields.defaults import to_plain
from sim.fields.messages import fault_at, show_value
from sim.fields.plugins import load_plugins
from sim.model.plan import FleetPlan
from sim.model.processes import Process, process_of
from sim.scenario import plan_builder as scenario_plan
from sim.scenario.description import DefaultInUse, defaults_in_use, describe
from sim.scenario.file_model import ScenarioFile
from sim.scenario.month import Month, month_of
from sim.scenario.paths import apply_overrides, parse_override
from sim.scenario.reading import Origin, check_document, read_document
from sim.scenario.resolved_groups import ResolvedGroups
from sim.scenario.unlikely import unlikely
from sim.scenario.writing import to_toml

Override = str | tuple[str, object]
"""`"group.dev.count=300"`, or a path and a value."""


class Scenario(ScenarioFile):
    """A fleet, its prices and its chances, checked as a whole: made by `load`, `from_dict` and `replace`.

    Fields are the sections of the file; `horizon_s` and `warm_up_s` are seconds from `start`. A warm-up of "auto" is
    found by a pilot run.
    """

    _document: dict[str, Any] = PrivateAttr(default_factory=dict)
    _origin: Origin = PrivateAttr(default_factory=Origin)
    _catalogue: Catalogue | None = PrivateAttr(None)
    _resolved: ResolvedGroups = PrivateAttr(default_factory=ResolvedGroups)
    _processes: tuple[Process, ...] = ()

    @property
    def path(self) -> Path | None:
        """The file it was read from; None if it was made in Python."""
        return Path(self._origin.file) if self._origin.file else None

    @property
    def folder(self) -> Path:
        """Where the files are sought that it names."""
        return self._origin.folder

    @property
    def document(self) -> dict[str, Any]:
        """The scenario as a TOML reader gives it, overrides included; a copy."""
        copied: dict[str, Any] = to_plain(self._document)
        return copied

    @property
    def overridden(self) -> tuple[str, ...]:
        """Overrides that were applied to the file, in their order."""
        return tuple(self._origin.asked.values())

    def catalogue(self) -> Catalogue:
        """Sizes and prices that this scenario is rated with, its own prices included."""
        if self._catalogue is None:
            raise AssertionError("a Scenario is made by load, from_dict or replace")
        return self._catalogue

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the groups in every result: those of the file, a replayed trace's by size."""
        return tuple(member.name for member in self._resolved.groups)

    def fleet_plan(self) -> FleetPlan:
        """What one replication simulates."""
        return replace_fields(
            scenario_plan.fleet_plan(self, self.catalogue(), self._resolved), processes=self._processes
        )

    @property
    def month(self) -> Month:
        """Whether the cost of its period may be said a month; of a warm-up still to be found, as without one."""
        warm_up_s = 0.0 if self.warm_up == "auto" else self.warm_up_s
        demands = (member.demand for member in self._resolved.groups)
        return month_of((each.repeats_h for each in demands), self.horizon_s - warm_up_s, warm_up_s)

    def rated_groups(self) -> tuple[RatedGroup, ...]:
        """The groups as the price list sees them."""
        return scenario_plan.rated_groups(self.catalogue(), self._resolved)

    def billed_commitments(self) -> tuple[Commitment, ...]:
        """The commitments as billing rates them."""
        return tuple(scenario_plan.billed_commitments(self, self.catalogue(), self._resolved))

    def unpriced_hosts(self) -> list[str]:
        """Clusters of hosts that the bill has no price for: VMs on them pay for themselves."""
        pools = self.platform.hosts if self.platform is not None else ()
        paid = {name for each in self.commitments if each.kind == "dedicated-host" for name in each.groups}
        return [pool.name for pool in pools if pool.hourly is None and paid.isdisjoint(pool.only_groups)]

    def trace_sizes(self) -> dict[str, str]:
        """The sizes that stand for the VMs of traces, by group."""
        return {each.name: each.size.name for each in self._resolved.groups if each.group.has_own_sizes}

    def spot_steps(self) -> SpotSteps | None:
        """How spot prices change from month to month; None if they don't."""
        factors = self.prices.spot_steps
        return None if factors is None else SpotSteps(start=self.start, factors=factors)

    def replace(self, path: str, value: object) -> Scenario:
        """The same scenario with one place changed (None: left out), checked again.

        `scenario.replace("group.dev.count", 300)`, `scenario.replace("horizon", "7d")`.
        """
        return self._again(self._origin, path, value)

    def with_processes(self, *processes: Any) -> Scenario:
        """The same scenario with SimPy processes beside its VMs, which ask the fleet for operations: docs/plugins.md.

        Each is a function `(fleet)` of a module, or an object of a frozen dataclass with `__call__(fleet)`, else InputError.
        """
        changed = self._again(self._origin)
        changed._processes = (*self._processes, *map(process_of, processes))
        return changed

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes beside its VMs; no file has them."""
        return self._processes

    def _again(self, origin: Origin, *setting: Any) -> Scenario:
        changed = _checked(self._document, origin, [setting] if setting else [])
        changed._processes = self._processes
        return changed

    def with_warm_up_found(self, warm_up_s: float) -> Scenario:
        """The same scenario with the warm-up that a pilot run found (s); results say so."""
        origin = replace_fields(self._origin, warm_up_found=True)
        return self._again(origin, "warm_up", f"{warm_up_s:.0f}s")

    @property
    def warm_up_found(self) -> bool:
        """Whether its warm-up is what a pilot run found."""
        return self._origin.warm_up_found

    def _repr_html_(self) -> str:
        """What will be simulated, in words, for notebooks."""
        return f"<pre>{escape(chr(10).join(self.describe()))}</pre>"

    def describe(self) -> list[str]:
        """What will be simulated, in words, then every default in use with unit, source and trust."""
        beside = [f"Beside the VMs: {each.name}." for each in self._processes]
        return beside + describe(self, self._resolved, self.catalogue(), self.meters(), self.untrusted_prices())

    def warnings(self) -> list[str]:
        """What is allowed and hardly meant, a sentence each: demand that is never met, limits that admit nothing."""
        return unlikely(self, self._resolved, self.catalogue())

    def meters(self) -> list[tuple[RatedGroup, str]]:
        """The meters that each group pays (docs/bill.md); those of commitments belong to no group."""
        return [
            (group, f"{kind}.{detail}")
            for group in self.rated_groups()
            for kind, prices in group_prices(self.catalogue(), group).items()
            for detail, _ in prices
        ]

    def untrusted_prices(self) -> list[UntrustedPrice]:
        """The prices of its bill that are estimates or stand-ins, with their source."""
        return untrusted_prices(self.catalogue(), self.meters(), self.billed_commitments())

    def defaults_in_use(self) -> list[DefaultInUse]:
        """Every default that this scenario leans on, and which groups use it."""
        return defaults_in_use(self, self._resolved)

    def to_toml(self) -> str:
        """The scenario as a TOML file, overrides included: `load` of it gives the same scenario."""
        return to_toml(self._document)


def load(path: str | Path, overrides: Iterable[Override] = ()) -> Scenario:
    """A scenario from a TOML file with overrides on top; ScenarioError holds every fault of the file at once."""
    document, origin = read_document(Path(path))
    return _checked(document, origin, overrides)


def from_dict(document: Mapping[str, Any], overrides: Iterable[Override] = (), *, folder: str | Path = ".") -> Scenario:
    """A scenario from what a TOML reader would give; files that it names are sought in *folder*."""
    return _checked(to_plain(document), Origin(folder=Path(folder)), overrides)


def _checked(document: Mapping[str, Any], origin: Origin, overrides: Iterable[Override]) -> Scenario:
    load_plugins()
    changed, asked = apply_overrides(document, _spoken(overrides))
    origin = replace_fields(origin, asked={**origin.asked, **asked})
    scenario, catalogue, resolved, ordered = check_document(Scenario, changed, origin)
    scenario._document = ordered
    scenario._origin = origin
    scenario._catalogue = catalogue
    scenario._resolved = resolved
    return scenario


def _spoken(overrides: Iterable[Override]) -> list[tuple[str, object, str]]:
    """Overrides as path, value, and the words that a fault about them begins with."""
    spoken: list[tuple[str, object, str]] = []
    faults: list[Fault] = []
    for override in overrides:
        if not isinstance(override, str):
            spoken.append((*override, f"{override[0]} = {show_value(override[1])}"))
            continue
        try:
            path, value = parse_override(override)
        except ValueError as error:
            faults.append(fault_at(file="--set", field=override, problem=str(error), value=override))
        else:
            spoken.append((path, value, f"--set {override}"))
    if faults:
        raise ScenarioError(faults)
    return spoken
