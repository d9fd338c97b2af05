"""Whether the installed Dagster is one whose inside was tested with the patches of this package."""

import logging
from collections.abc import Iterable
from functools import cache
from typing import Final

import dagster as dg
from packaging.specifiers import SpecifierSet

TESTED: Final = SpecifierSet(">=1.13.20,<1.14")
"""Versions of Dagster that the tests of this package passed with."""


def obstacle(owner: object, names: Iterable[str]) -> str | None:
    """What forbids a patch here, in words for the log; `None` where nothing does.

    Args:
        owner: the object of Dagster's whose parts are used.
        names: attributes that it must have.
    """
    if not TESTED.contains(dg.__version__, prereleases=True):
        return f"it was tested with Dagster {TESTED}, and {dg.__version__} is installed"
    if missing := [name for name in names if not hasattr(owner, name)]:
        return f"{type(owner).__name__} of Dagster {dg.__version__} has no {', '.join(missing)}"
    return None


@cache
def warn_once(patch: str, reason: str) -> None:
    """Say in the log that `patch` is off and Dagster's own way is taken, once a process."""
    logging.getLogger(__name__).warning("%s is off, Dagster's own way is taken: %s", patch, reason)
