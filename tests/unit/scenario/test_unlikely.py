"""What is allowed and unlikely to be meant has a sentence in `validate`; a scenario that means what it says has none."""

from __future__ import annotations

import pytest

import sim

BASE = 'name = "x"\nhorizon = "28d"\nreplications = 2\n'
GROUP = '[[group]]\nname = "g"\nsize = "Standard_D4s_v5"\ncount = 4\n'
WINDOW = '[group.schedule]\ndays = "Mon-Fri"\non = 08:00:00\noff = 09:00:00\ntime_zone = "Europe/Amsterdam"\n'
HOSTS = '[platform]\n[[platform.hosts]]\nname = "r"\ncount = 2\nvcpus = 64\nmemory_gib = 1000\n'


def scaled(load: float, most: int, pause: str) -> str:
    """An autoscaled group under a constant load."""
    hours = ", ".join([f"{load}"] * 24)
    out, back = f'{{ above = 0.7, by = 1, cooldown = "{pause}" }}', "{ below = 0.3, by = 1 }"
    head = f'[[group]]\nname = "g"\n[group.autoscale]\nload = {{ hourly = [{hours}] }}\nper_vm = 100.0\nmin = 2\n'
    return f"{head}max = {most}\nscale_out = {out}\nscale_in = {back}\n"


def bought(rest: str) -> str:
    """A commitment beside the group."""
    return BASE + GROUP + f'[[commitment]]\nname = "r"\n{rest}'


RESERVED = 'kind = "reservation"\nterm = "1y"\nsize = "{}"\nquantity = {}\n'


def warnings(tmp_path, text: str) -> list[str]:
    """The warnings of `validate`."""
    (tmp_path / "x.toml").write_text(text)
    return [line.strip() for line in sim.load(tmp_path / "x.toml").describe() if line.strip().startswith("Warning: ")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BASE + 'warm_up = "27d23h"\n' + GROUP, "only 1h is counted"),
        (BASE.replace("replications = 2", "replications = 1") + GROUP, "one replication gives no interval"),
        (BASE.replace("28d", "1s") + GROUP, "no VM is ever ready"),
        (BASE + GROUP + 'create_over = "60d"\n', "some of its VMs are never created"),
        (BASE + GROUP + WINDOW + '[group.durations]\nallocating = "10s"\nstarting = "2h"\n', "needed for 1h at a time, and a start takes 2h 10s"),
        (BASE + GROUP + '[group.cycle]\non = "2s"\noff = "1h"\n', "its VMs are hardly ever ready"),
        (BASE + GROUP + WINDOW.replace("on =", 'jitter = "5h"\non ='), "jitter is longer than the windows"),
        (BASE.replace("28d", "2d") + "start = 2026-01-05T00:00:00Z\n" + GROUP + WINDOW.replace("Mon-Fri", "Sat"), "never needed"),
        (BASE + GROUP + "[group.failures]\nInternalOperationError = 0.99\n", "most attempts fail"),
        (BASE + GROUP + '[group.failures]\nVMStartTimedOut = 0.1\nreaction = "900d"\n', "a failed VM stays failed"),
        (BASE + GROUP + '[group.failures]\nos_provisioning_timeout = "1s"\n', "most creates fail"),
        (BASE + GROUP + '[group.retry]\nbackoff = "30d"\nmax_backoff = "30d"\n', "nothing is tried a second time"),
        (BASE + GROUP + '[group.guest_crash]\ntime_between = "1s"\ndetection = "5min"\n', "down most of the time"),
        (BASE + GROUP + HOSTS + '[platform.host_failures]\ntime_between = "1h"\nrepair = "100d"\n', "most hosts are down"),
        (BASE + GROUP + "[platform.quota]\nregional_vcpus = 9\n", "admits not all of the 16 vCPUs"),
        (bought(RESERVED.format("Standard_E4s_v5", 4)), "can use it"),
        (bought(RESERVED.format("Standard_D4s_v5", 4)).replace("count = 4", 'count = 4\npriority = "spot"'), "no regular group"),
        (bought(RESERVED.format("Standard_D4s_v5", 400)), "400 units, and the groups that can use it have 4 at most"),
        (bought(RESERVED.format("Standard_D2s_v5", 9)), "9 units, and the groups that can use it have 8 at most"),
        (bought(RESERVED.format("Standard_D4s_v5", 0)), "buys nothing"),
        (bought('kind = "savings-plan"\nterm = "1y"\nhourly = 500.0\n'), "all regular VMs together cost 0.92"),
        (bought('kind = "capacity-reservation"\nsize = "Standard_D4s_v5"\nquantity = 400\n'), "have 4 at most"),
        (BASE + GROUP + '[prices.override."Standard_D4s_v5"]\nlinux = 0.0\n', "it costs nothing"),
        (BASE + GROUP + '[prices.override."Standard_E4s_v5"]\nlinux = 0.1\n', "has no effect"),
        (BASE + GROUP + "[prices.override_disks]\nP40 = 1.0\n", "no group has such a disk"),
        (BASE + scaled(9000, 5, "5min"), "max = 5 VMs serve 500"),
        (BASE + scaled(900, 50, "30d"), "that rule acts once"),
    ],
)  # fmt: skip
def test_it_has_a_sentence(tmp_path, text: str, sentence: str):
    """One that says what follows; the file is simulated all the same."""
    found = warnings(tmp_path, text)
    assert len([line for line in found if sentence in line]) == 1, found


