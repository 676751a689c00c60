"""What is fuzzed: each target makes one mutated input from a seed and hands it to vmfleet, in this process."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import fuzz_mutations as mutations

import sim
from sim.azure.timed_operations import read_timed_operations
from sim.cli import main
from sim.errors import InputError, VmfleetWarning
from sim.report.build import build_report
from sim.runs.blocks import pack
from sim.runs.cache import CacheEntry
from sim.traces import open_trace
from sim.traces.durations import fit_durations
from sim.traces.operations import read_operations
from sim.traces.step_durations import findings, group_sections

SCENARIOS = tuple(sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml")))
TINY = {"name": "tiny", "horizon": "2h", "seed": 1, "replications": 2, "group": [{"name": "dev", "count": 3, "cycle": {"on": "20min", "off": "10min"}}]}  # fmt: skip
ITEM = {
    "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 0.23, "unitPrice": 0.23, "armRegionName": "westeurope", "location": "EU West",
    "effectiveStartDate": "2024-05-01T00:00:00Z", "meterId": "m", "meterName": "D4s v5", "productId": "p", "skuId": "p/s",
    "productName": "Virtual Machines Dsv5 Series", "skuName": "Standard_D4s_v5", "serviceName": "Virtual Machines", "serviceId": "s",
    "serviceFamily": "Compute", "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": "Standard_D4s_v5",
    "savingsPlan": [{"unitPrice": 0.16, "retailPrice": 0.16, "term": "1 Year"}],
}  # fmt: skip
PAGE = {"BillingCurrency": "USD", "Items": [ITEM, {**ITEM, "type": "Reservation", "reservationTerm": "1 Year", "retailPrice": 1200.0}], "NextPageLink": None, "Count": 2}  # fmt: skip
CATALOGUE = {
    "format": "vmfleet-catalogue", "version": 1, "currency": "USD",
    "sizes": {"Standard_D4s_v5": {"family": "standardDSv5Family", "vcpus": 4, "memory_gib": 16, "flexibility_group": "Dsv5 Series", "flexibility_ratio": 2.0}},
    "prices": [{"region": "westeurope", "source": "s", "trust": "list price", "read": "2026-01-01", "terms": ["linux", "spot_linux"], "per_h": {"Standard_D4s_v5": [0.23, None]}}],
    "disks": [{"regions": ["westeurope"], "source": "s", "trust": "list price", "per_month": {"P10": 19.7}}],
    "public_ip": [{"regions": ["westeurope"], "source": "s", "trust": "list price", "per_h": 0.005}],
}  # fmt: skip
STAYS = (
    "vm,state,start,end,size,region,os,priority,disks,group\n"
    "a,running,2026-01-05T08:00:00Z,2026-01-05T19:00:00Z,Standard_D4s_v5,westeurope,linux,regular,P10;E4,web\n"
    "a,deallocated,2026-01-05T19:00:00Z,2026-01-06T08:00:00Z,Standard_D4s_v5,westeurope,linux,regular,P10;E4,web\n"
    "b,running,2026-01-05T08:15:00+01:00,,Standard_D2s_v5,westeurope,windows,spot,,db\n"
)
FOCUS = (
    "ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ConsumedQuantity,ConsumedUnit,BilledCost,EffectiveCost,BillingCurrency,ServiceCategory,"
    "ServiceName,RegionId,SkuMeter,x_SkuMeterName,SkuPriceDetails,Tags\n"
    '2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,Usage,24,Hours,5.52,5.52,USD,Compute,Virtual Machines,westeurope,,D4s v5,"{""InstanceType"": ""Standard_D4s_v5""}","{}"\n'
    "2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,Usage,0.03,1/Month,0.72,0.72,USD,Storage,Managed Disks,westeurope,,P10 LRS Disk,,\n"
    "2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,Purchase,1,1,100,0,USD,Compute,Virtual Machines,westeurope,,,,\n"
)
RECORDS = "created,deleted,vcpus,memory_gib,group\n2026-01-05T00:00:00Z,2026-01-05T08:00:00Z,4,16,a\n2026-01-05T01:00:00Z,,2,8,b\n2026-01-05T01:30:00Z,2026-01-05T02:00:00Z,2,8,a\n"  # fmt: skip
AZURE = "".join(
    f"v{n},s{n % 2},d{n},{n * 300},{n * 300 + 900},10,5,8,Interactive,{size},{memory}\n"
    for n, (size, memory) in enumerate(((2, 4), (4, 16), (">24", ">64"), (1, 2)))
)
OPERATIONS = "operation,seconds,os,status,started,source\n" + "".join(
    f"{name},{seconds + day / 10},{os},{status},2020-01-{day:02},a\n"
    for day in range(1, 10)
    for name, seconds, os, status in (
        ("create", 60, "linux", "Succeeded"),
        ("create", 99, "windows", "Succeeded"),
        ("start", 9, "", "Failed"),
    )
)
OPTIONS = {
    "--seed": ("1", "0"), "--replications": ("2", "1"), "--precision": ("5%", "0.05"), "--budget": ("100",), "--jobs": ("1",), "--engine": ("simpy", "auto"),
    "--set": ("group.dev.count=4", "horizon=3h", "prices.region=westeurope", 'group.dev.size="Standard_D2s_v5"', "group.dev.cycle.on=\"15min\""),
}  # fmt: skip
COMMANDS = {
    "run": (), "validate": (), "compare": (), "snapshot": ("--at", "1h"),
    "sweep": ("--vary", "group.dev.count=1,2"), "size": ("--vary", "group.dev.count=1..4", "--keep", "cost.total<=10"),
    "sensitivity": ("--vary", "group.dev.count=1..3"), "states": (), "prices show": ("Standard_D4s_v5",),
}  # fmt: skip


class Broken(AssertionError):
    """vmfleet called an input its own defect."""


def vmfleet(*words: str) -> None:
    """The command line in this process. Raises Broken: another exit status than 0, 2 or 3, or a traceback."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as left:
            if left.code in (0, 2, 3, None) and "Traceback" not in err.getvalue():
                return
            said = err.getvalue()
            raise Broken(
                f"exit status {left.code} of {[word[:200] for word in words]}\n{said[:300]}\n ...\n{said[-1500:]}"
            ) from None


