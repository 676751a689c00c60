"""Keys of single members and streams, in plain integers: what the functions for many must agree with."""

from __future__ import annotations

from sim.distributions.streams import GOLDEN, label, mix


def member_key(entity: int, index: int) -> int:
    """Key of number *index* (from 0) of an entity that has many: the VMs of a group."""
    return mix(entity + GOLDEN * (index + 1))


def stream_key(key: int, name: str) -> int:
    """Key of the stream *name* of an entity: starting, failure, jitter ..."""
    return mix(key ^ label(name))
