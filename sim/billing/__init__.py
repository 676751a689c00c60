"""Rating: what the hours cost. Reads usage and prices; knows nothing of how VMs move."""

from sim.billing.commitments import CapacityReservation, Commitment, DedicatedHost, Reservation, SavingsPlan
from sim.billing.meters import KINDS, Bill, BillLine, CommitmentUse, RatedGroup
from sim.billing.rating import rate, rate_hours

__all__ = [
    "KINDS",
    "Bill",
    "BillLine",
    "CapacityReservation",
    "Commitment",
    "CommitmentUse",
    "DedicatedHost",
    "RatedGroup",
    "Reservation",
    "SavingsPlan",
    "rate",
    "rate_hours",
]