def scenario(chance: random.Random, folder: Path) -> None:
    """A bundled scenario with lines changed; what is still valid and short is run."""
    base = chance.choice(SCENARIOS).read_bytes()
    whole = mutations.octets(chance, base) if chance.random() < 0.15 else mutations.text(chance, base.decode()).encode()
    (folder / "s.toml").write_bytes(whole)
    vmfleet("validate", str(folder / "s.toml"))
    if chance.random() < 0.05:
        words = (
            "--set",
            "horizon=2h",
            "--set",
            "warm_up=0s",
            "-n",
            "1",
            "--no-report",
            "--quiet",
            "--out",
            str(folder / "out"),
        )
        vmfleet("run", str(folder / "s.toml"), *words)


def options(chance: random.Random, folder: Path) -> None:
    """A command with hostile values of its options."""
    (folder / "tiny.toml").write_text(_tiny_toml())
    command = chance.choice(list(COMMANDS))
    words = command.split()
    own = list(COMMANDS[command])
    if command not in ("states", "prices show"):
        words.append(str(folder / "tiny.toml"))
    if command == "compare":
        words.append(str(folder / "tiny.toml"))
    if command in ("run", "compare", "sweep", "size", "sensitivity"):
        words += ["--out", str(folder / "out"), "--no-report", "-n", "2"]
        for name in chance.sample(list(OPTIONS), chance.randint(0, 2)):
            own += [name, chance.choice(OPTIONS[name])]
    if own and chance.random() < 0.9:
        at = chance.randrange(len(own))
        whole = own[at]
        match chance.randrange(3):
            case 0:
                own[at] = mutations.text(chance, whole)[:5_000]
            case 1 if any(sign in whole for sign in "=<"):
                sign = "=" if "=" in whole else "<"
                own[at] = whole.split(sign)[0] + sign + chance.choice(mutations.TEXTS)[:6_000]
            case _:
                own[at] = chance.choice(mutations.TEXTS)[:6_000]
    vmfleet(*words, *(word.replace("\x00", "") for word in own))


def traces(chance: random.Random, folder: Path) -> None:
    """Records of VMs in each format, as text or packed, and a data base."""
    layout, base = chance.choice(
        (("columns", RECORDS), ("azure-2017", AZURE), ("azure-2019", AZURE), ("azure-packing-2020", ""))
    )
    path = folder / "trace"
    if layout == "azure-packing-2020":
        path.write_bytes(mutations.octets(chance, _packing()))
    else:
        whole = mutations.text(chance, base).encode()
        if chance.random() < 0.2:
            whole = mutations.octets(chance, gzip.compress(whole))
        path.write_bytes(whole)
    with suppress(InputError):
        opened = open_trace(path, layout)
        opened.describe()
        for _ in opened.blocks():
            pass


