"""Billing policies by name, and the table of states that they are shown in."""

from __future__ import annotations

import pytest

from sim.errors import ScenarioError
from sim.lifecycle.policy import BILLING_POLICIES, get_policy
from sim.lifecycle.power import PowerState, is_legal
from sim.lifecycle.table import LifecycleRow, lifecycle_table


@pytest.mark.parametrize("name", ["2019", "", "2018", None, ["2018-08"]])
def test_an_unknown_policy_is_the_user_s_mistake_and_names_the_known_ones(name: object) -> None:
    """Whatever stands in the file, the message says which names there are."""
    with pytest.raises(ScenarioError) as caught:
        get_policy(name)  # type: ignore[arg-type]
    known = (
        '"2018-08" (the source document\'s table), "2023-10" (Starting is billed; Creating and Hibernated are known)'
    )
    assert str(caught.value) == f"billing_policy: {name!r} is no billing policy (one of {known})"
    assert caught.value.faults[0].value == name


def test_the_policies_differ_in_starting_alone_as_far_as_compute_goes() -> None:
    """A what-if between them is about the boot phase: a third difference would be an error."""
    old, new = get_policy("2018-08"), get_policy("2023-10")
    assert new.compute - old.compute == {PowerState.STARTING}
    assert old.compute <= new.compute
    assert old.bills(PowerState.STOPPED)
    assert not new.bills(PowerState.DEALLOCATING)


def test_a_stopped_vm_pays_for_its_cores_and_not_for_its_licence() -> None:
    """The 2018 footnote, and the pricing FAQ that still stands."""
    for policy in BILLING_POLICIES.values():
        assert policy.bills(PowerState.STOPPED)
        assert PowerState.STOPPED not in policy.license


@pytest.mark.parametrize(("name", "states"), [("2018-08", 6), ("2023-10", 8)])
def test_the_table_has_the_states_that_the_policy_knows(name: str, states: int) -> None:
    """Six in the source document; the newer page adds Creating and Hibernated."""
    policy = get_policy(name)
    rows = lifecycle_table(policy)
    assert [row.state for row in rows] == [state for state in PowerState if state in policy.knows]
    assert len(rows) == states
    for row in rows:
        assert row.billed == (row.state in policy.compute)
        assert row.billed_words.startswith("Billed") == row.billed
        assert set(row.goes_to) <= policy.knows


def test_a_hibernated_vm_shows_as_deallocated_and_says_more() -> None:
    """Its power entry is that of a deallocated VM; a further entry distinguishes them."""
    row = lifecycle_table(get_policy("2023-10"))[-1]
    assert row.code == "PowerState/deallocated + HibernationState/Hibernated"
    assert row.display_status == "VM hibernated"


def test_a_row_of_the_table_says_all_that_is_true_of_its_state() -> None:
    """Each column, for a state with a footnote of its own and for one without."""
    page = (
        "Microsoft, 'Lifecycle and states of a VM in Azure', 2018-08-09 (the source document), section 'Power states'"
    )
    rows = {row.state: row for row in lifecycle_table(get_policy("2018-08"))}
    assert rows[PowerState.RUNNING] == LifecycleRow(
        state=PowerState.RUNNING, name="Running", code="PowerState/running", display_status="VM running", billed=True,
        billed_words="Billed", license_billed=True, on_host=True,
        goes_to=(PowerState.STARTING, PowerState.STOPPING, PowerState.DEALLOCATING),
        description="Normal working state for a VM", source=page,
    )  # fmt: skip
    stopped = rows[PowerState.STOPPED]
    assert (stopped.billed_words, stopped.license_billed, stopped.on_host) == ("Billed*", False, True)
    assert stopped.source == f"{page}; {page}, and its footnote"
    creating = lifecycle_table(get_policy("2023-10"))[0]
    assert (creating.code, creating.display_status) == ("", "")


FOLLOWERS = {  # typed from the page on states and billing, with a host that fails and a create that is abandoned
    None: "creating",
    "creating": "starting gone",
    "starting": "running stopped deallocating",
    "running": "stopping starting deallocating",
    "stopping": "stopped deallocating",
    "stopped": "starting deallocating",
    "deallocating": "deallocated hibernated gone",
    "deallocated": "starting gone",
    "hibernated": "starting deallocated gone",
}


@pytest.mark.parametrize("before", [None, *PowerState])
def test_a_state_may_be_followed_by_these_and_by_no_other(before: PowerState | None) -> None:
    """The whole table of moves; None is a VM that doesn't exist yet, or no more."""
    followers = set(FOLLOWERS[before].split())
    for after in (None, *PowerState):
        assert is_legal(before, after) is ((after or "gone") in followers)
