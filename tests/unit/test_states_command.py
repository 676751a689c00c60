"""`vmfleet states --machine`: what it prints is the state machine that the engines run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sim import load
from sim.cli import main
from sim.engines.group_setup import set_up
from sim.model.machine_view import machine_lines, machine_rows

ROOT = Path(__file__).parents[2]
ONE_VM = ROOT / "scenarios" / "one_vm_one_day.toml"
RICH = """\
name = "rich"
horizon = "1d"
[platform.maintenance]
every = "7d"
impact = "redeploy"
[platform.host_failures]
time_between = "900d"
repair = "1d"
[[platform.hosts]]
name = "p"
count = 2
vcpus = 64
memory_gib = 256
[[group]]
name = "spot"
size = "Standard_D4s_v5"
count = 1
priority = "spot"
[group.spot]
eviction_per_hour = 0.01
[group.failures]
AllocationFailed = 0.1
OSProvisioningTimedOut = 0.01
InternalOperationError = 0.02
[group.guest_crash]
time_between = "30d"
detection = "5min"
[group.schedule]
days = "Mon-Fri"
on = 08:00:00
off = 18:00:00
time_zone = "UTC"
[[group]]
name = "batch"
size = "Standard_D4s_v5"
[group.arrivals]
rate = 1
lifetime = "1h"
"""


def vmfleet(*arguments: str | Path) -> int:
    """The exit status of one call."""
    with pytest.raises(SystemExit) as end:
        main([str(each) for each in arguments])
    return int(end.value.code or 0)


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A scenario in which every kind of transition occurs."""
    file = tmp_path / "rich.toml"
    file.write_text(RICH)
    return file


def test_every_transition_is_printed_with_its_cause(rich: Path) -> None:
    """A way out that the page doesn't show would make a reader trust a wrong picture."""
    for setup in set_up(load(rich).fleet_plan(), seed=0, replication=0):
        machine = setup.state_machine
        printed = {(row.state, exit_.target) for row in machine_rows(machine) for exit_ in row.transitions}
        assert printed == {(each.source.name, each.target.name) for each in machine.transitions}


def test_causes_name_what_makes_a_vm_leave_its_state(rich: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which they are looked at, with probabilities and times."""
    assert vmfleet("states", "--machine", rich, "--json") == 0
    machines = {one["group"]: one["states"] for one in json.loads(capsys.readouterr().out)}
    assert list(machines) == ["spot", "batch"]
    on = next(row for row in machines["spot"] if row["state"] == "on")
    assert (on["power"], on["provisioning"], on["serving"]) == ("running", "succeeded", True)
    causes = [each["cause"] for each in on["transitions"]]
    assert causes == ["demand turns off", "guest crash", "eviction", "host failure", "maintenance"]
    start = next(row for row in machines["spot"] if row["state"] == "start@deallocated.allocating")
    assert {"AllocationFailed, 0.1", "AllocationFailed, 0.1, last attempt"} <= {
        each["cause"] for each in start["transitions"]
    }
    assert {"end of lifetime"} == {
        each["cause"] for row in machines["batch"] if row["state"] == "on" for each in row["transitions"]
    } - {"host failure", "maintenance"}


def test_a_small_machine_fits_a_terminal_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """And says what is shown, what is waited for and where it leads."""
    assert vmfleet("states", "--machine", ONE_VM, "--group", "vm") == 0
    page = capsys.readouterr().out
    assert max(len(line) for line in page.splitlines()) <= 80
    assert re.search(r"^create@absent.starting +starting +creating +create$", page, re.MULTILINE)
    assert "    waits for starting: always 50s\n    done -> create@absent.extensions\n" in page


def test_headings_stand_above_their_columns(rich: Path) -> None:
    """The widest name decides, not the first."""
    setup = set_up(load(rich).fleet_plan(), seed=0, replication=0)[0]
    lines = machine_lines(machine_rows(setup.state_machine))
    place = lines[0].index("power")
    assert all(line.startswith("    ") or line[place - 1] in " -" for line in lines[1:])


def test_a_diagram_draws_every_state_and_every_transition(rich: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each arrow joins two states that are declared."""
    assert vmfleet("states", "--machine", rich, "--group", "spot", "--mermaid") == 0
    page = capsys.readouterr().out
    declared = set(re.findall(r"as (s\d+)$", page, re.MULTILINE)) | {"[*]"}
    arrows = re.findall(r"^    (\S+) --> ([^:\n]+?)(?:: [^:;\n]+)?$", page, re.MULTILINE)
    assert page.startswith("stateDiagram-v2\n")
    assert len(arrows) == page.count(" --> ")
    assert {end for arrow in arrows for end in arrow} == declared


def test_the_diagram_of_the_docs_is_the_commands_output(capsys: pytest.CaptureFixture[str]) -> None:
    """`docs/model.md` shows what `vmfleet states --machine scenarios/one_vm_one_day.toml --mermaid` prints."""
    assert vmfleet("states", "--machine", ONE_VM, "--mermaid") == 0
    assert f"```mermaid\n{capsys.readouterr().out}```" in (ROOT / "docs" / "model.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--machine", "rich.toml", "--group", "spott"], 'did you mean "spot"?'),
        (["--machine", "rich.toml", "--group", "zzz"], "there are spot, batch"),
        (["--machine", "rich.toml", "--mermaid"], "choose it with --group (spot, batch)"),
        (["--machine", "none.toml"], "none.toml"),
        (["--group", "spot"], "--group belongs to --machine"),
        (["--mermaid"], "--mermaid belongs to --machine"),
    ],
)
def test_mistakes_are_reported_with_what_would_be_right(
    arguments: list[str], words: str, rich: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and one line."""
    monkeypatch.chdir(rich.parent)
    assert vmfleet("states", *arguments) == 2
    assert words in capsys.readouterr().err
