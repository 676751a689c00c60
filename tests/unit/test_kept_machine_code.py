"""Files of machine code: kept whole, found again by what they are for, and passed by when damaged. Without a compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.engines import machine_code
from sim.engines.engine_selection import engine_asked_for


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders for machine code of one source."""
    found = tmp_path / "package", tmp_path / "user"
    monkeypatch.setattr(machine_code, "folders", lambda: found)
    monkeypatch.setattr(machine_code, "stamp", lambda: "now")
    return found


def test_what_is_kept_is_found_again(places: tuple[Path, Path]) -> None:
    """For the same signature and processor; another one's is not read."""
    assert machine_code.read("kernel", "key") == (None, False)
    assert machine_code.write("kernel", "key", b"code")
    assert machine_code.read("kernel", "key") == (b"code", False)
    assert machine_code.read("kernel", "other") == (None, False)
    assert machine_code.read("other", "key") == (None, False)
    assert not places[1].exists()


def test_code_of_an_older_source_goes_when_new_code_comes(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of this source, and of other kernels, stays."""
    monkeypatch.setattr(machine_code, "stamp", lambda: "before")
    machine_code.write("kernel", "key", b"old")
    machine_code.write("other", "key", b"old")
    monkeypatch.setattr(machine_code, "stamp", lambda: "now")
    machine_code.write("kernel", "one", b"1")
    machine_code.write("kernel", "two", b"2")
    assert [machine_code.read("kernel", key)[0] for key in ("key", "one", "two")] == [None, b"1", b"2"]
    assert len(list(places[0].iterdir())) == 3
    monkeypatch.setattr(machine_code, "stamp", lambda: "before")
    assert machine_code.read("kernel", "key") == (None, False)
    assert machine_code.read("other", "key") == (b"old", False)


def test_damaged_code_is_passed_by_and_said(places: tuple[Path, Path]) -> None:
    """The next folder may have a whole file; else the caller learns so, and compiles again."""
    machine_code.write("kernel", "key", b"code")
    (file,) = places[0].iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    assert machine_code.read("kernel", "key") == (None, True)
    places[1].mkdir()
    (places[1] / file.name).write_bytes(whole)
    assert machine_code.read("kernel", "key") == (b"code", False)


def test_a_folder_that_takes_nothing_is_passed_by(places: tuple[Path, Path]) -> None:
    """A file lies where the folder should be: the next one is taken; where none is, nothing is kept."""
    places[0].write_text("in the way")
    assert machine_code.write("kernel", "key", b"code")
    assert machine_code.read("kernel", "key") == (b"code", False)
    assert [file.read_bytes()[-4:] for file in places[1].iterdir()] == [b"code"]
    for file in places[1].iterdir():
        file.unlink()
    places[1].rmdir()
    places[1].write_text("in the way")
    assert not machine_code.write("kernel", "key", b"code")


def test_a_source_that_cannot_be_read_keeps_no_code(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be known later whether it is of that source."""
    monkeypatch.setattr(machine_code, "stamp", lambda: None)
    assert not machine_code.write("kernel", "key", b"code")
    assert not places[0].exists()


@pytest.mark.parametrize("name", ["fast", "auto"])
def test_only_an_engine_that_there_is_can_be_asked_for(name: str) -> None:
    """auto is none: it is a choice between them."""
    plan = sim.from_dict({"name": "f", "horizon": "1h", "group": [{"name": "web", "count": 1}]}).fleet_plan()
    with pytest.raises(
        ValueError, match=f"engine '{name}': there are .*simpy.*compiled|engine '{name}': there are .*compiled.*simpy"
    ):
        engine_asked_for(name, plan)
    assert engine_asked_for("simpy", plan).why == "asked for"
