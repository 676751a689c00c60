"""Operations that fail with a code of the platform, and what happens then: `[group.failures]`.

Which codes may be given a probability stands in the rows of `sim.lifecycle.failures`.
"""

from collections.abc import Mapping

from sim.distributions.specs import Varying, varying_words
from sim.fields.defaults import Sourced, Trust
from sim.fields.types import PositiveSeconds, Section, Share, add_field, default_field
from sim.lifecycle.failures import FAILURES
from sim.units import format_duration


class Failures(Section):
    """Probability per attempt by the code the platform reports, and what happens then."""

    os_provisioning_timeout: PositiveSeconds = default_field(
        "group.failures.os_provisioning_timeout", "When OS provisioning is given up."
    )
    extensions_timeout: PositiveSeconds = default_field(
        "group.failures.extensions_timeout", "When extensions are given up."
    )
    reaction: Varying = default_field("group.failures.reaction", "Until a failed VM is deleted and created again.")

    def probability(self, code: str) -> float:
        """Of a code's failure, per attempt."""
        chance: float = getattr(self, code)
        return chance

    @property
    def probabilities(self) -> Mapping[str, float]:
        """By code, those above 0."""
        return {code: chance for code in FAILURE_CODES if (chance := self.probability(code)) > 0}

    def describe(self) -> list[str]:
        """What fails how often, and how long is waited."""
        if not self.probabilities:
            return ["No failures."]
        chances = ", ".join(f"{code} {chance:g}" for code, chance in self.probabilities.items())
        return [
            f"Fails with probability per attempt: {chances}; a failed VM is replaced after {varying_words(self.reaction)}.",
            (
                f"Given up after {format_duration(self.os_provisioning_timeout)} of OS provisioning, "
                f"{format_duration(self.extensions_timeout)} of extensions."
            ),
        ]

    def warn(self) -> list[str]:
        """Failures that leave no VM at all."""
        always = [code for code, chance in self.probabilities.items() if chance >= 1]
        return [f"{always[0]} = 1: no create ever succeeds, so no VM is ever ready."] if always else []


FAILURE_CODES = tuple(code for code, facts in FAILURES.items() if facts.chance)
"""Codes that a scenario gives a probability."""

for _code in FAILURE_CODES:
    _row = Sourced(
        value=0.0,
        unit="probability per attempt",
        source="no failure rates are published: none happen unless the scenario says so",
        trust=Trust.CONVENTION,
    )
    _field = default_field(f"group.failures.{_code}", FAILURES[_code].chance, row=_row)
    add_field(Failures, _code, Share, _field, before="os_provisioning_timeout")
