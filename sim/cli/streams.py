"""Standard output and standard error as they may be: closed, narrow in its characters, full, or no longer read."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from sim.errors import MachineError


def prepare(arguments: Sequence[str]) -> None:
    """Make the standard streams safe to write to. Raises MachineError: there is no standard output, and it is needed."""
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for _ in closed:  # the lowest free number each time: no file of ours may become the standard output
        os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  open as long as we run
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a character that the terminal lacks is no reason to lose an answer
            stream.reconfigure(errors="backslashreplace")
    if 1 in closed and not {"-q", "--quiet"} & set(arguments):
        raise MachineError("standard output is closed; redirect it to a file or to /dev/null, or say --quiet")


def finish() -> None:
    """Write out what is held back; raises OSError if it can't be written."""
    sys.stdout.flush()


def give_up() -> None:
    """After a failed write: what is still held back goes nowhere, so that Python doesn't try again at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def printable(text: str) -> str:
    """A text without the characters that steer a terminal; ends of lines and tabs stay."""
    return "".join("�" if (ord(each) < 32 and each not in "\n\t") or 127 <= ord(each) < 160 else each for each in text)
