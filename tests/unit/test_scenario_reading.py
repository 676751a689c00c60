"""Scenario files that can't be read, data beside them, and overrides on top: every error is reported, none is a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.scenario.scenario import from_dict, load

RIGHT = """\
name = "office"
horizon = "28d"
[[group]]
name = "dev"
count = 200
[group.durations]
starting = { dist = "lognormal", median = "25s", sigma = 0.5 }
"""


@pytest.fixture
def write(tmp_path):
    """Writes a scenario file and gives its path."""

    def _write(text: str | bytes, name: str = "scenario.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


def _faults(path, overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides)
    return caught.value.faults


# --- files that can't be read ---------------------------------------------------------------------------------------


def test_a_missing_file_is_named_with_those_that_are_there(write, tmp_path):
    """A misspelt file name is the first mistake a new user makes."""
    write(RIGHT, "office.toml")
    (fault,) = _faults(tmp_path / "ofice.toml")
    assert "there is no such file" in str(fault)
    assert "office.toml" in fault.hint


def test_a_folder_is_refused(tmp_path):
    """A result folder is easily given for the scenario."""
    (fault,) = _faults(tmp_path)
    assert "folder" in str(fault)


def test_text_that_is_not_utf8_is_refused_with_its_line(write):
    """Latin-1 is what some editors still save."""
    (fault,) = _faults(write(b'name = "x"\n# caf\xe9\n'))
    assert (fault.line, "UTF-8" in str(fault)) == (2, True)


@pytest.mark.parametrize("name", ["\0", "x" * 5000], ids=["null", "too long"])
def test_a_name_that_no_file_can_have_is_refused(name):
    """The operating system's complaint must not reach the user as a traceback."""
    assert len(_faults(name)) == 1


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 3000, "x = " + "9" * 5000, "\0", "= 1", "[", 'a."b' ], ids=["deep", "long", "null", "=", "[", "quote"]
)  # fmt: skip
def test_text_that_is_no_toml_is_refused_in_one_line(text, write):
    """Whatever tomllib raises, the user sees an issue."""
    (fault,) = _faults(write(text))
    assert "\n" not in str(fault)


def test_a_byte_order_mark_is_no_mistake(write):
    """Windows editors write one."""
    assert load(write(b"\xef\xbb\xbf" + RIGHT.encode())).name == "office"


# --- samples --------------------------------------------------------------------------------------------------------

SAMPLES = RIGHT.replace(
    '{ dist = "lognormal", median = "25s", sigma = 0.5 }',
    '{ dist = "samples", file = "durations.csv", column = "seconds" }',
)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("seconds\n1\nabc\n", 'row 3 of .* has "abc"'),
        ("seconds\n1\n-2\n", "row 3 of .* has -2"),
        ("seconds\n1\nnan\n", "row 3 of .* has nan"),
        ("seconds,x\n1,2\n\n,3\n", 'row 4 of .* has ""'),
        ("secs\n1\n", 'no column "seconds".*did you mean "secs"'),
        ("seconds\n", "no rows of data"),
        ("", "no column"),
        (b"seconds\n\xe9\n", "not UTF-8"),
    ],
    ids=["text", "negative", "nan", "short row", "column", "no rows", "empty", "encoding"],
)
def test_a_bad_samples_file_is_reported_with_its_row(rows, says, write):
    """Measured data has surprises; the user looks for the row."""
    write(rows, "durations.csv")
    (fault,) = _faults(write(SAMPLES))
    assert (fault.line, fault.field) == (7, "group.dev.durations.starting")
    with pytest.raises(ScenarioError, match=says):
        load(write(SAMPLES))


def test_samples_are_sought_beside_the_scenario_not_where_one_stands(write, monkeypatch, tmp_path):
    """A scenario and its data move together."""
    write("seconds\n1\n3\n", "durations.csv")
    path = write(SAMPLES)
    monkeypatch.chdir(tmp_path.parent)
    assert load(path).fleet_plan().groups[0].durations_s["starting"].mean == 2.0


# --- overrides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "field", "says"),
    [
        ("group.dv.count=3", "group.dv.count", 'no group named "dv"; did you mean "dev"?'),
        ("group.dev.cuont=3", "group.dev.cuont", 'did you mean "count"?'),
        ("group.dev.count", "group.dev.count", "PATH=VALUE"),
        ("=3", "=3", "PATH=VALUE"),
        ("group..count=3", "group..count", "not a path"),
        ("group.dev=3", "group.dev", "name one of its keys"),
        ("horizon=7", "horizon", '"7s"'),
        ("horizon.x=7", "horizon.x", "horizon is not a table"),
        ("group.dev.disks=[", "group.dev.disks=[", "not a TOML value"),
        ("nix.da=1", "nix", "no such key"),
        ("group.dev.durations.starting.sigma=-1", "group.dev.durations.starting.sigma", "more than 0"),
        ("group.dev.size=Standard_D4s_v55", "group.dev.size", "did you mean"),
    ],
)
def test_a_wrong_override_is_named_as_it_was_given(override, field, says, write):
    """The file is right: the error must not point there."""
    (fault,) = _faults(write(RIGHT), [override])
    assert fault.file.startswith("--set")
    assert fault.line is None
    assert fault.field == field
    assert says in str(fault)


def test_all_wrong_overrides_are_reported_at_once(write):
    """Those without a place are found before the file is checked, and all of them."""
    assert len(_faults(write(RIGHT), ["group.x.count=1", "group.y.count=2"])) == 2


def test_a_scenario_made_in_python_is_checked_as_a_file_is():
    """No file, no line, the same words."""
    with pytest.raises(ScenarioError) as caught:
        from_dict({"name": "x", "horizon": "1d", "group": [{"count": 0}]})
    assert str(caught.value).startswith("group[1].count: 0: the group is empty")
