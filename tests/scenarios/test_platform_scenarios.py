"""The scripts about the platform's limits find what their headers work out by hand."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from statistics import NormalDist

import pytest
from scripts import SCENARIOS, script

Z = 5.0  # a false alarm in some two million runs, were the seed not fixed


def figures(folder: Path) -> set[str]:
    """Names of the figures in a result folder; each has an SVG, a PNG and a CSV file."""
    names = {path.stem for path in (folder / "figures").iterdir()}
    for name in names:
        for form in ("svg", "png", "csv"):
            assert (folder / "figures" / f"{name}.{form}").stat().st_size > 0
    return names


def test_vms_are_late_at_nine_if_refused_or_requested_too_late(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The share follows from compound Poisson arrivals of others and the mean boot time; without batches it would differ."""
    storm = script("morning_start_storm")
    replications = 4
    found, scripted = storm.main(replications, tmp_path / "storm")
    requests = storm.VMS + 15
    others_sd = math.sqrt(storm.REQUESTS * sum(p * b * b for b, p in storm.BATCHES.items()))
    floor = storm.DELAY_S / storm.RUSH_S
    for level, hosts in storm.LEVELS.items():
        late = found.estimate("availability", "dev", **{storm.HOSTS: hosts}).complement.mean
        # Each VM of others moves the loss by at most one; in addition, the requests of the last minute are binomial.
        sem = math.hypot(others_sd / requests, math.sqrt(floor / storm.VMS)) / math.sqrt(replications)
        assert abs(late - storm.expected_late(hosts)) <= Z * sem, f"{level:.0%} of the hardware"
    most = max(storm.LEVELS.values())
    late = found.estimate("availability", "dev", **{storm.HOSTS: most}).complement.mean
    sem = math.sqrt(floor / storm.VMS / replications)
    assert abs(late - floor) <= Z * sem
    assert abs(late - floor / 2) > Z * sem, "a model that boots in half the time must be refused"

    # A script at 08:58: 900 are refused at once, 400 of them again; slow boots make some of the others late.
    sem = math.sqrt(storm.SCRIPTED_LATE / storm.VMS / replications)
    assert scripted >= storm.WAITING - 1 / storm.VMS
    assert abs(scripted - storm.SCRIPTED_LATE) <= Z * sem
    assert abs(scripted - 900 / 2400) > Z * sem, "a bucket that never refills must be refused"
    assert figures(tmp_path / "storm") == {"late_at_nine"}
    assert "by hand" in capsys.readouterr().out


def test_jobs_on_spot_are_in_time_and_uniform_progress_is_cheaper_where_time_is_tight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ordering of the paper; without a fall-back most jobs are late, and none costs more than on a regular VM."""
    page = script("spot_deadline")
    found = page.main(2, tmp_path / "spot")
    for (rule, hours), (usd, in_time) in found.items():
        assert page.SPOT_USD_PER_H <= usd <= 1.02 * page.REGULAR_USD_PER_H
        assert in_time == 1.0 if rule != "never" else in_time < 0.5
        if rule == "uniform-progress" and hours <= 60:
            assert usd < 0.95 * found["deadline", hours][0]
    assert found["deadline", 96][0] < found["deadline", 52][0]
    assert figures(tmp_path / "spot") == {"cost_of_work"}
    assert "by hand" in capsys.readouterr().out


def test_availability_and_cost_of_spot_workers_are_those_of_a_renewal_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The availability of a worker is that of an alternating renewal process; its price is per hour that it ran."""
    spot = script("spot_or_regular")
    replications, workers, hours = 2, 50, 672.0
    found = spot.main(replications, tmp_path / "spot")
    for rate, (availability, usd) in found.items():
        share, usd_by_hand = spot.by_hand(rate)
        evictions = -math.log(1 - rate) * share * hours
        away_sd_h = spot.AWAY_H  # an upper bound: most of it is constant
        sem = math.sqrt(evictions * (spot.AWAY_H**2 + away_sd_h**2)) / hours / math.sqrt(workers * replications)
        begin = 90 / 3600 / hours  # created and provisioned before it is ready
        assert abs(availability - share) <= Z * sem + begin
        assert usd == pytest.approx(usd_by_hand, rel=Z * sem + 2 * begin)
    rate = max(found)
    share, _ = spot.by_hand(rate)
    assert abs(found[rate][0] - (share + (1 - share) / 2)) > Z * sem + begin, "half the time away must be refused"
    assert spot.hours_per_useful_hour(0.15) * found[0.15][1] < spot.REGULAR_USD_PER_H + spot.DISK_USD_PER_H
    assert spot.hours_per_useful_hour(0.20) * found[0.20][1] > spot.REGULAR_USD_PER_H + spot.DISK_USD_PER_H
    assert figures(tmp_path / "spot") == {"cost_of_an_hour"}
    assert "regular" in capsys.readouterr().out


