"""What a comparison says of money: per month, the best saving first, no difference in practice where it is below a thousandth."""

from sim.studies.cost_words import cost_sentences


def cost(
    mean: float, relative: float | None, low: float | None = None, high: float | None = None, verdict: str = "better"
) -> dict:
    """The entry of cost.total in a comparison."""
    return {"cost.total": {"mean": mean, "relative": relative, "low": low, "high": high, "verdict": verdict}}


def said(hours: float | None = 365.0, **variants: dict) -> list[str]:
    """The sentences of a comparison over so many hours; 365 are half a month of 730."""
    return cost_sentences(
        {"base": "today", "currency": "EUR", "confidence": 0.95, "hours": hours, "differences": variants}
    )


def test_a_saving_is_per_month_with_before_and_after():
    """Half a month: 50 of 200 saved, so 100 of 400 a month."""
    (words,) = said(nights=cost(-50.0, -0.25, -51.0, -49.0))
    words = words.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    assert words.startswith("nights costs 100.00 EUR a month less than today (-25.0 %): 300.00 instead of 400.00;")
    assert words.endswith("with 95 % confidence the difference is -102.00 to -98.00 EUR.")


def test_the_best_saving_comes_first():
    """Whatever the order of the variants."""
    words = said(more=cost(10.0, 0.05), best=cost(-80.0, -0.4), good=cost(-20.0, -0.1))
    assert [sentence.split()[0] for sentence in words] == ["best", "good", "more"]


def test_less_than_a_thousandth_is_no_difference_in_practice():
    """However sure it is; a thousandth and more is one."""
    assert said(same=cost(0.1, 0.0005, 0.09, 0.11))[0].endswith("That is no difference in practice.")
    assert "in practice" not in said(more=cost(0.2, 0.001, 0.19, 0.21))[0]


def test_an_undecided_difference_says_so_and_an_old_comparison_is_for_its_period():
    """Version 0.1 wrote no hours."""
    words = said(None, close=cost(5.0, 0.05, -5.0, 15.0, "undecided"))[0]
    assert words.startswith("close costs 5.00 EUR more than today")
    assert words.endswith("which of the two is cheaper is undecided.")


def test_no_difference_at_all_is_said_so():
    """Of the same fleet."""
    assert said(twin=cost(0.0, 0.0, 0.0, 0.0, "same")) == ["twin costs the same as today."]
