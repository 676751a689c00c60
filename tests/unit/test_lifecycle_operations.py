"""The operation rows: every step they take, or leave behind when they fail, is a move that the power table knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sim.errors import OperationNotAllowed
from sim.lifecycle.failures import FAILURES, failure_message
from sim.lifecycle.operations import (
    CREATE,
    OPERATION_NAMES,
    OPERATIONS,
    START_FROM_DEALLOCATED,
    START_FROM_STOPPED,
    Operation,
    Stage,
    rows_for,
)
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import FIRST_STATE, POWER, STATE_ORDER, PowerState, is_legal
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState
from tests.helpers.operation_rows import CHANCE_CODES, DURATION_KEYS

Move = tuple[PowerState | None, PowerState | None]

ROWS = [pytest.param(row, id=row.row) for row in OPERATIONS.values()]


def moves(row: Operation, before: PowerState | None, *, generalized: bool) -> Iterator[Move]:
    """Every power move that a row can make from *before*: its sequence, and what each failure leaves."""
    now = before
    for stage in row.stages_for(generalized=generalized):
        yield now, now if stage.power is None else stage.power
        now = now if stage.power is None else stage.power
        for failure in stage.fails:
            yield now, before if failure.leaves is None else failure.leaves
    yield now, None if row.removes else (row.ends_in or now)


def illegal(row: Operation) -> list[Move]:
    """Moves of a row that change the state in a way that the power table doesn't know."""
    return [
        (old, new)
        for before in row.accepted_from
        for generalized in (True, False)
        for old, new in moves(row, before, generalized=generalized)
        if old is not new and not is_legal(old, new)
    ]


@pytest.mark.parametrize("row", ROWS)
def test_every_move_of_a_row_is_legal(row: Operation) -> None:
    """The door would refuse anything else in the middle of a run."""
    assert illegal(row) == []


def test_a_row_with_an_illegal_sequence_is_found() -> None:
    """The check above can fail: a start that skips Starting, and a failure that leaves a running VM deallocated."""
    skipping = replace(START_FROM_DEALLOCATED, stages=START_FROM_DEALLOCATED.stages[:1])
    assert (PowerState.DEALLOCATED, PowerState.RUNNING) in illegal(skipping)
    provisioning = CREATE.stages[2]
    dropping = replace(provisioning.fails[0], leaves=PowerState.DEALLOCATED)
    broken = replace(CREATE, stages=(*CREATE.stages[:2], replace(provisioning, fails=(dropping,))))
    assert (PowerState.RUNNING, PowerState.DEALLOCATED) in illegal(broken)


def test_every_transition_of_the_power_table_is_used_by_some_row() -> None:
    """A transition that no row takes is not needed, or a row is missing."""
    walked = {
        move
        for row in OPERATIONS.values()
        for before in row.accepted_from
        for move in moves(row, before, generalized=True)
    }
    for state, facts in POWER.items():
        for follower in facts.goes_to:
            assert (state, follower) in walked
        if facts.may_vanish:
            assert (state, None) in walked


def test_every_state_can_be_reached_and_left() -> None:
    """No VM is stuck: from its first state it can reach each state, and from each state its end."""
    reached = {FIRST_STATE}
    while more := {follower for state in reached for follower in POWER[state].goes_to} - reached:
        reached |= more
    assert reached == set(PowerState)
    for state in PowerState:
        assert rows_for("delete", state).removes


def test_an_operation_has_one_row_for_each_state_that_accepts_it() -> None:
    """Two rows for one request would be two truths."""
    asked = [(row.name, state) for row in OPERATIONS.values() for state in row.accepted_from]
    assert len(asked) == len(set(asked))
    for name, state in asked:
        row = rows_for(name, state)
        assert row.name == name
        assert state in row.accepted_from


@pytest.mark.parametrize("row", ROWS)
def test_stages_show_what_the_operation_shows(row: Operation) -> None:
    """Only a create shows substates; what the control plane doesn't know of changes no provisioning state."""
    for stage in row.stages:
        shown = stage.provisioning
        if row is CREATE:
            assert shown is ProvisioningState.CREATING or PROVISIONING[shown].substate_of is ProvisioningState.CREATING
        else:
            assert shown is row.shows
    assert (row.shows is None) == (not row.control_plane)


@pytest.mark.parametrize("row", ROWS)
def test_every_code_a_row_can_fail_with_is_known_at_that_stage(row: Operation) -> None:
    """A failure's message and source stand in the table of failures, at the stage that reports it."""
    stage_of = {"allocating": "allocation"}
    for stage in row.stages:
        for failure in stage.fails:
            assert FAILURES[failure.code].stage == stage_of.get(stage.name, stage.name)
            assert failure.by_chance or failure.by_deadline
            assert (failure.lasts == "timeout") == (failure.timeout_key is not None)
            assert not failure.by_deadline or failure.timeout_key is not None
    if row.control_plane:
        assert row.fails_at_once is not None
        assert FAILURES[row.fails_at_once.code].stage == "any"
        assert row.fails_at_once.leaves is None
        assert row.fails_at_once.lasts == "nothing"
    else:
        assert row.fails_at_once is None