@pytest.mark.parametrize(
    "text",
    [
        BASE + GROUP,
        BASE + 'warm_up = "7d"\n' + GROUP + WINDOW.replace("09:00:00", "19:00:00").replace("on =", 'jitter = "20min"\non ='),
        BASE + GROUP + '[group.failures]\nOSProvisioningTimedOut = 0.01\n[group.cycle]\non = "8h"\noff = "16h"\n',
        BASE + GROUP + HOSTS + '[platform.host_failures]\ntime_between = "1000h"\nrepair = "1h"\n[platform.quota]\nregional_vcpus = 16\n',
        bought(RESERVED.format("Standard_D4s_v5", 4)),
        bought(RESERVED.format("Standard_D2s_v5", 8)),
        bought('kind = "savings-plan"\nterm = "1y"\nhourly = 0.9\n'),
        BASE + GROUP + '[prices.override."Standard_D4s_v5"]\nlinux = 0.2\n',
        BASE + scaled(450, 5, "5min"),
    ],
)  # fmt: skip
def test_what_is_meant_has_none(tmp_path, text: str):
    """A warning that stands under every scenario is read by no one."""
    assert warnings(tmp_path, text) == []


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (1.0, ["9 of the 10 VMs of its trace are simulated; 1 is requested after the horizon"]),
        (0.5, []),
        (1000.0, ["1 of the 10 VMs of its trace are simulated", "look like milliseconds"]),
        (1 / 3600, ["look like minutes, hours or days"]),
    ],
)
def test_a_trace_says_what_of_it_is_simulated_and_whether_its_times_are_hardly_seconds(
    tmp_path, times: float, says: list[str]
):
    """Ten VMs, one every three hours, each for two hours; a day and an hour is simulated, from the first on."""
    rows = [f"{times * 10800 * (k + 1)},{times * (10800 * (k + 1) + 7200)},Standard_D2s_v5" for k in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["created,deleted,size", *rows]) + "\n")
    trace = '[[group]]\nname = "g"\n[group.trace]\nfile = "t.csv"\nformat = "columns"\n'
    found = [words for words in warnings(tmp_path, BASE.replace("28d", "25h") + trace) if "trace" in words]
    assert len(found) == len(says)
    for words, expected in zip(found, says, strict=True):
        assert expected in words


def test_a_threshold_in_per_cent_is_read_and_one_above_all_is_refused(tmp_path):
    """`above = 70` never scales out: a mistake, with what would be right."""
    (tmp_path / "x.toml").write_text(BASE + scaled(150.0, 9, "5min").replace("above = 0.7", "above = 70"))
    with pytest.raises(sim.ScenarioError, match=r"scale_out\.above: 70: out of range.*write 0\.7 for 70 %"):
        sim.load(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text(BASE + scaled(150.0, 9, "5min").replace("above = 0.7", 'above = "70 %"'))
    section = sim.load(tmp_path / "x.toml").groups[0].demand_section
    assert section is not None
    assert section.to_demand().scale_out[0].threshold == 0.7  # type: ignore[attr-defined]