def operations(chance: random.Random, folder: Path) -> None:
    """Timed operations."""
    path = folder / "operations.csv"
    path.write_bytes(mutations.text(chance, OPERATIONS).encode(errors="surrogatepass"))
    with suppress(InputError, ValueError):  # the command says ValueErrors in words
        found = fit_durations(read_timed_operations(path) or read_operations(path))
        findings(found)
        group_sections(found, name="fitted")


def prices(chance: random.Random, folder: Path) -> None:
    """Saved pages of the price list."""
    _write_json(chance, folder / "page.json", PAGE)
    vmfleet("prices", "import", str(folder / "page.json"), "--out", str(folder / "c.json"))


def invoices(chance: random.Random, folder: Path) -> None:
    """Stays and FOCUS rows."""
    whole = mutations.text(chance, chance.choice((STAYS, FOCUS))).encode(errors="surrogatepass")
    if chance.random() < 0.1:
        whole = mutations.octets(chance, gzip.compress(whole) if chance.random() < 0.5 else whole)
    (folder / "use.csv").write_bytes(whole)
    vmfleet("bill", str(folder / "use.csv"))


def catalogue(chance: random.Random, folder: Path) -> None:
    """A price catalogue of the user's own."""
    _write_json(chance, folder / "c.json", CATALOGUE)
    vmfleet("prices", "show", "Standard_D4s_v5", "--catalogue", str(folder / "c.json"))


def results(chance: random.Random, folder: Path) -> None:
    """A result folder, its digests left out half of the time, so that the reader meets the damage itself."""
    for name, content in _result_files().items():
        (folder / name).write_bytes(content)
    if chance.random() < 0.8:
        (folder / "provenance.json").write_text("{}")
    name = chance.choice(sorted(_result_files()))
    if name.endswith(".json"):
        _write_json(chance, folder / name, json.loads(_result_files()[name]))
    else:
        (folder / name).write_bytes(mutations.octets(chance, _result_files()[name]))
    with suppress(InputError):
        build_report(folder)


def caches(chance: random.Random, folder: Path) -> None:
    """A kept replication."""
    (folder / "replications-000.part").write_bytes(mutations.octets(chance, _kept()))
    with warnings.catch_warnings(), suppress(InputError):
        warnings.simplefilter("ignore", VmfleetWarning)
        for block in CacheEntry(folder=folder).blocks():
            block.replications()


SHARES: dict[Callable[[random.Random, Path], None], int] = {  # of 100 inputs
    scenario: 22, options: 12, traces: 15, operations: 3, prices: 14, invoices: 14, catalogue: 10, results: 1, caches: 9,
}  # fmt: skip


def inputs(count: int, first: int = 0) -> Iterator[tuple[Callable[[random.Random, Path], None], int]]:
    """So many (target, seed), in the proportions of SHARES."""
    row = [target for target, share in SHARES.items() for _ in range(share)]
    random.Random(7).shuffle(row)
    for seed in range(first, first + count):
        yield row[seed % len(row)], seed


def _write_json(chance: random.Random, path: Path, value: object) -> None:
    whole = json.dumps(mutations.document(chance, value))
    if chance.random() < 0.2:
        whole = mutations.text(chance, whole)
    path.write_text(whole, encoding="utf-8", errors="surrogatepass")


@cache
def _tiny_toml() -> str:
    return sim.from_dict(TINY).to_toml()


@cache
def _packing() -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.execute("CREATE TABLE vmType (vmTypeId, machineId, core, memory)")
        base.execute("CREATE TABLE vm (vmId, tenantId, vmTypeId, priority, starttime, endtime)")
        base.execute("INSERT INTO vmType VALUES (1, 1, 0.1, 0.05)")
        base.executemany(
            "INSERT INTO vm VALUES (?, 1, 1, 0, ?, ?)", [(n, n / 7, n / 5 if n % 2 else None) for n in range(1, 8)]
        )
        base.commit()
        return base.serialize()


@cache
def _result_files() -> dict[str, bytes]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        folder = sim.run(sim.from_dict(TINY)).write(Path(place) / "r")
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@cache
def _kept() -> bytes:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        entry = CacheEntry(folder=Path(place))
        entry.put(pack(sim.run(sim.from_dict(TINY)).replications))
        return (Path(place) / "replications-000.part").read_bytes()
