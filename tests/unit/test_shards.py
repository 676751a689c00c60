"""Shards of a run: simulated apart, put together to the bytes of one run, and refused by name where one is wrong."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError, ResultError, ScenarioError
from sim.runs.digests import digests, facts_digest
from sim.runs.run import run_to_folder
from sim.runs.shards import merge

FLEET: Mapping[str, Any] = {
    "name": "part",
    "horizon": "40d",
    "replications": 5,
    "warm_up": "auto",
    "group": [
        {"name": "web", "count": 6, "schedule": {"days": "mon-sun", "on": "08:00:00", "off": "18:00:00"}},
        {"name": "spot", "count": 4, "priority": "spot", "spot": {"eviction_per_hour": 0.01}},
    ],
    "platform": {
        "hosts": [{"name": "rack", "count": 4, "vcpus": 16, "memory_gib": 64}],
        "host_failures": {"time_between": "20d"},
    },
    "commitment": [{"name": "base", "kind": "reservation", "size": "Standard_D2s_v5", "quantity": 3, "term": "1y"}],
}
OPTIONS: Mapping[str, Any] = {"events": True, "budget_usd": 900.0, "engine": "compiled"}


def fleet() -> sim.Scenario:
    """Hosts that fail, evictions, a commitment, a warm-up that a pilot finds."""
    return sim.from_dict(FLEET)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run in one, and in three shards."""
    place = tmp_path_factory.mktemp("shards")
    parts: dict[str, range | None] = {"one": None, "a": range(2), "b": range(2, 4), "c": range(4, 5)}
    for name, numbers in parts.items():
        run_to_folder(fleet(), place / name, replications=numbers, **OPTIONS)
    return {name: place / name for name in parts}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a result but where it came from."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "provenance.json"
    }


def test_shards_make_the_bytes_of_one_run(shards: dict[str, Path], tmp_path: Path) -> None:
    """In any order, with events, budget, commitments, uptimes and a warm-up found in a pilot."""
    merge([shards["c"], shards["a"], shards["b"]], replications=5).write(tmp_path / "merged")
    whole, merged = contents(shards["one"]), contents(tmp_path / "merged")
    assert {"events.parquet", "commitments.parquet", "sla.csv", "replications.parquet"} <= set(whole)
    assert "warm_up_found" in json.loads(whole["summary.json"])
    assert [name for name in whole if merged.get(name) != whole[name]] == []
    assert set(merged) == set(whole)


def test_a_shard_is_a_result_that_says_so(shards: dict[str, Path]) -> None:
    """Its numbers are in the summary and in every table."""
    stored = sim.read(shards["b"])
    assert stored.summary["shard"] == {"first": 2, "last": 3}
    assert stored.numbers.tolist() == [2, 3]
    assert "shard" not in sim.read(shards["one"]).summary


@pytest.mark.parametrize(
    ("names", "asked", "says"),
    [
        (["a", "c"], None, "replications 2..3 are in no shard"),
        (["a", "b"], None, "replications 4..4 are in no shard, and the scenario asks for them"),
        (["b", "c"], None, "replications 0..1 are in no shard"),
        (["a", "b", "c"], 7, "replications 5..6 are in no shard, and --replications 7 asks for them"),
        (["a", "b", "c"], 4, "c (4..4): goes beyond the 4 replications that --replications asks for"),
        (["a", "b", "b", "c"], None, "both hold replications 2..3"),
        (["a", "one"], None, "one: is a whole run, not a shard"),
        ([], None, "no shards to merge"),
    ],
)
def test_lost_and_doubled_shards_are_named(
    shards: dict[str, Path], names: list[str], asked: int | None, says: str
) -> None:
    """A gap, the end, one twice."""
    with pytest.raises(ResultError) as refused:
        merge([shards[name] for name in names], replications=asked)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("options", "change", "differs"),
    [
        ({"seed": 7}, {}, "another seed: 7, not"),
        ({}, {"horizon": "41d"}, "another scenario"),
        ({"budget_usd": 800.0}, {}, "another --budget: 800.0, not 900.0"),
        ({"events": False}, {}, "another --events: False, not True"),
        ({"engine": "auto"}, {}, "another --engine: auto, not compiled"),
        ({}, {"confidence": 0.8}, "another confidence: 0.8, not 0.95"),
        ({}, {"name": "other"}, "another name: other, not part"),
    ],
)
def test_a_foreign_shard_is_named_with_what_differs(
    shards: dict[str, Path], tmp_path: Path, options: dict[str, Any], change: dict[str, Any], differs: str
) -> None:
    """Another seed, scenario or option."""
    run_to_folder(
        sim.from_dict({**FLEET, **change}), tmp_path / "foreign", **{**OPTIONS, **options}, replications=range(2, 4)
    )
    with pytest.raises(ResultError) as refused:
        merge([shards["a"], tmp_path / "foreign", shards["c"]])
    assert "foreign (2..3): is a shard of another run" in str(refused.value)
    assert differs in str(refused.value)


