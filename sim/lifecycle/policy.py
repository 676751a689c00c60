"""When a VM is billed: the billing columns of two editions of Microsoft's page, as versioned tables.

The licence column is about the software licence on the instance (Windows). Disks and network are billed from creation
to deletion whatever the power state, in both editions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sim.errors import ScenarioError
from sim.files import refusal
from sim.lifecycle import sources
from sim.lifecycle.power import PowerState


@dataclass(frozen=True, slots=True)
class BillingRow:
    """One power state under one policy: which meters run."""

    compute: bool
    license: bool
    source: str
    noted: bool = False  # the policy's footnote is attached to it
    known: bool = True  # the policy's page has the state

    @property
    def words(self) -> str:
        """The billing column as the page writes it, star of the footnote included."""
        return ("Billed" if self.compute else "Not billed") + ("*" if self.noted else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPolicy:
    """One edition of the billing rules; everything but its rows is derived from them."""

    name: str
    title: str
    rows: Mapping[PowerState, BillingRow]
    footnote: str
    source: str

    @property
    def compute(self) -> frozenset[PowerState]:
        """States in which instance usage is billed."""
        return frozenset(state for state, row in self.rows.items() if row.compute)

    @property
    def license(self) -> frozenset[PowerState]:
        """States in which the software licence is billed."""
        return frozenset(state for state, row in self.rows.items() if row.license)

    @property
    def knows(self) -> frozenset[PowerState]:
        """States that the edition names; time in others is booked all the same, and not billed."""
        return frozenset(state for state, row in self.rows.items() if row.known)

    def bills(self, state: PowerState) -> bool:
        """Whether instance usage is billed in *state*."""
        return self.rows[state].compute


_IN_2018 = sources.POWER_SECTION
_NOTED_2018 = f"{sources.POWER_SECTION}, and its footnote"
_NO_ROW_2018 = f"{sources.LIFECYCLE_2018} has no such state: booked, and not billed"
_IN_2023 = sources.STATES_2023
_STOPPED_2023 = f"{sources.STATES_2023}; licence: {sources.FAQ_PARTIAL_HOURS}"
_LICENSE_2023 = f"{sources.STATES_2023}; licence with compute: {sources.ASSUMPTION}"

_POLICY_2018 = BillingPolicy(
    name="2018-08",
    title="the source document's table",
    rows=MappingProxyType(
        {  # compute, licence
            PowerState.CREATING: BillingRow(False, False, _NO_ROW_2018, known=False),
            PowerState.STARTING: BillingRow(False, False, _IN_2018),
            PowerState.RUNNING: BillingRow(True, True, _IN_2018),
            PowerState.STOPPING: BillingRow(True, True, _IN_2018),
            PowerState.STOPPED: BillingRow(True, False, _NOTED_2018, noted=True),
            PowerState.DEALLOCATING: BillingRow(False, False, _NOTED_2018, noted=True),
            PowerState.DEALLOCATED: BillingRow(False, False, _IN_2018),
            PowerState.HIBERNATED: BillingRow(False, False, _NO_ROW_2018, known=False),
        }
    ),
    footnote=(
        "Some Azure resources, such as Disks and Networking, incur charges. "
        "Software licenses on the instance do not incur charges."
    ),
    source=sources.LIFECYCLE_2018,
)

_POLICY_2023 = BillingPolicy(
    name="2023-10",
    title="Starting is billed; Creating and Hibernated are known",
    rows=MappingProxyType(
        {  # compute, licence
            PowerState.CREATING: BillingRow(False, False, _IN_2023, noted=True),
            PowerState.STARTING: BillingRow(True, True, _LICENSE_2023),
            PowerState.RUNNING: BillingRow(True, True, _LICENSE_2023),
            PowerState.STOPPING: BillingRow(True, True, _LICENSE_2023),
            PowerState.STOPPED: BillingRow(True, False, _STOPPED_2023),
            PowerState.DEALLOCATING: BillingRow(False, False, _IN_2023, noted=True),
            PowerState.DEALLOCATED: BillingRow(False, False, _IN_2023, noted=True),
            PowerState.HIBERNATED: BillingRow(False, False, sources.HIBERNATE, noted=True),
        }
    ),
    footnote="Other resources, such as disks and networking, keep charging.",
    source=sources.STATES_2023,
)

BILLING_POLICIES: Mapping[str, BillingPolicy] = MappingProxyType(
    {policy.name: policy for policy in (_POLICY_2018, _POLICY_2023)}
)


def get_policy(name: str | BillingPolicy) -> BillingPolicy:
    """The billing policy of that name (one stands for itself); an unknown name is the user's mistake and tells the known ones.

    >>> get_policy("2018-08").bills(PowerState.STARTING)
    False
    """
    if isinstance(name, BillingPolicy):
        return name
    try:
        return BILLING_POLICIES[name]
    except (KeyError, TypeError):  # TypeError: something unhashable from a file
        known = ", ".join(f'"{policy.name}" ({policy.title})' for policy in BILLING_POLICIES.values())
        problem, hint = f"{name!r} is no billing policy", f"one of {known}"
        raise refusal(ScenarioError, "", problem, hint, field="billing_policy", value=name) from None
