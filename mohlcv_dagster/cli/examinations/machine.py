"""The machine: versions of what is installed against the bounds the package asks for, and the time zones."""

import platform
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mohlcv_dagster.cli.examinations.finding import Finding, fine, wrong

DISTRIBUTION: Final = "mohlcv-dagster"
_TOLD: Final = ("dagster", "massive", "pandas", "pyarrow")
_EASTERN: Final = "America/New_York"


def examine() -> Iterator[Finding]:
    """What is found of this installation."""
    try:
        own = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield wrong("versions", f"{DISTRIBUTION} is not installed", "Run `uv sync` in the project's folder.")
    else:
        bounds = SpecifierSet(own["Requires-Python"])
        yield from versions(metadata.requires(DISTRIBUTION) or (), bounds, metadata.version)
    yield time_zones()


def versions(required: Iterable[str], python: SpecifierSet, installed: Callable[[str], str]) -> Iterator[Finding]:
    """Each package outside its bounds, or a line of the chief ones where none is.

    Args:
        required: what the package's metadata require, such as `pandas<4,>=2.2`.
        python: the bounds of Python.
        installed: gives the version of a package, or raises `PackageNotFoundError`.
    """
    topic, cure = "versions", "Run `uv sync` in the project's folder."
    found = {"python": platform.python_version()}
    good = python.contains(found["python"], prereleases=True)
    if not good:
        yield wrong(topic, f"python {found['python']} is not {python}", "Install a Python that is; uv does it.")
    for requirement in map(Requirement, required):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found[requirement.name] = installed(requirement.name)
        except metadata.PackageNotFoundError:
            good = False
            yield wrong(topic, f"{requirement.name} is not installed", cure)
            continue
        if not requirement.specifier.contains(found[requirement.name], prereleases=True):
            good = False
            yield wrong(topic, f"{requirement.name} {found[requirement.name]} is not {requirement.specifier}", cure)
    if good:
        chief = ", ".join(f"{name} {found[name]}" for name in ("python", *_TOLD) if name in found)
        yield fine(topic, f"{chief}; all {len(found)} within their bounds")


def time_zones() -> Finding:
    """Whether the Eastern zone is there and knows its summer time."""
    cure = "Install the package tzdata (`uv sync`), or your system's."
    try:
        eastern = ZoneInfo(_EASTERN)
    except ZoneInfoNotFoundError:
        return wrong("time zones", f"{_EASTERN} is not there", cure)
    # the clocks of 2024 went forward on March 10th
    offsets = [datetime(2024, 3, day, 12, tzinfo=eastern).utcoffset() for day in (9, 11)]
    if offsets != [timedelta(hours=-5), timedelta(hours=-4)]:
        return wrong("time zones", f"{_EASTERN} has its summer time wrong in March 2024", cure)
    place = next((folder for folder in TZPATH if Path(folder, _EASTERN).exists()), "the package tzdata")
    return fine("time zones", f"{_EASTERN} from {place}")
