"""Compiled distributions: the same bits in every implementation, inside the support, near the exact quantile."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.distributions import quantile_tables as tables
from sim.distributions import streams
from sim.distributions.kinds import (
    Constant,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Samples,
    Triangular,
    Uniform,
    Weibull,
    simplify,
    truncate,
)
from sim.distributions.samplers import LAST, SMOOTH, Samplers, compile_samplers, draw, evaluate
from sim.units import LONGEST_S

SMOOTH_LAWS = [
    Exponential(mean=10),
    Lognormal(median=49, sigma=0.6),
    Lognormal(median=3600, sigma=1.8),
    Lognormal(median=1, sigma=20),
    Weibull(shape=0.48, scale=100),
    Weibull(shape=0.05, scale=1),
    Weibull(shape=3, scale=1),
    Gamma(shape=2, mean=4),
    Gamma(shape=0.5, mean=4),
    Gamma(shape=0.05, mean=4),
    Gamma(shape=1e5, mean=4),
    truncate(Exponential(mean=10), 1.5, 50),
    truncate(Exponential(mean=10), 190, None),
    truncate(Lognormal(median=49, sigma=0.6), None, 8),
    truncate(Weibull(shape=0.48, scale=100), 1.5, 50),
    truncate(Gamma(shape=2, mean=4), 1.5, 50),
]
OTHER_LAWS = [
    Constant(value=5),
    Constant(value=0),
    Uniform(low=1, high=3),
    Triangular(low=1, mode=2, high=9),
    Triangular(low=1, mode=1, high=9),
    Triangular(low=1, mode=9, high=9),
    truncate(Triangular(low=1, mode=4, high=9), 3, 8),
    Quantiles(p=(0, 1), at=(1, 2)),
    Quantiles(p=(0, 0.5, 0.95, 1), at=(5, 49, 113, 600)),
    Quantiles(p=(0, 0.1, 0.2, 0.3, 0.31, 0.4, 0.9, 1), at=(0, 0, 2, 2, 3, 30, 30, 90)),
    Samples(values=(3, 1, 2, 2, 7, 8, 11)),
]
MIXED_LAWS = [
    Mixture(weights=(1, 2, 3), of=(SMOOTH_LAWS[0], SMOOTH_LAWS[1], OTHER_LAWS[2])),
    Mixture(weights=(0.5, 0.5), of=(Mixture(weights=(1, 9), of=(OTHER_LAWS[-1], OTHER_LAWS[0])), OTHER_LAWS[-3])),
    Mixture(weights=(1e-8, 1, 0), of=(Constant(value=9), SMOOTH_LAWS[4], OTHER_LAWS[3])),
]
DISTRIBUTIONS = [*SMOOTH_LAWS, *OTHER_LAWS, *MIXED_LAWS]
NAMES = [f"{i}-{type(distribution).__name__}" for i, distribution in enumerate(DISTRIBUTIONS)]


def as_lists(samplers: Samplers) -> tuple[list[int], list[float], list[float]]:
    """Its arrays as lists, from which plain Python draws."""
    return samplers.sampler_i.tolist(), samplers.sampler_f.tolist(), samplers.pool.tolist()


@pytest.fixture(scope="module")
def dists():
    """One table of all distributions."""
    return compile_samplers(DISTRIBUTIONS)


@pytest.fixture(scope="module")
def compiled():
    """The scalar draw of the compiled engine, applied to an array."""
    one = numba.njit(inline="always")(draw)

    @numba.njit
    def many(n, distribution, sampler_i, sampler_f, pool):
        x = np.empty(len(n))
        for i in range(len(n)):
            x[i] = one(n[i], distribution, sampler_i, sampler_f, pool)
        return x

    return many


@pytest.fixture(scope="module")
def draws():
    """Draws where most fall, and as many in the tails down to the last bit, which no sample would reach."""
    usual = streams.bits(np.uint64(5), np.arange(60_000))
    edges = [2**k + d for k in range(3, 52) for d in (-1, 0, 1)]
    corners = np.array([*range(20), *edges])
    tips = (2.0 ** (52 * streams.uniforms(streams.bits(np.uint64(6), np.arange(20_000))))).astype(np.int64)
    tails = np.concatenate([corners, np.minimum(tips, LAST)])
    return np.concatenate([usual, tails, LAST - tails])


@pytest.mark.parametrize("index", range(len(DISTRIBUTIONS)), ids=NAMES)
def test_a_draw_has_the_same_bits_in_every_implementation(index, dists, compiled, draws):
    """numpy and the compiler on 100,000 draws, plain Python on every tenth: equal to the last bit, not nearly."""
    block = evaluate(dists, index, draws)
    assert (block == compiled(draws, index, dists.sampler_i, dists.sampler_f, dists.pool)).all()
    arrays = as_lists(dists)
    plain = [draw(n, index, *arrays) for n in draws[::10].tolist()]
    assert (block[::10] == plain).all()


@pytest.mark.parametrize("index", range(len(DISTRIBUTIONS)), ids=NAMES)
def test_a_draw_stays_inside_the_support(index, dists, draws):
    """Nothing below the least or above the greatest duration, nothing negative, nothing that is no number."""
    x = evaluate(dists, index, draws)
    low, high = DISTRIBUTIONS[index].support
    assert ((x >= low) & (x <= high)).all()


@pytest.mark.parametrize("index", range(len(SMOOTH_LAWS)), ids=NAMES[: len(SMOOTH_LAWS)])
def test_a_table_is_as_accurate_as_stated(index, dists, draws):
    """Within 1e-9 of the exact quantile or a negligible error, in both tails; a distribution 1e-8 longer is rejected."""
    distribution = DISTRIBUTIONS[index]
    u = streams.uniforms(draws)
    exact = distribution.quantile(u, streams.uniforms(LAST - draws))
    allowed = tables.RELATIVE_ERROR * exact + tables.least_error_s(distribution)
    drawn = evaluate(dists, index, draws)
    assert (np.abs(drawn - exact) <= allowed).all()
    assert not (np.abs(drawn * (1 + 1e-8) - exact) <= allowed).all()


@pytest.mark.parametrize("index", range(len(SMOOTH_LAWS), len(DISTRIBUTIONS) - len(MIXED_LAWS)))
def test_a_distribution_with_a_short_formula_is_exact(index, dists, draws):
    """Only rounding apart from the quantile function."""
    exact = DISTRIBUTIONS[index].quantile(streams.uniforms(draws), streams.uniforms(LAST - draws))
    assert np.allclose(evaluate(dists, index, draws), exact, rtol=1e-12, atol=1e-12)


def test_a_mixture_chooses_by_weight_and_stretches_what_is_left(dists):
    """The first sixth of the draws are the first component's quantiles from end to end, and so on."""
    index = len(DISTRIBUTIONS) - len(MIXED_LAWS)
    parts = [(0.0, 1 / 6, 0), (1 / 6, 1 / 2, 1), (1 / 2, 1.0, len(SMOOTH_LAWS) + 2)]
    for start, end, component in parts:
        inside = (np.arange(1, 1000) + 0.5) / 1001
        n = ((start + inside * (end - start)) * 2**52).astype(np.int64)
        assert np.allclose(evaluate(dists, index, n), DISTRIBUTIONS[component].ppf(inside), rtol=1e-6)


