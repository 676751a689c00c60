"""Our tables against the source document, and against a second transcription made without a look at them."""

from __future__ import annotations

from typing import Any

import pytest

from sim.fields.defaults import DEFAULTS
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.operations import OPERATIONS
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import POWER, PowerState
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState


def by_state(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Rows by their state; the order of provisioning rows differs between page and enumeration."""
    return {row["state"]: row for row in rows}


def without_times(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Rows by state without their time, which the document shows as the word `time`, and for final states only."""
    return {state: {key: value for key, value in row.items() if key != "time"} for state, row in by_state(rows).items()}


# --- the document is what we think it is -----------------------------------------------------------------------------


def test_the_document_has_six_power_states_and_seven_provisioning_entries(document: Any) -> None:
    """A parser that finds nothing would agree with anything."""
    assert len(document.power) == 6
    assert len(document.provisioning) == 7
    assert set(document.operations) == {"Create", "Update", "Delete", "Deallocate"}


def test_the_second_transcription_says_what_the_document_says(document: Any, transcription: dict[str, Any]) -> None:
    """Where the document is absent the transcription stands in for it, so it must be true."""
    typed = transcription["document"]
    assert document.power == typed["power"]
    assert by_state(document.provisioning) == by_state(typed["provisioning"])
    assert document.footnote == typed["footnote"]["text"]
    assert document.operations == typed["operations"]


# --- our tables ------------------------------------------------------------------------------------------------------


def test_the_power_table_is_the_document_s(document: Any, our_tables: Any) -> None:
    """State, order, description, billed column with its star, code, level and display status are facts, not ours to choose."""
    assert our_tables.power == document.power


def test_the_power_table_is_the_second_transcription_s(transcription: dict[str, Any], our_tables: Any) -> None:
    """The same where the document is absent."""
    assert our_tables.power == transcription["document"]["power"]


def test_the_provisioning_table_is_the_document_s(document: Any, our_tables: Any) -> None:
    """Code, level, display status, and message of the failed form, as our instance view writes them."""
    assert without_times(our_tables.provisioning) == without_times(document.provisioning)


def test_the_provisioning_table_is_the_second_transcription_s(transcription: dict[str, Any], our_tables: Any) -> None:
    """The same where the document is absent."""
    assert without_times(our_tables.provisioning) == without_times(transcription["document"]["provisioning"])


def test_whatever_shows_a_time_in_the_document_shows_one_here(transcription: dict[str, Any], our_tables: Any) -> None:
    """Succeeded and Failed carry the time of the operation's end."""
    timed = {row["state"] for row in transcription["document"]["provisioning"] if "time" in row}
    assert timed == {"Succeeded", "Failed"}
    assert timed <= {row["state"] for row in our_tables.provisioning if "time" in row}


def test_the_footnote_is_kept_and_followed(transcription: dict[str, Any]) -> None:
    """Disks and networking charge always; the licence doesn't in any state that the star stands at."""
    policy = BILLING_POLICIES["2018-08"]
    assert policy.footnote == transcription["document"]["footnote"]["text"]
    starred = {row["state"].lower() for row in transcription["document"]["power"] if row["billed"].endswith("*")}
    assert starred == {"stopped", "deallocating"}
    assert {state for state, row in policy.rows.items() if row.noted} == starred
    assert not policy.license & starred


def test_the_default_policy_is_the_document_s_and_derives_its_sets_from_the_rows(transcription: dict[str, Any]) -> None:
    """Who says nothing gets the source document's billing."""
    assert DEFAULTS["billing_policy"].value == "2018-08"
    billed = {row["state"].lower() for row in transcription["document"]["power"] if row["billed"].startswith("Billed")}
    assert BILLING_POLICIES["2018-08"].compute == billed == {"running", "stopping", "stopped"}


def test_the_2023_policy_is_that_page_s_table(transcription: dict[str, Any]) -> None:
    """Starting became billed, Creating appeared, and the stars moved."""
    policy = BILLING_POLICIES["2023-10"]
    page = transcription["edition-2023-10"]
    assert {state.capitalize(): row.words for state, row in policy.rows.items() if state != "hibernated"} == page
    assert policy.rows[PowerState.HIBERNATED].words == page["Deallocated"]  # a variant of it
    assert policy.knows == set(PowerState)
    assert BILLING_POLICIES["2018-08"].knows == {state for state, facts in POWER.items() if facts.in_source}


def test_operations_show_the_provisioning_states_that_the_document_names(transcription: dict[str, Any]) -> None:
    """Start and restart are updates, and so is a deallocation."""
    words = transcription["document"]["operations"]
    assert "Start/Restart also fall under update" in words["Update"]
    assert "considered an update" in words["Deallocate"]
    shown = {operation.name: operation.shows for operation in OPERATIONS.values()}
    assert shown == {
        "create": ProvisioningState.CREATING,
        "start": ProvisioningState.UPDATING,
        "restart": ProvisioningState.UPDATING,
        "power_off": ProvisioningState.UPDATING,
        "guest_shutdown": None,  # the control plane doesn't know
        "service_healing": None,  # the platform's own sequence
        "deallocate": ProvisioningState.UPDATING,
        "hibernate": ProvisioningState.UPDATING,
        "update": ProvisioningState.UPDATING,
        "delete": ProvisioningState.DELETING,
    }


def test_a_stopped_vm_is_on_its_host_and_a_deallocated_one_is_not(transcription: dict[str, Any]) -> None:
    """What the descriptions say of hardware is what the table says."""
    described = {row["state"].lower(): row["description"] for row in transcription["document"]["power"]}
    assert "remains on the host" in described["stopped"]
    assert POWER[PowerState.STOPPED].on_host
    assert "removed from the host" in described["deallocated"]
    assert not POWER[PowerState.DEALLOCATED].on_host
    assert "will show as Stopped" in described["stopping"]
    assert PowerState.STOPPED in POWER[PowerState.STOPPING].goes_to
    assert "will show as Deallocated" in described["deallocating"]
    assert PowerState.DEALLOCATED in POWER[PowerState.DEALLOCATING].goes_to


@pytest.mark.parametrize("policy", [pytest.param(policy, id=name) for name, policy in BILLING_POLICIES.items()])
def test_only_a_vm_on_a_host_is_billed(policy: Any) -> None:
    """Instance usage is use of hardware; the licence never charges where compute doesn't."""
    on_host = {state for state, facts in POWER.items() if facts.on_host}
    assert policy.compute <= on_host
    assert policy.license <= policy.compute
    assert set(policy.rows) == set(PowerState)


def test_every_row_names_its_source() -> None:
    """Readers can look each fact up; none refers to papers that only we have."""
    rows = [
        *POWER.values(),
        *PROVISIONING.values(),
        *FAILURES.values(),
        *OPERATIONS.values(),
        *(row for policy in BILLING_POLICIES.values() for row in policy.rows.values()),
    ]
    for row in rows:
        assert row.source.strip()
        assert "azure-facts" not in row.source
        assert "[S" not in row.source


# --- the tests can fail ----------------------------------------------------------------------------------------------

PLANTED = {
    "starting billed": ("   **Not billed**", "   **Billed**"),
    "star lost": ("**Billed***", "**Billed**"),
    "code": ('"PowerState/stopping"', '"PowerState/halting"'),
    "display status": ('"VM deallocated"', '"VM gone"'),
    "level": ('"level": "Error"', '"level": "Warning"'),
    "substate": ("creating/OSProvisioningInprogress", "creating/OSProvisioningInProgress"),
    "message": ("Operation abandoned", "Operation dropped"),
    "description": ("removed from the host", "kept on the host"),
    "footnote": ("do not incur charges", "incur charges"),
}


@pytest.mark.parametrize("change", PLANTED)
def test_a_change_in_the_document_is_seen(change: str, document_text: str, take_apart: Any, our_tables: Any) -> None:
    """Each kind of fact, changed once in the document, no longer agrees with ours: the comparison looks at it."""
    before, after = PLANTED[change]
    assert before in document_text
    changed = take_apart(document_text.replace(before, after, 1))
    agrees = (
        our_tables.power == changed.power
        and without_times(our_tables.provisioning) == without_times(changed.provisioning)
        and our_tables.footnote == changed.footnote
    )
    assert not agrees
