"""Durations and failure rates of operations, by operating system, from the log."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, pstdev

from sim.azure.activity_log import DEALLOCATE, DELETE, FAILED, RESTART, START, SUCCEEDED, WRITE, Operation
from sim.azure.facts import LOG
from sim.azure.scenario_text import Setting, assumed, logged, number, seconds
from sim.distributions.specs import to_distribution
from sim.fields.numbers import how_many
from sim.lifecycle.failures import FAILURES
from sim.scenario.file_model import Durations
from sim.traces.step_durations import SHARES

ENOUGH = 10
LEAST_S = 0.5


class Measures:
    """What the log says of operations; each setting says on how many it rests."""

    def __init__(self, operations: Iterable[Operation], systems: Mapping[object, str], file: str) -> None:
        self.file = file
        self.taken: dict[tuple[str, str], list[float]] = {}
        self.failed: dict[str, Counter[str]] = {}
        self.tried: Counter[str] = Counter()
        for each in operations:
            os = systems.get(each.vm, "linux")
            if each.kind == WRITE and not each.creates:
                continue
            self.tried[each.kind] += 1
            if each.outcome == SUCCEEDED and each.ended is not None and each.ended > each.begun:
                self.taken.setdefault((os, each.kind), []).append(each.ended - each.begun)
            elif each.outcome == FAILED:
                self.failed.setdefault(each.kind, Counter())[each.code or "unknown"] += 1

    def settings(self, os: str) -> list[Setting]:
        """Keys of a group's durations and failures.

        The log has totals only: how a start is shared out between allocating and starting is that of the defaults.
        """
        start, create = self.taken.get((os, START), []), self.taken.get((os, WRITE), [])
        found = []
        if len(start) >= ENOUGH:
            total = median(start)
            allocating = total * SHARES["allocating"] / (SHARES["allocating"] + SHARES["starting"])
            words = f"{how_many(len(start), 'start')}, {self.file}"
            basis = f"the defaults' share of {words}"
            found.append(assumed("durations.allocating", seconds(allocating), basis, source=LOG))
            found.append(self._duration("starting", start, total - allocating, words))
        if len(create) >= ENOUGH:
            before = median(start) if len(start) >= ENOUGH else _default_start_s(os)
            words = f"{len(create)} creates, {self.file}; {before:.0f} s of each are taken as allocating and starting"
            found.append(self._duration("os_provisioning", create, max(1.0, median(create) - before), words))
        for kind, key in ((DEALLOCATE, "deallocating"), (RESTART, "restarting"), (DELETE, "deleting")):
            taken = self.taken.get((os, kind), [])
            if len(taken) >= ENOUGH:
                found.append(
                    self._duration(key, taken, median(taken), f"{how_many(len(taken), 'operation')}, {self.file}")
                )
        return found + self._failures()

    def _duration(self, key: str, taken: Sequence[float], middle: float, words: str) -> Setting:
        sigma = _sigma([math.log(max(LEAST_S, each)) for each in taken])
        toml = seconds(middle)
        if sigma > 0.01:
            toml = f'{{ dist = "lognormal", median = {toml}, sigma = {number(sigma, 3)} }}'
        return logged(f"durations.{key}", toml, words)

    def _failures(self) -> list[Setting]:
        """Rates of those codes that the scenario format knows."""
        found = []
        for code in sorted(FAILURES):
            kinds = [kind for kind in (START, WRITE) if self.failed.get(kind, Counter())[code]]
            count, of = sum(self.failed[kind][code] for kind in kinds), sum(self.tried[kind] for kind in kinds)
            if kinds:
                basis = f"{count} of {of} starts and creates, {self.file}"
                found.append(logged(f"failures.{code}", number(count / of), basis))
        return found

    def remarks(self) -> list[str]:
        """Failures in words, with those that no key stands for."""
        return [
            f"{sum(codes.values())} of {self.tried[kind]} {kind.replace('_', ' ')} operations failed: "
            + ", ".join(f"{count} {code}" for code, count in codes.most_common(5))
            for kind, codes in sorted(self.failed.items())
        ]


def _default_start_s(os: str) -> float:
    """Mean seconds of allocating and starting where nothing was measured."""
    defaults = Durations().with_defaults_of(os, "group.durations")
    return to_distribution(defaults.allocating).mean + to_distribution(defaults.starting).mean


def _sigma(logs: Sequence[float]) -> float:
    """Of the middle nine tenths, so that one stuck operation doesn't count, and not more than the sample's own."""
    ordered = sorted(logs)
    low, high = ordered[int(0.05 * (len(ordered) - 1))], ordered[math.ceil(0.95 * (len(ordered) - 1))]
    return min((high - low) / (2 * 1.645), pstdev(logs, fmean(logs)) or 0.0)
