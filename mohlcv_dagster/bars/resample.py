"""Fold bars into longer bars, exactly.

The only place that knows how bars join: first, highest, lowest, last, sum. How volumes are summed exactly is in
`volumes`; whether the result is right is proven independently in `rules`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.schema import PRICES, Floats, Seconds
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
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
    return Folds(bars).into(timeframe)


class Folds:
    """The same bars joined into several timeframes: looked through once, and each made of what was made before.

    A timeframe is made of the longest one so far that divides it. Since volumes stay whole numbers of units on the way,
    that gives bit for bit what the bars themselves give.

    Args:
        bars: as `fold` takes them.

    Raises:
        UnsortedBarsError, BarsError, VolumePrecisionError: as `fold` does, whichever timeframe is asked for.
    """

    def __init__(self, bars: pa.Table) -> None:
        _refuse_nulls(bars)
        starts = schema.seconds(bars)
        _refuse_unsorted(starts)
        prices = {name: to_numpy(bars[name]) for name in PRICES}
        self._made = {RAW.seconds: _Bars(starts, prices, ExactVolumes.of(to_numpy(bars[schema.VOLUME])))}

    def into(self, timeframe: Timeframe) -> pa.Table:
        """The bars of `timeframe`; see `fold`.

        Raises:
            BarsError, VolumePrecisionError: a sum does not fit.
        """
        seconds = timeframe.seconds
        if seconds not in self._made:
            source = self._made[max(made for made in self._made if seconds % made == 0)]
            self._made[seconds] = source.joined(seconds)
        return self._made[seconds].table


@dataclass(frozen=True, eq=False)
class _Bars:
    """Bars as arrays of one length, volumes in whole units."""

    starts: Seconds
    prices: dict[str, Floats]
    volumes: ExactVolumes

    @property
    def table(self) -> pa.Table:
        return schema.from_arrays(self.starts, self.prices, self.volumes.shares)

    def joined(self, seconds: int) -> Self:
        if not self.starts.size:
            return self
        buckets = self.starts // seconds
        first = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
        prices = {
            "open": self.prices["open"][first],
            "high": np.maximum.reduceat(self.prices["high"], first),
            "low": np.minimum.reduceat(self.prices["low"], first),
            "close": self.prices["close"][np.append(first[1:], self.starts.size) - 1],
        }
        return type(self)(buckets[first] * seconds, prices, self.volumes.sums(first))


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
    falls = starts[1:] <= starts[:-1]
    if falls.any():
        at = int(np.argmax(falls))
        earlier, later = (datetime.fromtimestamp(int(starts[i]), UTC) for i in (at, at + 1))
        raise UnsortedBarsError(
            f"bars do not rise strictly: {earlier} is followed by {later} (bar {at + 2} of {len(starts)}); "
            "fetch the month again or correct the file"
        )
