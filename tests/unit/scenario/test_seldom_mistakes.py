"""Mistakes that few files have, and words about files that few write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bad_scenarios import COMMITMENT, HOST, RIGHT, Bad, bad, check_mistake

import sim
from sim.errors import ScenarioError
from sim.scenario.group_defaults import merge
from sim.scenario.issues import Issue
from sim.scenario.paths import parse_path
from sim.scenario.price_list import rate_of
from sim.scenario.scenario import load
from sim.scenario.writing import toml_value

FLEET = {"name": "f", "horizon": "60d", "start": "2026-01-01T00:00:00Z", "group": [{"name": "web", "count": 1}]}
OF_ITS_OWN = 'only_groups = ["dev"] #!\nhourly = 3.0\n'
MISTAKES: dict[str, Bad] = {
    "hosts for a size of which only the price is known": bad(
        'size = "Standard_D4s_v5"\ncount', 'size = "Standard_X9" #!\ncount', "group.dev.size",
        "Standard_X9: its vCPUs and memory are not known, so no host can be found for it",
    ).with_tail(HOST + '[prices.override."Standard_X9"]\nlinux = 1.0\n'),
    "a quota for a size of which only the price is known": bad(
        'size = "Standard_D4s_v5"\ncount', 'size = "Standard_X9" #!\ncount', "group.dev.size",
        "Standard_X9: its vCPUs are not known, so it can't be held against the quota",
    ).with_tail('[platform.quota]\nregional_vcpus = 100\n[prices.override."Standard_X9"]\nlinux = 1.0\n'),
    "a key given twice in a table below its header": bad(
        "attempts = 5\n", "attempts = 5\nattempts = 6 #!\n", "", "attempts is given twice (first on line 23; every key"
    ),
    "a key of the same name in another table": bad(
        "attempts = 5\n", "backoff = 5\nattempts = 5\nattempts = 6 #!\n", "", "attempts is given twice (first on line 24; every key"
    ),
    "a distribution that is no table": bad(
        'starting = { dist = "lognormal", median = "25s", sigma = 0.5 }', "starting = [25] #!", "group.dev.durations.starting", "this is not a duration",
    ),
}  # fmt: skip
MISTAKES["a commitment that is no table"] = bad(
    RIGHT, RIGHT.replace(COMMITMENT, "").replace('name = "office"\n', 'name = "office"\ncommitment = [5] #!\n'),
    "commitment[1]", "5: this is not a table of keys and values",
)  # fmt: skip
MISTAKES["a host of its own for VMs that hibernate"] = bad(
    RIGHT,
    RIGHT.replace("seed = 1\n", 'seed = 1\nbilling_policy = "2023-10"\n')
    .replace("[[group]]\n", '[[group]]\nwhen_off = "hibernate"\n')
    .replace(COMMITMENT, HOST + OF_ITS_OWN),
    "platform.hosts.rack-a.only_groups[1]",
    '"dev": VMs that use a dedicated host cannot hibernate', 'write when_off = "deallocate"',
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_line_field_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One at a time, in a file that is right without it."""
    check_mistake(mistake, tmp_path)


@pytest.mark.parametrize("defaults", ["", "[defaults]\ncount = 3\n"])
def test_groups_that_are_no_tables_are_told_one_by_one(tmp_path: Path, defaults: str) -> None:
    """Nothing else can be said of them, by the defaults neither."""
    path = tmp_path / "s.toml"
    path.write_text(f'name = "s"\nhorizon = "1d"\ngroup = [1, "a"]\n{defaults}', encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load(path)
    assert [(each.field, each.line, each.value) for each in refused.value.faults] == [
        ("group[1]", 3, 1),
        ("group[2]", 3, "a"),
    ]
    assert merge({"defaults": {"count": 3}, "group": [1, {"name": "b"}]}).document["group"] == [
        1,
        {"name": "b", "count": 3},
    ]


def test_when_off_given_twice_alike_is_given_once(tmp_path: Path) -> None:
    """In its group and below the schedule: the same word is no contradiction."""
    path = tmp_path / "s.toml"
    twice = RIGHT.replace("count = 200", 'count = 200\nwhen_off = "stop"').replace(
        "off = 19:00:00", 'off = 19:00:00\nwhen_off = "stop"'
    )
    path.write_text(twice, encoding="utf-8")
    assert load(path).groups[0].when_off == "stop"


def test_a_path_that_ends_in_a_dot_is_none() -> None:
    """`--set group.dev.=3`."""
    with pytest.raises(ValueError, match=r'"group\.dev\." ends in a dot; write names with dots between'):
        parse_path("group.dev.")


def test_what_toml_has_no_form_for_is_refused_by_its_type() -> None:
    """A mistake of the caller."""
    with pytest.raises(TypeError, match="TOML has no form for set"):
        toml_value({"a": [{1}]})


def test_a_list_in_another_currency_is_not_converted() -> None:
    """An exchange rate is one from USD."""
    scenario = sim.from_dict(FLEET)
    issue = rate_of(
        scenario.prices.model_copy(update={"currency": "GBP"}), replace(scenario.catalogue(), currency="EUR")
    )
    assert isinstance(issue, Issue)
    assert (issue.path, issue.hint) == (("prices", "currency"), 'write currency = "EUR"')
    assert issue.problem.startswith('"GBP": ')
    assert issue.problem.endswith(" is in EUR")


# --- descriptions


def test_a_platform_that_limits_nothing_says_so() -> None:
    """An empty table is the same as none."""
    said = sim.from_dict({**FLEET, "platform": {}}).describe()
    assert "Platform: hardware without end, no quota." in "\n".join(said)


def test_of_many_steps_the_first_and_the_last_are_told() -> None:
    """A line has room for few."""
    steps = [{"at": f"2026-01-{day:02}", "count": day} for day in range(2, 32)]
    said = "\n".join(sim.from_dict({**FLEET, "group": [{"name": "web", "count": 1, "count_steps": steps}]}).describe())
    assert "1 VM at t = 0, then 2 from 2026-01-02, " in said
    assert "..., 31 from 2026-01-31" in said
    assert "20 from 2026-01-20" not in said


def test_hosts_with_a_price_beside_a_commitment_for_others_are_right() -> None:
    """Only one of the same name or for the same groups would be a second price."""
    scenario = sim.from_dict({
        **FLEET,
        "platform": {"hosts": [{"name": "rack", "count": 1, "vcpus": 64, "memory_gib": 512, "only_groups": ["web"], "hourly": 3.0}]},
        "commitment": [{"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 1, "term": "1y"}],
    })  # fmt: skip
    assert [each.name for each in scenario.commitments] == ["ri"]
