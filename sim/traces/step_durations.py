"""The steps of the model from the operations that were fitted, and the section of a scenario file that has them.

A log knows totals: how a start is shared out between finding hardware and powering up, and what of a create is a start, it
doesn't say. `SHARES` are assumed; the means and variances of the totals stay those that were measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sim.distributions.kinds import Distribution, Lognormal
from sim.fields.defaults import SYSTEMS
from sim.fields.numbers import how_many
from sim.traces.durations import CONFIDENCE, DurationFit, DurationFits
from sim.traces.families import LOGNORMAL
from sim.traces.to_toml import check_group_name, distribution_toml

SHARES: Mapping[str, float] = MappingProxyType({"allocating": 10.0, "starting": 25.0, "os_provisioning": 40.0})
"""How a create's mean is shared out where only its total is known; a start has the first two."""
LAST = "os_provisioning"
STEPS = MappingProxyType(
    {"stopping": "power_off", "deallocating": "deallocate", "restarting": "restart", "updating": "update", "deleting": "delete"}
)  # fmt: skip
"""Steps that are one operation each."""
FAMILY = LOGNORMAL.name
DIGITS = 3
"""Of the numbers in a section: more than the data know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDuration:
    """How long a step takes, the fits that this rests on, and in words how it follows from them."""

    distribution: Distribution
    fits: tuple[DurationFit, ...]
    how: str = ""


def split(mean: float, variance: float, shares: Mapping[str, float]) -> dict[str, Lognormal]:
    """Independent lognormal steps with one sigma whose sum has this mean and variance, the mean shared out by *shares*.

    With p_i the shares of the mean, exp(sigma^2) - 1 = (variance / mean^2) / sum of p_i^2.

    >>> steps = split(75.0, 900.0, {"a": 1.0, "b": 2.0})
    >>> round(sum(one.mean for one in steps.values()), 9), round(sum(one.variance for one in steps.values()), 9)
    (75.0, 900.0)
    """
    total = sum(shares.values())
    squares = sum((share / total) ** 2 for share in shares.values())
    sigma = math.sqrt(math.log1p(variance / mean**2 / squares))
    return {
        step: Lognormal(median=mean * share / total / math.exp(sigma**2 / 2), sigma=sigma)
        for step, share in shares.items()
    }


def step_durations(fits: DurationFits, os: str, *, family: str = FAMILY) -> dict[str, StepDuration]:
    """Each step that the fits say something of, under a guest OS."""
    found = _of_creates(fits.of("start", os), fits.of("create", os), family)
    for step, operation in STEPS.items():
        if fit := fits.of(operation, os):
            found[step] = StepDuration(distribution=fit.of_family(family).distribution, fits=(fit,))
    return found


def _of_creates(start: DurationFit | None, create: DurationFit | None, family: str) -> dict[str, StepDuration]:
    """The steps of a start from measured starts, and the rest of a create; without starts all steps from creates."""
    found: dict[str, StepDuration] = {}

    def take(
        mean: float, variance: float, shares: Mapping[str, float], fits: tuple[DurationFit, ...], how: str
    ) -> None:
        for step, one in split(mean, variance, shares).items():
            found[step] = StepDuration(distribution=one, fits=fits, how=how)

    before = start.of_family(family).distribution if start else None
    whole = create.of_family(family).distribution if create else None
    if start and before:
        shares = {step: share for step, share in SHARES.items() if step != LAST}
        take(before.mean, before.variance, shares, (start,), _shared_out("start", shares))
    if create and whole:
        if before and whole.mean > before.mean and whole.variance > before.variance:
            how = f"{LAST}: what a create takes beyond a start (mean and variance of the one less those of the other)"
            take(whole.mean - before.mean, whole.variance - before.variance, {LAST: 1.0}, (create,), how)
        else:
            take(whole.mean, whole.variance, SHARES, (create,), _shared_out("create", SHARES))
    return found


def _shared_out(operation: str, shares: Mapping[str, float]) -> str:
    ratio = " : ".join(f"{share:g}" for share in shares.values())
    return f"{', '.join(shares)}: the {operation}'s mean as {ratio} (assumed; only the total is measured)"


# --- in words -------------------------------------------------------------------------------------------------------


def group_sections(fits: DurationFits, *, name: str, family: str = FAMILY) -> str:
    """A `[[group]]` for each guest OS with its `[group.durations]`; ValueError if no step was measured."""
    steps = {os: step_durations(fits, os, family=family) for os in SYSTEMS}
    if not any(steps.values()):
        raise ValueError(f"no step was measured: one of create, start, {', '.join(STEPS.values())} is needed")
    check_group_name(name)
    return "\n".join(_group_section(fits, os, f"{name}-{os}", found, family) for os, found in steps.items())


def _group_section(fits: DurationFits, os: str, name: str, found: Mapping[str, StepDuration], family: str) -> str:
    lines = ["[[group]]", f'name = "{name}"', f'os = "{os}"', "", "  [group.durations]"]
    said: set[str] = set()
    for step, one in found.items():
        for words in (*(describe_fit(fit, family) for fit in one.fits), one.how):
            if words and words not in said:
                lines.append(f"  # {words}")
                said.add(words)
        lines.append(f"  {step} = {distribution_toml(one.distribution, digits=DIGITS)}")
    if extension := fits.of("extension_create", os):
        law = distribution_toml(extension.of_family(family).distribution, digits=DIGITS)
        lines += [
            f"  # {describe_fit(extension, family)}; without extensions a VM takes no time for them",
            f"  # extensions = {law}",
        ]
    return "\n".join(lines) + "\n"


def describe_fit(fit: DurationFit, family: str = FAMILY) -> str:
    """One fit in a line: on what it rests, the parameters with their intervals, and how far off it is."""
    one = fit.of_family(family)
    values = ", ".join(
        f"{symbol.removesuffix('_s')} {_value(symbol, value)} ({_value(symbol, one.intervals[symbol][0])} to {_value(symbol, one.intervals[symbol][1])})"
        for symbol, value in one.parameters.items()
    )
    where = fit.operation if fit.target == "vm" else f"{fit.operation} ({fit.target})"
    years = "" if fit.years is None else f" of {years_words(fit.years)}"
    failed = f", {fit.failed} of them failed" if fit.failed else ""
    p = "" if one.goodness.p is None else f", p = {one.goodness.p:.2g}"
    return (
        f"{where}, {fit.os or 'any guest OS'}: {how_many(fit.rows, 'row')}{years} in {how_many(fit.clusters, 'cluster')}{failed}; {family}, {values}; "
        f"off by at most {100 * one.goodness.distance:.0f} %{p}"
    )


def findings(fits: DurationFits, family: str = FAMILY) -> list[str]:
    """What was found and what was left out, a line each, operations that are no step of the model included."""
    counted = sum(fit.rows for fit in fits.fits)
    lines = [
        f"{fits.source}: {how_many(fits.rows, 'operation')}, {counted:,} of them fitted",
        f"each cluster (same source, day and guest OS) weighs one; intervals of {100 * CONFIDENCE:.0f} % from clusters",
    ]
    for fit in fits.fits:
        best = fit.candidates[0]
        better = (
            ""
            if best.family == family
            else f"; {best.family} fits better (BIC {best.bic - fit.of_family(family).bic:+.1f})"
        )
        lines.append(describe_fit(fit, family) + better)
        lines += [
            f"  {years_words(one.years)}: {how_many(one.rows, 'row')} in {how_many(one.clusters, 'cluster')}, median {_value('median_s', one.median_s)} "
            f"({_value('median_s', one.interval_s[0])} to {_value('median_s', one.interval_s[1])})"
            for one in fit.periods
        ]  # fmt: skip
    return [*lines, *fits.notes]


def years_words(years: tuple[int, int]) -> str:
    """The first and the last year, or the one."""
    return f"{years[0]}" if years[0] == years[1] else f"{years[0]}-{years[1]}"


def _value(symbol: str, value: float) -> str:
    return f"{value:.3g} s" if symbol.endswith("_s") else f"{value:.2g}"
