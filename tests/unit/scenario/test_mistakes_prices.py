"""Mistakes in a scenario file. Prices, own prices, disks and rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import Bad, bad, check_mistake

MISTAKES: dict[str, Bad] = {
    "a negative price": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v5"]\nlinux = -1.0 #!\n[[group]]',
        "prices.override.Standard_D4s_v5.linux",
        "-1.0",
        "0 or more",
    ),
    "a price under an unknown term": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v5"]\nlinus = 1.0 #!\n[[group]]',
        "prices.override.Standard_D4s_v5.linus",
        'did you mean "linux"?',
    ),
    "a price of a size that no list knows and nothing is of": bad(
        "[[group]]",
        '[prices.override."Standard_D4s_v9"] #!\nlinux = 1.0\n[[group]]',
        "prices.override.Standard_D4s_v9",
        "no group and no commitment is of it",
        "did you mean Standard_D4s_v",
    ),
    "spot price steps of nothing": bad("[prices]\n", "[prices]\nspot_steps = [] #!\n", "prices.spot_steps", "0 values", "at least 1"),
    "a month in which spot VMs are free": bad(
        "[prices]\n", "[prices]\nspot_steps = [1.0, 0.0] #!\n", "prices.spot_steps[2]", "0.0", "more than 0 and at most 10"
    ),
    "a spot price step in percent": bad(
        "[prices]\n", "[prices]\nspot_steps = [92] #!\n", "prices.spot_steps[1]", "92", "more than 0 and at most 10"
    ),
    "a spot price step in words": bad(
        "[prices]\n", '[prices]\nspot_steps = [1.0, "0.9"] #!\n', "prices.spot_steps[2]", '"0.9"', "number"
    ),
    "a spot price step that is no number": bad(
        "[prices]\n", "[prices]\nspot_steps = [nan] #!\n", "prices.spot_steps[1]", "nan", "finite"
    ),
    "spot price steps without brackets": bad(
        "[prices]\n", "[prices]\nspot_steps = 0.9 #!\n", "prices.spot_steps", "write [0.9]"
    ),
    "more spot price steps than a century has months": bad(
        "[prices]\n", f"[prices]\nspot_steps = {[1.0] * 1201} #!\n", "prices.spot_steps", "1201 values", "at most 1200"
    ),
    "a catalogue that is not there": bad(
        "[prices]\n", '[prices]\ncatalogue = "none.json" #!\n', "prices.catalogue", "none.json", "no such file"
    ),
    "a disk of no kind": bad('disks = ["P10"]', 'disks = ["X:200"] #!', "group.dev.disks[1]", '"X:200"', "E:200"),
    "a disk beyond all sizes": bad('disks = ["P10"]', 'disks = ["E:99999"] #!', "group.dev.disks[1]", "does not exist"),
    "an own price of a disk that there is not": bad(
        "[[group]]", "[prices.override_disks] #!\nP11 = 20.0\n[[group]]", "prices.override_disks", "'P11' does not exist", "128 GiB"
    ),
    "two own prices of one disk": bad(
        "[[group]]", "[prices.override_disks] #!\nP10 = 20.0\np10 = 21.0\n[[group]]", "prices.override_disks", "P10 has two prices"
    ),
    "a negative own price of a disk": bad(
        "[[group]]", "[prices.override_disks]\nP10 = -1.0 #!\n[[group]]", "prices.override_disks.P10", "0 or more"
    ),
    "an unknown rounding": bad("seed = 1", 'rounding = "minute" #!', "rounding", '"floor-minute"'),
    "a currency in small letters": bad("[prices]\n", '[prices]\ncurrency = "usd" #!\n', "prices.currency", "three capital letters", '"USD"'),
    "a rate beside the list's own currency": bad(
        "[prices]\n", '[prices]\nexchange_rate = 0.9 #!\n', "prices.exchange_rate", "0.9", "in USD already", "leave it out"
    ),
    "a currency without a rate": bad(
        "[prices]\n", '[prices]\ncurrency = "XAU" #!\n', "prices.currency", '"XAU": there is no rate for it', "give exchange_rate (XAU per USD)"
    ),
    "a disk tier in words": bad(
        'disks = ["P10"]', 'disks = ["premium"] #!', "group.dev.disks[1]", '"premium": there is no such disk tier', "tiers are P1 to P80"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
