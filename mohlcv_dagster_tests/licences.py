"""The licence of each package that the installed one needs, by its own metadata. No test.

`uv run python -m mohlcv_dagster_tests.licences` prints them, as a table.
"""

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "mohlcv-dagster"
_TROVE = "License :: OSI Approved :: "


def needed(root: str = ROOT) -> dict[str, metadata.Distribution]:
    """Every installed distribution that `root` needs, directly or not, by its canonical name; without `root`."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(root, "")]
    seen = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        distribution = metadata.distribution(name)
        found[canonicalize_name(name)] = distribution
        for requirement in map(Requirement, distribution.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, each) for each in ("", *requirement.extras)]
    del found[canonicalize_name(root)]
    return dict(sorted(found.items()))


def licences(distribution: metadata.Distribution) -> tuple[str, ...]:
    """What its metadata says, most exact first: an SPDX expression, or classifiers, or the first line of the field."""
    about = distribution.metadata
    if about.get("License-Expression"):
        return (about["License-Expression"],)
    classified = tuple(each.removeprefix(_TROVE) for each in about.get_all("Classifier", []) if each.startswith(_TROVE))
    return classified or tuple((about.get("License") or "").strip().splitlines()[:1])


if __name__ == "__main__":
    for name, distribution in needed().items():
        sys.stdout.write(f"{name:32} {distribution.version:16} {', '.join(licences(distribution))}\n")
