"""Rating: what the hours cost. Reads usage and prices; knows nothing of how VMs move."""

from sim.billing.commitments import CapacityReservation, Commitment, DedicatedHost, Reservation, SavingsPlan
from sim.billing.meter_kinds import METERS, MeterKind, add_meter
from sim.billing.meters import Bill, BillLine, CommitmentUse, RatedGroup
from sim.billing.rating import Rating, rate_in_full, rate_run, rate_stays

__all__ = [
    "METERS", "Bill", "BillLine", "CapacityReservation", "Commitment", "CommitmentUse", "DedicatedHost", "MeterKind",
    "RatedGroup", "Rating", "Reservation", "SavingsPlan", "add_meter", "rate_in_full", "rate_run", "rate_stays",
]  # fmt: skip