@pytest.mark.parametrize(
    ("of_program", "says"),
    [
        ({}, "was simulated by another program (another source); merge with the same"),
        ({"python": "2.7.18"}, f"(Python 2.7.18, not {platform.python_version()})"),
        (
            {"plugins": [{"module": "meter", "package": "backups", "version": "1.2", "digest": "0", "adds": []}]},
            "the plug-in meter (backups 1.2), which is missing",  # beside those that other tests have added
        ),
    ],
)
def test_a_shard_of_another_program_is_refused(
    shards: dict[str, Path], tmp_path: Path, of_program: dict[str, Any], says: str
) -> None:
    """Its figures could differ in their last bits; said is in what the programs differ."""
    copies = []
    for name in "abc":
        copies.append(shutil.copytree(shards[name], tmp_path / name))
        facts = json.loads((copies[-1] / "provenance.json").read_text())
        facts["program"]["digest"] = "0" * 64
        facts |= of_program
        facts["files"]["provenance.json"] = facts_digest(facts)
        (copies[-1] / "provenance.json").write_text(json.dumps(facts))
    with pytest.raises(ResultError) as refused:
        merge(copies)
    assert says in str(refused.value)
    with pytest.raises(ResultError) as refused:
        merge([shards["a"], *copies[1:]])
    assert "it has another program: " in str(refused.value)


def test_a_shard_is_not_replaced_by_what_it_is_merged_into(shards: dict[str, Path], tmp_path: Path) -> None:
    """By its own name or another; a folder beside it is."""
    copies = [shutil.copytree(shards[name], tmp_path / name) for name in "abc"]
    (tmp_path / "link").symlink_to(copies[0])
    before = contents(copies[0])
    for goal in (str(copies[0]), f"{tmp_path}/b/../a", str(tmp_path / "link")):
        done = CliRunner().invoke(app, ["merge", *map(str, copies), "--out", goal])
        assert isinstance(done.exception, ResultError)
        assert "is one of the shards, which the result would replace" in str(done.exception)
    assert contents(copies[0]) == before


