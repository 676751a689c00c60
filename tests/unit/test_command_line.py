"""What a caller of `vmfleet` relies on: exit status, what is on which stream, and that nothing is half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sim
import sim.runs.executors
import sim.runs.run
from sim.cli import main
from sim.cli.options import share_of
from sim.errors import ScenarioError
from sim.fields.numbers import general, money

SMALL = """\
name = "small"
start = 2026-01-05T00:00:00Z
horizon = "1d"
replications = 2
[[group]]
name = "dev"
size = "Standard_D4s_v5"
count = 3
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario that takes no time to simulate, in an empty folder that commands write to."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


def vmfleet(*arguments: str | Path) -> int:
    """The exit status of one call."""
    with pytest.raises(SystemExit) as end:
        main([str(each) for each in arguments])
    return int(end.value.code or 0)


def test_run_prints_the_answer_and_writes_the_result_folder(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The main job."""
    assert vmfleet("run", small) == 0
    shown = capsys.readouterr()
    assert "cost (USD)" in shown.out
    assert "results/small" in shown.out
    assert shown.err == "", "progress belongs to a terminal only"
    written = {path.name for path in Path("results/small").iterdir()}
    assert {"summary.json", "provenance.json", "bill.csv", "replications.csv", "report.html"} <= written


def test_json_is_the_summary_and_nothing_else(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads standard output; one more line would break it."""
    assert vmfleet("run", small, "--json", "--no-report") == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown == json.loads(Path("results/small/summary.json").read_text())
    assert shown["replications"] == 2


def test_markdown_is_the_answer_and_nothing_else(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables for a pull request; a later answer is plain again, and one answer has one form."""
    assert vmfleet("run", small, "--markdown", "--no-report") == 0
    shown = capsys.readouterr().out
    assert "### small: 24 hours, 2 replications" in shown
    assert "| whole fleet | mean |" in shown
    assert "| :-- | --: |" in shown
    assert "Written" not in shown
    assert vmfleet("run", small, "--no-report") == 0
    assert "|" not in capsys.readouterr().out
    assert vmfleet("run", small, "--markdown", "--json") == 2
    assert "give one of them" in capsys.readouterr().err
    assert vmfleet("explain", small, "--vm", "dev-0000", "--markdown") == 0
    title, _, rest = capsys.readouterr().out.strip().partition("\n\n")
    assert title.startswith("### dev-0000 in replication 0, seed 1")
    assert rest.startswith("| when | what |\n| :-- | :-- |\n| Mon 05 Jan 2026")
    assert vmfleet("compare", small, "--variant", "a_b*<c>: group.dev.count=1", "--markdown", "--no-report") == 0
    first, few, second = capsys.readouterr().out.split("\n\n")[:3]
    assert few.startswith("Intervals from 2 replications say little")
    assert first.startswith("a\\_b\\*&lt;c> saves")  # a name is no markup
    assert second.strip().startswith("###")


def test_no_command_destroys_the_result_of_another_one(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One default for all commands; the earlier result is kept whole beside it, and the note says where."""
    assert vmfleet("run", small, "--no-report") == 0
    capsys.readouterr()
    call = ("sweep", small, "--vary", "group.dev.count=1,2", "--no-report")
    assert vmfleet(*call, "--out", "elsewhere") == 0
    assert capsys.readouterr().err == ""
    assert vmfleet(*call) == 0
    assert "result of `vmfleet run` in results/small is now in results/small-run;" in capsys.readouterr().err
    assert {path.name for path in Path("results/small").glob("*.json")} == {"sweep.json", "provenance.json"}
    earlier = sim.read("results/small-run")
    assert earlier.values("cost.total")[0] > 0
    assert vmfleet("report", "results/small-run") == 0
    (earlier.folder / "figures" / "mine.txt").write_text("a note of the user's", encoding="utf-8")
    assert vmfleet("run", small, "--no-report", "--quiet") == 0  # the study goes aside in turn
    assert Path("results/small-sweep/sweep.csv").exists()
    assert capsys.readouterr().err == ""
    assert vmfleet(*call, "--quiet") == 0  # replaces the older result of `run`, not what the user has put there
    assert (earlier.folder / "figures" / "mine.txt").read_text(encoding="utf-8") == "a note of the user's"
    assert not (earlier.folder / "report.html").exists()
    assert vmfleet("size", small, "--vary", "group.dev.count=1..3", "--keep", "no.metric<=1") == 2
    assert Path("results/small/sweep.csv").exists()  # wrong input moves nothing


def test_what_another_command_s_result_would_go_over_is_not_ours_to_replace(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of the user's that has the name is refused, and both stay as they were."""
    assert vmfleet("run", small, "--no-report", "--quiet") == 0
    Path("results/small-run").mkdir()
    Path("results/small-run/thesis.txt").write_text("mine", encoding="utf-8")
    assert vmfleet("sweep", small, "--vary", "group.dev.count=1,2", "--no-report") == 2
    assert "results/small-run: is not empty and holds no result of vmfleet" in capsys.readouterr().err
    assert Path("results/small/summary.json").exists()


def test_a_script_writes_the_folder_that_the_command_writes(small: Path) -> None:
    """Every file, with the same bytes but for when it was written and how long it took."""
    assert vmfleet("run", small, "--quiet", "--out", "by-command") == 0
    folder = sim.run(sim.load(small)).write("by-script")
    assert sim.build_report(folder) == Path("by-script/report.html")

    def content(folder: Path) -> dict[str, bytes]:
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        timed = {"provenance.json", "report.html"}
        return {name: b"" if name in timed else path.read_bytes() for name, path in files.items()}

    assert content(Path("by-command")) == content(Path("by-script"))
    assert "figures/cost_by_meter.svg" in content(Path("by-script"))


def test_quiet_prints_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts that only want the folder."""
    assert vmfleet("run", small, "--quiet", "--no-report", "--out", "there") == 0
    assert capsys.readouterr() == ("", "")
    assert Path("there/summary.json").exists()


def test_options_reach_the_study(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that is read and dropped is worse than none."""
    assert vmfleet("run", small, "--json", "--no-report", "-n", "3", "--seed", "7", "--set", "group.dev.count=5") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["replications"], shown["seed"]) == (3, 7)
    assert shown["metrics"]["vms.created"]["mean"] == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "SCENARIO.toml"),
        (["run", "small.toml", "--nonsense"], "--nonsense"),
        (["run", "nowhere.toml"], "nowhere.toml"),
        (["run", "small.toml", "--engine", "warp"], "warp"),
        (["run", "small.toml", "--replications", "0"], "--replications is 0"),
        (["run", "small.toml", "--seed", "-1"], "--seed is -1"),
        (["run", "small.toml", "--jobs", "0"], "--jobs is 0"),
        (["run", "small.toml", "--jobs", "many"], "many"),
        (["run", "small.toml", "--seed=few"], "few"),
        (["run", "small.toml", "--precision", "300%"], "300%"),
        (["run", "small.toml", "--budget", "-1"], "--budget is -1"),
        (["run", "small.toml", "--budget", "much"], "much"),
        (["run", "small.toml", "--cluster", "spark://there:1"], "dask://host:port"),
        (["compare", "small.toml", "small.toml", "--cluster", "there"], "dask://host:port"),
        (["sweep", "small.toml", "--vary", "horizon=1d,2d", "--precision", "0"], "--precision"),
        (["size", "small.toml", "--vary", "group.dev.count=1..2", "--keep", "x<=1"], "x"),
        (["run", "small.toml", "--set", "group.dev.count=-1"], "group.dev.count"),
        (["run", "small.toml", "--set", "group.deb.count=1"], "deb"),
        (["validate", "wrong.toml"], "wrong.toml:4"),
        (["states", "--policy", "1999"], "1999"),
        (["report", "nowhere"], "nowhere"),
        (["prices", "show", "Standard_D4s_v55"], "Standard_D4s_v5"),
        (["run", "small.toml", "--out", "small.toml"], "small.toml"),
        (["run", "small.toml", "--out", "small.toml/inside"], "small.toml"),
        (["snapshot", "small.toml", "--at", "12h", "--vm", "dev-0009"], "dev-0009"),
        (["snapshot", "small.toml", "--at", "3d"], "the horizon (1d), not at 3d"),
        (["snapshot", "small.toml", "--at=-5h"], "never negative"),
        (["snapshot", "small.toml", "--at", "noon"], "--at noon"),
        (["dance"], "dance"),
    ],
)
def test_wrong_input_is_explained_with_status_2(
    small: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """The user's mistake gets the name of what is wrong, no traceback, and no result folder."""
    Path("wrong.toml").write_text(SMALL.replace("replications = 2", "replications = 'two'"))
    before = set(Path().rglob("*"))
    assert vmfleet(*arguments) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert set(Path().rglob("*")) == before, "nothing may be written"


def test_all_issues_of_a_file_are_reported_at_once(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one error per run the user would need a dozen runs."""
    Path("wrong.toml").write_text(SMALL.replace('"1d"', '"-1d"').replace("count = 3", "count = 3\ncolour = 1"))
    assert vmfleet("validate", "wrong.toml") == 2
    output = capsys.readouterr().err
    assert "wrong.toml:3" in output
    assert "wrong.toml:9" in output


def test_an_interrupt_ends_with_130(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shells and schedulers expect of a program stopped by Ctrl-C."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sim.runs.run, "run_to_folder", interrupted)
    assert vmfleet("run", small) == 130
    output = capsys.readouterr().err
    assert "--resume" in output
    assert "Traceback" not in output
    assert not Path("results/small/summary.json").exists()


def test_our_own_defect_is_loud_with_status_1(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect shown as the user's mistake would never be reported."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(sim.runs.run, "run_to_folder", broken)
    assert vmfleet("run", small) == 1
    output = capsys.readouterr().err
    assert "Traceback" in output
    assert "planted" in output
    assert "report it" in output


@pytest.mark.parametrize(
    "command",
    ["run", "compare", "sweep", "size", "validate", "report", "states", "snapshot", "prices", "schema", "demo"],
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` after any documented name."""
    assert vmfleet(command, "--help") == 0
    assert f"vmfleet {command}" in capsys.readouterr().out


def test_states_shows_what_each_policy_bills(capsys: pytest.CaptureFixture[str]) -> None:
    """The one difference that matters most between the two policies: Starting."""
    billed = {}
    for policy in ("2018-08", "2023-10"):
        assert vmfleet("states", "--policy", policy, "--json") == 0
        billed[policy] = {row["state"]: row["billed"] for row in json.loads(capsys.readouterr().out)}
    assert billed["2018-08"]["starting"] is False
    assert billed["2023-10"]["starting"] is True
    assert "hibernated" not in billed["2018-08"]
    assert vmfleet("states") == 0
    assert "PowerState/deallocated" in capsys.readouterr().out


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """Editors read it."""
    assert vmfleet("schema") == 0
    schema = json.loads(capsys.readouterr().out)
    assert "json-schema.org" in schema["$schema"]
    assert "group" in schema["properties"]


def test_prices_show_prints_terms_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """A price without its source is a rumour."""
    assert vmfleet("prices", "show", "Standard_D4s_v5", "--region", "westeurope", "--json") == 0
    rows = {row["term"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["linux"]["per_h"] > 0
    assert rows["windows"]["per_h"] > rows["linux"]["per_h"]
    assert rows["linux"]["source"]


def test_compare_shows_each_difference_with_its_interval(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the VMs cost twice as much, in every replication."""
    Path("twice.toml").write_text(SMALL.replace('"small"', '"twice"').replace("count = 3", "count = 6"))
    assert vmfleet("compare", small, "twice.toml", "--no-report") == 0
    assert "twice minus small" in capsys.readouterr().out
    assert vmfleet("compare", small, "twice.toml", "--no-report", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(Path("results/small/comparison.json").read_text())
    cost = found["differences"]["twice"]["cost.total"]
    assert cost["mean"] == pytest.approx(found["base_metrics"]["cost.total"]["mean"], rel=1e-2)
    assert cost["verdict"] == "worse"


def test_a_budget_is_answered_with_a_chance_and_its_bounds(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three VMs for a day cost 16.55 USD: more than 16, less than 17, in each of 20 replications."""
    call = ("run", small, "-n", "20", "--no-report", "--budget")
    assert vmfleet(*call, "16") == 0
    assert "exceeds 16.00 USD with a probability of 100" in capsys.readouterr().out
    assert vmfleet(*call, "17", "--json") == 0
    budget = json.loads(capsys.readouterr().out)["budget"]
    assert budget["breach_probability"] == 0.0
    assert budget["replications_above"] == 0
    assert 0.0 == budget["wilson"]["low"] < budget["wilson"]["high"] < budget["high"], "Wilson's is the shorter one"
    assert budget["high"] == pytest.approx(1 - 0.025 ** (1 / 20)), "Clopper and Pearson's bound for none of 20"


@pytest.mark.parametrize(
    ("command", "file", "replications"),
    [
        (("run", "small.toml"), "summary.json", lambda output: output["replications"]),
        (("sweep", "small.toml", "--vary", "group.dev.count=1,2"), "sweep.json", lambda output: output["replications"]),
        (
            ("size", "small.toml", "--vary", "group.dev.count=2..3", "--keep", "billed_hours<=50", "--largest"),
            "size.json",
            lambda output: max(trial["n"] for trial in output["trials"]),
        ),
    ],
)
def test_a_precision_simulates_on_until_the_cap(
    small: Path,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    file: str,
    replications: Callable[[dict[str, Any]], int],
) -> None:
    """Each of the commands that have it: a precision that cannot be reached ends at the cap, and at no round before."""
    assert vmfleet(*command, "--no-report", "--precision", "0.00001%", "-n", "30", "--json", "--out", "there") == 0
    assert replications(json.loads(Path("there", file).read_text())) == 30


def test_a_comparison_with_a_precision_says_why_it_stopped(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the VMs certainly cost more: the first round decides."""
    Path("twice.toml").write_text(SMALL.replace('"small"', '"twice"').replace("count = 3", "count = 6"))
    assert vmfleet("compare", small, "twice.toml", "--no-report", "--precision", "1%", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["replications"] == 20
    assert "decided" in found["stopped"]
    capped = SMALL.replace('"small"', '"unlike"') + "  [group.failures]\n  OSProvisioningTimedOut = 0.3\n"
    Path("unlike.toml").write_text(capped)
    assert vmfleet("compare", small, "unlike.toml", "--precision", "0.00001%", "-n", "20", "--out", "there") == 0
    assert "the cap of 20 replications was hit; still open: unlike: " in capsys.readouterr().out
    assert "the cap of 20 replications was hit" in Path("there/report.html").read_text()


def test_sweep_simulates_every_combination(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two values of one setting and two of another are four points."""
    call = ("sweep", small, "--vary", "group.dev.count=1,2", "--vary", "horizon=1d,2d", "--metric", "billed_hours")
    assert vmfleet(*call, "--no-report") == 0
    assert "group.dev.count" in capsys.readouterr().out
    assert vmfleet(*call, "--no-report", "--json") == 0
    points = json.loads(capsys.readouterr().out)["points"]
    hours = [point["metrics"]["billed_hours"]["mean"] for point in points]
    assert [round(each / 24) for each in hours] == [1, 2, 2, 4]


def test_size_finds_the_value_that_meets_the_target(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hours billed a day grow by almost 24 per VM: four VMs stay below 100, five do not."""
    call = ("size", small, "--vary", "group.dev.count=1..8", "--keep", "billed_hours<=100", "--largest")
    assert vmfleet(*call, "--json") == 0
    assert json.loads(capsys.readouterr().out)["value"] == 4
    assert Path("results/small/report.html").exists()


def test_sensitivity_puts_the_important_factor_first(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of VMs changes the bill more than half a minute at the start."""
    call = ("sensitivity", small, "--vary", "group.dev.durations.allocating=1s..30s", "--vary", "group.dev.count=2..4")
    assert vmfleet(*call, "--json") == 0
    factors = json.loads(capsys.readouterr().out)["factors"]
    assert [each["factor"] for each in factors] == ["group.dev.count", "group.dev.durations.allocating"]


def test_bill_rates_stays_without_a_simulation(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten hours running and two stopped are twelve billed; four deallocated are none."""
    Path("stays.csv").write_text(
        "vm,state,start,end\n"
        "a,running,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z\n"
        "a,stopped,2026-01-05T10:00:00Z,2026-01-05T12:00:00Z\n"
        "a,deallocated,2026-01-05T12:00:00Z,2026-01-05T16:00:00Z\n"
    )
    assert vmfleet("bill", "stays.csv", "--size", "Standard_D4s_v5", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total_usd"] == pytest.approx(12 * 0.23, rel=1e-12)
    assert vmfleet("bill", "stays.csv", "--size", "Standard_D4s_v5") == 0
    assert "2.76" in capsys.readouterr().out
    assert vmfleet("bill", "stays.csv") == 2


def test_fit_prints_a_section_that_can_be_pasted(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed must be a scenario's group as it stands."""
    rows = [f"{60 * i},{60 + 37 * (i % 50)},2,8" for i in range(400)]
    Path("trace.csv").write_text("\n".join(["created_s,lifetime_s,vcpus,memory_gib", *rows]) + "\n")
    assert vmfleet("fit", "trace.csv", "--name", "pasted", "--quiet") == 0
    section = capsys.readouterr().out
    Path("pasted.toml").write_text('name = "pasted"\nhorizon = "1h"\n' + section)
    assert vmfleet("validate", "pasted.toml") == 0
    assert Path("results/fit-trace/lifetime_fit.svg").exists()
    assert vmfleet("fit", "trace.csv", "--figures", "elsewhere") == 0
    assert "# drawn: elsewhere/lifetime_fit.svg" in capsys.readouterr().out
    assert Path("elsewhere/lifetime_fit.png").exists()
    assert vmfleet("fit", "trace.csv", "--law", "guess") == 2


def test_snapshot_answers_as_the_platform_does(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Clients of the platform read these shapes: list-all, list-all with status only, the instance view of one VM."""
    assert vmfleet("snapshot", small, "--at", "12h", "--status-only") == 0
    listed = json.loads(capsys.readouterr().out)["value"]
    assert [item["name"] for item in listed] == ["dev-0000", "dev-0001", "dev-0002"]
    statuses = [status["code"] for status in listed[0]["properties"]["instanceView"]["statuses"]]
    assert statuses == ["ProvisioningState/succeeded", "PowerState/running"]
    assert vmfleet("snapshot", small, "--at", "12h", "--vm", "dev-0001") == 0
    one = json.loads(capsys.readouterr().out)
    assert one["computerName"] == "dev-0001"
    assert [status["code"] for status in one["statuses"]] == statuses
    slow = "group.dev.durations.allocating=10s"
    assert vmfleet("snapshot", small, "--at", "5s", "--vm", "dev-0001", "--set", slow) == 0
    early = json.loads(capsys.readouterr().out)
    assert [status["code"] for status in early["statuses"]] == ["ProvisioningState/creating"]


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.01", 0.01), (" 2.5% ", 0.025), (None, None)])
def test_a_precision_is_read_as_people_write_it(text: str | None, share: float | None) -> None:
    """Per cent and shares."""
    assert share_of(text) == share


@pytest.mark.parametrize("text", ["0", "-1%", "100%", "nan", "inf", "much", ""])
def test_a_precision_that_is_no_share_is_refused(text: str) -> None:
    """Above zero and below one."""
    with pytest.raises(ScenarioError):
        share_of(text)


def test_numbers_are_written_with_the_digits_that_matter() -> None:
    """Neither 134397.8701 hours nor 0.00 of a small share."""
    assert [general(each) for each in (134397.87, 220.04, 3.5, 0.0123, 0.0, None)] == [
        "134,400", "220.04", "3.5", "0.0123", "0", "–",
    ]  # fmt: skip
    assert [money(each) for each in (30912.4, 167.9, None)] == ["30,912.40", "167.90", "–"]


def test_a_study_never_simulates_a_replication_twice(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever study it was simulated for, under any name: another one reads it and gets the same figures."""
    ran: list[tuple[int, ...]] = []
    run = sim.runs.executors.Task.run
    monkeypatch.setattr(sim.runs.executors.Task, "run", lambda task, *s: (ran.append(task.numbers), run(task, *s))[1])
    call = ("sweep", small, "--vary", "group.dev.count=1,2,3", "--no-report")
    assert vmfleet(*call) == 0
    assert sum(map(len, ran)) == 6
    parts = len(ran)
    first = Path("results/small/sweep.csv").read_bytes()
    assert "not simulated again" not in capsys.readouterr().out
    assert vmfleet(*call, "--out", "results/again") == 0
    assert vmfleet("compare", small, small, "--no-report") == 0
    assert len(ran) == parts
    assert "were read from results/.vmfleet-cache, not simulated again" in capsys.readouterr().out
    assert Path("results/again/sweep.csv").read_bytes() == first
    assert vmfleet(*call, "-n", "3") == 0
    assert ran[parts:] == [(2,), (2,), (2,)]
    assert vmfleet(*call, "--no-cache", "--seed", "5") == 0
    assert vmfleet(*call, "--no-cache", "--seed", "5") == 0
    assert sum(map(len, ran)) == 9 + 12
    assert Path("results/.vmfleet-cache/.gitignore").read_text() == "*\n"
    assert not list(Path("results").glob("*.unfinished"))


def test_a_study_leaves_what_an_interrupted_run_has_finished(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both write to results/<name> unless `--out` says otherwise; `run --resume` must still find its own."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sim.RunResult, "write", interrupt)
        assert vmfleet("run", small, "--no-report") == 130
    kept = sorted(Path("results").rglob(".small.unfinished/**/*.part"))
    assert len(kept) == 1
    for more in ((), ("--no-cache",), ("--no-cache", "--resume"), ("--resume",)):
        assert vmfleet("sweep", small, "--vary", "group.dev.count=1,2", "--no-report", "--quiet", *more) == 0
        assert sorted(Path("results").rglob(".small.unfinished/**/*.part")) == kept
    assert not list(Path("results").glob(".small.study*"))
