"""Rules that both engines share, one by one: linked lists, quotas, rate limits, and numbers that stand for something."""

from __future__ import annotations

import math
import random

import pytest
from shared import shared, vms

from sim.engines.shared import linked_list, priorities, throttle
from sim.engines.shared.linked_list import Links, empty_lists
from sim.engines.shared.quota import FAMILIES, NO_LIMIT, REGIONAL, SPOT, QuotaUse, ask, give, quota_use
from sim.engines.shared.throttle import BUCKET_OF, CREATES, DELETES, NEVER, UPDATES, full_buckets, take_token
from sim.model.faults import Throttle
from sim.model.plan import GroupPlan, HostPool, Quota, Reserved

# --- linked lists -----------------------------------------------------------------------------------------------------


def rows(links: Links, of: int) -> tuple[list[int], list[int]]:
    """A list from its first row on, and from its last one back."""
    ways = []
    for first, to in ((links.first[of], links.after), (links.last[of], links.before)):
        found = []
        while first >= 0 and len(found) < 100:
            found.append(first)
            first = to[first]
        ways.append(found)
    return ways[0], ways[1]


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_in_their_lists_in_the_order_in_which_they_came(seed: int) -> None:
    """Against lists of Python, row by row: at the end of a list, out of its first, middle, last and only place."""
    chance = random.Random(seed)
    links, plain = empty_lists(3, 6), [[], [], []]
    assert links == Links(before=[-1] * 6, after=[-1] * 6, first=[-1] * 3, last=[-1] * 3)
    assert empty_lists(2).before == []
    for _ in range(200):
        row = chance.randrange(6)
        (held,) = [number for number, own in enumerate(plain) if row in own] or [-1]
        if held >= 0:
            linked_list.remove(links, held, row)
            plain[held].remove(row)
        else:
            to = chance.randrange(3)
            linked_list.append(links, to, row)
            plain[to].append(row)
        for number, own in enumerate(plain):
            assert rows(links, number) == (own, own[::-1])


# --- quota ------------------------------------------------------------------------------------------------------------

RESERVED = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=2)


def quota(*groups: GroupPlan, **platform: object) -> QuotaUse:
    """What is in use of the limits of a subscription with these groups."""
    return quota_use(shared(*groups, **platform).platform, groups)  # type: ignore[arg-type]


def test_a_region_and_a_family_have_a_limit_each_and_spot_has_its_own() -> None:
    """10 vCPUs of the region and 8 of the family, 4 of spot: two regular VMs of 4 and one spot VM; then none."""
    use = quota(vms("a"), vms("s", priority="spot"), quota=Quota(regional_vcpus=10, spot_vcpus=4, families={"FD": 8}))
    assert (use.limit, use.in_use) == ([10, 4, 8], [0, 0, 0])
    assert (use.vcpus, use.regional, use.family) == ([4, 4], [REGIONAL, -1], [FAMILIES, SPOT])
    assert [ask(use, 0), ask(use, 0), ask(use, 0)] == [True, True, False]
    assert [ask(use, 1), ask(use, 1)] == [True, False]
    assert use.in_use == [8, 4, 8]
    give(use, 0)
    give(use, 1)
    assert (use.in_use, use.alive) == ([4, 0, 4], [1])
    assert [ask(use, 1), ask(use, 0), ask(use, 0)] == [True, True, False]


def test_the_regional_limit_binds_where_the_family_has_none() -> None:
    """10 vCPUs in all: two VMs of 4, and then one of 2 of another family."""
    use = quota(vms("a"), vms("b", family="fE", vcpus=2), quota=Quota(regional_vcpus=10))
    assert use.limit == [10, NO_LIMIT, NO_LIMIT, NO_LIMIT]
    assert [ask(use, 0), ask(use, 0), ask(use, 0), ask(use, 1), ask(use, 1)] == [True, True, False, True, False]
    assert use.in_use == [10, 0, 8, 2]


def test_regions_have_their_limits_each_for_itself() -> None:
    """The same numbers twice; a VM of one region takes nothing of the other."""
    use = quota(
        vms("a", region="north"),
        vms("b", region="south"),
        vms("s", region="south", priority="spot"),
        quota=Quota(regional_vcpus=4, spot_vcpus=4),
    )
    assert (use.limit, use.regional, use.family) == ([4, 4, NO_LIMIT] * 2, [0, 3, -1], [2, 5, 4])
    assert [ask(use, 0), ask(use, 1), ask(use, 0), ask(use, 1), ask(use, 2)] == [True, True, False, False, True]
    assert use.in_use == [4, 0, 4, 4, 4, 4]


def test_without_limits_everything_fits() -> None:
    """A platform without a quota."""
    use = quota(vms("a"))
    assert use.limit == [NO_LIMIT] * 3
    assert all(ask(use, 0) for _ in range(1000))
    assert use.in_use == [4000, 0, 4000]