def test_hardware_is_asked_for_exactly_when_a_vm_without_a_host_goes_onto_one() -> None:
    """A stopped VM keeps its host: its start allocates nothing; a deallocated or hibernated one must be placed anew."""
    for row in OPERATIONS.values():
        asks = any(stage.needs_hardware for stage in row.stages)
        for before in row.accepted_from:
            hosted = before is not None and POWER[before].on_host
            lands = any(stage.power is not None and POWER[stage.power].on_host for stage in row.stages)
            assert asks == (lands and not hosted)
    assert rows_for("start", PowerState.STOPPED) is START_FROM_STOPPED
    assert rows_for("start", PowerState.HIBERNATED) is START_FROM_DEALLOCATED


def test_a_failed_os_provisioning_leaves_the_vm_running() -> None:
    """The document's note: it is billed, until someone reacts."""
    stage = next(stage for stage in CREATE.stages if stage.name == "os_provisioning")
    (failure,) = stage.fails
    assert (failure.code, failure.leaves, failure.answered_by) == (
        "OSProvisioningTimedOut",
        PowerState.RUNNING,
        "reaction",
    )


def test_a_specialized_image_shows_no_substates() -> None:
    """Without OS provisioning the VM is Creating until its extensions are there."""
    stages = CREATE.stages_for(generalized=False)
    assert [stage.name for stage in stages] == ["allocating", "starting", "extensions"]
    assert {stage.provisioning for stage in stages} == {ProvisioningState.CREATING}
    assert CREATE.stages_for(generalized=True) == CREATE.stages


def test_names_that_users_rely_on_are_pinned() -> None:
    """Metrics, duration keys and failure keys are the interface's, in its order where it gives one."""
    assert OPERATION_NAMES == ("create", "start", "restart", "power_off", "deallocate", "hibernate", "update", "delete")
    assert set(DURATION_KEYS) == {
        "allocating",
        "starting",
        "os_provisioning",
        "extensions",
        "stopping",
        "deallocating",
        "restarting",
        "updating",
        "deleting",
    }
    assert set(CHANCE_CODES) == {
        "AllocationFailed",
        "OSProvisioningTimedOut",
        "VMExtensionProvisioningError",
        "VMStartTimedOut",
        "InternalOperationError",
    }
    assert [str(state) for state in STATE_ORDER] == [
        "creating",
        "starting",
        "running",
        "stopping",
        "stopped",
        "deallocating",
        "deallocated",
        "hibernated",
    ]


@pytest.mark.parametrize(
    ("operation", "state", "words"),
    [
        ("restart", PowerState.STOPPED, "restart: the VM is stopped; it is accepted from running"),
        ("update", PowerState.HIBERNATED, "accepted from running, stopped, deallocated"),
        ("start", None, "there is no VM yet"),
        ("create", PowerState.RUNNING, "the VM is running; it is accepted from no VM"),
        ("reboot", PowerState.RUNNING, "no operation is named 'reboot'; there are create, start"),
    ],
)
def test_a_refused_operation_says_from_where_it_would_be_accepted(
    operation: str, state: PowerState | None, words: str
) -> None:
    """The platform refuses with `OperationNotAllowed`; the reader learns what would be right."""
    with pytest.raises(OperationNotAllowed) as caught:
        rows_for(operation, state)
    assert words in str(caught.value)


@pytest.mark.parametrize("code", FAILURES)
def test_every_failure_has_a_message_about_the_vm(code: str) -> None:
    """The message's only blank is the VM's name."""
    message = failure_message(code, vm="web-0007")
    assert message
    assert "{" not in message


CODES_BY_STAGE = """
validation: QuotaExceeded TooManyRequests SkuNotAvailable SpotPriceGreaterThanProvidedMaxPrice
conflict: OperationNotAllowed OperationPreempted
allocation: AllocationFailed ZonalAllocationFailed OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest
  OverconstrainedResumeFromHibernatedStateAllocationRequest
network: NetworkingInternalOperationError
disk: DiskPreparationError DiskProcessingError DiskImageNotReady AcquireDiskLeaseFailed StorageAccountTooBusy
starting: VMStartTimedOut
os_provisioning: OSProvisioningTimedOut OSProvisioningClientError OSProvisioningInternalError
extensions: VMExtensionProvisioningError VMExtensionHandlerNonTransientError VMExtensionManagementInternalError
  VMAgentStatusCommunicationError VMExtensionProvisioningTimeout
hibernate: VMHibernateFailed VMHibernateNotSupported
redeploy: VMRedeploymentFailed VMRedeploymentTimedOut TooManyVMRedeploymentRequests
any: InternalOperationError
"""
SEEN_IN_THE_FIELD = (
    "QuotaExceeded OperationPreempted OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest"
)


