"""Mistakes in a scenario file. Commitments: room held and dedicated hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import COMMITMENT, HOST, Bad, bad, capacity, check_mistake

MISTAKES: dict[str, Bad] = {
    "a capacity reservation of half a VM": bad(*capacity("quantity = 0.5"), "commitment.ri.quantity", "0.5", "whole number"),
    "a capacity reservation for a group that is not there": bad(
        *capacity('groups = ["dve"]'), "commitment.ri.groups[1]", 'did you mean "dev"?'
    ),
    "a capacity reservation for spot VMs": bad(
        *capacity('groups = ["jobs"]'), "commitment.ri.groups[1]", "spot VMs cannot use a capacity reservation"
    ).with_tail('[[group]]\nname = "jobs"\npriority = "spot"\n'),
    "a capacity reservation for another size": bad(
        *capacity('groups = ["big"]'), "commitment.ri.groups[1]", "its VMs are Standard_D8s_v5", "one size"
    ).with_tail('[[group]]\nname = "big"\nsize = "Standard_D8s_v5"\n'),
    "a capacity reservation for an availability set": bad(
        *capacity('groups = ["web"]'), "commitment.ri.groups[1]", "availability set cannot use a capacity reservation"
    ).with_tail('[[group]]\nname = "web"\navailability_set = "web"\n'),
    "more room held than there is": bad(
        *capacity("quantity = 33"), "commitment.ri.quantity", "33: the hosts have room for 32 of Standard_D4s_v5 only"
    ).with_tail(HOST),
    "a dedicated host for no group": bad(
        COMMITMENT,
        '[[commitment]]\nname = "own"\nkind = "dedicated-host"\nquantity = 1\nhourly = 4.0\nvcpus = 64\ngroups = [] #!\n',
        "commitment.own.groups",
        "0 values",
    ),
    "a dedicated host for spot VMs": bad(
        COMMITMENT,
        '[[commitment]]\nname = "own"\nkind = "dedicated-host"\nquantity = 1\nhourly = 4.0\nvcpus = 64\ngroups = ["jobs"] #!\n',
        "commitment.own.groups[1]",
        "spot VMs cannot use a dedicated host",
    ).with_tail('[[group]]\nname = "jobs"\npriority = "spot"\n'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
