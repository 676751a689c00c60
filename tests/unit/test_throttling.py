"""Operations that a subscription may ask for at a time: the documented bucket, and start storms checked by hand."""

from __future__ import annotations

import pytest
from fleets import always, run_until
from shared import shared, vms

import sim
from sim.engines.shared.throttle import CREATES, Buckets, full_buckets, take_token
from sim.model.demand import Cycle
from sim.model.faults import Throttle
from sim.model.plan import Retry


def counted(left: Buckets, requests: int, now_s: float) -> tuple[float, int]:
    """Tokens at an instant, and how many of so many requests are throttled."""
    tokens = min(left.burst, left.tokens[CREATES] + (now_s - left.at_s[CREATES]) * left.refill_per_s)
    return tokens, sum(bool(take_token(left, CREATES, now_s)) for _ in range(requests))


def test_the_documented_minutes_of_a_token_bucket() -> None:
    """12 at most, 4 more a minute. Microsoft, Compute throttling limits (2024-05-27): its table of five minutes."""
    bucket = full_buckets(Throttle(burst=12, refill_per_min=4))
    seen = [counted(bucket, requests, 60.0 * minute) for minute, requests in enumerate((0, 8, 0, 13, 5))]
    assert [round(tokens, 9) for tokens, _ in seen] == [12, 12, 8, 12, 4]
    assert [refused for _, refused in seen] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("refill_per_min", [1.0, 4.0, 7.0, 500.0, 3.3])
def test_a_request_repeated_at_the_given_time_is_admitted(refill_per_min: float) -> None:
    """However the fractions of a token were rounded on the way: a thousand requests, each refused once at most."""
    bucket, now_s = full_buckets(Throttle(burst=1, refill_per_min=refill_per_min)), 0.0
    for _ in range(1000):
        now_s += take_token(bucket, CREATES, now_s) or 0.0
        wait_s = take_token(bucket, CREATES, now_s)
        assert wait_s <= 60 / refill_per_min * (1 + 1e-9)
        now_s += wait_s
        assert take_token(bucket, CREATES, now_s) == 0 or wait_s == 0


def test_a_bucket_that_never_refills_refuses_for_ever() -> None:
    """No division by zero, no token."""
    bucket = full_buckets(Throttle(burst=1, refill_per_min=0.0))
    assert take_token(bucket, CREATES, 0.0) == 0
    assert take_token(bucket, CREATES, 10.0**9) == float("inf")


def test_creates_beyond_the_burst_are_refused_and_come_again() -> None:
    """Two tokens, four a minute. Refused at 0, three VMs come again at 60 s, when there are two; the last one at 180 s."""
    output = run_until(shared(vms(count=5), throttle=Throttle(burst=2, refill_per_min=4)))
    assert [output.timeline(f"g-000{i}")[0][0] for i in range(5)] == [0, 0, 60, 60, 180]
    assert output.count("operations.create.rejected") == output.count("failures.TooManyRequests") == 3 + 1
    assert output.count("operations.create.accepted") == 5
    assert output.count("operations.create.failed") == 0


def test_a_result_reports_the_refusals() -> None:
    """From the scenario to the metric: it had no row once, and every throttled run ended in an error of ours."""
    platform = {"throttle": {"burst": 2, "refill_per_min": 4}}
    found = sim.run(sim.from_dict({"name": "t", "horizon": "1h", "platform": platform, "group": [{"count": 5}]}))
    assert set(found.values("failures.TooManyRequests")) == set(found.values("operations.create.rejected")) == {3 + 1}


def test_events_tell_of_every_request_that_is_refused_a_token() -> None:
    """As many rows as are counted, each of its VM and instant, in order of time."""
    output = run_until(shared(vms(count=6), throttle=Throttle(burst=2, refill_per_min=2.0)))
    rows = [row for row in output.events if row[4] == "rejected"]
    assert len(rows) == output.count("failures.TooManyRequests") == output.count("operations.create.rejected") > 3
    assert {row[2:] for row in rows} == {("operation", None, "rejected", "create", "TooManyRequests")}
    assert {row[1] for row in rows if row[0] == 0} == {f"g-000{i}" for i in range(2, 6)}
    assert list(output.events) == sorted(output.events, key=lambda row: row[0])