@pytest.mark.parametrize("file", ["parts/replications-000.part", "summary.json"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_damaged_shard_is_named(shards: dict[str, Path], tmp_path: Path, file: str, how: str) -> None:
    """A bit of any file turned, or a file gone."""
    copy = shutil.copytree(shards["b"], tmp_path / "b")
    damaged = copy / file
    if how == "gone":
        damaged.unlink()
    else:
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
    with pytest.raises((ResultError, InputError)) as refused:
        merge([shards["a"], copy, shards["c"]])
    assert str(copy) in str(refused.value)


def rewritten(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """A JSON file of a result changed by someone who also mends its digest."""
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))
    if name != "provenance.json":
        rewritten(
            folder,
            "provenance.json",
            lambda facts: facts["files"].update(
                digests(folder) | {"provenance.json": facts["files"]["provenance.json"]}
            ),
        )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("provenance.json", lambda facts: facts.pop("files")),
        ("provenance.json", lambda facts: facts.pop("program")),
        ("summary.json", lambda said: said.update(shard={"first": 2})),
        ("summary.json", lambda said: said.update(shard={"first": "2", "last": 3})),
        ("summary.json", lambda said: said.update(shard={"first": 2, "last": 10**15})),
        ("summary.json", lambda said: said.update(shard={"first": -1, "last": 3})),
        ("summary.json", lambda said: said.update(shard=[2, 3])),
    ],
)
def test_a_folder_from_elsewhere_is_refused_in_words(
    shards: dict[str, Path], tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    """Whatever it says of itself: no traceback, no run that takes it for whole."""
    copy = shutil.copytree(shards["b"], tmp_path / "b")
    rewritten(copy, name, change)
    with pytest.raises(ResultError) as refused:
        merge([shards["a"], copy, shards["c"]])
    assert str(copy) in str(refused.value)


@pytest.mark.parametrize("how", ["others", "cut off", "changed", "empty"])
def test_parts_that_are_others_are_refused(shards: dict[str, Path], tmp_path: Path, how: str) -> None:
    """Though the digests of the folder have been made to fit."""
    copy = shutil.copytree(shards["b"], tmp_path / "b")
    part = copy / "parts" / "replications-000.part"
    content = part.read_bytes()
    part.write_bytes({
        "others": (shards["c"] / "parts" / "replications-000.part").read_bytes(),
        "cut off": content[:-1],
        "changed": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
        "empty": b"",
    }[how])  # fmt: skip
    rewritten(copy, "summary.json", lambda _: None)
    says = (
        "its replications can't be read" if how in ("cut off", "changed") else "holds other replications than it says"
    )
    with pytest.raises(ResultError, match=f"b: {says}.*run the shard again"):
        merge([shards["a"], copy, shards["c"]])


def test_a_shard_has_the_same_bytes_however_it_was_simulated(shards: dict[str, Path], tmp_path: Path) -> None:
    """One replication at a time, in two processes, resumed: its parts are cut by what is in them."""
    run_to_folder(fleet(), tmp_path / "again", replications=range(2, 4), jobs=2, **OPTIONS)
    assert contents(tmp_path / "again") == contents(shards["b"])


def test_files_of_the_scenario_are_found_where_files_says(tmp_path: Path) -> None:
    """A trace stands beside the scenario, not in the shard; another one under its name is noticed."""
    (tmp_path / "trace.csv").write_text("id,start,end,size\na,0,3600,Standard_D2s_v5\nb,10,7200,Standard_D2s_v5\n")
    fleet = {"name": "t", "horizon": "1d", "replications": 2, "group": [{"name": "x", "trace": {"file": "trace.csv", "format": "columns"}}]}  # fmt: skip
    scenario = sim.from_dict(fleet, folder=tmp_path)
    for name, numbers in {"one": None, "a": range(1), "b": range(1, 2)}.items():
        run_to_folder(scenario, tmp_path / name, replications=numbers)
    with pytest.raises(ResultError, match="say with --files where its files are"):
        merge([tmp_path / "a", tmp_path / "b"])
    merge([tmp_path / "a", tmp_path / "b"], files=tmp_path).write(tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(tmp_path / "one")
    (tmp_path / "trace.csv").write_text("id,start,end,size\na,0,7200,Standard_D2s_v5\n")
    with pytest.raises(ResultError, match="not as they were when it was simulated"):
        merge([tmp_path / "a", tmp_path / "b"], files=tmp_path)


@pytest.mark.parametrize("numbers", [range(0), range(3, 2), range(0, 10, 2), range(-1, 3), range(10**6, 10**6 + 2)])
def test_numbers_that_cannot_be_are_refused(numbers: range) -> None:
    """Before anything is simulated."""
    with pytest.raises(InputError, match=r"replications -?\d+\.\.-?\d+: "):
        sim.run(fleet(), replications=numbers)


def test_a_precision_and_a_study_have_no_shards() -> None:
    """Only a run with a fixed number of replications can be cut."""
    with pytest.raises(InputError, match="a shard has a fixed number"):
        sim.run(fleet(), replications=range(3), precision=0.01)
    with pytest.raises(InputError, match="only `run` simulates a part"):
        sim.compare(fleet(), fleet().replace("horizon", "41d"), replications=range(3))  # type: ignore[arg-type]


def test_the_commands_run_and_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a SLURM array: each part into a folder of its own by default, then one command; exit status 2 for a mistake."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text('name = "small"\nhorizon = "1d"\nreplications = 4\n[[group]]\nname = "x"\n')
    command = CliRunner()
    for numbers in ("0..1", "2..3"):
        done = command.invoke(app, ["run", "small.toml", "--replications", numbers, "--no-report", "--quiet"])
        assert done.exit_code == 0, done.output
    done = command.invoke(app, ["merge", "results/small-0..1", "results/small-2..3", "--no-report", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["replications"] == 4
    assert (tmp_path / "results" / "small" / "summary.json").exists()


@pytest.mark.parametrize("text", ["0", "-1", "x", "1..", "..3", "1...3", "1.5", "9" * 5000, "1..x"])
def test_wrong_numbers_on_the_command_line(text: str) -> None:
    """Said with the value and what would be right."""
    done = CliRunner().invoke(app, ["run", "small.toml", f"--replications={text}"])
    assert isinstance(done.exception, InputError | ScenarioError)
    assert f"--replications is {text[:40]}" in str(done.exception)
