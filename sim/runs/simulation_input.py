"""A scenario compiled for simulation: done once a run, and handed on to replications, provenance and the result folder."""

from dataclasses import dataclass

from sim.billing.commitments import Commitment
from sim.billing.meters import RatedGroup
from sim.billing.spot_prices import SpotSteps
from sim.catalog.catalogue import Catalogue
from sim.model.plan import FleetPlan
from sim.scenario.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationInput:
    """What every replication simulates and rates: a scenario reduced to what its figures depend on."""

    plan: FleetPlan
    rated_groups: tuple[RatedGroup, ...]
    catalogue: Catalogue
    billing_policy: str
    commitments: tuple[Commitment, ...] = ()
    rounding: str = "exact"  # of billed time; or floor-minute
    spot_steps: SpotSteps | None = None


def compile_scenario(scenario: Scenario) -> SimulationInput:
    """The scenario's plan, price list and commitments."""
    return SimulationInput(
        plan=scenario.fleet_plan(),
        rated_groups=tuple(scenario.rated_groups()),
        catalogue=scenario.catalogue(),
        billing_policy=scenario.billing_policy,
        commitments=tuple(scenario.billed_commitments()),
        rounding=scenario.rounding,
        spot_steps=scenario.spot_steps(),
    )
