"""The lifecycle table as a user reads it: one row a power state that a billing policy knows."""

from dataclasses import dataclass

from sim.lifecycle.policy import BillingPolicy
from sim.lifecycle.power import POWER, PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRow:
    """One power state: what is shown, whether a host is held, what is billed, what may follow."""

    state: PowerState
    name: str  # as the page writes it
    code: str  # empty: no power state is shown
    display_status: str
    billed: bool
    billed_words: str  # with the star of the footnote
    license_billed: bool
    on_host: bool
    goes_to: tuple[PowerState, ...]
    description: str
    source: str  # of the state, then of its billing


def lifecycle_table(policy: BillingPolicy) -> tuple[LifecycleRow, ...]:
    """Rows of `vmfleet states` under *policy*, in the order of states; its footnote is `policy.footnote`."""
    rows = []
    for state, facts in POWER.items():
        billing = policy.rows[state]
        if not billing.known:
            continue
        rows.append(
            LifecycleRow(
                state=state, name=state.capitalize(), code=" + ".join(shown.code for shown in facts.shows),
                display_status=facts.shows[-1].display_status if facts.shows else "", billed=billing.compute,
                billed_words=billing.words, license_billed=billing.license, on_host=facts.on_host,
                goes_to=tuple(state for state in POWER if state in facts.goes_to & policy.knows),
                description=facts.description,
                source=facts.source if facts.source == billing.source else f"{facts.source}; {billing.source}",
            )
        )  # fmt: skip
    return tuple(rows)
