"""Proven pages put together into one table of bars. No page is judged here and none is fetched."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.schema import PRICES, VOLUME, Floats, Seconds, empty, from_arrays, settle_volume
from mohlcv_dagster.errors import ConflictingBarsError
from mohlcv_dagster.vendor.pages import Page

_NUMBERS: Final = (*PRICES, VOLUME)


def merge(pages: Sequence[Page]) -> pa.Table:
    """All bars of `pages` in order of time, each once, volume settled as the schema types it.

    Args:
        pages: of one symbol and timespan, in any order; they may overlap.

    Raises:
        ConflictingBarsError: two pages give different bars for one moment.
    """
    pages = [page for page in pages if page.rows]
    if not pages:
        return empty()
    if all(earlier.starts[-1] < later.starts[0] for earlier, later in pairwise(pages)):  # as a rule: nothing is copied
        return settle_volume(pa.concat_tables([_bars(page.starts // 1000, page.numbers) for page in pages]))
    starts = np.concatenate([page.starts for page in pages]) // 1000
    numbers = {name: np.concatenate([page.numbers[name] for page in pages]) for name in _NUMBERS}
    return settle_volume(_bars(*_untangled(starts, numbers)))


def _bars(starts: Seconds, numbers: dict[str, Floats]) -> pa.Table:
    return from_arrays(starts, {name: numbers[name] for name in PRICES}, numbers[VOLUME])


def _untangled(starts: Seconds, numbers: dict[str, Floats]) -> tuple[Seconds, dict[str, Floats]]:
    """The rows in order of time with repetitions dropped."""
    order = np.argsort(starts, kind="stable")
    starts, numbers = starts[order], {name: column[order] for name, column in numbers.items()}
    again = np.diff(starts, prepend=starts[0] - 1) == 0
    for row in np.flatnonzero(again):
        earlier, later = ({name: float(column[at]) for name, column in numbers.items()} for at in (row - 1, row))
        if earlier != later:
            moment = datetime.fromtimestamp(int(starts[row]), UTC)
            raise ConflictingBarsError(
                f"two answers of the vendor differ for {moment:%Y-%m-%d %H:%M:%S} UTC: {earlier} and {later}; "
                "nothing was stored. The bar is being revised: fetch the month again"
            )
    return starts[~again], {name: column[~again] for name, column in numbers.items()}
