"""Generated parts of pages as a checkout shows them: plain Markdown between two marks, where the site has more.

`pytest --update-docs docs` renews them, and `CITATION.cff`; a test of each page compares.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

import sim
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import ON_HOST, POWER
from sim.scenario.keys import Key
from tools.docs_site import diagrams, reference

ROOT = Path(__file__).parents[2]
CITATION = ROOT / "CITATION.cff"
END = "<!-- end of what is generated -->"
MARK = re.compile(rf"^<!-- generated: ([\w-]+) -->\n(?:.*?^{END}\n)?", re.MULTILINE | re.DOTALL)
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def filled(text: str) -> str:
    """A page with every generated part as it is now."""
    return MARK.sub(lambda mark: f"<!-- generated: {mark[1]} -->\n\n{MAKERS[mark[1]]().strip()}\n\n{END}\n", text)


def plain(text: str) -> str:
    r"""Markdown of the site without what only the site understands.

    >>> print(plain("### `on` { #group.on .key }\n| <code>--vary A&#124;B</code> | a&#95;<wbr>b |"))
    <a id="group.on"></a>
    <BLANKLINE>
    ### `on`
    | `--vary A\|B` | a_b |
    """
    text = re.sub(r"^(#+ .*?) \{ #(\S+)[^}]*\}$", r'<a id="\2"></a>\n\n\1', text, flags=re.MULTILINE)
    text = re.sub(r"^\{ \.\w+ \}\n", "", text, flags=re.MULTILINE).replace("<wbr>", "")
    text = re.sub(r"^```(?:sh|toml)$", "```text", text, flags=re.MULTILINE)  # not run, and no whole scenario
    text = re.sub(r"<code[^>]*>(.*?)</code>", lambda code: f"`{html.unescape(code[1])}`".replace("|", r"\|"), text)
    return text.replace("&#95;", "_").replace("&#91;", "[").replace("&#93;", "]")


def keys() -> str:
    """Every key of the scenario file, a table for each table of the file."""
    sections, tables = reference.key_sections(), reference.key_tables()
    return "\n".join(
        line for path, rows in sections.items() for line in _table(path, rows, tables.get(path.removesuffix("[]")))
    )


def _table(path: str, rows: Sequence[Key], own: Key | None) -> Iterator[str]:
    yield f'<a id="{reference.anchor(path) or "top"}"></a>\n\n## {reference.heading(path)}\n'
    yield f"{reference.sentence(own.definition)}\n" if own else ""
    yield "| key | meaning | type | default | source of the default |\n|---|---|---|---|---|"
    for row in rows:
        default = (
            "**required**"
            if row.is_required
            else row.default and f"`{row.default}`{f' ({row.unit})' if row.unit else ''}"
        )
        cells = (f"`{row.path.rpartition('.')[2]}`", row.definition, row.type, default, row.source)
        yield "| " + " | ".join(str(cell or "").replace("|", r"\|") for cell in cells) + " |"
    yield ""


def python() -> str:
    """Every public name of `sim` with its signature and what it says of itself."""
    return "\n".join(line for name in reference.public_names() for line in _described(name))


def _described(name: str) -> Iterator[str]:
    it: Any = getattr(sim, name)
    yield f'<a id="sim.{name}"></a>\n\n### `sim.{name}`\n'
    # A scenario's class is built when it is first used: its signature depends on what ran before, and `load` makes it.
    with suppress(TypeError, ValueError):  # some types have no signature
        if not hasattr(it, "model_fields"):
            bare = [one.replace(annotation=one.empty) for one in inspect.signature(it).parameters.values()]
            words = re.sub(r"<function .+? at .+?>", "...", str(inspect.Signature(bare)))
            yield f"```text\n{name}{words}\n```\n"
    yield f"{inspect.getdoc(it) or ''}\n"
    if inspect.isclass(it):
        own = {key: inspect.getdoc(value) for key, value in vars(it).items() if not key.startswith("_")}
        yield "".join(f"- `{key}`: {words.splitlines()[0]}\n" for key, words in own.items() if words)


def power_states() -> str:
    """The power states as a table: the drawing needs the site."""
    rows = ["| state | on a host | billed (2018-08) | goes to |", "|---|---|---|---|"]
    found = diagrams.moves()
    for state in POWER:
        ways = [(after, found[state, after]) for after in POWER if (state, after) in found]
        to = "; ".join(f"{after} ({', '.join(words)})" if words else str(after) for after, words in ways)
        bills = BILLING_POLICIES["2018-08"].bills(state)
        rows.append(f"| {state} | {'yes' if state in ON_HOST else 'no'} | {'yes' if bills else 'no'} | {to} |")
    return "\n".join(rows)


def released(changes: str, version: str) -> str:
    r"""The day on which a version came out, as the list of changes has it; empty: not yet.

    >>> released("## 0.2.0, 2026-12-01\n", "0.2.0"), released("## 0.2.0, unreleased\n", "0.2.0")
    ('2026-12-01', '')
    """
    heading = re.search(rf"^## {re.escape(version)}\b(.*)$", changes, re.MULTILINE)
    found = heading and DATE.search(heading[1])
    return found[0] if found else ""


def cff(text: str, version: str, day: str) -> str:
    r"""CITATION.cff for a version and the day on which it came out.

    >>> print(cff("type: software\nversion: 0.1.0\nlicense: MIT", "0.2.0", "2026-12-01"))
    type: software
    version: 0.2.0
    date-released: 2026-12-01
    license: MIT
    """
    text = re.sub(r"^date-released: .*\n", "", text, flags=re.MULTILINE)
    dated = f"\ndate-released: {day}" if day else ""
    return re.sub(r"^version: .*$", f"version: {version}{dated}", text, count=1, flags=re.MULTILINE)


def citation_file() -> str:
    """CITATION.cff of this version."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return cff(CITATION.read_text(encoding="utf-8"), sim.__version__, released(changes, sim.__version__))


def bibtex(facts: Mapping[str, Any]) -> str:
    """An entry from the fields of CITATION.cff; the commit is the reader's to fill in.

    >>> print(bibtex({"authors": [{"name": "We"}], "title": "T", "version": "1", "license": "MIT", "date-released": "2026-12-01"}))
    @software{vmfleet,
      author = {{We}},
      title = {T},
      version = {1},
      year = {2026},
      date = {2026-12-01},
      license = {MIT},
      note = {commit COMMIT},
    }
    """
    day = str(facts.get("date-released", ""))
    fields = {
        "author": " and ".join(f"{{{one['name']}}}" for one in facts["authors"]),
        "title": facts["title"],
        "version": facts["version"],
        **({"year": day[:4], "date": day} if day else {}),
        "license": facts["license"],
        "note": "commit COMMIT" if day else "not yet released; commit COMMIT",
    }
    return "\n".join(["@software{vmfleet,", *(f"  {key} = {{{value}}}," for key, value in fields.items()), "}"])


def citation() -> str:
    """BibTeX of this version."""
    return f"```text\n{bibtex(yaml.safe_load(citation_file()))}\n```"


MAKERS: Mapping[str, Callable[[], str]] = {
    "keys": keys,
    "metrics": lambda: plain(reference.metrics()),
    "commands": lambda: plain(reference.commands()),
    "python": python,
    "citation": citation,
    "power-states": power_states,
}
