"""The measures of `tools/measures.py` find what they are made to find: a defect of each kind, planted."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import load_tool

measures = load_tool("measures")


def package(root: Path, **modules: str) -> Path:
    """A package `sim` of these modules; `a__b` is the module b of the package a."""
    (root / "sim").mkdir()
    (root / "sim" / "__init__.py").write_text("")
    for name, text in modules.items():
        path = root.joinpath("sim", *name.split("__")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return root


LONG = "def f(a):\n" + "    a += 1\n" * 60
WIDE = "def f(self, a, b, c, d, e, f, g, *, h, i): ...\n"
KINDS = "class Once(base.Demand): ...\nclass TwiceSection(DemandSection): ...\n"
COMPILED = "import numba\nfast = numba.njit(nogil=True)\n@fast\n"


@pytest.mark.parametrize(
    ("modules", "name"),
    [
        (
            {"a__b": "from sim.a import c", "a__c": "def f():\n    from sim.a.b import x"},
            "import cycles inside packages",
        ),
        (
            {"a__b": "import sim.c.d", "c__d": "if TYPE_CHECKING:\n    from sim.a.b import x"},
            "import cycles between packages",
        ),
        ({"a__b": LONG}, "functions over 60 lines"),
        ({"engines__b": COMPILED + LONG + "    a += 1\n" * 60}, "compiled functions over 120 lines"),
        ({"a__b": WIDE}, "functions of more than 8 parameters"),
        ({"engines__b": COMPILED + WIDE.replace("*,", "j, k, l, m,")}, "compiled functions of more than 12 parameters"),
        ({"a__b": "if TYPE_CHECKING:\n    import x"}, "TYPE_CHECKING blocks without a start-up reason"),
        ({"a__b": "def f():\n    import numpy"}, "imports in functions without a start-up reason"),
        (
            {"a__b": "def f(x):\n    return isinstance(x, Once | Twice)", "model__demand": KINDS},
            "tests for demand kinds outside their modules",
        ),
    ],
)
def test_a_planted_defect_is_found_once_and_alone(tmp_path: Path, modules: dict[str, str], name: str) -> None:
    """A measure that misses its defect, or gives it another name, would let the code decay unseen."""
    found = measures.measure(package(tmp_path, **modules))
    late = {"imports in functions without a start-up reason", "TYPE_CHECKING blocks without a start-up reason"}
    ignored = late if "cycles" in name else set()  # a cycle is planted with one of these
    assert [one for one in found.broken() if one not in ignored] == [name]
    assert len(found.places[name]) == 1
    assert measures.main(["--check", "--root", str(tmp_path)]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import numpy  # start-up: 80 ms",
        "def f():\n    # start-up: 80 ms\n    import numpy\n    import pandas",
        '"""Commands."""\n# start-up: each command imports what it needs\ndef f():\n    import numpy\n    x = 1\n    import scipy',
        "if TYPE_CHECKING:  # start-up: the names are loaded on demand\n    import numpy",
        LONG.replace("    a += 1\n", "", 1),
        "class A:\n    " + WIDE.replace(", i", ""),
        COMPILED + LONG,
    ],
)
def test_what_is_allowed_is_not_counted(tmp_path: Path, text: str) -> None:
    """A reason that is given, and a function just within its limit."""
    assert measures.measure(package(tmp_path, engines__b=text)).broken() == []
    assert measures.main(["--check", "--root", str(tmp_path)]) == 0
