"""The second engine: an aggregate made again from raw bars, to hold the first one's result against.

It shares no line with `bars/resample.py` or the exact sums that one uses. That one cuts sorted arrays into slices and
reduces each; here every bar is thrown into the slot of its bucket. Never used to write a file.
"""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.schema import COLUMNS, PRICES, TIME, VOLUME, Floats
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError

_SCALES: Final = (10**6, 10**7, 10**8, 10**9)
_EXACT: Final = 2.0**53
"""Integers below it are exact in a float64, and so is their quotient by a scale, rounded once."""
_SUM_ROOM: Final = 2.0**62
_TOO_LARGE: Final = "the volumes of the raw file are too large to be summed exactly"
Slots: TypeAlias = npt.NDArray[np.intp]
"""For each raw bar, the number of its bucket."""


def recompute(raw: pa.Table, timeframe: Timeframe) -> pa.Table:
    """The bars of `timeframe` made from raw bars, in the type of the raw volume.

    Buckets are `[start, start + timeframe)` from midnight UTC, labelled by their start; one without bars has no row.

    Raises:
        UnsortedBarsError: the raw bars do not rise strictly, so first and last are not told.
        VolumePrecisionError: a volume cannot be summed exactly.
        BarsError: the raw bars have missing values.
    """
    _demand_order(raw)
    starts = to_numpy(raw[TIME].cast(pa.int64()))
    whole = schema.has_whole_volume(raw)
    units, scale = (to_numpy(raw[VOLUME]), 1) if whole else _as_units(to_numpy(raw[VOLUME]))
    _demand_room(units)
    label = starts // timeframe.seconds
    slot = np.cumsum(np.diff(label, prepend=label[:1]) != 0)
    size = int(slot[-1]) + 1 if slot.size else 0
    sums = np.zeros(size, np.int64)
    np.add.at(sums, slot, units)
    if not whole and not np.all(np.abs(sums) < _EXACT):
        raise VolumePrecisionError(_TOO_LARGE)
    buckets = _last(slot, label, size) * timeframe.seconds
    return schema.from_arrays(buckets, _prices(raw, slot, size), sums if whole else sums / scale)


def _prices(raw: pa.Table, slot: Slots, size: int) -> dict[str, Floats]:
    opens, high, low, close = (to_numpy(raw[name]) for name in PRICES)
    highest, lowest = np.full(size, -np.inf), np.full(size, np.inf)
    np.maximum.at(highest, slot, high)
    np.minimum.at(lowest, slot, low)
    first = _last(slot[::-1], opens[::-1], size)
    return dict(zip(PRICES, (first, highest, lowest, _last(slot, close, size)), strict=True))


def _last(slot: Slots, values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """What each slot holds when every value has been put into its own, one after the other."""
    held = np.empty(size, values.dtype)
    held[slot] = values  # NumPy keeps the last one of those put into one place
    return held


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
    starts = to_numpy(raw[TIME].cast(pa.int64()))
    if not np.all(starts[1:] > starts[:-1]):
        raise UnsortedBarsError("the raw file's bars do not rise strictly in time (rising_time)")


def _demand_room(units: npt.NDArray[np.int64]) -> None:
    """Prove by the sum of all sizes that no bucket's sum can leave 64 bits."""
    if np.abs(units.astype(np.float64)).sum() >= _SUM_ROOM:
        raise VolumePrecisionError(_TOO_LARGE)
