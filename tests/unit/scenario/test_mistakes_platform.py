"""Mistakes in a scenario file. The platform, its hosts and faults; zones and availability sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import HOST, Bad, bad, check_mistake, faulty, group_key, hosts, platform

MISTAKES: dict[str, Bad] = {
    "a zone that no region has": bad(
        *group_key("zones = [1, 4]"), "group.dev.zones[2]", "4", "1 or more and at most 3"
    ),
    "a zone given twice": bad(*group_key("zones = [1, 1]"), "group.dev.zones", "given twice"),
    "a zone without brackets": bad(*group_key("zones = 1"), "group.dev.zones", "write [1]"),
    "zones and an availability set": bad(
        *group_key('zones = [1]\navailability_set = "web"'), "group.dev.availability_set", "contradict each other"
    ),
    "spot VMs in an availability set": bad(
        *group_key('priority = "spot"\navailability_set = "web"'),
        "group.dev.availability_set",
        "spot VMs cannot be in an availability set",
    ),
    "an availability set that hibernates": bad(
        'seed = 1\nreplications = 20\n[prices]\nregion = "westeurope"\n[[group]]\n',
        'billing_policy = "2023-10"\n[[group]]\nwhen_off = "hibernate"\navailability_set = "web" #!\n',
        "group.dev.availability_set",
        "cannot hibernate",
    ),
    "an unknown placement": bad(
        *platform('placement = "bestfit" #!'), "platform.placement", 'did you mean "best-fit"?', '"balanced"'
    ),
    "no hosts in a cluster": bad(
        *hosts("count = 0"), "platform.hosts.rack-a.count", "0", "1 or more"
    ),
    "a host of half a vCPU": bad(*hosts("vcpus = 0.5"), "platform.hosts.rack-a.vcpus", "0.5", "whole number"),
    "a host without memory": bad(*hosts("memory_gib = 0"), "platform.hosts.rack-a.memory_gib", "more than 0"),
    "a host in a zone that no region has": bad(*hosts("zone = 7"), "platform.hosts.rack-a.zone", "7", "at most 3"),
    "an unknown key of hosts": bad(*hosts("memory = 768"), "platform.hosts.rack-a.memory", 'did you mean "memory_gib"?'),
    "one bracket for hosts": bad(
        *platform("[platform.hosts] #!\ncount = 1"), "platform.hosts", "write [[platform.hosts]] with two brackets"
    ),
    "two clusters of one name": bad(
        *hosts('name = "rack-a"', more=True), "platform.hosts.rack-a.name", "[[platform.hosts]] number 1 has this name already"
    ),
    "a size that fits on no host": bad(
        'size = "Standard_D4s_v5"\ncount = 200', 'size = "Standard_D96s_v5" #!\ncount = 200', "group.dev.size",
        "Standard_D96s_v5 (96 vCPU, 384 GiB) fits on no host", "rack-a with 64 vCPU and 512 GiB",
    ).with_tail(HOST),
    "zones without hosts": bad(
        *group_key("zones = [2, 3]"), "group.dev.zones", "no host in these zones", "there are hosts in zone 1"
    ).with_tail(HOST),
    "hosts for another group only": bad(
        'name = "dev"', 'name = "dev" #!', "group.dev.name", "all hosts are dedicated to other groups",
    ).with_tail(HOST + 'only_groups = ["other"]\n[[group]]\nname = "other"\n'),
    "hosts for a group that is not there": bad(
        *hosts('only_groups = ["dve"]'), "platform.hosts.rack-a.only_groups[1]", "no such group", 'did you mean "dev"?'
    ).with_tail(HOST.replace("rack-a", "rack-b").replace("[platform]\n", "")),
    "a price of hosts that all groups share": bad(
        *hosts("hourly = 2.0"), "platform.hosts.rack-a.hourly", "for no group alone", "only_groups"
    ),
    "a price of hosts for spot VMs": bad(
        *hosts('only_groups = ["jobs"]'), "platform.hosts.rack-a.only_groups[1]", "spot VMs cannot use a dedicated host"
    ).with_tail(
        'hourly = 2.0\n[[group]]\nname = "jobs"\npriority = "spot"\n' + HOST.replace("rack-a", "b").replace("[platform]\n", "")
    ),
    "two prices of one host": bad(
        *hosts("hourly = 2.0"), "platform.hosts.rack-a.hourly", 'commitment "own" has a price for its groups', "once"
    ).with_tail(
        'only_groups = ["dev"]\n[[commitment]]\nname = "own"\nkind = "dedicated-host"\nquantity = 1\nhourly = 4.0\n'
        'vcpus = 64\ngroups = ["dev"]\n'
    ),
    "a priced host with the name of a commitment": bad(
        *hosts("hourly = 2.0"), "platform.hosts.rack-a.hourly", 'commitment "rack-a" has its name', "rename it"
    ).with_tail(
        'only_groups = ["dev"]\n[[commitment]]\nname = "rack-a"\nkind = "savings-plan"\nhourly = 4.0\nterm = "1y"\n'
    ),
    "an unknown quota family": bad(
        *platform("[platform.quota]\nfamilies = { standardDSv55Family = 800 } #!"),
        "platform.quota.families.standardDSv55Family",
        "no such quota family",
        'did you mean "standardDSv5Family"?',
    ),
    "a quota family given twice": bad(
        *platform("[platform.quota]\nfamilies.standardDSv5Family = 800\nfamilies.STANDARDDSV5FAMILY = 80 #!"),
        "platform.quota.families.STANDARDDSV5FAMILY",
        "the same family as standardDSv5Family",
    ),
    "a negative quota": bad(
        *platform("[platform.quota]\nregional_vcpus = -1 #!"), "platform.quota.regional_vcpus", "-1", "0 or more"
    ),
    "a negative quota of a family": bad(
        *platform("[platform.quota]\nfamilies = { standardDSv5Family = -8 } #!"),
        "platform.quota.families.standardDSv5Family",
        "-8",
        "0 or more",
    ),
    "failures of hosts that are not there": bad(
        *platform('[platform.host_failures] #!\ntime_between = "1000h"'), "platform.host_failures", "no hosts that it could affect"
    ),
    "maintenance of hosts that are not there": bad(
        *platform('[platform.maintenance] #!\nevery = "30d"\nimpact = "reboot"'), "platform.maintenance", "no hosts"
    ),
    "zones that fail where no host is in one": bad(
        *platform('[platform.zone_failures] #!\ntime_between = "1000h"\n' + HOST.replace("[platform]\n", "").replace("zone = 1\n", "")),
        "platform.zone_failures",
        "no host is in a zone",
    ),
    "a host that fails all the time": bad(
        *faulty('[platform.host_failures]\nrepair = "0s"\ntime_between = "0s" #!'),
        "platform.host_failures.time_between",
        "without time passing",
    ),
    "two ways to be healed": bad(
        *faulty(
            '[platform.host_failures]\ntime_between = "9d"\nhealing = "5min"\n[platform.rack_failures]\ntime_between = "9d"\nhealing = "6min" #!'
        ),
        "platform.rack_failures.healing",
        "not the healing of host_failures",
    ),
    "an unknown impact": bad(
        *faulty('[platform.maintenance]\nevery = "30d"\nimpact = "restart" #!'), "platform.maintenance.impact", '"reboot"'
    ),
    "rounds of maintenance that overlap": bad(
        *faulty('[platform.maintenance]\nimpact = "freeze"\nevery = "2h" #!'),
        "platform.maintenance.every",
        "2h: a round takes 2h",
    ),
    "a throttle that lets nothing through": bad(
        *platform("[platform.throttle]\nburst = 0 #!"), "platform.throttle.burst", "0", "1 or more"
    ),
    "a shortage of what no group is as a whole": bad(
        *platform('[[platform.shortage]]\nname = "s" #!\nrefuses = 0.5\ntime_between = "9d"\nlasts = "1h"\nregions = ["westeurope"]\nzones = [1]'),
        "platform.shortage.s.name", '"s": it concerns no group', "joined by and", "of one group at least",
    ).with_tail('[[group]]\nname = "north"\nsize = "Standard_D4s_v5"\ncount = 1\nregion = "northeurope"\nzones = [1]\n'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
