"""VMs of a trace get the size of the catalogue that is named, or the nearest one with room."""

from __future__ import annotations

import re

import pytest

from sim.catalog import Term, load_bundled
from sim.errors import CatalogueError, TraceError
from sim.traces import VmSize, map_sizes

REGION = "westeurope"


@pytest.fixture(scope="module")
def catalogue():
    """The bundled sizes and prices."""
    return load_bundled()


def shape(vcpus, memory_gib, size=""):
    """A kind of VM."""
    return VmSize(vcpus=vcpus, memory_gib=memory_gib, size=size)


def test_the_nearest_size_is_never_smaller_and_never_beaten(catalogue):
    """Checked against every candidate: none with room is nearer, none as near is cheaper."""
    pool = ["Standard_D*s_v5", "Standard_E*s_v5", "Standard_F*s_v2"]
    wanted = [shape(v, m) for v in (1, 2, 3, 8, 30) for m in (0.75, 3.5, 14, 70)]
    candidates = {
        name
        for name in catalogue.sizes_in(REGION)
        for pattern in pool
        if re.fullmatch(pattern.replace("*", r"\d+"), name)
    }
    for kind, name in zip(wanted, map_sizes(wanted, catalogue, REGION, pool=pool), strict=True):
        found = catalogue.get_size(name)
        assert found.vcpus >= kind.vcpus
        assert found.memory_gib >= kind.memory_gib
        product, price = found.vcpus * found.memory_gib, catalogue.price_per_h(name, REGION, "linux")
        for other in candidates:
            size, cost = catalogue.get_size(other), catalogue.find_price(other, REGION, "linux")
            if cost is None or size.vcpus < kind.vcpus or size.memory_gib < kind.memory_gib:
                continue
            assert (size.vcpus * size.memory_gib, cost.per_h) >= (product, price)


def test_between_equals_the_price_of_the_priority_decides(catalogue):
    """2 vCPUs and 8 GiB come in many sizes."""
    pool = ["Standard_D2s_v3", "Standard_D2as_v5", "Standard_D2s_v5"]
    assert map_sizes([shape(2, 8)], catalogue, REGION, pool=pool) == ("Standard_D2as_v5",)
    spot = {name: catalogue.price_per_h(name, REGION, "spot_linux") for name in pool}
    assert map_sizes([shape(2, 8)], catalogue, REGION, pool=pool, priority="spot") == (min(spot, key=spot.__getitem__),)


def test_a_named_size_is_taken_whatever_its_room(catalogue):
    """And spelt as the catalogue spells it."""
    assert map_sizes([shape(64, 1, "d4s v5")], catalogue, REGION) == ("Standard_D4s_v5",)


def test_arm_and_accelerators_stand_for_nothing_unless_asked_for(catalogue):
    """They would win on price, and lose on everything the trace doesn't say."""
    assert map_sizes([shape(2, 8)], catalogue, REGION, pool=["Standard_D2ps_v6"]) == ("Standard_D2ps_v6",)
    for name in map_sizes([shape(2**n, 4 * 2**n) for n in range(7)], catalogue, REGION):
        assert "ps_" not in name
        assert not name.startswith("Standard_N")


def test_a_vm_too_large_for_every_size_is_reported_with_the_largest_size(catalogue):
    """All of them at once; unknown names and patterns come with what was meant."""
    with pytest.raises(TraceError, match=r"no size in westeurope has room for 9999 vCPU, 1 GiB; the largest is"):
        map_sizes([shape(9999, 1), shape(2, 8)], catalogue, REGION)
    with pytest.raises(TraceError, match=r"did you mean .*\bStandard_D4s_v5\b"):
        map_sizes([shape(2, 8, "Standard_D4s_v55")], catalogue, REGION)
    with pytest.raises(CatalogueError, match="no size in westeurope is like 'Standard_Q\\*'"):
        map_sizes([shape(2, 8)], catalogue, REGION, pool=["Standard_Q*"])


def test_shares_of_a_vm_are_not_raised_by_rounding(catalogue):
    """A twelfth of 48 vCPUs, written with six digits, is 4 and not a bit more."""
    pool = ["Standard_D?s_v5"]
    assert map_sizes([shape(0.083334 * 48, 16.0)], catalogue, REGION, pool=pool) == ("Standard_D4s_v5",)


def test_a_star_for_the_number_chooses_one_series(catalogue):
    """AMD's sizes are cheaper and would win; a star at the end is anything, as before."""
    found = map_sizes([shape(2, 8), shape(16, 64)], catalogue, REGION, pool=["standard_d*s_v5"])
    assert found == ("Standard_D2s_v5", "Standard_D16s_v5")
    every = map_sizes([shape(2, 8)], catalogue, REGION, pool=["Standard_D*"])
    cheapest = catalogue.price_per_h(every[0], REGION, "linux")
    assert cheapest < catalogue.price_per_h("Standard_D2s_v5", REGION, "linux")


def test_a_vm_of_which_too_little_is_known_is_reported(catalogue):
    """Without a size by name the nearest one needs both its vCPUs and its memory."""
    with pytest.raises(TraceError, match="a VM without a size needs both vCPUs and memory"):
        map_sizes([shape(2, None)], catalogue, REGION)


def test_without_any_price_no_size_can_stand_for_a_vm(catalogue):
    """The message has the term and the region that have none."""
    unpriced = next(
        name for name in catalogue.sizes_in(REGION) if catalogue.find_price(name, REGION, Term("spot_windows")) is None
    )
    with pytest.raises(
        CatalogueError, match="no size to stand for the trace's VMs has a spot_windows price in westeurope"
    ):
        map_sizes([shape(2, 4)], catalogue, REGION, os="windows", priority="spot", pool=[unpriced])
