"""The terms under which the platform sells an hour of a size: pay-as-you-go, spot, reservation, savings plan."""

from enum import StrEnum

from sim.units import HOURS_PER_YEAR


class Term(StrEnum):
    """One way to pay for an hour of a VM size; the value is the name in catalogue files and overrides."""

    LINUX = "linux"  # pay-as-you-go without a licence: Linux, and Windows under hybrid benefit
    WINDOWS = "windows"  # pay-as-you-go, Windows licence included
    SPOT_LINUX = "spot_linux"
    SPOT_WINDOWS = "spot_windows"
    RESERVATION_1Y = "reservation_1y"  # whole-term price divided by its hours; infrastructure only, no licence
    RESERVATION_3Y = "reservation_3y"
    SAVINGS_PLAN_1Y = "savings_plan_1y"  # what an hour takes from the hourly commitment; infrastructure only
    SAVINGS_PLAN_3Y = "savings_plan_3y"


TERM_HOURS = {"1 Year": HOURS_PER_YEAR, "3 Years": 3 * HOURS_PER_YEAR}  # what a whole-term price is divided by

PAY_AS_YOU_GO = {  # by priority, then by what the price has: the machine alone, or with the licence
    "regular": {"linux": Term.LINUX, "windows": Term.WINDOWS},
    "spot": {"linux": Term.SPOT_LINUX, "windows": Term.SPOT_WINDOWS},
}
