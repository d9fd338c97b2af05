"""The second engine: an aggregate made again from raw bars, to hold the first one's result against.

It shares no line with `bars/resample.py` or the exact sums that one uses: Arrow groups by hash where that one reduces
slices of sorted arrays. Slower on purpose and never used to write a file.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.schema import COLUMNS, PRICES, TIME, VOLUME, Floats
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError

_SCALES: Final = (10**6, 10**7, 10**8, 10**9)
_EXACT: Final = 2.0**53
"""Integers below it are exact in a float64, and so is their quotient by a scale, rounded once."""
_SUM_ROOM: Final = 2.0**62
_TOO_LARGE: Final = "the volumes of the raw file are too large to be summed exactly"
_AGGREGATIONS: Final[list[tuple[str, Any]]] = [
    ("open", "first"),
    ("high", "max"),
    ("low", "min"),
    ("close", "last"),
    (VOLUME, "sum"),
]


def recompute(raw: pa.Table, timeframe: Timeframe) -> pa.Table:
    """The bars of `timeframe` made from raw bars, in the type of the raw volume.

    Buckets are `[start, start + timeframe)` from midnight UTC, labelled by their start; one without bars has no row.

    Raises:
        UnsortedBarsError: the raw bars do not rise strictly, so first and last are not told.
        VolumePrecisionError: a volume cannot be summed exactly.
        BarsError: the raw bars have missing values.
    """
    _demand_order(raw)
    starts: Any = raw[TIME].cast(pa.int64()).to_numpy()
    whole = schema.has_whole_volume(raw)
    units, scale = (raw[VOLUME].to_numpy(), 1) if whole else _as_units(raw[VOLUME].to_numpy())
    _demand_room(units)
    keyed = raw.select(PRICES).append_column("bucket", pa.array(starts - starts % timeframe.seconds))
    # One thread: several would hand rows to `first` and `last` in any order.
    groups = keyed.append_column(VOLUME, pa.array(units)).group_by("bucket", use_threads=False)
    folded = groups.aggregate(_AGGREGATIONS).sort_by("bucket")
    sums = folded[f"{VOLUME}_sum"].to_numpy()
    if not whole and not np.all(np.abs(sums) < _EXACT):
        raise VolumePrecisionError(_TOO_LARGE)
    prices = [folded[f"{name}_{how}"] for name, how in _AGGREGATIONS[:-1]]
    columns = [folded["bucket"].cast(schema.TIME_TYPE), *prices, pa.array(sums if whole else sums / scale)]
    return pa.table(columns, schema=schema.bar_schema(whole_volume=whole))


def _as_units(volume: Floats) -> tuple[npt.NDArray[np.int64], int]:
    """Shares as whole units of 1/scale share, and the scale: the coarsest from 10**6 to 10**9 that holds each exactly.

    Raises:
        VolumePrecisionError: none does.
    """
    for scale in _SCALES:
        with np.errstate(over="ignore"):
            units = np.rint(volume * scale)
        if np.all((units / scale == volume) & (np.abs(units) < _EXACT)):
            return units.astype(np.int64), scale
    raise VolumePrecisionError(f"no unit from 10^-6 to 10^-9 share holds all {volume.size:,} volumes exactly")


def _demand_order(raw: pa.Table) -> None:
    if any(raw[name].null_count for name in COLUMNS):
        raise BarsError("the raw file has missing values (no_missing_values)")
    starts = raw[TIME].cast(pa.int64()).to_numpy()
    if not np.all(starts[1:] > starts[:-1]):
        raise UnsortedBarsError("the raw file's bars do not rise strictly in time (rising_time)")


def _demand_room(units: npt.NDArray[np.int64]) -> None:
    """Prove by the sum of all sizes that no bucket's sum can leave 64 bits."""
    if np.abs(units.astype(np.float64)).sum() >= _SUM_ROOM:
        raise VolumePrecisionError(_TOO_LARGE)
