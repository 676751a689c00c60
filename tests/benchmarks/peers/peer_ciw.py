"""Ciw: a network of three nodes with endless servers; hours are read off its records."""

import ciw
import work


def lives(count: int, alive: int) -> tuple[int, float]:
    """Starting -> running -> deallocating -> out."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=1 / work.gap_s(alive)), None, None],
        service_distributions=[ciw.dists.Lognormal(*law) for law in (work.STARTING, work.LIFETIME, work.DELETING)],
        number_of_servers=[float("inf")] * 3,
        routing=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(count, method="Finish")
    records = simulation.get_all_records()
    running = [record for record in records if record.node == 2]
    finished = sum(record.node == 3 for record in records)
    return finished, sum(record.service_time for record in running) / work.HOUR_S


work.main(lives=lives)