@pytest.mark.slow
def test_the_hosts_that_meet_the_target_are_those_of_erlangs_formula(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """VMs of one size that fill their hosts are Erlang's loss system, whatever the distribution of lifetimes."""
    hosts = script("hosts_for_a_service_level")
    found, by_lifetime = hosts.main(40, tmp_path / "hosts")
    enough = next(number for number in range(14, 27) if hosts.erlang_b(number) <= 0.01)
    assert (found.answer, found.value, found.next_value) == ("feasible", enough, enough - 1)
    for trial in found.trials:
        estimate = trial.run.estimate("allocation.failure_rate")
        sem = max(estimate.sd / math.sqrt(estimate.n), 1e-4)
        assert abs(estimate.mean - hosts.erlang_b(trial.value)) <= Z * sem
    estimate = next(trial.run for trial in found.trials if trial.value == enough - 1).estimate(
        "allocation.failure_rate"
    )
    for name, refused in by_lifetime.items():
        assert abs(refused - hosts.erlang_b(enough - 1)) <= Z * estimate.sd / math.sqrt(20), name
    assert abs(hosts.erlang_b(enough) - estimate.mean) > Z * estimate.sd / math.sqrt(20), (
        "one more host must be refused"
    )
    assert figures(tmp_path / "hosts") == {"refused"}
    assert "smallest" in capsys.readouterr().out


def test_maintenance_costs_the_time_of_its_impact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All durations are constant and every VM is affected once: exact to the ticks of the ledger."""
    maintenance = script("maintenance_week")
    weeks, down = maintenance.main(tmp_path / "week")
    ticks_h = maintenance.VMS * 4 / 65536 / 3600
    for impact, week in weeks.items():
        wanted, served, billed, affected = (
            week.estimate(name).mean for name in ("wanted_hours", "served_hours", "billed_hours", "maintenance_impacts")
        )
        assert affected == maintenance.VMS
        assert wanted == pytest.approx(maintenance.VMS * maintenance.WEEK_H, abs=ticks_h)
        assert wanted - served == pytest.approx(maintenance.VMS * maintenance.LOST_S[impact] / 3600, abs=ticks_h)
        assert wanted - billed == pytest.approx(maintenance.VMS * maintenance.UNBILLED_S[impact] / 3600, abs=ticks_h)
    for domains, share in down.items():
        assert share == pytest.approx(1 / domains, abs=1e-9)
    assert figures(tmp_path / "week") == {"down_at_once"}
    assert "by hand" in capsys.readouterr().out


def test_boot_lag_costs_load_and_vms_as_worked_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The steps are constant: overload, load served and overshoot follow from the cooldown and the boot lag alone."""
    lag = script("autoscale_boot_lag")
    found = lag.main(tmp_path / "lag")
    assert len(found) == len(lag.STEPS) * len(lag.BOOTS_MIN)
    for (step, boot_min), (overload_min, share, most) in found.items():
        by_hand_min, by_hand_share, by_hand_most = lag.by_hand(boot_min, step)
        assert overload_min == pytest.approx(by_hand_min, abs=1e-6)
        assert share == pytest.approx(by_hand_share, abs=1e-9)
        assert most == by_hand_most
    assert figures(tmp_path / "lag") == {"load_turned_away"}
    assert "by hand" in capsys.readouterr().out


def test_days_from_fitted_distributions_have_their_expected_vms_and_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number of VMs is rates times batches; the hours are the limited means of the lifetimes."""
    real = script("real_fleet_day")
    replications = 2
    day, refused = real.main(replications, tmp_path / "day")
    total = 0.0
    for group in tomllib.loads((SCENARIOS / "real_fleet_day.toml").read_text())["group"]:
        batch = group["arrivals"]["batch"]
        weights = [weight / sum(batch["weights"]) for weight in batch["weights"]]
        square = sum(weight * size**2 for size, weight in zip(batch["sizes"], weights, strict=True))
        vms, hours = real.by_hand(group["arrivals"])
        total += vms
        sem = math.sqrt(sum(group["arrivals"]["hourly"]) * square / replications)  # compound Poisson
        assert abs(day.estimate("vms.created", group["name"]).mean - vms) <= Z * sem
        # The hours vary with the number of VMs; 2.5 times its mean bounds the sd of a lifetime cut at midnight.
        sem_h = hours / vms * math.hypot(sem, 2.5 * math.sqrt(vms / replications))
        assert abs(day.estimate("hours.running", group["name"]).mean - hours) <= Z * sem_h
        assert abs(1.6 * hours - day.estimate("hours.running", group["name"]).mean) > Z * sem_h, "longer lifetimes"
    assert total == pytest.approx(real.DAY_CREATED, rel=1e-3)  # 17 VMs of 16 vCPUs, and rounded rates
    assert sum(real.DAY_BY_HOUR) == pytest.approx(real.DAY_HOURS, abs=12)
    assert refused[350] > refused[450] >= refused[550] == 0.0
    assert figures(tmp_path / "day") == {"vms_by_hour", "refused"}
    assert "real day" in capsys.readouterr().out


def test_the_share_of_slow_boots_is_that_of_the_lognormal() -> None:
    """The script counts boots of more than 50 and 110 s; the tolerance above would hide a sign error there."""
    storm = script("morning_start_storm")
    for seconds, share in ((50, storm.BOOT_60S), (110, storm.BOOT_120S)):
        assert share == pytest.approx(1 - NormalDist().cdf(math.log(seconds / 25) / 0.5), rel=1e-9)
