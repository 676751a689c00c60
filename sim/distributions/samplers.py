"""Samplers: distributions as plain arrays, sampled with the same bits by numpy, Python and the compiler.

`math.log`, `np.log` and a compiler's log differ in their last bits, and so would two engines. So a distribution is compiled
once: what has no short formula becomes a table of polynomials (see `quantile_tables`), and a draw of 52 random
bits n, whose uniform is u = (n + 0.5) / 2**52, goes through + - * / sqrt, comparisons and integer shifts only, in one
order. Those are exact or correctly rounded everywhere, so `draw` (one value, plain Python that the compiler accepts
unchanged) and `evaluate` (blocks, numpy) agree to the last bit. Change one only together with the other.

One uniform makes one duration, also in a mixture: it picks the component, and what is left of it is stretched over the
component's own quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from sim.arrays import Floats, Longs
from sim.distributions.kinds import Distribution, Mixture, Quantiles, Samples, Triangular, Truncated, Uniform, simplify
from sim.distributions.quantile_tables import COEFFICIENTS, MOST, TAIL_BITS, quantile_table
from sim.distributions.streams import BITS, END, LAST, UNIT

CONSTANT, SMOOTH, UNIFORM, TRIANGULAR, PIECEWISE, SAMPLES, MIXTURE = range(7)

INTS = 6  # of each sampler in sampler_i: kind, place in the pool, then by kind
FLOATS = 4  # of each sampler in sampler_f

INDEX = 0x7FFFFFFF  # larger than any index

TAIL_SHIFT = BITS - TAIL_BITS  # what is left of n then is all zeros in the lower tail, all ones in the upper
UPPER = (1 << TAIL_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Samplers:
    """Distributions in the form that `draw` and `evaluate` read. Sampler i is the i-th of `of`.

    The arrays stay writeable because numba takes read-only arrays for another type; nothing writes to them.
    """

    sampler_i: Longs
    sampler_f: Floats
    pool: Floats
    of: tuple[Distribution, ...]

    def __len__(self) -> int:
        return len(self.of)


def draw(n, sampler, sampler_i, sampler_f, pool):  # type: ignore[no-untyped-def]
    """The duration in seconds that *sampler* gives for the 52 random bits *n*.

    It is written for numba, which should inline it: one way out, no division, and masks with INDEX, which
    change nothing but say that no index counts from the end.
    """
    i = (sampler * INTS) & INDEX
    kind = sampler_i[i]
    at = sampler_i[i + 1] & INDEX
    if kind == MIXTURE:
        while n >= pool[at]:
            at += 4
        n = int((n - pool[at + 1] + 0.5) * pool[at + 2])
        if n > LAST:
            n = LAST
        sampler = int(pool[at + 3])
        i = (sampler * INTS) & INDEX
        kind = sampler_i[i]
        at = sampler_i[i + 1]
    f = (sampler * FLOATS) & INDEX
    low = sampler_f[f]
    if kind == SMOOTH:
        shift = sampler_i[i + 2]
        step = sampler_f[f + 2]
        top = n >> TAIL_SHIFT
        if top == 0 or top == UPPER:
            # A tail: by octaves of the distance to its end, each of as many segments.
            segments = 1 << (TAIL_SHIFT - shift)
            at = sampler_i[i + 3]
            if top != 0:
                n = LAST - n
                at = sampler_i[i + 4]
            shift -= 1
            step *= 2.0
            while shift > 0 and (n >> shift) < segments:
                shift -= 1
                step *= 2.0
            at += shift * segments * COEFFICIENTS
        at += (n >> shift) * COEFFICIENTS
        t = (n & ((1 << shift) - 1)) * step
        at &= INDEX
        tt = t * t
        x = (pool[at] + pool[at + 1] * t) + tt * (
            (pool[at + 2] + pool[at + 3] * t) + tt * (pool[at + 4] + pool[at + 5] * t)
        )
    elif kind == CONSTANT:
        x = low
    else:
        u = (n + 0.5) * UNIT
        if kind == UNIFORM:
            x = low + u * sampler_f[f + 2]
        elif kind == TRIANGULAR:
            below = pool[at] + u * pool[at + 2]
            if below < pool[at + 3]:
                x = pool[at + 4] + sqrt(below * pool[at + 5])
            else:
                above = pool[at + 1] + ((LAST - n) + 0.5) * UNIT * pool[at + 2]
                x = pool[at + 6] - sqrt(above * pool[at + 7])
        elif kind == SAMPLES:
            count = sampler_i[i + 2]
            rank = int(u * count)
            if rank == count:
                rank -= 1
            x = pool[at + rank]
        else:  # PIECEWISE: from the last knot that isn't above u
            count = sampler_i[i + 2] & INDEX
            knot = at & INDEX
            left = count - 1
            while left > 1:
                half = left >> 1
                knot += half * (pool[knot + half] <= u)
                left -= half
            x = pool[knot + count] + (u - pool[knot]) * pool[knot + 2 * count]
            if x > pool[knot + count + 1]:
                x = pool[knot + count + 1]
    # Rounding must not leave the support.
    if x < low:
        x = low
    high = sampler_f[f + 1]
    if x > high:
        x = high
    # Read again at the end, so that numba need not count references on each path.
    _ = sampler_i[i]
    _ = pool[0]
    return x


def evaluate(samplers: Samplers, sampler: int, n: Longs) -> Floats:
    """`draw` of many draws of one sampler at once, with the same bits."""
    n = np.asarray(n, dtype=np.int64)
    kind, at, third, low_tail, high_tail, _ = samplers.sampler_i[sampler * INTS : (sampler + 1) * INTS].tolist()
    low, high, step, _ = samplers.sampler_f[sampler * FLOATS : (sampler + 1) * FLOATS].tolist()
    pool = samplers.pool
    if kind == SMOOTH:
        return np.asarray(np.clip(_smooth(pool, n, at, third, low_tail, high_tail, step), low, high))
    if kind == CONSTANT:
        return np.full(n.shape, low)
    if kind == MIXTURE:
        return _mixture(samplers, n, at, third)
    u = (n + 0.5) * UNIT
    if kind == UNIFORM:
        return np.asarray(np.minimum(low + u * step, high))
    if kind == TRIANGULAR:
        p0, q0, share, mode_u, start, rise, end, fall = pool[at : at + 8].tolist()
        below = p0 + u * share
        above = q0 + ((LAST - n) + 0.5) * UNIT * share
        x = np.where(below < mode_u, start + np.sqrt(below * rise), end - np.sqrt(above * fall))
        return np.asarray(np.clip(x, low, high))
    if kind == SAMPLES:
        return np.asarray(pool[at + np.minimum((u * third).astype(np.int64), third - 1)])
    p, durations, slopes = pool[at : at + 3 * third].reshape(3, third)
    knot = np.searchsorted(p[1:-1], u, side="right")
    return np.asarray(np.minimum(durations[knot] + (u - p[knot]) * slopes[knot], durations[knot + 1]))


def _smooth(pool: Floats, n: Longs, at: int, shift: int, low_tail: int, high_tail: int, step: float) -> Floats:
    rows = at + (n >> shift) * COEFFICIENTS
    t = (n & ((1 << shift) - 1)) * step
    top = n >> TAIL_SHIFT
    tail = np.flatnonzero((top == 0) | (top == UPPER))
    if tail.size:
        m = n.ravel()[tail]
        upper = top.ravel()[tail] != 0
        m = np.where(upper, LAST - m, m)
        segments = 1 << (TAIL_SHIFT - shift)
        _, exponent = np.frexp(m.astype(np.float64))
        octave = np.maximum(exponent.astype(np.int64) - (TAIL_SHIFT + 1 - shift), 0)
        place = np.where(upper, high_tail, low_tail)
        t.ravel()[tail] = (m & ((1 << octave) - 1)) / (1 << octave)
        rows.ravel()[tail] = place + (octave * segments + (m >> octave)) * COEFFICIENTS
    c = [pool.take(rows + j) for j in range(COEFFICIENTS)]
    tt = t * t
    return np.asarray((c[0] + c[1] * t) + tt * ((c[2] + c[3] * t) + tt * (c[4] + c[5] * t)))


def _mixture(samplers: Samplers, n: Longs, at: int, count: int) -> Floats:
    ends, starts, scales, components = samplers.pool[at : at + 4 * count].reshape(count, 4).T
    chosen = np.searchsorted(ends, n.astype(np.float64), side="right")
    x = np.empty(n.shape)
    for j in range(count):
        here = chosen == j
        if here.any():
            rest = ((n[here] - starts[j] + 0.5) * scales[j]).astype(np.int64)
            x[here] = evaluate(samplers, int(components[j]), np.minimum(rest, LAST))
    return x


def compile_samplers(distributions: Sequence[Distribution]) -> Samplers:
    """The distributions as samplers, in their order. Equal distributions share their tables."""
    builder = _Builder()
    # A table's place is counted from before its first row; this room keeps it from being negative.
    builder.store(np.zeros(COEFFICIENTS << MOST))
    for distribution in distributions:
        builder.ints.append([0] * INTS)
        builder.floats.append([0.0] * FLOATS)
        builder.wanted.append(simplify(distribution))
    done = 0
    while done < len(builder.wanted):  # a mixture appends its components
        builder.add(done, builder.wanted[done])
        done += 1
    return Samplers(
        sampler_i=np.array(builder.ints, dtype=np.int64).ravel(),
        sampler_f=np.array(builder.floats, dtype=np.float64).ravel(),
        pool=np.concatenate(builder.pool),
        of=tuple(distributions),
    )


@dataclass(slots=True)
class _Builder:
    """Collects the arrays of samplers."""

    ints: list[list[int]] = field(default_factory=list)
    floats: list[list[float]] = field(default_factory=list)
    wanted: list[Distribution] = field(default_factory=list)
    pool: list[Floats] = field(default_factory=list)
    used: int = 0
    seen: dict[Distribution, int] = field(default_factory=dict)

    def add(self, index: int, distribution: Distribution) -> None:
        if distribution in self.seen:
            self.ints[index] = self.ints[self.seen[distribution]]
            self.floats[index] = self.floats[self.seen[distribution]]
            return
        self.seen[distribution] = index
        low, high = distribution.support
        if low == high:
            self.put(index, [CONSTANT], [low, low])
        elif isinstance(distribution, Uniform):
            self.put(index, [UNIFORM], [low, high, high - low])
        elif isinstance(distribution, Quantiles):
            slopes = np.append(np.diff(distribution.at) / np.diff(distribution.p), 0.0)
            place = self.store(np.concatenate([distribution.p, distribution.at, slopes]))
            self.put(index, [PIECEWISE, place, len(distribution.at)], [low, high])
        elif isinstance(distribution, Samples):
            self.put(index, [SAMPLES, self.store(np.array(distribution.values)), len(distribution.values)], [low, high])
        elif isinstance(distribution, Mixture):
            self.add_mixture(index, distribution)
        elif isinstance(distribution, Triangular) or (
            isinstance(distribution, Truncated) and isinstance(distribution.of, Triangular)
        ):
            self.put(index, [TRIANGULAR, self.store(_triangle(distribution))], [low, high])
        else:
            table = quantile_table(distribution)
            at = self.store(table.rows.ravel())
            low_tail = at + table.low_tail * COEFFICIENTS
            high_tail = at + table.high_tail * COEFFICIENTS
            # Row 0 of the bulk belongs to the first segment after the tail, so its place is counted from before.
            bulk = at - table.segments * COEFFICIENTS
            self.put(index, [SMOOTH, bulk, table.shift, low_tail, high_tail], [low, high, 2.0**-table.shift])

    def add_mixture(self, index: int, distribution: Mixture) -> None:
        parts = distribution.flat()
        shares = np.cumsum([weight for weight, _ in parts])
        ends = np.rint(shares / shares[-1] * END)
        starts = np.append(0.0, ends[:-1])
        rows = np.zeros((len(parts), 4))
        for j, (_, component) in enumerate(parts):
            width = ends[j] - starts[j]
            rows[j] = ends[j], starts[j], END / width if width else 0.0, len(self.wanted)
            self.ints.append([0] * INTS)
            self.floats.append([0.0] * FLOATS)
            self.wanted.append(component)
        low, high = distribution.support
        self.put(index, [MIXTURE, self.store(rows.ravel()), len(parts)], [low, high])

    def store(self, block: Floats) -> int:
        at = self.used
        self.pool.append(block)
        self.used += block.size
        return at

    def put(self, index: int, ints: list[int], floats: list[float]) -> None:
        self.ints[index] = ints + [0] * (INTS - len(ints))
        self.floats[index] = floats + [0.0] * (FLOATS - len(floats))


def _triangle(distribution: Distribution) -> Floats:
    """Shares cut off below and above, share kept, and the two square-root branches."""
    below, above, mass = 0.0, 0.0, 1.0
    if isinstance(distribution, Truncated):
        (below, above), mass, distribution = distribution.outside, distribution.mass, distribution.of
    assert isinstance(distribution, Triangular)
    wide = distribution.high - distribution.low
    mode_u = (distribution.mode - distribution.low) / wide
    branches = (
        distribution.low,
        wide * (distribution.mode - distribution.low),
        distribution.high,
        wide * (distribution.high - distribution.mode),
    )
    return np.array([below, above, mass, mode_u, *branches])
