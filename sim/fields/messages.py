"""The words of a fault: values as the file shows them, and what may have been meant."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from difflib import get_close_matches

from sim.errors import Fault

LONGEST_VALUE = 60


def close_match(text: str, options: Iterable[str], *, shown: Mapping[str, str] | None = None) -> str:
    """`did you mean "x"?` for the option nearest to a text, whatever its case; empty if none is near.

    >>> close_match("Linux", ["linux", "windows"])
    'did you mean "linux"?'
    """
    by_key = {option.casefold(): option for option in sorted(options)}
    near = get_close_matches(text.casefold(), by_key, n=1, cutoff=0.6)
    if not near:
        return ""
    option = by_key[near[0]]
    return f'did you mean "{shown[option] if shown else option}"?'


def one_line(text: str) -> str:
    """The text without line ends and other signs that a terminal would act on: one fault is one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def fault_at(
    *, field: str, problem: str, hint: str = "", value: object = None, file: str = "", line: int | None = None
) -> Fault:
    """A fault whose every word is fit to be shown, whatever stood in the file."""
    return Fault(
        field=one_line(field),
        problem=one_line(problem),
        hint=one_line(hint),
        value=value,
        file=one_line(file),
        line=line,
    )


def merged_faults(faults: Iterable[Fault]) -> list[Fault]:
    """Faults in their order, what one override or line does wrong in several tables as one, with their number.

    >>> words = [fault_at(field=f"group.{name}.os", problem="no such choice", file="--set group.*.os=x") for name in "abc"]
    >>> print(*merged_faults(words))
    --set group.*.os=x: group.a.os and of 2 more groups: no such choice
    """
    found: dict[tuple[object, ...], list[Fault]] = {}
    for fault in faults:
        table, _, rest = fault.field.partition(".")
        key = (
            (rest.partition(".")[2] or rest) if fault.file else fault.field
        )  # a document that no file holds has no lines
        found.setdefault((fault.file, fault.line, fault.problem, fault.hint, table, key), []).append(fault)
    return [
        replace(
            first, field=f"{first.field} and of {len(more)} more {first.field.partition('.')[0]}{'s' * (len(more) > 1)}"
        )
        if more
        else first
        for first, *more in found.values()
    ]


def capital(words: str) -> str:
    """Words as a sentence begins with them."""
    return words[:1].upper() + words[1:]


def show_value(value: object) -> str:
    """A value as a scenario file would write it, cut to a readable length."""
    text = one_line(_toml_like(value))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _toml_like(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_like(part)}" for key, part in list(value.items())[:10]) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_like(part) for part in value[:20]) + "]"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very large number"
    if isinstance(value, float) and abs(value) >= 1e6:
        return f"{value:g}"
    return str(value)


def list_words(options: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    words = list(options)
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
