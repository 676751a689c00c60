"""Who is who: resource ids without regard to case, and VMs that a file names without one."""

import re
from typing import NamedTuple

VM = "microsoft.compute/virtualmachines"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
DISK = "microsoft.compute/disks"
ADDRESS = "microsoft.network/publicipaddresses"

_ID = re.compile(r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/([^/]+/[^/]+)/([^/]+)(?:/([^/]+)/([^/]+))?")


class Key(NamedTuple):
    """A resource, in small letters. *subscription* and *resource_group* are empty where a file doesn't say them."""

    subscription: str
    resource_group: str
    kind: str
    name: str


def parse_id(text: str) -> Key | None:
    """The resource that an id names; a VM of a scale set is a VM named `<set>_<number>`.

    >>> parse_id("/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm1")
    Key(subscription='s', resource_group='rg', kind='microsoft.compute/virtualmachines', name='vm1')
    """
    found = _ID.search(text.lower())
    if not found:
        return None
    kind, name = found[3], found[4]
    if kind == SCALE_SET and found[5] == "virtualmachines":
        kind, name = VM, f"{name}_{found[6]}"
    return Key(found[1], found[2], kind, name)


class Directory:
    """Finds the VM that is meant where subscription or resource group is missing or written by its name."""

    def __init__(self) -> None:
        self._known: dict[Key, None] = {}
        self._by_place: dict[tuple[str, str], list[Key]] = {}
        self._by_name: dict[str, list[Key]] = {}

    def key(self, key: Key) -> Key:
        """The VM known already that *key* means, else *key*, which is known from now on."""
        if key in self._known:
            return key
        guid = len(key.subscription) == 36 and key.subscription.count("-") == 4
        if not guid or not key.resource_group:
            same = (
                self._by_place.get((key.resource_group, key.name), [])
                if key.resource_group
                else self._by_name.get(key.name, [])
            )
            if len(same) == 1:
                return same[0]
        self._known[key] = None
        self._by_place.setdefault((key.resource_group, key.name), []).append(key)
        self._by_name.setdefault(key.name, []).append(key)
        return key


def family(name: str) -> str:
    """A VM's name without the number or the random letters at its end.

    >>> family("vmss-web_73c6fd58"), family("web-01")
    ('vmss-web', 'web')
    """
    return re.sub(r"[_-]?(?:[0-9a-f]{6,}|\d+)$", "", name.lower()) or name.lower()
