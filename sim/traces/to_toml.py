"""A fit in words, and as the section of a scenario file that plays such a fleet."""

import re
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sim.distributions.kinds import Distribution, Exponential, Lognormal, Mixture, Weibull
from sim.fields.numbers import how_many
from sim.traces.fit import DistributionFit, Fit, fit
from sim.traces.trace import open_trace
from sim.units import format_duration

DIGITS = 6
LEAST_SHARED = 0.02  # probability; less is chance
PER_LINE = 12


def group_section(fit: Fit, *, name: str, size: str, family: str | None = None) -> str:
    """A `[[group]]` whose arrivals are like the trace's, with the best distribution or that of *family*."""
    check_group_name(name)
    distribution = fit.best if family is None else fit.of_family(family)
    arrivals = fit.arrivals
    lines = [f"# from {_comment(fit.source)}: {how_many(fit.vms, 'VM')}, {fit.censored} of them still alive at the end"]
    lines += [f"# {_comment(note)}" for note in fit.notes]
    lines += [f"# {_comment(note)}" for note in _cautions(fit, distribution)]
    lines += ["[[group]]", f'name = "{name}"', f'size = "{size}"', "", "  [group.arrivals]"]
    lines += _rates(arrivals.profile, arrivals.requests_per_h)
    if arrivals.batch_sizes != (1,):
        sizes = ", ".join(str(one) for one in arrivals.batch_sizes)
        weights = ", ".join(_number(one) for one in arrivals.batch_weights)
        share = arrivals.shared_lifetime
        shared = f", shared_lifetime = {share:.3g}" if share >= LEAST_SHARED else ""
        lines.append(f"  batch = {{ sizes = [{sizes}], weights = [{weights}]{shared} }}")
    lines.append(f"  lifetime = {distribution_toml(distribution.distribution)}")
    return "\n".join(lines) + "\n"


def fit_trace(
    path: str | Path, layout: str = "columns", *, window_s: float | None = None, size: str, name: str = "fitted"
) -> dict[str, Any]:
    """Fit a trace, or its first *window_s* seconds, and return the group that `vmfleet fit` prints, as a TOML reader gives it."""
    found = fit(open_trace(path, layout, window_s=window_s))
    return dict(tomllib.loads(group_section(found, name=name, size=size))["group"][0])


