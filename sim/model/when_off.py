"""What is done with a VM while demand for it is off: the names of `when_off`, each with its operation and its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sim.fields.defaults import default_value

WhenOff = Literal["deallocate", "stop", "guest-shutdown", "hibernate", "delete", "keep"]

DEFAULT_WHEN_OFF: WhenOff = default_value("group.when_off")


@dataclass(frozen=True, slots=True)
class WhenOffFacts:
    """The operation that is requested (None: none), and how the VM is then described."""

    operation: str | None
    words: str


WHEN_OFF: Mapping[WhenOff, WhenOffFacts] = MappingProxyType(
    {
        "deallocate": WhenOffFacts("deallocate", "deallocated"),
        "stop": WhenOffFacts("power_off", "powered off (its host is kept)"),
        "guest-shutdown": WhenOffFacts("guest_shutdown", "shut down from inside the guest (its host is kept)"),
        "hibernate": WhenOffFacts("hibernate", "hibernated"),
        "delete": WhenOffFacts("delete", "deleted (and created again when it is needed)"),
        "keep": WhenOffFacts(None, "left running"),
    }
)
