"""Definitions that users add to this folder with `dg scaffold defs …`: Python modules, and folders of components."""

import warnings
from pathlib import Path

import dagster as dg

from mohlcv_dagster import defs

_HERE = Path(__file__).parent


def load() -> list[dg.Definitions]:
    """What Dagster finds in the folder, where anything in it is not of this package.

    It imports all modules in the folder for that, also those of this package that only steps need. None of these has a
    definition at module level, so nothing is loaded twice.
    """
    if not any(_is_users(path) for path in _HERE.iterdir()):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [dg.ComponentTree.from_module(defs, _HERE.parents[1]).build_defs()]


def _is_users(path: Path) -> bool:
    if path.is_dir():
        return not path.name.startswith((".", "__")) and path.name != defs.ENVIRONMENT
    return path.suffix == ".py" and path.stem not in defs.MODULES