def test_a_larger_uniform_is_a_longer_duration(dists, draws):
    """Common random numbers and antithetic pairs need it; neighbours across a seam may differ by the table's error."""
    order = np.sort(draws)
    for index in range(len(DISTRIBUTIONS) - len(MIXED_LAWS)):
        x = evaluate(dists, index, order)
        slack = 2 * (tables.RELATIVE_ERROR * x[1:] + tables.least_error_s(DISTRIBUTIONS[index]))
        assert (np.diff(x) >= -slack).all()


def test_a_table_of_few_distributions_is_small():
    """An ordinary distribution needs at most 16 KiB, and equal ones share a table, so that those of a fleet stay in the cache."""
    dists = compile_samplers([SMOOTH_LAWS[1]] * 50)
    assert dists.sampler_i[0] == SMOOTH
    table = tables.quantile_table(SMOOTH_LAWS[1])
    assert dists.pool.size < 1.1 * table.rows.size
    assert table.low_tail * tables.COEFFICIENTS * 8 <= 16 * 1024
    assert len(dists) == 50


def test_an_empty_table_compiles():
    """A fleet whose steps need no distribution is valid."""
    assert len(compile_samplers([])) == 0


@given(
    distribution=st.one_of(
        st.builds(Exponential, mean=st.floats(1e-3, 1e9)),
        st.builds(Lognormal, median=st.floats(1e-3, 1e9), sigma=st.floats(0, 20)),
        st.builds(Weibull, shape=st.floats(0.05, 100), scale=st.floats(1e-3, 1e9)),
        st.builds(Gamma, shape=st.floats(0.05, 100), mean=st.floats(1e-3, 1e9)),
    ),
    cut=st.tuples(st.floats(0, 0.9), st.floats(0.91, 1)),
    n=st.lists(st.integers(0, LAST), min_size=5, max_size=20),
)
@settings(max_examples=60)
def test_any_distribution_of_any_parameters_is_sampled_well(distribution, cut, n):
    """Whatever a scenario may say, truncated anywhere: within the stated error, and the same in both forms."""
    low, high = (float(x) for x in distribution.ppf(np.array(cut)))
    # A bound beyond ten thousand years is refused where it is made, and so is one that leaves nothing.
    cuttable = low < high and low < LONGEST_S / 10
    cut_law = simplify(truncate(distribution, low, high if high < LONGEST_S else None) if cuttable else distribution)
    dists = compile_samplers([cut_law])
    n = np.array(n)
    drawn = evaluate(dists, 0, n)
    assert drawn.tolist() == [draw(one, 0, *as_lists(dists)) for one in n.tolist()]
    exact = cut_law.quantile(streams.uniforms(n), streams.uniforms(LAST - n))
    assert (np.abs(drawn - exact) <= tables.RELATIVE_ERROR * exact + tables.least_error_s(cut_law)).all()