def test_the_codes_of_each_stage_are_those_of_the_platform_s_pages() -> None:
    """Typed from Microsoft's pages on errors. Those seen only by users are marked as observed; five have a chance in a scenario."""
    pages = re.findall(r"(\w+): ([\w\s]+?)(?=\n\w+:|\s*\Z)", CODES_BY_STAGE)
    expected = {code: stage for stage, codes in pages for code in codes.split()}
    assert {code: facts.stage for code, facts in FAILURES.items()} == expected
    assert {code for code, facts in FAILURES.items() if facts.trust == "observed"} == set(SEEN_IN_THE_FIELD.split())
    assert {facts.trust for facts in FAILURES.values()} == {"observed", "documented"}
    assert {code: facts.chance for code, facts in FAILURES.items() if facts.chance} == {
        "AllocationFailed": "No hardware is found.",
        "VMStartTimedOut": "The VM is not up in time.",
        "OSProvisioningTimedOut": "The guest does not report in time; the VM stays Running, and billed.",
        "VMExtensionProvisioningError": "An extension fails.",
        "InternalOperationError": "Any operation fails at once.",
    }
    assert all(isinstance(facts.chance, str) for facts in FAILURES.values())


def test_every_fact_of_the_lifecycle_has_a_source_that_a_reader_can_look_up() -> None:
    """A page by its publisher and date, or that it was seen in public issue threads."""
    rows = [*FAILURES.values(), *POWER.values(), *PROVISIONING.values(), *OPERATIONS.values()]
    rows += [row for policy in BILLING_POLICIES.values() for row in (policy, *policy.rows.values())]
    for row in rows:
        assert re.search(r"Microsoft, .*(\d{4}-\d\d-\d\d|undated)|seen in public issue threads", row.source)


# Row: asked of; stages, each with its failures (code, state that it leaves, what it lasts, who answers); end; a lost host.
STEPS = """
create | no VM | allocating: AllocationFailed before drawn retry; starting: VMStartTimedOut stopped drawn reaction;
  os_provisioning: OSProvisioningTimedOut running timeout reaction;
  extensions: VMExtensionProvisioningError running drawn reaction, VMExtensionProvisioningTimeout running timeout reaction
  | running | retry | fails
start_from_stopped | stopped | starting: VMStartTimedOut stopped drawn retry | running | retry | fails
start_from_deallocated | deallocated hibernated | allocating: AllocationFailed before drawn retry;
  starting: VMStartTimedOut stopped drawn retry | running | retry | fails
restart | running | restarting | running | none | healed
power_off | running | stopping | stopped | retry | goes on
guest_shutdown | running | stopping | stopped | cannot | goes on
service_healing | running | starting | running | cannot | healed
deallocate | running stopped | deallocating | deallocated | retry | goes on
deallocate_from_hibernated | hibernated | deallocating | deallocated | retry | goes on
hibernate | running | deallocating | hibernated | retry | goes on
update | deallocated running stopped | updating | as before | none | healed
delete_from_host | deallocating running starting stopped stopping | deleting | gone | retry | goes on
delete_off_host | creating deallocated hibernated | deleting | gone | retry | goes on
"""


def test_each_operation_goes_through_its_steps_and_fails_as_the_pages_say() -> None:
    """The steps, typed from Microsoft's pages on states and errors; who answers a failure, and a lost host, from the scenario's keys.

    The last columns: where it ends; who answers if the platform abandons it at once; what a lost host does to it.
    """

    def failures(stage: Stage) -> str:
        return ", ".join(
            f"{each.code} {each.leaves or 'before'} {each.lasts} {each.answered_by}" for each in stage.fails
        )

    found = []
    for row in OPERATIONS.values():
        asked = " ".join(sorted(str(state or "no VM") for state in row.accepted_from))
        stages = "; ".join(stage.name + (f": {failures(stage)}" if stage.fails else "") for stage in row.stages)
        end = "gone" if row.removes else row.ends_in or "as before"
        found.append(
            [
                row.row,
                asked,
                stages,
                end,
                row.fails_at_once.answered_by if row.fails_at_once else "cannot",
                row.host_lost,
            ]
        )
    lines = re.sub(r"\n  ", " ", STEPS.strip()).splitlines()
    assert found == [[each.strip() for each in line.split("|")] for line in lines]


def test_flags_of_operations_and_their_failures_are_yes_or_no() -> None:
    """Only what the guest and the platform do of themselves is outside the control plane; only timeouts strike by deadline."""
    assert [row.row for row in OPERATIONS.values() if row.control_plane is False] == [
        "guest_shutdown",
        "service_healing",
    ]
    assert {row.control_plane for row in OPERATIONS.values()} == {True, False}
    fails = [failure for row in OPERATIONS.values() for stage in row.stages for failure in stage.fails]
    timeouts = {
        failure.code: (failure.by_chance, failure.by_deadline, failure.timeout_key)
        for failure in fails
        if failure.timeout_key
    }
    assert timeouts == {
        "OSProvisioningTimedOut": (True, True, "os_provisioning_timeout"),
        "VMExtensionProvisioningTimeout": (False, True, "extensions_timeout"),
    }
    assert all((each.by_chance, each.by_deadline) == (True, False) for each in fails if each.code not in timeouts)
