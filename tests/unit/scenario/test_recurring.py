"""What comes again and again by itself: refused where it would come more often in a run than anyone can mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.scenario.scenario import load

HEAD = """name = "n"
horizon = "3650d"
[[group]]
name = "g"
size = "Standard_D4s_v5"
"""
HOSTS = '[[platform.hosts]]\nname = "r"\ncount = 300\nvcpus = 96\nmemory_gib = 768\nzone = 1\nracks = 30\n'
SHORT = '[[platform.shortage]]\nname = "s"\nrefuses = 0.5\n'
SCALED = (
    "[group.autoscale]\nload = { hourly = [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] }\nper_vm = 100.0\nmin = 2\nmax = 50\n"
    'scale_out = { above = 0.70, by = 2, cooldown = "5min" }\n'
)
SPOT = 'priority = "spot"\n[group.spot]\nrestart_after = "10min"\navailability = { file = "runs.csv" }\n'
RUNS = "from_s,to_s,value\n0,{0},1\n{0},{1},0\n"
TOO_OFTEN = [
    # Ten years are 315,360,000 s: of what is known before a replication begins a million at most, of events ten million.
    (f'{SHORT}time_between = "1s"\nlasts = "1s"\n', 9, "shortage.s.time_between: 2s together: about 160,000,000 times in 3650d", "5min 16s"),
    (f'{HOSTS}[platform.host_failures]\ntime_between = "1h"\nrepair = "10s"\n', 14, "host_failures.time_between: 1h 10s together: about 26,000,000", "2h 37min 41s"),
    (f'{HOSTS}[platform.rack_failures]\ntime_between = "8min"\nrepair = "10s"\n', 14, "rack_failures.time_between: 8min 10s together: about 19,000,000", "15min 47s"),
    (f'{HOSTS}[platform.zone_failures]\ntime_between = "5s"\nrepair = "10s"\n', 14, "zone_failures.time_between: 15s together: about 21,000,000", "32s"),
    (f'{HOSTS}[platform.maintenance]\nevery = "2min"\nbetween_domains = "1s"\nimpact = "freeze"\nupdate_domains = 5\n', 14, "maintenance.every: 2min: about 13,000,000", "2min 38s"),
    ('[group.guest_crash]\ntime_between = "10s"\n', 7, "guest_crash.time_between: 10s: about 32,000,000", "32s"),
    ('[group.cycle]\non = "10s"\noff = "20s"\n', 7, "cycle.on: 30s together: about 11,000,000", "32s"),
    (f'{SCALED}tick = "30s"\n', 12, "autoscale.tick: 30s: about 11,000,000", "32s"),
    (SPOT, 9, "spot.availability: 5min: about 1,100,000", "5min 16s"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "says", "least"), TOO_OFTEN)
def test_what_comes_too_often_is_refused_with_the_least_time_that_is_not(
    tmp_path: Path, text: str, line: int, says: str, least: str
) -> None:
    """With file, line, field, value and what would be right; and that is accepted."""
    (tmp_path / "runs.csv").write_text(RUNS.format(200, 300), encoding="utf-8")
    file = tmp_path / "often.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load(file)
    assert f"often.toml:{line}: " in str(refused.value)
    assert says in str(refused.value)
    assert f"{least} or longer" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        f'{SHORT}time_between = "5min"\nlasts = "16s"\n',
        f'{HOSTS}[platform.host_failures]\ntime_between = "2h"\nrepair = "37min 41s"\n',
        f'{SCALED}tick = "1min"\n',
        SPOT,
    ],
)
def test_what_comes_as_often_as_may_be_is_accepted(tmp_path: Path, text: str) -> None:
    """The times that the messages name, and a tick a minute for ten years."""
    (tmp_path / "runs.csv").write_text(RUNS.format(200, 316), encoding="utf-8")
    file = tmp_path / "often.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    assert load(file).horizon_s == 3650 * 86400
