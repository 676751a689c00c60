"""`vmfleet size`, `sensitivity` and `recommend`: which value keeps a target, what moves the answer, what to commit to."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from sim.cli import options, terminal
from sim.cli.folders import run_study
from sim.fields.metrics import Forms, hosts_sentence, trust_sentence
from sim.fields.numbers import NO_NUMBER, asked_percent, estimate, general, how_many, length, percent

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy

Method = Literal["tornado", "morris", "sobol"]


@options.expanded(*options.STUDY)
def size(
    scenario: options.ScenarioFile,
    vary: Annotated[
        str, typer.Option("--vary", metavar="PATH=LOW..HIGH", help="The value to find, and where to look.")
    ],
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="METRIC<=LIMIT",
            help="The target: a mean (availability>=0.999), a quantile (p95(cost.total)<=50000) or a probability "
            "(P(cost.total>50000)<=0.05).",
        ),
    ],
    shared: options.Shared,
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="SHARE", help="Confidence of the answer.")
    ] = 0.95,
    largest: Annotated[bool, typer.Option("--largest", help="Find the largest value, not the smallest.")] = False,
) -> None:
    """The smallest (or largest) value that keeps a target."""
    from sim import load, size
    from sim.studies.constraints import parse_constraint
    from sim.studies.sizing import least_replications

    loaded = load(scenario, shared.overrides or ())
    if (reading := parse_constraint(keep).note) and not shared.quiet:
        terminal.note(reading)
    least, cap = least_replications(vary, keep, confidence, options.run_options(shared))
    if least and not shared.quiet:
        enough = "" if least <= cap else f"; with at most {cap:,} it can only be shown to be broken: give a larger -n"
        takes = (
            "no number of replications shows that it is kept"
            if least == math.inf
            else (f"a value needs at least {least:,.0f} replications to be shown to keep it")
        )
        terminal.note(f"{keep}: {takes}{enough}")
    run_study(
        "size",
        loaded.name,
        shared,
        lambda asked: size(loaded, vary, keep, largest=largest, confidence=confidence, options=asked),
        _print_evidence,
    )


@options.expanded(*(name for name in options.STUDY if name != "precision"))
def sensitivity(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=LOW..HIGH", help="A value and its range; repeat for each factor."),
    ],
    shared: options.Shared,
    method: Annotated[
        Method,
        typer.Option("--method", help="tornado: one at a time; morris: screens many; sobol: shares of variance."),
    ] = "tornado",
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="The metric to explain.")] = "cost.total",
    samples: Annotated[
        int | None, typer.Option("--samples", metavar="N", help="Trajectories (morris) or points (sobol).")
    ] = None,
) -> None:
    """Which assumptions move the answer most."""
    from sim import load, sensitivity

    loaded = load(scenario, shared.overrides or ())
    run_study(
        "sensitivity",
        loaded.name,
        shared,
        lambda asked: sensitivity(loaded, vary, method=method, metric=metric, samples=samples, options=asked),
        _print_factors,
    )


@options.expanded(*(name for name in options.STUDY if name != "precision"))
def recommend(
    scenario: options.ScenarioFile,
    shared: options.Shared,
    fall: Annotated[
        str, typer.Option("--fall", metavar="SHARE", help="Say what is saved, too, if demand falls by this.")
    ] = "20%",
) -> None:
    """How much of which commitment to buy: reservations, savings plans, and both together."""
    from sim import load, recommend

    share = options.share_of(fall, "--fall") or 0.0
    loaded = load(scenario, shared.overrides or ())
    run_study(
        "recommend", loaded.name, shared, lambda asked: recommend(loaded, fall=share, options=asked), _print_purchases
    )


def _print_evidence(summary: Mapping[str, Any]) -> None:
    """Each value that was tried, with its evidence, and the answer in a sentence."""
    from sim.studies.axes import value_words
    from sim.studies.constraints import parse_constraint

    constraint, trials = parse_constraint(summary["keep"]), summary["trials"]
    form = constraint.form(summary["currency"], trials)
    terminal.say(f"{summary['words']}.")
    cost = f"cost of {length(summary['hours'])}" if summary["hours"] else "mean cost"
    rows = []
    for trial in trials:
        between = terminal.interval(form, trial["low"], trial["high"])
        found = form.with_unit(trial["estimate"])
        rows.append(
            (
                value_words(summary["path"], trial["value"]),
                trial["answer"],
                found,
                between,
                str(trial["n"]),
                estimate(trial["mean_cost_usd"]),
            )
        )
    terminal.print_table(
        f"{summary['scenario']}: does {summary['path']} keep {summary['keep']}? Seed {summary['seed']}",
        (summary["path"], "answer", "estimate", "bounds", "replications", f"{cost} ({summary['currency']})"),
        rows,
        left=2,
    )
    if sentence := hosts_sentence(summary.get("unpriced_hosts", ())):
        terminal.say(sentence)
    if "trusted_share" in summary:
        terminal.say(trust_sentence(summary["trusted_share"]))


def _print_purchases(summary: Mapping[str, Any]) -> None:
    """What each way of buying saves, what it consists of, and what has no price."""
    from sim.studies.recommend import told_apart

    currency, level = summary["currency"], f"{100 * summary['confidence']:g} % interval"
    form = Forms(currency=currency).of(
        "cost.total", *(option["saving_per_month"]["mean"] for option in summary["options"])
    )
    fall = f"{asked_percent(summary['options'][0]['if_demand_falls']['by'])} less demand"
    terminal.say(f"{summary['words']}.")
    terminal.print_table(
        f"{summary['scenario']}: saved a month (730 h), {currency}; {how_many(summary['replications'], 'replication')}, seed {summary['seed']}",
        ("buy", "saves", level, "commits to", f"saves at {fall}", "less than the best then", "demand may fall by"),
        [
            (
                option["name"], form.text(option["saving_per_month"]["mean"]), terminal.interval(form, *(option["saving_per_month"][end] for end in ("low", "high"))),
                form.text(option["cost_per_month"]), form.text(option["if_demand_falls"]["saving_per_month"]["mean"]),
                form.text(option["if_demand_falls"]["regret_per_month"]["mean"]), percent(option["fall_to_break_even"]),
            )
            for option in summary["options"]
        ],
    )  # fmt: skip
    terminal.print_table(
        "What to buy",
        ("buy", "what", "amount", "or", "used", "pays if used", "covers", "saves at most"),
        [
            (
                option["name"], each["size"] or f"{currency} an hour", general(each["amount"]),
                "" if each["low"] == each["high"] else f"{each['low']:g} … {each['high']:g}",
                *(percent(each[key]) for key in ("utilisation", "break_even", "coverage")),
                form.text(each["newsvendor"]["saving_per_month"]) if each["newsvendor"] else NO_NUMBER,
            )
            for option in told_apart(summary["options"])
            for each in option["bought"]
        ],
        left=2,
    )  # fmt: skip
    terminal.say(
        "Less than the best then: what the best purchase for that demand would save besides. Demand may fall by: before nothing "
        "is saved. Or: amounts that can't be distinguished. Saves at most: the best amount of it by itself."
    )
    for each in summary["without_price"]:
        terminal.say(f"Note: no {each['what']}: {each['reason']}")
    for warning in summary["warnings"]:
        terminal.say(f"Note: {warning}")


def _print_factors(summary: Mapping[str, Any]) -> None:
    """The most important factor in words, then a row a factor."""
    from sim.studies.sensitivity import most_important

    factors, form = summary["factors"], Forms(currency=summary["currency"]).of(summary["metric"])
    terminal.say(most_important(factors, form.label))
    metric = form.title if form.times == 1.0 else form.label  # the table has shares, not percentages
    columns = [name for name in factors[0] if not name.endswith(("_from", "_to"))] if factors else []
    terminal.print_table(
        f"{summary['scenario']}: what moves {metric} ({summary['method']}, {how_many(summary['points'], 'point')}, "
        f"{how_many(summary['replications'], 'replication')} each, seed {summary['seed']})",
        columns,
        [[_cell(factor[name]) for name in columns] for factor in factors],
    )


def _cell(value: object) -> str:
    return general(value) if isinstance(value, float) or value is None else str(value)
