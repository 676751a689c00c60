"""Result folders beside leftovers, neighbours, links and files of the user's: nothing is lost, and damage is noticed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import sim
from sim.errors import ResultError
from sim.report.build import build_report
from sim.runs.atomic_write import check_folder, new_folder, unfinished_folder
from sim.runs.digests import check_files
from sim.runs.workplace import clear_leftovers, workplace

KILLED = """
import os, signal, sys
from pathlib import Path
from sim.runs.workplace import workplace
folder = Path(sys.argv[1])
with workplace(folder.parent, folder) as work:
    (work / "new").mkdir()
    if folder.exists():
        folder.rename(work / "old")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(folder: Path) -> None:
    """A process that dies between the two renames, as by a power cut."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def result() -> sim.RunResult:
    """Two replications of one VM."""
    return sim.run(sim.from_dict({"name": "small", "horizon": "1d", "group": [{"name": "web", "count": 1}]}), replications=2)  # fmt: skip


@pytest.mark.parametrize("other", ["fleet.v2", "fleet.new-prices", "fleet.old-1-2-3", "fleet-"])
def test_a_killed_process_leaves_its_own_folder_only(tmp_path: Path, other: str):
    """Names that begin alike: cleaning up beside one took the only copy of the other, or read a price for a pid."""
    for name in ("fleet", other):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(name)
    kill_while_writing(tmp_path / other)
    assert not (tmp_path / other).exists()
    clear_leftovers(tmp_path / "fleet")
    assert not (tmp_path / other).exists()
    clear_leftovers(tmp_path / other)
    assert (tmp_path / other / "summary.json").read_text() == other
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["fleet", other])


def test_work_in_hand_of_a_living_process_is_left_alone(tmp_path: Path):
    """A marker that is locked, whatever its process's number; and what has no marker may be anyone's."""
    (tmp_path / ".vmfleet-writing-mine").mkdir()
    (tmp_path / ".vmfleet-writing-mine" / "thesis.tex").write_text("years of work")
    with workplace(tmp_path, tmp_path / "fleet") as work:
        clear_leftovers(tmp_path / "fleet")
        assert (work / "owner.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".vmfleet-writing-mine"]


def test_an_old_result_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path, result: sim.RunResult):
    """An interruption between the renames, too: the old folder is moved, the new one not yet."""
    result.write(tmp_path / "r")
    before = (tmp_path / "r" / "summary.json").read_bytes()

    def interrupted() -> None:
        with new_folder(tmp_path / "r") as place:
            (place / "summary.json").write_text("new")
            (tmp_path / "r").rename(place.parent / "old")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "r" / "summary.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_the_users_own_files_survive_the_next_run(tmp_path: Path, result: sim.RunResult):
    """In `figures/` and in `scenarios/`, links and folders among them; our own figures don't."""
    folder = result.write(tmp_path / "r")
    build_report(folder)
    drawn = {path.name for path in (folder / "figures").iterdir()}
    (folder / "figures" / "mine.svg").write_text("mine")
    (folder / "figures" / "deep").mkdir()
    (folder / "figures" / "deep" / "notes.txt").write_text("mine too")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "draft.toml").symlink_to("nowhere")
    result.write(folder)
    left = sorted(path.relative_to(folder).as_posix() for path in (folder / "figures").rglob("*") if path.is_file())
    assert drawn
    assert left == ["figures/deep/notes.txt", "figures/mine.svg"]
    assert str((folder / "scenarios" / "draft.toml").readlink()) == "nowhere"


def test_a_link_given_as_the_folder_is_followed(tmp_path: Path, result: sim.RunResult):
    """It stays a link; the result is where it leads."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk/result")
    for _ in range(2):
        check_folder(tmp_path / "out")
        result.write(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "result" / "summary.json").exists()
    assert unfinished_folder(tmp_path / "out") == tmp_path / "disk" / ".result.unfinished"


def test_a_report_that_broke_off_does_not_block_the_next_run(tmp_path: Path, result: sim.RunResult, monkeypatch: pytest.MonkeyPatch):  # fmt: skip
    """The disk full, or the process killed: version 0.1's leftover, too."""
    folder = result.write(tmp_path / "r")
    monkeypatch.setattr(
        "sim.report.style.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(ResultError, match="No space left"):
        build_report(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    program = KILLED.replace("workplace(folder.parent, folder)", "workplace(folder, folder)").replace("if folder.exists()", "if False")  # fmt: skip
    subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert [path for path in folder.iterdir() if path.name.startswith(".vmfleet-writing-")]
    (folder / ".report.html.writing").write_text("half")
    result.write(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["replications.parquet", "summary.json", "scenario.toml", "bill.csv"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_changed_file_is_named_by_the_report(tmp_path: Path, result: sim.RunResult, name: str, damage: str):
    """Nothing noticed a changed table."""
    folder = result.write(tmp_path / "r")
    assert check_files(folder)
    if damage == "gone":
        (folder / name).unlink()
    else:
        whole = bytearray((folder / name).read_bytes())
        whole[len(whole) // 2] ^= 1
        (folder / name).write_bytes(whole)
    with pytest.raises(ResultError, match=f"{name} is not {'there' if damage == 'gone' else 'as it was written'}"):
        build_report(folder)


def test_a_changed_provenance_is_noticed(tmp_path: Path, result: sim.RunResult):
    """The list of files vouches for the facts beside it, too."""
    folder = result.write(tmp_path / "r")
    facts = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps(facts | {"defaults": ["x"]}))
    with pytest.raises(ResultError, match=r"provenance\.json is not as it was written"):
        build_report(folder)


def test_the_list_of_files_follows_the_report(tmp_path: Path, result: sim.RunResult):
    """Figures are drawn again at any time, so a changed one is not a changed result."""
    folder = result.write(tmp_path / "r")
    build_report(folder)
    stated = json.loads((folder / "provenance.json").read_text())["files"]
    assert "report.html" in stated
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {*stated, "provenance.json"}  # fmt: skip
    (folder / "report.html").write_text("edited")
    build_report(folder)
    assert (folder / "report.html").read_text() != "edited"


@pytest.mark.filterwarnings("error::RuntimeWarning")  # nothing is divided by a period of no length
@pytest.mark.parametrize("value", [None, [], {}, "x", -1, 0, 1e999])
@pytest.mark.parametrize(
    "key", ["metrics", "groups", "seed", "horizon_h", "replications", "start", "stopping", "confidence"]
)
def test_a_summary_of_wrong_types_is_the_folders_fault(tmp_path: Path, result: sim.RunResult, key: str, value: object):
    """Without digests (version 0.1, another program) nothing vouches for the folder: no traceback all the same."""
    folder = result.write(tmp_path / "r")
    (folder / "provenance.json").write_text("{}")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {key: value}))
    with suppress(ResultError):
        build_report(folder)
