"""Named streams: same bits in every form, and no VM changes another's random numbers."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.distributions import streams
from tests.helpers.stream_keys import member_key, stream_key

KEYS = st.integers(0, 2**64 - 1)
POSITIONS = st.integers(0, 2**40)
PINNED = [4119096801760279, 2959156474200220, 4238094388696990]
compiled_bits = numba.njit(streams.bits_u64)


@given(key=KEYS, k=POSITIONS)
def test_a_draw_is_the_same_in_all_three_forms(key, k):
    """The plain, the array and the compiled hash must agree on all 52 bits, or two engines part ways."""
    plain = streams.bits_int(key, k)
    assert int(streams.bits(np.uint64(key), k)) == plain
    assert int(streams.bits(np.array([key], dtype=np.uint64), np.array([k]))[0]) == plain
    assert compiled_bits(np.uint64(key), k) == plain
    assert 0 <= plain < 2**52


@given(key=KEYS, index=st.integers(0, 10**7), stream=st.text(max_size=20))
def test_a_key_is_the_same_for_one_and_for_many(key, index, stream):
    """The arrays of the compiled engine hold the keys that a single VM would compute."""
    members = streams.member_keys(key, np.array([index]))
    assert int(members[0]) == member_key(key, index)
    assert int(streams.stream_keys(members, stream)[0]) == stream_key(int(members[0]), stream)


def test_the_bits_of_a_named_draw_are_pinned():
    """A committed figure stands on these; they may change only with a [RESULTS] line in the CHANGELOG."""
    group = streams.entity_key(streams.replication_key(1, 0), "web")
    key = stream_key(member_key(group, 0), "starting")
    assert [streams.bits_int(key, k) for k in range(3)] == PINNED
    # SplitMix64's published first output for seed 0, from its authors' reference code.
    assert streams.mix(streams.GOLDEN) == 0xE220A8397B1DCDAF


def test_more_members_and_more_draws_change_none_before():
    """A group of ten is the first ten of a group of a thousand; position k doesn't depend on how many are read."""
    group = streams.entity_key(streams.replication_key(7, 3), "dev")
    few, many = (streams.member_keys(group, np.arange(count)) for count in (10, 1000))
    assert (few == many[:10]).all()
    assert (streams.bits(few[:, None], np.arange(5)) == streams.bits(many[:, None], np.arange(50))[:10, :5]).all()


def test_names_seeds_replications_and_streams_have_different_keys():
    """All keys of a small study differ; with 64 bits a chance clash has probability below 1e-11."""
    keys = {
        stream_key(member_key(streams.entity_key(streams.replication_key(s, r), name), i), stream)
        for s in range(3)
        for r in range(10)
        for name in ("a", "b", "web", "bew")
        for i in range(20)
        for stream in ("starting", "stopping", "failure")
    }
    assert len(keys) == 3 * 10 * 4 * 20 * 3


@pytest.mark.parametrize("bad", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(bad):
    """Two seeds must never be one."""
    with pytest.raises(ValueError, match="out of range"):
        streams.replication_key(bad, 0)
    with pytest.raises(ValueError, match="out of range"):
        streams.replication_key(0, bad)


@given(n=st.integers(0, 2**52 - 1))
def test_a_uniform_and_its_mirror_are_exact(n):
    """u is inside (0, 1), and 1 - u is the uniform of the mirrored bits: antithetic pairs cost nothing."""
    u = streams.uniform(n)
    assert 0 < u < 1
    assert 1 - u == streams.uniform(2**52 - 1 - n)
    assert float(streams.uniforms(np.array([n]))[0]) == u


def looks_independent(u: np.ndarray) -> bool:
    """Whether lagged and neighbouring correlations, and counts in 256 cells, are those of independent uniforms.

    *u* is (streams, positions). False alarm below 1e-6: 9 normal statistics at z = 5.5, whose tails hold 4e-8 each.
    """
    centred = (u - 0.5) * math.sqrt(12)
    flat = centred.ravel()
    sums = [np.mean(centred[:, :-lag] * centred[:, lag:]) * math.sqrt(centred[:, lag:].size) for lag in (1, 2, 3, 7)]
    sums += [np.mean(centred[:-lag] * centred[lag:]) * math.sqrt(centred[lag:].size) for lag in (1, 2, 3)]
    sums.append(np.mean(flat) * math.sqrt(flat.size))
    counts = np.bincount((u.ravel() * 256).astype(int), minlength=256)
    chi_square = ((counts - u.size / 256) ** 2).sum() / (u.size / 256)
    sums.append((chi_square - 255) / math.sqrt(2 * 255))
    return all(abs(value) < 5.5 for value in sums)


def test_streams_look_independent_and_a_plain_counter_does_not():
    """Neighbouring VMs and neighbouring positions are the risk of a hash; a Weyl sequence, which skips it, is refused."""
    group = streams.entity_key(streams.replication_key(1, 0), "web")
    keys = streams.stream_keys(streams.member_keys(group, np.arange(500)), "starting")
    u = streams.uniforms(streams.bits(keys[:, None], np.arange(400)))
    assert looks_independent(u)
    steps = np.arange(1, 401, dtype=np.uint64) * np.uint64(streams.GOLDEN)
    weyl = streams.uniforms(((keys[:, None] + steps) >> np.uint64(12)).astype(np.int64))
    assert not looks_independent(weyl)
    assert not looks_independent(np.repeat(u[::2], 2, axis=0))
