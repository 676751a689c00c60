"""Result folders, shards and kept replications in stores: the bytes of a run here, tested on fsspec's memory and local backends."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

import sim
from sim.cli import main
from sim.cli.app import app
from sim.errors import InputError, ResultError, VmfleetWarning
from sim.report.build import build_report
from sim.runs import cache as cache_file
from sim.runs.executors import Task
from sim.runs.remote import url_of
from sim.runs.run import run_to_folder
from sim.runs.shards import merge


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty folder in a store."""
    yield "memory://bucket" if request.param == "memory" else f"file://{tmp_path}/bucket"
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """A few VMs, one of them with a figure that takes random numbers."""
    group = {"name": "web", "count": 3, "cycle": {"on": "2h", "off": "1h"}}
    return sim.from_dict({"name": "fleet", "horizon": "2d", "replications": 6, "group": [group]})


def contents(url: str | Path) -> dict[str, bytes]:
    """Every file below a folder but where it came from."""
    files, root = fsspec.core.url_to_fs(str(url))
    found = {path.removeprefix(root).lstrip("/"): files.cat_file(path) for path in files.find(root)}
    return {name: content for name, content in found.items() if name != "provenance.json"}


def test_addresses() -> None:
    """`Path` makes one slash of two; a drive and a path here are none."""
    assert url_of(Path("s3://bucket/a")) == url_of("s3://bucket/a") == "s3://bucket/a"
    assert url_of(Path("file:" + "///tmp/a")) == "file:" + "///tmp/a"
    assert url_of("file:/tmp/a") == "file:" + "///tmp/a", "RFC 8089, appendix B"
    assert url_of("S3://bucket/a") == url_of(Path("S3://bucket/a")) == "s3://bucket/a", "RFC 3986, 3.1"
    assert [url_of(path) for path in ("C:/a", "C://a", "a/b", "/a", "results", "a:b")] == [None] * 6


UNFIT = {
    "file://a/b": r"so a would be a host; write file:/{2}/a/b for the folder /a/b, or a/b for one in this folder",
    "local://b": r"so b would be a host; write local:///b ",
    "s3:/bucket/run": r"such an address has two slashes; write s3://bucket/run",
    "gs:///bucket/run": r"such an address has two slashes; write gs://bucket/run",
    "s3://": r"names no folder; an address is s3://BUCKET/FOLDER",
    "file:" + "///": r"names no folder; an address is file:/{2}/FOLDER",
    "simplecache::s3://bucket/run": r"is no address; one is KIND://BUCKET/FOLDER",
}
"""Addresses that `Path` would make others of, or folders here, and what is said of them."""


