"""The door for users' files: what is wrong with one is said in words, and none fills the memory."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sim import files
from sim.errors import CatalogueError, InputError, UsageError

KIB = 1024


def rows(path: Path) -> list[tuple[int, list[str]]]:
    """A table read through the door."""
    with files.open_text(path, UsageError) as stream:
        return list(files.csv_rows(stream, path, UsageError))


@pytest.mark.parametrize(
    "content, said",
    [
        (b'a,b\n1,"' + b"x" * 40_000 + b'"\n', ":2: a cell is longer than 32,767"),
        (b"a,b\n1," + b"x" * 140_000 + b"\n", ":2: not a row of a CSV table: field larger than field limit"),
        (b"a,b\n1,2\n" + b"x" * (1200 * KIB) + b"\n", "line 3 is longer than 1,048,576 bytes"),
        (b"a,b\n\xff,1\n", "it is not UTF-8 text"),
        (gzip.compress(b"a,b\n" * 1000)[:-20], "the gzip file is damaged"),
        (gzip.compress(b"1,2\n" * (KIB * KIB)), "unpacks to more than"),
        (gzip.compress(b"x" * (2 * KIB * KIB)), "line 1 is longer than"),
    ],
    ids=["long-cell", "library-limit", "long-line", "no-text", "torn-gzip", "bomb", "line-bomb"],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
):
    """Each is an error of a library, or a file that would fill the memory."""
    monkeypatch.setattr(files, "FREE_UNPACKED", 3 * KIB * KIB)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"t\.csv") as refused:
        rows(path)
    assert said in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_tables_are_read_plain_or_gzip_in_utf_8_or_utf_16(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
):
    """A row keeps the number of its line; a line without text is left out."""
    path = tmp_path / "t"
    path.write_bytes(pack("naïve,b\r\n\r\n1,2\r\n".encode(encoding)))
    assert rows(path) == [(1, ["naïve", "b"]), (3, ["1", "2"])]


@pytest.mark.parametrize(
    "text, said",
    [
        ("[" * 100_000, "nested too deeply"),
        ("[1" + "0" * 400 + "]", "a number of 401 digits is too large"),
        ("[1" + "0" * 5000 + "]", "a number of 5001 digits is too large"),
        ("[1e999]", "1e999 is too large a number"),
        ("[NaN]", "NaN is not a number that JSON knows"),
        ('{"a":\n1,}', ":2: it is not JSON"),
    ],
    ids=["deep", "10**400", "10**5000", "1e999", "nan", "comma"],
)
def test_json_that_cannot_be_read_is_refused_in_words(tmp_path: Path, text: str, said: str):
    """Errors of the parser, and numbers that no float holds."""
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(CatalogueError, match=r"p\.json") as refused:
        files.read_json(path, CatalogueError)
    assert said in str(refused.value)


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path: Path):
    """Opening a FIFO would wait for ever, reading a device would never end."""
    os.mkfifo(tmp_path / "fifo")
    for path, said in ((tmp_path / "fifo", "no regular file"), (Path("/dev/zero"), "no regular file"), (tmp_path, "a folder")):  # fmt: skip
        with pytest.raises(InputError, match=said):
            files.read_text(path, InputError)


def test_a_whole_file_has_a_most_size(tmp_path: Path):
    """Such as a scenario: one byte more is refused."""
    (tmp_path / "t").write_text("x" * 11)
    with pytest.raises(InputError, match="more than 10 characters"):
        files.read_text(tmp_path / "t", InputError, most=10)


def test_a_file_is_written_whole_through_a_link_and_never_through_a_strangers(tmp_path: Path):
    """The link at the target's own name is the user's; a link at a guessable temporary name would be an attacker's."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / ".real.new").symlink_to("victim")
    files.write_whole(tmp_path / "link", "new")
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    assert not (tmp_path / "victim").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == [".real.new", "link", "real"]


def test_a_file_that_cannot_be_written_is_named_itself(tmp_path: Path):
    """Not the temporary one beside it, of which the user knows nothing."""
    with pytest.raises(FileNotFoundError) as refused:
        files.write_whole(tmp_path / "nowhere" / "own.toml", "new")
    assert refused.value.filename == str(tmp_path / "nowhere" / "own.toml")