def check_group_name(name: str) -> None:
    """ValueError unless a group may be called so."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(f"{name!r} is not a group's name: 1 to 64 letters, digits, - and _, first a letter or a digit")


def distribution_toml(distribution: Distribution, *, digits: int = DIGITS) -> str:
    """A distribution as a scenario file writes it.

    >>> distribution_toml(Weibull(shape=0.5, scale=3600.0))
    '{ dist = "weibull", shape = 0.5, scale = "3600s" }'
    """

    number, seconds = partial(_number, digits=digits), partial(_seconds, digits=digits)
    if isinstance(distribution, Exponential):
        return f'{{ dist = "exponential", mean = {seconds(distribution.mean)} }}'
    if isinstance(distribution, Lognormal):
        return (
            f'{{ dist = "lognormal", median = {seconds(distribution.median)}, sigma = {number(distribution.sigma)} }}'
        )
    if isinstance(distribution, Weibull):
        return f'{{ dist = "weibull", shape = {number(distribution.shape)}, scale = {seconds(distribution.scale)} }}'
    if isinstance(distribution, Mixture):
        weights = ", ".join(number(weight) for weight in distribution.weights)
        of = ", ".join(distribution_toml(one, digits=digits) for one in distribution.of)
        return f'{{ dist = "mixture", weights = [{weights}], of = [{of}] }}'
    raise TypeError(f"a fit gives no {type(distribution).__name__}")


def findings(fit: Fit) -> list[str]:
    """What was found, a line each."""
    arrivals = fit.arrivals
    lines = [f"{fit.source}: {fit.vms:,} lifetimes, {fit.censored:,} of them still going on at the end"]
    for distribution in fit.distributions:
        p = "" if distribution.goodness.p is None else f", p = {distribution.goodness.p:.3f}"
        lines.append(
            f"{distribution.distribution.describe()}: BIC {distribution.bic:,.1f} ({distribution.bic - fit.best.bic:+,.1f}), off by at most {distribution.goodness.distance:.3f} "
            f"(at {format_duration(distribution.goodness.at_s)}){p}"
        )
    lines.append("errors of the first: " + ", ".join(_with_errors(fit.best)))
    lines.append(
        f"arrivals: {arrivals.vms_per_h:,.1f} VMs an hour in {how_many(arrivals.requests, 'request')} of {arrivals.mean_batch:.2f} VMs "
        f"({100 * arrivals.alone:.0f} % alone, p90 {arrivals.batch_p90}, p99 {arrivals.batch_p99}, largest {arrivals.largest_batch:,})"
    )
    lines.append(
        f"variance over mean of VMs in {format_duration(arrivals.counting_s)}: {arrivals.dispersion_vms:.3g}; "
        f"of requests around their {arrivals.profile} rates: {arrivals.dispersion_requests:.3g} (1 for a Poisson process); "
        f"the batches account for {arrivals.fitted_dispersion:.3g}"
    )
    kinds = [f"{shape} {100 * share:.1f} %" for shape, share in fit.vm_sizes[:6]]
    lines.append(
        f"kinds of VM: {'; '.join(kinds)}" + (f"; {len(fit.vm_sizes) - 6} more" if len(fit.vm_sizes) > 6 else "")
    )
    return [*lines, *_cautions(fit, fit.best), *fit.notes]


def _with_errors(distribution: DistributionFit) -> list[str]:
    return [
        f"{symbol} {value:.4g} ± {distribution.standard_errors[symbol]:.2g} (± {distribution.robust_errors[symbol]:.2g} by hours)"
        for symbol, value in distribution.parameters.items()
    ]


def _cautions(fit: Fit, distribution: DistributionFit) -> list[str]:
    """What the reader of the section must not miss."""
    cautions = []
    known = fit.empirical.at_s
    if len(known):
        beyond = distribution.distribution.moment(1, float(known[-1]), float("inf")) / distribution.distribution.mean
        if beyond > 0.1:
            cautions.append(
                f"{100 * beyond:.0f} % of the mean lifetime ({format_duration(distribution.distribution.mean)}) comes from lifetimes longer than "
                f"{format_duration(float(known[-1]))}, whose end was not seen"
            )
    if distribution.goodness.distance > 0.1:
        cautions.append(
            f"the distribution is off by up to {100 * distribution.goodness.distance:.0f} % of the VMs: take it as a rough one"
        )
    if fit.arrivals.dispersion_requests > 2:
        cautions.append(
            f"requests come {fit.arrivals.dispersion_requests:.1f} times as unevenly as the Poisson process of this section"
        )
    return cautions


def _rates(profile: str, rates: Sequence[float]) -> list[str]:
    if profile == "rate":
        return [f"  rate = {_number(rates[0])}"]
    written = [_number(rate) for rate in rates]
    rows = [", ".join(written[at : at + PER_LINE]) for at in range(0, len(written), PER_LINE)]
    return [f"  {profile} = [", *(f"    {row}," for row in rows), "  ]"]


def _number(value: float, digits: int = DIGITS) -> str:
    """A float as TOML reads it, never an integer."""
    text = f"{value:.{digits}g}"
    return text if "." in text or "e" in text else text + ".0"


def _seconds(value: float, digits: int = DIGITS) -> str:
    places = max(0, digits - len(str(int(value)))) if value >= 1 else digits + 3
    text = f"{value:.{places}f}"
    return f'"{text.rstrip("0").rstrip(".") if "." in text else text}s"'


def _comment(text: str) -> str:
    return " ".join(text.split())
