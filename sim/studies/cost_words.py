"""What a comparison says of money: before, after, saved and why, per month of 730 hours, the best saving first.

Practical before statistical significance: what is smaller than `PRACTICAL` is no difference in practice, however certain it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.billing.causes import CAUSES
from sim.fields.metrics import Form, Forms, Unit, find_metric
from sim.fields.numbers import Scale, between, length, money_decimals, percent, plain, rounded, signed
from sim.fields.rounding import rounded_parts
from sim.runs.answer_words import few_words
from sim.runs.summary_csv import Sheet, shown
from sim.scenario.month import month_in, said_of

PRACTICAL: Mapping[Unit, float] = {
    Unit.MONEY: 0.001,  # of the base's cost
    Unit.VM_HOURS: 0.001,  # of the base's billed hours
    Unit.SHARE: 0.0025,  # a quarter of a point: an ordinary boot on a working day costs less
    Unit.SECONDS: 120.0,
}
"""By unit the least difference that matters in practice; of other units a thousandth of the base's figure."""
NOT_PRACTICAL = "no practical difference"
SERVED: Mapping[str, str] = {
    "availability": "VMs are ready {} points {} often",
    "deadline.met_share": "{} points {} of the work is done in time",
    "load.served_share": "{} points {} of the load is served",
}
"""What a fleet is for, as shares: a variant that saves money by them says so."""
BOOTS = "boots"
"""What CAUSES calls boots and failures, in fleets without any failure."""
FAILURES = ("failures.", "evictions", "host_failures", "guest_crashes", "allocation.failures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What one variant does to the cost, for a period."""

    variant: str
    before: float
    after: float
    low: float | None  # of after minus before
    high: float | None
    verdict: str
    matters: bool  # in practice
    served: Mapping[str, float]  # by metric of SERVED, so much more of it; where that is decided and matters
    causes: Mapping[str, float]  # by label, in the order in which they take effect
    lengths: str = ""  # of the two periods, where they differ

    @property
    def change(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """Of the base's cost."""
        return self.change / self.before if self.before else None

    def share_words(self, decimals: int) -> str:
        """The same as a percentage without a sign; an increase of 100 % is not all there is, so it needs no "> 99 %"."""
        if self.relative is None:
            return ""
        share = abs(self.relative)
        return percent(round(share, 2 + decimals) if self.change > 0 and share > 0.5 else share, decimals)

    @property
    def decimals(self) -> int:
        """Of amounts, as far as the interval supports them; negative: tens, hundreds ..."""
        half = None if self.low is None or self.high is None else (self.high - self.low) / 2
        found = money_decimals(max(abs(self.before), abs(self.after)), half)
        return found if abs(self.change) < 100 else min(found, 0)

    def rounded_causes(self, scale: Scale) -> Mapping[str, float]:
        """What each cause changes, rounded so that the table adds up."""
        if not self.causes:
            return {}
        change = scale.rounded(self.after) - scale.rounded(self.before)
        return dict(zip(self.causes, rounded_parts(scale, [*self.causes.values()], change), strict=True))

    def money(self, amount: float) -> str:
        """An amount, rounded to what is known of the saving."""
        return rounded(amount, self.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAnswer:
    """The variants of a comparison, the best saving first."""

    base: str
    currency: str
    confidence: float
    period: str  # "a month", else the time that was simulated, or "" where that differs
    savings: Sequence[Saving]
    trusted: Mapping[str, float]  # share of the cost at trusted prices, by name, the base's too
    replications: int = 0
    month: str = ""  # what a reader must know of a cost a month

    def sentences(self) -> list[str]:
        """A sentence a variant, and one on prices that are estimates."""
        found = [self._sentence(each) for each in self.savings]
        found += filter(None, (self.month, few_words(self.replications))) if found else ()
        doubtful = {name: 1 - share for name, share in self.trusted.items() if share < 1}
        if doubtful:
            worst = max(doubtful, key=lambda name: doubtful[name])
            found.append(f"{percent(doubtful[worst])} of the cost of {worst} rests on estimated prices or stand-ins.")
        return found

    def _sentence(self, of: Saving) -> str:
        name, unit = of.variant, f"{self.currency} {self.period}".rstrip()
        if not of.change and not of.low and not of.high:
            return f"{name} costs the same as {self.base}{self._served(of)}."
        how = f"{of.money(of.after)} instead of {of.money(of.before)}"
        if of.verdict == "undecided":
            bounds = self._bounds(of)
            apart = f" (difference: {bounds})" if bounds else ""
            return f"Whether {name} saves money is undecided: it costs {how} {unit}{apart}{self._served(of)}."
        if not of.matters:
            return f"{name} costs practically the same as {self.base}: {how} {unit}{self._served(of)}."
        share = of.share_words(0 if of.relative and abs(of.relative) >= 0.1 else 1)
        certain = "; ".join(each for each in (share, self._bounds(of)) if each)
        amount, certain = f"{of.money(abs(of.change))} {unit}", f" ({certain})" if certain else ""
        if of.change < 0:
            return f"{name} saves {amount}{certain}: {how}{self._served(of)}."
        less = of.change / of.after
        back = f" That is, {self.base} costs {percent(less, 0 if less >= 0.1 else 1)} less than {name}."
        return f"{name} costs {amount} more than {self.base}{certain}: {how}{self._served(of)}.{back}"

    def _bounds(self, of: Saving) -> str:
        """The interval of the difference, where rounding leaves one."""
        if of.low is None or of.high is None or of.money(of.low) == of.money(of.high):
            return ""
        ends = [of.low, of.high] if of.change > 0 or of.low < 0 < of.high else [-of.high, -of.low]
        sign = signed if of.low < 0 < of.high else plain
        low, high = (sign(round(end, of.decimals), max(0, of.decimals)) for end in ends)
        return f"{percent(self.confidence, 0)} interval {low} to {high}"

    @staticmethod
    def _served(of: Saving) -> str:
        """What it does to the fleet's purpose."""
        said = (
            SERVED[name].format(plain(100 * abs(more), 2), "more" if more > 0 else "less")
            for name, more in of.served.items()
        )
        return "".join(f"; {each}" for each in (*said, of.lengths) if each)

    @property
    def scale(self) -> Scale:
        """How its amounts are written side by side."""
        return Scale(unit="", decimals=max((0, *(each.decimals for each in self.savings))))

    def table(self) -> tuple[str, Sequence[str], list[list[str]]]:
        """Title, columns and rows of a table that leads from the base's cost to each variant's, cause by cause."""
        columns = ["", *(each.variant for each in self.savings)]
        scale = self.scale
        rows = [[f"cost of {self.base}", *(scale.text(each.before) for each in self.savings)]]
        shown = [each.rounded_causes(scale) for each in self.savings]
        for label in (label for row in CAUSES.values() for label in (row.label, *[BOOTS] * (row.name == "failures"))):
            parts = [parts.get(label, 0.0) for parts in shown]
            if any(parts):
                rows.append([f"  {label}", *(signed(part, scale.decimals) if part else "" for part in parts)])
        rows.append(["cost of the variant", *(scale.text(each.after) for each in self.savings)])
        rows.append(["saved", *(scale.text(-each.change) for each in self.savings)])
        shares = (None if each.relative is None else -each.relative for each in self.savings)
        rows.append(["saved, of the cost", *("" if share is None else percent(share, 2) for share in shares)])
        if any(each.low is not None for each in self.savings):
            ends = ((None, None) if e.low is None or e.high is None else (-e.high, -e.low) for e in self.savings)
            label = f"saved, {percent(self.confidence, 0)} interval"
            rows.append([label, *(between(low, high, scale) for low, high in ends)])
        return f"Cost {self.period or 'of the simulated period'} ({self.currency}), and why it differs", columns, rows


def cost_answer(content: Mapping[str, Any]) -> CostAnswer:
    """From a `comparison.json`; per month unless the fleets were simulated for different times, or it is an older one."""
    hours = content.get("hours")
    month = month_in(content)
    own_hours = content.get("variant_hours", {})
    times, period = said_of(content, hours if all(own == hours for own in own_hours.values()) else None)
    base, names = content.get("base_metrics", {}), {} if _fails(content) else {"failures": BOOTS}
    savings, trusted = [], {content["base"]: base.get("cost.trusted_share", {}).get("mean")}
    for variant, by_metric in content["differences"].items():
        cost = by_metric.get("cost.total") or {}
        if cost.get("mean") is None:
            continue
        before = base.get("cost.total", {}).get("mean")
        if before is None:  # an older folder
            before = abs(cost["mean"] / cost["relative"]) if cost.get("relative") else 0.0
        share = by_metric.get("cost.trusted_share", {}).get("mean")
        if share is not None and trusted[content["base"]] is not None:
            trusted[variant] = trusted[content["base"]] + share
        low, high = (None if cost.get(end) is None else cost[end] * times for end in ("low", "high"))
        savings.append(
            Saving(
                variant=variant, before=before * times, after=(before + cost["mean"]) * times, low=low, high=high,
                verdict=str(cost.get("verdict", "")), matters=matters("cost.total", cost, base),
                lengths=_lengths(own_hours.get(variant), hours),
                served={name: by_metric[name]["mean"] for name in SERVED if _decided(name, by_metric, base)},
                causes={
                    names.get(row.get("cause"), row["label"]): row["mean"] * times
                    for row in content.get("causes", {}).get(variant, ())
                },
            )
        )  # fmt: skip
    return CostAnswer(
        base=content["base"], currency=content.get("currency", "USD"), confidence=content.get("confidence", 0.95),
        period=period, month=month.words, replications=content.get("replications", 0), savings=sorted(savings, key=lambda each: each.change),
        trusted={name: share for name, share in trusted.items() if share is not None},
    )  # fmt: skip


def _fails(content: Mapping[str, Any]) -> bool:
    """Whether anything fails, is evicted or is refused in the base or in a variant."""
    means = (entry.get("mean") for by in (content.get("base_metrics", {}), *content["differences"].values())
             for name, entry in by.items() if name.startswith(FAILURES))  # fmt: skip
    return any(means)


def _lengths(own: float | None, base: float | None) -> str:
    """That a variant's cost is of another time than the base's; "" where it isn't."""
    return f"but that is of {length(own)} instead of {length(base)}" if own and base and own != base else ""


def _decided(metric: str, differences: Mapping[str, Any], base: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a variant is known to differ in a metric, and by so much that it matters."""
    found = differences.get(metric) or {}
    return found.get("verdict") != "undecided" and matters(metric, found, base)


def matters(metric: str, difference: Mapping[str, Any], base: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a difference of `comparison.json` matters in practice, given the base's metrics."""
    mean, row = difference.get("mean"), find_metric(metric)
    if mean is None:
        return False
    unit = row.unit if row else Unit.COUNT
    whole = {Unit.MONEY: "cost.total", Unit.VM_HOURS: "billed_hours"}.get(unit, metric)
    of = 1.0 if unit in (Unit.SHARE, Unit.SECONDS) else abs(base.get(whole, {}).get("mean") or 0.0)
    return bool(abs(mean) >= PRACTICAL.get(unit, 0.001) * of and mean)


def verdict_words(metric: str, difference: Mapping[str, Any], base: Mapping[str, Mapping[str, Any]]) -> str:
    """The verdict as people read it: what is certain and too small to matter is called so."""
    verdict = str(difference.get("verdict", ""))
    is_certain = verdict in ("better", "worse", "higher", "lower")
    return NOT_PRACTICAL if is_certain and not matters(metric, difference, base) else verdict


def comparison_sheet(content: Mapping[str, Any]) -> Sheet:
    """`summary.csv` of a comparison: of each variant the cost and why it differs, then every metric that differs."""
    answer, base = cost_answer(content), content["base_metrics"]
    level = f"{percent(answer.confidence, 0)}".replace("\N{NO-BREAK SPACE}", " ")
    columns = (
        "variant", "figure", "unit", f"{answer.base} (base)", "variant's", "difference", f"low ({level})", f"high ({level})",
        "difference (%)", "verdict",
    )  # fmt: skip
    rows: list[list[object]] = []
    unit = f"{answer.currency} {answer.period}".rstrip()
    for each in answer.savings:
        cents = replace(answer.scale, decimals=max(2, answer.scale.decimals))
        before, after = cents.rounded(each.before), cents.rounded(each.after)
        cells = shown(Form(label="cost", scale=cents), before, after, after - before, each.low, each.high)
        share = None if each.relative is None else round(100 * each.relative, 2)
        by_metric = content["differences"][each.variant]
        rows.append(
            [each.variant, "cost", unit, *cells, share, verdict_words("cost.total", by_metric["cost.total"], base)]
        )
        parts = each.rounded_causes(cents)
        rows += [
            [each.variant, f"cost: {label}", unit, None, None, part, None, None, None, "cause"]
            for label, part in parts.items()
            if part
        ]
        forms = Forms(currency=answer.currency, means={name: found["mean"] for name, found in base.items()})
        for name, found in by_metric.items():
            if not found.get("mean") or name == "cost.per_month":  # the first row's
                continue
            start, low, high = base[name]["mean"], found["low"], found["high"]
            form = forms.of(name, start, found["mean"], low, high)
            relative = found.get("relative")
            cells = shown(form, start, None if start is None else start + found["mean"], found["mean"], low, high)
            more = None if relative is None else round(100 * relative, 2) + 0.0
            label = f"{form.label}, simulated period" if name == "cost.total" and answer.period else form.label
            unit_of = "%; difference: points" if form.times == 100.0 else form.unit
            rows.append([each.variant, label, unit_of, *cells, more, verdict_words(name, found, base)])
    return columns, rows
