"""A placement policy: VMs that end at about the same time share hosts, so that whole hosts become empty.

The idea is that of Ling et al., "LAVA: Lifetime-Aware VM Allocation with Learned Distributions and Adaptation to Mispredictions",
MLSys 2025 (arXiv 2412.09840): a VM comes to the host whose expected end it moves least. Here lifetimes are known, which is the best
case; `vm.mean_lifetime_s` instead of `vm.lifetime_s` is what a scheduler knows that learns nothing of single VMs.
"""

from collections.abc import Sequence

from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy, VmToPlace
from sim.model.plan import Platform


class LifetimeAware:
    """Remembers when each VM ends, and which VMs are on each host."""

    def __init__(self, _platform: Platform) -> None:
        self.ends_s: dict[int, dict[tuple[str, int], float]] = {}  # host -> VM -> when it ends

    def choose(self, vm: VmToPlace, hosts: Sequence[int]) -> int:
        """The host whose end moves least; of those the fullest, then the first."""
        end_s = vm.now_s + vm.lifetime_s

        def moved_s(host: int) -> tuple[float, int, int]:
            vms = self.ends_s.get(host, {})
            last_s = max(vms.values(), default=vm.now_s)  # an empty host would have ended by now
            return max(0.0, end_s - max(last_s, vm.now_s)), -len(vms), host

        return min(hosts, key=moved_s)

    def placed(self, vm: VmToPlace, host: int) -> None:
        """Its VMs and their ends."""
        self.ends_s.setdefault(host, {})[vm.group, vm.number] = vm.now_s + vm.lifetime_s

    def left(self, group: str, number: int, host: int) -> None:
        """One VM fewer."""
        del self.ends_s[host][group, number]


POLICIES.add(
    "lifetime-aware",
    PlacementPolicy(words="the host whose last VM ends nearest to its own end", search=FIRST, chooser=LifetimeAware),
)
