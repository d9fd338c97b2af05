"""Bars in memory: the types of their columns, and the tables made of them. What the columns mean is in `columns`.

A table of bars is a `pyarrow.Table` with exactly these columns in this order:

=========  =====================  ===============================================================
ts_event   timestamp[s, tz=UTC]   start of the bar, inclusive
open       float64                US dollars a share
high       float64                US dollars a share
low        float64                US dollars a share
close      float64                US dollars a share
volume     int64 or float64       shares; int64 where every volume of the raw file is whole
=========  =====================  ===============================================================
"""

from datetime import datetime
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.arrays import from_numpy, to_numpy
from mohlcv_dagster.bars.columns import COLUMNS, PRICES, TIME, VOLUME

__all__ = [
    "COLUMNS",
    "FRACTIONAL_VOLUME",
    "PRICES",
    "PRICE_TYPE",
    "TIME",
    "TIME_TYPE",
    "VOLUME",
    "WHOLE_VOLUME",
    "Floats",
    "Seconds",
    "bar_schema",
    "between",
    "empty",
    "from_arrays",
    "has_whole_volume",
    "seconds",
    "settle_volume",
]

Seconds: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

TIME_TYPE: Final = pa.timestamp("s", tz="UTC")
PRICE_TYPE: Final = pa.float64()
WHOLE_VOLUME: Final = pa.int64()
FRACTIONAL_VOLUME: Final = pa.float64()


def bar_schema(*, whole_volume: bool) -> pa.Schema:
    """The schema of a table of bars, with volume as int64 (`whole_volume`) or float64."""
    volume = WHOLE_VOLUME if whole_volume else FRACTIONAL_VOLUME
    types: list[pa.DataType] = [TIME_TYPE, *[PRICE_TYPE] * len(PRICES), volume]
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


@cache
def empty(*, whole_volume: bool = True) -> pa.Table:
    """A table of bars with no rows."""
    kinds = bar_schema(whole_volume=whole_volume)
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in kinds], schema=kinds)


def has_whole_volume(bars: pa.Table) -> bool:
    """Whether the volume column is int64."""
    return bool(bars.schema.field(VOLUME).type == WHOLE_VOLUME)


def seconds(bars: pa.Table) -> Seconds:
    """The bars' starts as Unix seconds, int64, shape (rows,)."""
    return to_numpy(bars[TIME].cast(pa.int64()))


def from_arrays(starts: Seconds, prices: dict[str, Floats], volume: npt.NDArray[np.int64] | Floats) -> pa.Table:
    """A table of bars from NumPy arrays of one length; the type of `volume` decides the column's.

    Args:
        starts: Unix seconds.
        prices: an array for each name in `PRICES`, US dollars.
        volume: shares, int64 or float64.
    """
    columns: list[pa.Array[Any]] = [from_numpy(starts).cast(TIME_TYPE)]
    columns += [from_numpy(prices[name]) for name in PRICES]
    columns.append(from_numpy(volume))
    return pa.Table.from_arrays(columns, schema=bar_schema(whole_volume=volume.dtype == np.int64))


def settle_volume(bars: pa.Table) -> pa.Table:
    """The bars with volume as the contract types it: int64 where every volume is whole, else float64.

    Whole means finite, without a fraction and below 2**53 in size; a table without rows counts as whole.
    """
    if has_whole_volume(bars):
        return bars
    volume: Floats = to_numpy(bars[VOLUME])
    whole = bool(np.all(np.isfinite(volume) & (volume == np.floor(volume)) & (np.abs(volume) < 2**53)))
    if not whole:
        return bars
    at = bars.schema.get_field_index(VOLUME)
    return bars.set_column(at, pa.field(VOLUME, WHOLE_VOLUME), from_numpy(volume.astype(np.int64)))


def between(bars: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    """The bars with `start <= ts_event < end`, without copying them.

    Args:
        bars: rising.
        start: inclusive, aware, in whole seconds; `None` for the first bar.
        end: exclusive, aware, in whole seconds; `None` for the last bar.
    """
    starts = seconds(bars)
    first = 0 if start is None else int(np.searchsorted(starts, int(start.timestamp())))
    last = len(starts) if end is None else int(np.searchsorted(starts, int(end.timestamp())))
    return bars.slice(first, max(last - first, 0))
