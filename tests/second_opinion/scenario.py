"""What a scenario file asks, read by nothing of vmfleet: the other programs share these numbers and no rule."""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECONDS = {"min": 60.0, "h": 3600.0, "d": 86400.0, "s": 1.0}
HOUR_S = 3600.0


def read(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The file, and its groups with what `[defaults]` says where they are silent."""
    found = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
    return found, [{**found["defaults"], **group} for group in found["group"]]


def seconds(words: str) -> float:
    """A duration such as "20min"."""
    number = words.rstrip("minhds")
    return float(number) * SECONDS[words[len(number) :]]


def draw(rng: random.Random, asked: dict[str, Any]) -> float:
    """One duration from a distribution (s)."""
    if asked["dist"] == "exponential":
        return rng.expovariate(1.0 / seconds(asked["mean"]))
    return rng.lognormvariate(math.log(seconds(asked["median"])), asked["sigma"])


Simulated = dict[str, dict[str, float]]  # by group and metric
Program = Callable[..., Simulated]
