"""Seeded mutations of texts, bytes, JSON values and command lines: what typing errors, exports and enemies make of them."""

from __future__ import annotations

import copy
import random
from typing import Any

TEXTS = (
    "", " ", "0", "-1", "1e999", "-1e999", "1e-999", "1" + "0" * 400, "9" * 5000, "nan", "inf", "null", "true", "1.5", "1,5", "12 %", "[", "[" * 3000,
    "{" * 3000, '"', "'", '"a"1', "\x00", "\ufeff", "\x1b[31m", "[/bold]x", "é", "\U0001f600", "x" * 40_000, "x" * 140_000, "../../etc/passwd", "=1+1",
    "0001-01-01T00:00:00+14:00", "0206-01-05T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-02-30", "24:00:00", "02:30:00", "1e15s", "PT", "-5min",
    "100000000d", "1ms", "Mon-Fri", "Europe/Amsterdam", "Standard_D4s_v5", "westeurope", "Mars/Olympus", "NULL", "#N/A", "\n", "\r", ",", ";", "%s",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**400, -(10**30), 2**63, 1.5, 1e308, 1e-308, -0.0, "", [], {}, [[]], [{}], {"": None}, [None] * 3, *TEXTS[:24]
)  # fmt: skip


def text(chance: random.Random, whole: str) -> str:
    """A text with some of its words, lines or letters changed."""
    for _ in range(chance.randint(1, 3)):
        lines = whole.split("\n")
        at = chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[chance.randrange(len(lines))])
            case 2:
                place = chance.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + chance.choice(TEXTS) + lines[at][place + chance.randint(0, 3) :]
            case 3:
                words = lines[at].split("=") if "=" in lines[at] else lines[at].split(",")
                words[chance.randrange(len(words))] = chance.choice(TEXTS)
                lines[at] = ("=" if "=" in lines[at] else ",").join(words)
            case 4:
                lines[at] = lines[at].replace(chance.choice("0123456789abcdef,\"'=[]"), chance.choice(TEXTS))
            case 5:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                digits = [place for place, letter in enumerate(lines[at]) if letter.isdigit()]
                if digits:
                    place = chance.choice(digits)
                    lines[at] = (
                        lines[at][:place]
                        + chance.choice(("", "0", "9", "99999", "e9", "-", "."))
                        + lines[at][place + 1 :]
                    )
        whole = "\n".join(lines)[:400_000]
    return whole


def octets(chance: random.Random, whole: bytes) -> bytes:
    """Bytes with some flipped, cut, put in or doubled."""
    found = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        if not found:
            break
        at = chance.randrange(len(found))
        match chance.randrange(5):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                del found[at : at + chance.randint(1, 200)]
            case 2:
                found[at:at] = chance.randbytes(chance.randint(1, 8))
            case 3:
                del found[at:]
            case _:
                found[at:at] = found[max(0, at - chance.randint(1, 300)) : at]
    return bytes(found)


def document(chance: random.Random, value: Any) -> Any:
    """A JSON value with some of its parts replaced, removed, doubled or renamed."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        holders = [part for part in _parts(value) if isinstance(part, dict | list) and part]
        if not holders:
            return chance.choice(VALUES)
        holder = chance.choice(holders)
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case 1:
                holder[chance.choice(TEXTS)[:50]] = copy.deepcopy(holder[key])
            case _:
                holder[key] = copy.deepcopy(chance.choice(VALUES))
    return value


def _parts(value: Any) -> list[Any]:
    found, left = [], [value]
    while left and len(found) < 5_000:
        part = left.pop()
        found.append(part)
        left += list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
    return found
