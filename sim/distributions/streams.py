"""Named streams of random bits: one for each (seed, replication, entity, stream name), read by position.

A stream is a 64-bit key; its draw k is a hash of key and k (SplitMix64: Steele, Lea, Flood, *Fast splittable
pseudorandom number generators*, 2014). Nothing is consumed, so a new VM, group or kind of draw changes no other
draw, and two variants of a scenario use common random numbers. Keys depend on names, never on the order of creation.

Each hash is written three times, with the same bits: for arrays, for plain integers, and for the compiler.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

GOLDEN = 0x9E3779B97F4A7C15
"""Step between the inputs of neighbouring draws: 2**64 divided by the golden ratio, odd."""

BITS = 52
"""Random bits in a draw n; its uniform (n + 0.5) / 2**52 is exact, and so is one minus it."""

EARLIER_BITS = 32
"""Of the number of a member that is asked for several times; above them, how many of its requests came before."""

END = 1 << BITS  # draws are below it
LAST = END - 1
UNIT = 2.0**-BITS

_ALL = 0xFFFFFFFFFFFFFFFF
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

_U_GOLDEN, _U_FIRST, _U_SECOND = np.uint64(GOLDEN), np.uint64(_FIRST), np.uint64(_SECOND)
_U1, _U12, _U27, _U30, _U31 = np.uint64(1), np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)


def mix(z: int) -> int:
    """The 64-bit hash that everything here uses: any one bit of *z* changes about half of the result."""
    z &= _ALL
    z = ((z ^ (z >> 30)) * _FIRST) & _ALL
    z = ((z ^ (z >> 27)) * _SECOND) & _ALL
    return z ^ (z >> 31)


def label(text: str) -> int:
    """A name as a number, the same on every machine and in every version."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def replication_key(seed: int, replication: int) -> int:
    """Key of one replication of one seed; both from 0 to 2**64 - 1."""
    for name, value in (("seed", seed), ("replication", replication)):
        if not 0 <= value <= _ALL:
            raise ValueError(f"{name} = {value!r} is out of range: it must be a whole number from 0 to 2**64 - 1")
    return mix(mix(seed + GOLDEN) + GOLDEN * (replication + 1))


def entity_key(replication: int, name: str) -> int:
    """Key of a group, a host or anything else with a name, in the replication of that key."""
    return mix(replication ^ label(name))


def member_keys(entity: int, indices: NDArray[np.integer]) -> Keys:
    """Keys of members, numbered from 0, of an entity that has many: the VMs of a group."""
    return _steps(np.uint64(entity), indices)


def stream_keys(keys: Keys, name: str) -> Keys:
    """Keys of the stream *name* of entities: starting, failure, jitter ..."""
    return mix_array(np.atleast_1d(np.asarray(keys, dtype=np.uint64)) ^ np.uint64(label(name)))


def bits_int(key: int, k: int) -> int:
    """Draw *k* (from 0) of a stream: 52 random bits, on plain integers."""
    return mix(key + GOLDEN * (k + 1)) >> 12


def bits(keys: Keys, k: int | NDArray[np.integer]) -> NDArray[np.int64]:
    """`bits_int` of many streams, or of many positions; keys and k are broadcast."""
    return (_steps(keys, k) >> _U12).astype(np.int64)


def bits_u64(key: np.uint64, k: int) -> np.int64:
    """`bits_int` for the compiler: the key is a uint64, k may be of any integer type. Not for plain Python."""
    z = key + _U_GOLDEN * (np.uint64(k) + _U1)
    z = (z ^ (z >> _U30)) * _U_FIRST
    z = (z ^ (z >> _U27)) * _U_SECOND
    return np.int64((z ^ (z >> _U31)) >> _U12)


def uniform(n: int) -> float:
    """The uniform of one draw: never 0, never 1, and symmetric about a half."""
    return (n + 0.5) * UNIT


def uniforms(n: NDArray[np.int64]) -> NDArray[np.float64]:
    """The uniforms of many draws."""
    return np.asarray((n + 0.5) * UNIT)


def mix_array(z: Keys) -> Keys:
    """`mix` of many numbers at once."""
    z = (z ^ (z >> _U30)) * _U_FIRST
    z = (z ^ (z >> _U27)) * _U_SECOND
    return z ^ (z >> _U31)


def _steps(keys: Keys | np.uint64, k: int | NDArray[np.integer]) -> Keys:
    """The hash of each key and position, 64 bits."""
    # Scalars would warn of the overflow that is wanted here; arrays don't.
    steps = np.atleast_1d(np.asarray(k)).astype(np.uint64) + _U1
    mixed = mix_array(np.asarray(keys, dtype=np.uint64) + _U_GOLDEN * steps)
    return mixed if np.ndim(keys) or np.ndim(k) else mixed[0]