@pytest.mark.parametrize("unfit", UNFIT)
def test_an_address_that_is_not_whole_is_refused_wherever_a_folder_is_given(
    unfit: str, fleet: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`file://a/b` was written to `/a/b`, and `simplecache::s3://` into a folder of that name here."""
    monkeypatch.chdir(tmp_path)
    Path("fleet.toml").write_text(fleet.to_toml())
    commands = (
        ["run", "fleet.toml", "--out", unfit],
        ["sweep", "fleet.toml", "--vary", "group.web.count=1,2", "--out", unfit],
        ["merge", unfit],
        ["report", unfit],
        ["bill", "usage.csv", "--against", unfit],
    )
    for command in commands:
        done = CliRunner().invoke(app, command)
        assert isinstance(done.exception, InputError), command
        assert str(done.exception).startswith(f"{unfit}: "), command
        assert re.search(UNFIT[unfit], str(done.exception)), command
    for calls in (sim.read, sim.RunCache, lambda given: run_to_folder(fleet, given), lambda given: merge([given])):
        with pytest.raises(InputError, match=UNFIT[unfit]):
            calls(unfit)
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.toml"]


def test_a_file_at_an_address_is_refused_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only result folders are read from stores and written to them: figures went into a folder called `s3:` here."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"there is no such file \(it is read from a path here, not from an address\)"):
        sim.load("s3://bucket/fleet.toml")
    with pytest.raises(InputError, match="figures are drawn into a folder here, not at an address"):
        sim.plot("s3://bucket/run", "a", "b?", {"line": {1: 2.0}}, x="x", y="y")
    assert not [*tmp_path.iterdir()]


def test_shards_in_a_store_make_the_bytes_of_one_run_here(store: str, fleet: sim.Scenario, tmp_path: Path) -> None:
    """Simulated into it, merged from it and into it, with their events; the digests hold there, too."""
    run_to_folder(fleet, tmp_path / "here", events=True, engine="simpy")
    for numbers in (range(3), range(3, 6)):
        run_to_folder(fleet, f"{store}/shards/{numbers.start}", replications=numbers, events=True, engine="simpy")
    merge([f"{store}/shards/3", f"{store}/shards/0"]).write(f"{store}/whole")
    assert contents(f"{store}/whole") == contents(tmp_path / "here")
    assert sim.read(f"{store}/whole").n == 6
    assert {name.split("/")[0] for name in contents(store)} == {"shards", "whole"}


def test_the_commands_read_and_write_addresses(
    store: str, fleet: sim.Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run, report, merge: what is drawn is there, and the list of files with it."""
    (tmp_path / "fleet.toml").write_text(fleet.to_toml())
    with pytest.raises(SystemExit) as end:
        main(["run", str(tmp_path / "fleet.toml"), "--replications", "0..5", "--out", f"{store}/s"])
    assert not end.value.code
    assert f"Written: {store}/s/report.html" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["merge", f"{store}/s", "--out", f"{store}/m", "--quiet"])
    assert not end.value.code
    assert "report.html" in contents(f"{store}/m")
    files, root = fsspec.core.url_to_fs(f"{store}/m")
    assert set(json.loads(files.cat_file(f"{root}/provenance.json"))["files"]) == {
        *contents(f"{store}/m"),
        "provenance.json",
    }


def test_an_earlier_result_is_replaced_and_nothing_else(store: str, fleet: sim.Scenario) -> None:
    """Tables that the new one lacks go; a folder with other files is refused, as here."""
    run_to_folder(fleet, f"{store}/r", events=True, engine="simpy")
    run_to_folder(fleet, f"{store}/r", replications=2, engine="simpy")
    assert "events.parquet" not in contents(f"{store}/r")
    assert sim.read(f"{store}/r").n == 2
    files, root = fsspec.core.url_to_fs(store)
    files.makedirs(f"{root}/mine", exist_ok=True)
    files.pipe_file(f"{root}/mine/notes.txt", b"mine")
    with pytest.raises(ResultError, match="mine: is not empty and holds no result of vmfleet"):
        run_to_folder(fleet, f"{store}/mine")
    files.pipe_file(f"{root}/r/notes.txt", b"mine")
    with pytest.raises(ResultError, match=f"{store}/r: holds notes.txt, which vmfleet didn't write"):
        run_to_folder(fleet, f"{store}/r")


def test_what_an_earlier_result_says_of_its_files_removes_no_others(store: str, fleet: sim.Scenario) -> None:
    """Names that lead out of its folder, from someone who can write there, are none of its files."""
    run_to_folder(fleet, f"{store}/r", engine="simpy")
    files, root = fsspec.core.url_to_fs(store)
    files.pipe_file(f"{root}/mine.txt", b"mine")
    facts = json.loads(files.cat_file(f"{root}/r/provenance.json"))
    facts["files"]["../mine.txt"] = "0"
    files.pipe_file(f"{root}/r/provenance.json", json.dumps(facts).encode())
    run_to_folder(fleet, f"{store}/r", replications=2, engine="simpy")
    assert files.cat_file(f"{root}/mine.txt") == b"mine"
    assert sim.read(f"{store}/r").n == 2


