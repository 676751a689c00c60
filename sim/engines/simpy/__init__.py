"""The model of record: a SimPy process per VM, the platform, faults."""
