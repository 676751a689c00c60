"""Births of VMs as plain arrays (`layout.Births`), for loops that know only numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.compiled.layout import Births, Longs, Tables
from sim.engines.group_setup import GroupSetup


def births_of(setups: Sequence[GroupSetup]) -> Births:
    """Every VM of every group in order of birth, then of group."""
    recorded = any(len(setup.lifetimes_s) for setup in setups)
    parts, earlier = [], []
    for place, setup in enumerate(setups):
        born_s = np.concatenate([np.zeros(0), *setup.births()])
        index = np.arange(len(born_s), dtype=np.int64)
        lifetime_s = setup.lifetimes_s[: len(born_s)] if len(setup.lifetimes_s) else np.full(len(born_s), np.inf)
        owners = setup.lifetime_owners
        earlier.append(setup.earlier(index))
        parts.append(
            (
                born_s, np.full_like(index, place), setup.vms(index), lifetime_s,
                streams.member_keys(setup.group_key, setup.members(index)),
                streams.member_keys(setup.group_key, index if owners is None else owners),
                np.zeros((len(index), 2), dtype=np.int64),
            )
        )  # fmt: skip
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    place_of = np.argsort(order)
    again = follows(np.concatenate(earlier)[order] > 0, place_of[order - 1])
    births = Births(*(column[order] for column in columns), **again)
    if all(setup.lifetime_owners is None for setup in setups):
        births = births._replace(lifetime_key=np.zeros(0, dtype=np.uint64))
    return births if recorded else births._replace(lifetime_s=np.zeros(0))


def follows(comes_back: NDArray[np.bool_], before: Longs) -> dict[str, Any]:
    """The fields of `Births` for births of VMs that come back under their names: *before* is the birth before each of these."""
    some = len(comes_back) if comes_back.any() else 0
    return {
        "follows": np.where(comes_back, before, -1)[:some],
        "awaited_by": np.full(some, -1, dtype=np.int64),
        "gone_s": np.full(some, np.inf),
    }


def with_own_edges(tables: Tables, births: Births, setups: Sequence[GroupSetup]) -> tuple[Tables, Births]:
    """The tables with the edges of single VMs behind those of groups, and births that know their own."""
    if all(setup.own_edges is None for setup in setups):
        return tables, births
    places = np.zeros((len(births.vm), 2), dtype=np.int64)
    edges, turns, begins = [tables.edges_s], [np.zeros(len(tables.edges_s), dtype=np.int64)], len(tables.edges_s)
    for group, setup in enumerate(setups):
        mine = np.flatnonzero(births.group == group)
        if setup.own_edges is None or not len(mine):
            continue
        low, high = int(births.vm[mine].min()), int(births.vm[mine].max()) + 1
        made = setup.own_edges.of(low, high - low)
        at = births.vm[mine] - low
        places[mine] = np.stack([made.first[at], made.first[at + 1]], axis=1) + begins
        begins += len(made.edges_s)
        edges.append(made.edges_s)
        turns.append(made.turns_to)
    return tables._replace(edges_s=np.concatenate(edges), turns_to=np.concatenate(turns)), births._replace(edges=places)