def test_reserved_room_holds_its_quota_and_the_vms_inside_take_no_more() -> None:
    """Two reserved take 8 of 12 vCPUs: a third VM takes 4 more, a fourth finds none; the first that goes leaves what is reserved."""
    use = quota(vms("a"), vms("b"), reserved=(RESERVED,), quota=Quota(regional_vcpus=12))
    assert (use.in_use, use.held, use.held_by, use.alive) == ([8, 0, 8], [2, 2], [0, 0], [0])
    assert [ask(use, 0), ask(use, 1)] == [True, True]
    assert use.in_use == [8, 0, 8]
    assert [ask(use, 0), ask(use, 1)] == [True, False]
    assert (use.in_use, use.alive) == ([12, 0, 12], [3])
    give(use, 1)
    assert (use.in_use, use.alive) == ([8, 0, 8], [2])
    give(use, 0)
    assert (use.in_use, use.alive) == ([8, 0, 8], [1])


def test_groups_that_no_reservation_holds_for_count_by_size_and_those_on_dedicated_hosts_take_none() -> None:
    """A reservation of another size is none of theirs; a dedicated group's VMs take no vCPUs."""
    own = HostPool(name="own", count=1, vcpus=64, memory_gib=256.0, only_groups=("d",))
    use = quota(
        vms("a"),
        vms("e", size="E4"),
        vms("d"),
        reserved=(RESERVED,),
        hosts=(HostPool(name="p", count=9, vcpus=64, memory_gib=256.0), own),
    )
    assert use.vcpus == [4, 4, 0]
    assert (use.held, use.held_by, use.alive) == ([2, 0, 0], [0, 1, 2], [0, 0, 0])


# --- rate limits ------------------------------------------------------------------------------------------------------


def test_operations_share_buckets_as_the_limits_say() -> None:
    """Creates, updates and deletes, as the page on throttling limits puts them; a deallocation is a delete."""
    assert (CREATES, UPDATES, DELETES, throttle.CLASSES) == (0, 1, 2, 3)
    classes = {CREATES: "create", UPDATES: "start restart power_off hibernate update", DELETES: "deallocate delete"}
    assert dict(BUCKET_OF) == {name: bucket for bucket, names in classes.items() for name in names.split()}


def test_a_bucket_refills_evenly_up_to_its_burst() -> None:
    """Two tokens, and thirty a minute: one in 2 s. At 0 s two go; at 1 s half a token is missing, for 1 s; at 2 s it is there."""
    buckets = full_buckets(Throttle(burst=2, refill_per_min=30.0))
    assert (buckets.burst, buckets.refill_per_s, buckets.tokens, buckets.first) == (2.0, 0.5, [2.0] * 3, [])
    assert [take_token(buckets, UPDATES, now) for now in (0.0, 0.0, 1.0, 2.0, 2.0)] == [0.0, 0.0, 1.0, 0.0, 2.0]
    assert take_token(buckets, CREATES, 2.0) == 0.0
    assert [take_token(buckets, UPDATES, 1000.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert buckets.at_s == [2.0, 1000.0, 0.0]


def test_a_refill_that_is_due_has_come_however_it_was_rounded() -> None:
    """A billionth of a token short is a token; two are not."""
    for short, waits in ((0.5e-9, False), (2e-9, True)):
        buckets = full_buckets(Throttle(burst=1, refill_per_min=60.0))
        buckets.tokens[CREATES] = 1 - short
        assert (take_token(buckets, CREATES, 0.0) > 0) is waits


def test_what_never_refills_is_waited_for_without_end() -> None:
    """A burst, and nothing after it."""
    buckets = full_buckets(Throttle(burst=1, refill_per_min=0.0))
    assert [take_token(buckets, DELETES, now) for now in (5.0, 6.0)] == [0.0, math.inf]
    assert math.inf == NEVER


def test_each_region_has_its_own_buckets() -> None:
    """Three a region, in alphabetical order."""
    groups = [vms("a", region="south"), vms("b", region="north"), vms("c", region="south")]
    buckets = full_buckets(Throttle(burst=4, refill_per_min=60.0), groups)
    assert (buckets.first, buckets.tokens, buckets.at_s) == ([3, 0, 3], [4.0] * 6, [0.0] * 6)


# --- priorities -------------------------------------------------------------------------------------------------------


def test_what_comes_first_at_one_instant_comes_before_any_number_of_the_next() -> None:
    """Faults, looks of autoscalers, interrupts, moves, releases, requests: a rank of 2**32 VMs of 2**28 groups doesn't reach the next."""
    ranks = 1 << (28 + priorities.RANK_BITS)
    order = [
        priorities.FAULTS,
        priorities.TICKS,
        priorities.INTERRUPTS,
        priorities.MOVES,
        priorities.RELEASES,
        priorities.REQUESTS,
    ]
    assert (order[2:5], priorities.RANK_BITS) == ([0, 1, 2], 32)
    assert order == sorted(order)
    assert priorities.FAULTS + ranks - 1 < priorities.TICKS
    assert priorities.TICKS + ranks - 1 < priorities.INTERRUPTS
    assert priorities.RELEASES + ranks < priorities.REQUESTS
    assert priorities.REQUESTS + ranks < 2**63
