"""Resample bars to longer bars, exactly: first, highest, lowest, last, and the exact sum of the volumes.

A float64 volume means the decimal number it was written as. It is converted to a whole number of units of 10**-6
share (10**-7 to 10**-9 where the decimals need it), summed as int64, and converted back by one division, which rounds
once. The rules check the result with an independent second engine.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, to_numpy
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME
from mohlcv_dagster.model.timeframes import RAW, Timeframe

Integers = npt.NDArray[np.int64]
Volumes = Integers | Floats

_MILLION: Final = 10**6
_SCALES: Final = (_MILLION, 10**7, 10**8, 10**9)
_EXACT_FLOAT: Final = 2**53
"""Integers below this size are exact in a float64, and their quotient by a scale is correctly rounded."""
_SAFE_SUM: Final = 2**62
"""A sum whose float64 estimate is below this cannot overflow int64."""


def resample(bars: pa.Table, timeframe: Timeframe) -> pa.Table:
    """The bars joined into bars of `timeframe`.

    Buckets are `[start, start + timeframe)`, counted from midnight UTC and labelled by their start. A bucket without
    bars has no row. The volume column keeps its type, and its sums are exact.

    Args:
        bars: a table of bars (see `bar_table`), rising strictly, of a timeframe that divides this one.
        timeframe: the length of the new bars.

    Raises:
        UnsortedBarsError: the bars do not rise strictly.
        BarsError: a value is null or NaN, or a sum does not fit int64.
        VolumePrecisionError: a volume has more decimals than can be summed exactly.
    """
    return Resampler(bars).into(timeframe)


class Resampler:
    """Resamples the same bars to several timeframes: reads them once, and makes each timeframe from an earlier result.

    A timeframe is made from the longest one so far that divides it. Since volumes stay whole numbers of units until the
    end, that gives bit for bit what the bars themselves give.

    Args:
        bars: as `resample` takes them.

    Raises:
        UnsortedBarsError, BarsError, VolumePrecisionError: as `resample` does, for every timeframe.
    """

    def __init__(self, bars: pa.Table) -> None:
        _require_no_nulls(bars)
        starts = bar_table.seconds(bars)
        _require_sorted(starts)
        prices = {name: to_numpy(bars[name]) for name in PRICES}
        self._made = {RAW.seconds: _Bars(starts, prices, ExactVolumes.of(to_numpy(bars[VOLUME])))}

    def into(self, timeframe: Timeframe) -> pa.Table:
        """The bars of `timeframe`; see `resample`.

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
    volumes: "ExactVolumes"

    @property
    def table(self) -> pa.Table:
        return bar_table.from_arrays(self.starts, self.prices, self.volumes.shares)

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


def _require_no_nulls(bars: pa.Table) -> None:
    """Refuse nulls and NaN."""
    for name in COLUMNS:
        column = bars[name]
        if column.null_count or (pa.types.is_floating(column.type) and np.isnan(to_numpy(column)).any()):
            at = int(np.argmax(to_numpy(column.is_null(nan_is_null=True))))
            moment = bars[TIME][at].as_py()
            raise BarsError(
                f"bar {at + 1} of {len(bars)}, at {moment}, has no {name}; fetch the month again or correct the file"
            )


def _require_sorted(starts: Seconds) -> None:
    falls = starts[1:] <= starts[:-1]
    if falls.any():
        at = int(np.argmax(falls))
        earlier, later = (datetime.fromtimestamp(int(starts[i]), UTC) for i in (at, at + 1))
        raise UnsortedBarsError(
            f"bars do not rise strictly: {earlier} is followed by {later} (bar {at + 2} of {len(starts)}); "
            "fetch the month again or correct the file"
        )


@dataclass(frozen=True, eq=False)
class ExactVolumes:
    """Volumes as whole numbers of units.

    Attributes:
        units: volume times `per_share`, int64, shape (bars,).
        per_share: units in a share; 1 where the volumes were int64.
    """

    units: Integers
    per_share: int

    @classmethod
    def of(cls, volume: Volumes) -> Self:
        """The volumes, exactly; int64 as they are, float64 at the smallest scale that holds every one.

        Raises:
            VolumePrecisionError: a volume is not finite, or has more decimals or digits than the finest scale holds.
        """
        if volume.dtype == np.int64:
            return cls(volume.astype(np.int64, copy=False), 1)
        for scale in _SCALES:
            if bool(_fits(volume, scale).all()):
                return cls(np.rint(volume * scale).astype(np.int64), scale)
        raise VolumePrecisionError(_imprecise(volume))

    @property
    def shares(self) -> Volumes:
        """The volumes in shares, of the type they had, shape (bars,)."""
        return self.units if self.per_share == 1 else self.units / self.per_share

    def sums(self, first: npt.NDArray[np.intp]) -> Self:
        """The exact sum of each bucket.

        Args:
            first: the position of each bucket's first bar, rising from 0; a bucket ends where the next begins.

        Raises:
            VolumePrecisionError: a sum has more digits than a float64 holds.
            BarsError: a sum of whole volumes does not fit int64.
        """
        limit = _SAFE_SUM if self.per_share == 1 else _EXACT_FLOAT
        if self._largest * int(np.diff(first, append=self.units.size).max()) >= limit:
            self._require_below(limit, np.add.reduceat(np.abs(self.units.astype(np.float64)), first))
        return type(self)(np.add.reduceat(self.units, first), self.per_share)

    @property
    def _largest(self) -> int:
        """The size of the largest volume, in units."""
        return max(-int(self.units.min()), int(self.units.max()))

    def _require_below(self, limit: int, size: Floats) -> None:
        """Refuse sums that do not fit before they are made: an overflowed one looks like any other."""
        if not (size >= limit).any():
            return
        if self.per_share == 1:
            raise BarsError(f"a bucket's volume near {size.max():.0f} does not fit 64 bits; correct the raw file")
        raise VolumePrecisionError(
            f"a bucket's volume near {size.max() / self.per_share:.0f} has too many digits to be exact to "
            f"1/{self.per_share} share; correct the raw file"
        )

    def total(self) -> Fraction:
        """The sum of all volumes, in shares, exact at any size; 0 for no bars."""
        return Fraction(sum(self.units.tolist()), self.per_share)


def beyond_millionths(volume: Volumes) -> npt.NDArray[np.bool_]:
    """Which volumes are not a whole number of millionths of a share, shape (bars,); those not finite count too."""
    if volume.dtype == np.int64:
        return np.zeros(len(volume), dtype=np.bool_)
    return ~_is_whole_at(volume, _MILLION)


def _is_whole_at(volume: Volumes, scale: int) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        whole: npt.NDArray[np.bool_] = np.isfinite(volume) & (np.rint(volume * scale) / scale == volume)
    return whole


def _fits(volume: Volumes, scale: int) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        return _is_whole_at(volume, scale) & (np.abs(volume * scale) < _EXACT_FLOAT)


def _imprecise(volume: Volumes) -> str:
    """What is wrong with the first volume that no scale holds or, where each has its own, that the rest excludes."""
    alone = np.logical_or.reduce([_fits(volume, scale) for scale in _SCALES])
    at = int(np.argmin(alone)) if not alone.all() else int(np.argmin(_fits(volume, _SCALES[-1])))
    return (
        f"volume {float(volume[at])!r} (bar {at + 1} of {len(volume)}) cannot be summed exactly: at most 9 decimals "
        "and 15 digits can, and Massive gives 6 decimals; fetch the month again or correct the file"
    )