def test_an_interrupted_write_is_noticed(store: str, fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store has no rename: without provenance.json, which comes last, a shard isn't whole."""
    run_to_folder(fleet, f"{store}/0", replications=range(6), engine="simpy")
    put = sim.runs.remote.Store.put

    def breaks(self: Any, file: Path, name: str) -> None:
        if name == "summary.json":
            raise ConnectionError("gone")
        put(self, file, name)

    monkeypatch.setattr(sim.runs.remote.Store, "put", breaks)
    with pytest.raises(ConnectionError):
        run_to_folder(fleet, f"{store}/0", replications=range(6), seed=5, engine="simpy")
    monkeypatch.undo()
    with pytest.raises(ResultError, match=f"{store}/0: its provenance.json has no digests"):
        merge([f"{store}/0"])


def test_a_run_goes_on_from_what_is_kept_in_the_store(
    store: str, fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on another machine; what is kept is sent every minute, and when it is interrupted, and is gone in the end."""
    monkeypatch.setattr(cache_file, "SENT_EVERY_S", -1.0)
    monkeypatch.setattr(sim.runs.executors, "PART_S", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(sim.RunResult, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_to_folder(fleet, f"{store}/r", engine="simpy", events=True)
    assert sum(".r.unfinished" in name and name.endswith(".part") for name in contents(store)) >= 2
    ran: list[int] = []
    simulated = Task.run
    monkeypatch.setattr(Task, "run", lambda task, *more: (ran.extend(task.numbers), simulated(task, *more))[1])
    run_to_folder(fleet, f"{store}/r", engine="simpy", events=True, resume=True)
    assert ran == []
    assert {name.split("/")[0] for name in contents(store)} == {"r"}


def test_a_folder_of_files_keeps_no_empty_folders(fleet: sim.Scenario, tmp_path: Path) -> None:
    """What was kept beside a result, probed, or replaced goes with its folders; an empty one of the user's stays."""
    store = f"file://{tmp_path}/new/store"
    (tmp_path / "mine").mkdir()
    for place in (store, f"file://{tmp_path}/mine"):
        with pytest.raises(InputError, match="seed"):
            run_to_folder(fleet, place, seed=-1)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
    run_to_folder(fleet, store, replications=range(6), engine="simpy")
    run_to_folder(fleet, store, engine="simpy")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["store"]
    assert not [path for path in tmp_path.rglob("*") if path.is_dir() and path.name != "mine" and not [*path.iterdir()]]


def test_a_cache_in_a_store(store: str, fleet: sim.Scenario) -> None:
    """Replications of one study are read by the next; damage is named, and simulated again."""
    first = sim.run(fleet, cache=sim.RunCache(Path(f"{store}/kept")))
    again = sim.RunCache(Path(f"{store}/kept"))
    assert sim.run(fleet, cache=again).summary() == first.summary()
    assert again.reused == 6
    files, root = fsspec.core.url_to_fs(store)
    (file,) = files.find(root)
    files.pipe_file(file, files.cat_file(file)[:-1])
    with pytest.warns(VmfleetWarning, match="cut off"):
        assert sim.run(fleet, cache=sim.RunCache(Path(f"{store}/kept"))).summary() == first.summary()
    again.forget()
    assert contents(f"{store}/kept") == {}


def test_what_is_not_installed_or_known_is_said(
    fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit status 2 with what to install, before anything is simulated."""
    monkeypatch.setattr(Task, "run", lambda *_: pytest.fail("simulated"))
    (tmp_path / "fleet.toml").write_text(fleet.to_toml())

    def said(url: str) -> str:
        done = CliRunner().invoke(app, ["run", str(tmp_path / "fleet.toml"), "--out", url])
        assert isinstance(done.exception, InputError)
        return str(done.exception)

    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert "s3://bucket/x: s3:// needs a library that is not installed" in said("s3://bucket/x")
    assert "s3fs" in said("s3://bucket/x")
    assert "no kind of store that fsspec knows" in said("nosuch://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert "pip install 'vmfleet[remote]'" in said("memory://bucket/x")


def test_a_store_that_refuses_is_said_before_the_run(fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store's library raises."""
    memory = type(fsspec.filesystem("memory"))

    class NoCredentials(Exception):
        pass

    def refuses(*_: Any, **__: Any) -> None:
        raise NoCredentials("who are you?")

    monkeypatch.setattr(Task, "run", lambda *_: pytest.fail("simulated"))
    monkeypatch.setattr(memory, "put_file", refuses)
    with pytest.raises(ResultError, match=r"memory://bucket/r: can't write there: NoCredentials: who are you\?"):
        run_to_folder(fleet, "memory://bucket/r")
    with pytest.raises(ResultError, match="memory://nothing/there: no such folder"):
        sim.read("memory://nothing/there")
    with pytest.raises(ResultError, match=r"^memory://nothing/there: no such folder"):
        build_report("memory://nothing/there")
