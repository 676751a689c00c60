"""`vmfleet metrics`: the metrics of a result, from the registry that every view reads."""

from sim.cli import options, terminal


def metrics(as_json: options.Json = False) -> None:
    """The metrics of a result: name, label, unit, which direction is better, definition."""
    from sim.runs.metrics import metric_rows  # start-up: loads the billing and the collector

    columns = ("name", "label", "unit", "better", "definition")
    rows = [(row.name, row.label, str(row.unit), row.better, row.definition) for row in metric_rows()]
    if as_json:
        terminal.print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    terminal.print_table("Metrics", columns, rows, left=len(columns))
