"""Private parts of Dagster are used in `dagster_patches` alone."""

import ast
import re
from pathlib import Path

import pytest

import mohlcv_dagster

PACKAGE = Path(mohlcv_dagster.__file__).parent
OUTSIDE = [path for path in sorted(PACKAGE.rglob("*.py")) if "dagster_patches" not in path.parts]
PRIVATE = re.compile(r"\bdagster(_\w+)?(\.\w+)*\._\w")
"""A private module of Dagster or of one of its packages: `dagster._core`, `dagster_shared._serdes`."""
OF_PYTHON = {"_replace", "_asdict", "_value_"}
"""Names of named tuples and enums that are public though they begin with an underscore."""


def uses(tree):
    """What a module imports, names and reads of private parts, with the line."""
    knows_dagster = "dagster" in {name for node in ast.walk(tree) for name in imported(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names if PRIVATE.search(each.name))
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
            yield from ((node.lineno, name) for name in names if PRIVATE.search(name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PRIVATE.search(node.value):
            yield node.lineno, node.value
        elif knows_dagster and isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield node.lineno, ast.unparse(node)


def imported(node):
    """The packages that a statement imports."""
    if isinstance(node, ast.Import):
        return [each.name.partition(".")[0] for each in node.names]
    return [str(node.module).partition(".")[0]] if isinstance(node, ast.ImportFrom) else []


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name not in OF_PYTHON


def is_own(value):
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def test_no_other_module_names_a_private_part():
    found = {str(path.relative_to(PACKAGE)): list(uses(ast.parse(path.read_text()))) for path in OUTSIDE}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import dagster._core.events",
        "from dagster._core import events",
        "from dagster import _core",
        "from dagster_shared._serdes import x",
        "name = 'dagster._core.storage.noop_compute_log_manager'",
        "import dagster as dg\ninstance._event_storage",
    ],
)
def test_each_way_to_name_one_is_seen(text):
    assert list(uses(ast.parse(text)))


def test_public_names_and_own_attributes_are_no_private_parts():
    text = "import dagster as dg\nself._run\nrow._replace(a=1)\nvalue.__class__\nfrom dagster_postgres import x"
    assert list(uses(ast.parse(text))) == []
