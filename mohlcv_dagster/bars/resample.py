"""Fold bars into longer bars, exactly.

The only place that knows how bars join: first, highest, lowest, last, sum. How volumes are summed exactly is in
`volumes`; whether the result is right is proven independently in `rules`.
"""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.schema import Floats, Seconds
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.bars.volumes import ExactVolumes
from mohlcv_dagster.errors import BarsError, UnsortedBarsError


def fold(bars: pa.Table, timeframe: Timeframe) -> pa.Table:
    """The bars joined into bars of `timeframe`.

    Buckets are `[start, start + timeframe)`, counted from midnight UTC and labelled by their start. A bucket without
    bars has no row. The volume column keeps its type, and its sums are exact.

    Args:
        bars: a table of bars as `schema` has it, rising strictly, of a timeframe that divides this one.
        timeframe: the length to fold to.

    Raises:
        UnsortedBarsError: the bars do not rise strictly.
        BarsError: a value is null or NaN, or a sum does not fit int64.
        VolumePrecisionError: a volume has more decimals than can be summed exactly.
    """
    _refuse_nulls(bars)
    starts = schema.seconds(bars)
    _refuse_unsorted(starts)
    if not len(starts):
        return schema.empty(whole_volume=schema.has_whole_volume(bars))
    buckets = starts - starts % timeframe.seconds
    first = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    volume = ExactVolumes.of(to_numpy(bars[schema.VOLUME])).sums(first)
    return schema.from_arrays(buckets[first], _prices(bars, first), volume)


def _prices(bars: pa.Table, first: npt.NDArray[np.intp]) -> dict[str, Floats]:
    last = np.append(first[1:], len(bars)) - 1
    return {
        "open": to_numpy(bars["open"])[first],
        "high": np.maximum.reduceat(to_numpy(bars["high"]), first),
        "low": np.minimum.reduceat(to_numpy(bars["low"]), first),
        "close": to_numpy(bars["close"])[last],
    }


def _refuse_nulls(bars: pa.Table) -> None:
    """Null and NaN alike: a price or a volume that is not there cannot be joined."""
    for name in schema.COLUMNS:
        column = bars[name]
        if column.null_count or (pa.types.is_floating(column.type) and np.isnan(to_numpy(column)).any()):
            at = int(np.argmax(to_numpy(column.is_null(nan_is_null=True))))
            moment = bars[schema.TIME][at].as_py()
            raise BarsError(
                f"bar {at + 1} of {len(bars)}, at {moment}, has no {name}; fetch the month again or correct the file"
            )


def _refuse_unsorted(starts: Seconds) -> None:
    falls = np.diff(starts) <= 0
    if falls.any():
        at = int(np.argmax(falls))
        earlier, later = (datetime.fromtimestamp(int(starts[i]), UTC) for i in (at, at + 1))
        raise UnsortedBarsError(
            f"bars do not rise strictly: {earlier} is followed by {later} (bar {at + 2} of {len(starts)}); "
            "fetch the month again or correct the file"
        )
