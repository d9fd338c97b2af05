"""The first month that there are partitions for, where the user has not named one."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mohlcv_dagster.model.months import Month

FIRST_OF_VENDOR: Final = Month(2003, 9)
"""The first month that Massive.com has."""
_MONTH_IN_NAME: Final = re.compile(r"_((?:19[7-9]|20\d)\d_(?:0[1-9]|1[0-2]))[_.]")


def first_stored(data_dir: str) -> Month | None:
    """The first month that a file of bars in the data folder is named after; of a store that of the vendor.

    The network is not asked: a code location loads without it.
    """
    if "://" in data_dir:
        return FIRST_OF_VENDOR
    names = (name for folder in ("raw_1s", "aggregated") for name in _names_two_below(Path(data_dir, folder)))
    first = min((found[1] for found in map(_MONTH_IN_NAME.search, names) if found), default=None)
    return None if first is None else Month.parse(first.replace("_", "-"))


def _names_two_below(folder: Path) -> Iterator[str]:
    """The names in the folders of `folder`; none where it cannot be read, which is said where its files are."""
    with suppress(OSError, ValueError):
        for each in os.listdir(folder):  # noqa: PTH208 - an archive has a hundred thousand files
            with suppress(OSError):
                yield from os.listdir(folder / each)  # noqa: PTH208 - as above
