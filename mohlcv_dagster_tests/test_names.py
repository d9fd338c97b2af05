"""A name means one thing in the package: no class and no module is called as another one."""

import ast
from collections import defaultdict
from pathlib import Path

import mohlcv_dagster

PACKAGE = Path(mohlcv_dagster.__file__).parent

SHARED_MODULE_NAMES = {
    "finality": "model: when bars are final; checks: the rules about it",
    "history": "storage: former versions of files; cli: the sub-command, whose module has its name",
    "pages": "providers: the vendor's pages as received; sandbox: the same pages as served",
    "quality_rows": "model: the columns of the quality table; defs: its rows from Dagster's records",
    "reference": "providers: the vendor's reference data as received; sandbox: the same documents as served",
    "resample": "bars: the resampling; cli: the sub-command, whose module has its name",
    "run_queue": "dagster_patches: Dagster's run queue; defs: the name in the dagster.yaml of older homes",
    "verify": "storage: the verification; cli: the sub-command, whose module has its name",
}
"""The module names that two packages share, and why."""


def names():
    """The files of each class name and of each module name in the package."""
    classes, modules = defaultdict(list), defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        where = str(path.relative_to(PACKAGE))
        if path.stem != "__init__":
            modules[path.stem].append(where)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(where)
    return classes, modules


def repeated(places):
    return {name: where for name, where in places.items() if len(where) > 1}


def test_no_two_classes_have_one_name():
    classes, _ = names()
    assert repeated(classes) == {}


def test_modules_share_a_name_only_across_packages_and_for_a_reason():
    _, modules = names()
    shared = repeated(modules)
    assert shared.keys() == SHARED_MODULE_NAMES.keys()
    assert all(len({Path(each).parent for each in where}) == len(where) for where in shared.values())
