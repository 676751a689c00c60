"""Programs in Ciw and salabim, written from the documentation, find what vmfleet finds; wrong models don't.

`python -m tests.second_opinion.compare` does the same with more replications.
"""

from __future__ import annotations

import pytest

from tests.second_opinion.compare import PROGRAMS, WRONG, compared


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["cycle", "hosts"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_another_program_finds_the_same(program: str, scenario: str) -> None:
    """Hours by state, counts and cost: no simultaneous interval excludes 0 (false alarm: 1 in 100 for all together)."""
    found = compared(scenario, PROGRAMS[program][scenario], replications=40)
    assert len(found) >= 20
    assert [figure for figure in found if not figure.agrees] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_is_refused(name: str) -> None:
    """One rule misread is noticed with 20 replications."""
    scenario, program = WRONG[name]
    assert any(not figure.agrees for figure in compared(scenario, program, replications=20))
