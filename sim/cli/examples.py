"""Worked examples of every command, shown under its `--help`; a test parses each of them."""

EXAMPLES = {
    "new": ("vmfleet new dev --count 40 --on 8:00 --off 19:00 --time-zone Europe/Amsterdam",),
    "run": (
        "vmfleet run dev.toml",
        "vmfleet run dev.toml --set group.vm.count=60 --set horizon=90d --out results/more",
        "vmfleet run dev.toml --precision 1% --budget 9000 --jobs 2",
        "vmfleet run dev.toml --quiet --fail-if 'cost.total>9000'",
    ),
    "demo": ("vmfleet demo", "vmfleet demo --set group.stop.count=30 --out results/thirty"),
    "merge": (
        "vmfleet merge results/dev-0..999 results/dev-1000..1999 --out results/dev",
        "vmfleet merge shards/* --replications 5000 --out results/dev",
    ),
    "compare": (
        "vmfleet compare dev.toml nights-on.toml",
        "vmfleet compare dev.toml --variant 'stop: group.*.when_off=stop' --variant 'keep: group.*.when_off=keep'",
    ),
    "sweep": (
        "vmfleet sweep dev.toml --vary group.vm.count=20,40,60 --metric cost.total",
        "vmfleet sweep dev.toml --vary group.vm.size=Standard_D2s_v5,Standard_D4s_v5 --vary group.vm.count=20..60:20",
    ),
    "size": (
        "vmfleet size dev.toml --vary platform.hosts.rack.count=2..20 --keep 'availability>=99.5%'",
        "vmfleet size dev.toml --vary group.vm.count=10..200 --keep 'p95(cost.total)<=9000' --largest",
    ),
    "sensitivity": (
        "vmfleet sensitivity dev.toml --vary group.vm.count=20..60 --vary group.vm.durations.starting=10s..60s",
    ),
    "recommend": (
        "vmfleet recommend dev.toml",
        "vmfleet recommend dev.toml --fall 30%",
        "vmfleet recommend dev.toml --markdown",
    ),
    "validate": ("vmfleet validate dev.toml", "vmfleet validate dev.toml --set group.vm.priority=spot"),
    "report": ("vmfleet report results/dev",),
    "states": (
        "vmfleet states",
        "vmfleet states --policy 2023-10",
        "vmfleet states --machine dev.toml --group vm --mermaid",
    ),
    "schema": ("vmfleet schema > scenario.schema.json",),
    "snapshot": ("vmfleet snapshot dev.toml --at 36h --status-only", "vmfleet snapshot dev.toml --at 36h --vm vm-0003"),
    "explain": ("vmfleet explain dev.toml --vm vm-0003", "vmfleet explain results/dev --vm vm-0003 --replication 4"),
    "sizes": ("vmfleet sizes", "vmfleet sizes 'Standard_D4*'"),
    "regions": ("vmfleet regions",),
    "bill": ("vmfleet bill focus.csv.gz", "vmfleet bill stays.csv --json"),
    "fit": ("vmfleet fit vmtable.csv.gz --format azure-2017", "vmfleet fit activity-log.json --format operations"),
    "from-azure": ("vmfleet from-azure saved/ --out fleet.toml", "vmfleet from-azure saved/ --out fleet.toml --update"),
    "backtest": ("vmfleet backtest fit.toml --actual focus.csv --from 2026-09-22 --to 2026-09-30",),
    "metrics": ("vmfleet metrics",),
    "causes": ("vmfleet causes",),
    "keys": ("vmfleet keys", "vmfleet keys group.schedule"),
    "verify": ("vmfleet verify", "vmfleet verify --case erlang-loss", "vmfleet verify --scenario dev.toml"),
    "prices import": ("vmfleet prices import page-1.json page-2.json --out my-prices.json",),
    "prices show": ("vmfleet prices show Standard_D4s_v5", "vmfleet prices show Standard_D4s_v5 --region eastus"),
    "prices url": ("vmfleet prices url westeurope --currency EUR",),
}


def epilog(command: str) -> str:
    """The examples as they stand under a command's help, a line each."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[command])
