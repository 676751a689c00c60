"""Rating: what the hours cost. Reads usage and prices; knows nothing of how VMs move."""

from sim.billing.commitments import CapacityReservation, Commitment, DedicatedHost, Reservation, SavingsPlan
from sim.billing.meters import KINDS, Bill, BillLine, CommitmentUse, RatedGroup
from sim.billing.rating import Rating, rate, rate_hours, rate_run, rate_stays

__all__ = [
    "KINDS",
    "Bill",
    "BillLine",
    "CapacityReservation",
    "Commitment",
    "CommitmentUse",
    "DedicatedHost",
    "RatedGroup",
    "Rating",
    "Reservation",
    "SavingsPlan",
    "rate",
    "rate_hours",
    "rate_run",
    "rate_stays",
]