def test_no_request_is_repeated_before_there_is_a_token() -> None:
    """With no back-off of their own, they come when the refusal says: after 15, 30 and 45 s; not for ever at once."""
    output = run_until(shared(vms(count=5, retry=Retry(backoff_s=0.0)), throttle=Throttle(burst=2, refill_per_min=4)))
    assert [output.timeline(f"g-000{i}")[0][0] for i in range(5)] == pytest.approx([0, 0, 15, 30, 45])
    assert output.count("failures.TooManyRequests") == 3 + 2 + 1


def test_throttled_requests_are_no_attempts_of_the_retry_policy() -> None:
    """One attempt only, and yet all five VMs are made."""
    output = run_until(shared(vms(count=5, retry=Retry(attempts=1)), throttle=Throttle(burst=1, refill_per_min=1)))
    assert output.count("vms.created") == 5


def test_starts_deletes_and_creates_have_a_bucket_each() -> None:
    """Two creates at 0, two deallocates at 1,000 and two starts at 2,000: none of the three classes is short."""
    cycling = vms(count=2, demand=Cycle(on_s=always(1000), off_s=always(1000)))
    output = run_until(shared(cycling, throttle=Throttle(burst=2, refill_per_min=0.001)))
    assert output.count("failures.TooManyRequests") == 2, "the deallocates of 3,000 s, after those of 1,000"
    assert output.timeline("g-0000")[3][0] == output.timeline("g-0001")[3][0] == 1000
    assert output.timeline("g-0000")[5][0] == output.timeline("g-0001")[5][0] == 2010
    assert output.count("operations.deallocate.rejected") == 2


def test_a_start_storm_is_as_long_as_its_tokens_last() -> None:
    """Thirty starts at 2,000 s on 12 tokens and 12 a minute: twelve at once, twelve after a minute, six after three."""
    storm = vms(count=30, create_over_s=300.0, demand=Cycle(on_s=always(5000), off_s=always(1000)))
    plan = shared(storm, hours=3.0, throttle=Throttle(burst=12, refill_per_min=12))
    calm = shared(storm, hours=3.0)
    assert run_until(calm).count("failures.TooManyRequests") == 0
    output = run_until(plan)
    late_s = (run_until(calm).usage.served_h - output.usage.served_h) * 3600
    assert late_s >= 0
    together = vms(count=30, demand=Cycle(on_s=always(5000), off_s=always(1000)), retry=Retry(backoff_s=60.0))
    output = run_until(shared(together, hours=1.9, throttle=Throttle(burst=12, refill_per_min=12)))
    begun = sorted(output.timeline(f"g-{i:04d}")[0][0] for i in range(30))
    assert begun == [0.0] * 12 + [60.0] * 12 + [180.0] * 6


def test_what_is_no_request_to_the_control_plane_is_not_throttled() -> None:
    """A shutdown inside the guest needs no token."""
    cycling = vms(count=3, demand=Cycle(on_s=always(1000), off_s=always(10.0**6)), when_off="guest-shutdown")
    output = run_until(shared(cycling, throttle=Throttle(burst=3, refill_per_min=0.0)))
    assert output.count("failures.TooManyRequests") == 0
    assert {output.timeline(f"g-000{i}")[-1] for i in range(3)} == {(1020.0, "stopped")}


def test_demand_turns_for_vms_that_wait_for_a_token_at_the_horizon() -> None:
    """Nine times ten minutes are wanted of each of six VMs in three hours, even of those still waiting at the end."""
    crowd = vms(
        count=6, demand=Cycle(on_s=always(600), off_s=always(600)), retry=Retry(attempts=1, max_backoff_s=3600.0)
    )
    output = run_until(shared(crowd, hours=3.0, throttle=Throttle(burst=1.0, refill_per_min=0.02)))
    assert output.usage.wanted_h == 9.0
