"""Align our minutes with the vendor's, and find where both are equal.

All arrays have `n` minutes; prices have the shape (4, n) in the order open, high, low, close.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, to_numpy
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import PRICES, VOLUME
from mohlcv_dagster.model.months import Month

Mask: TypeAlias = npt.NDArray[np.bool_]
Counts: TypeAlias = npt.NDArray[np.int64]

TOLERANCE: Final = 0.005
"""The share of the vendor's volume by which ours may differ."""


@dataclass(frozen=True, eq=False)
class Side:
    """The minutes of one side, on the union of both sides' starts.

    Attributes:
        there: whether it has the minute, shape (n,).
        prices: US dollars, shape (4, n); NaN where it has no minute.
        volume: shares, shape (n,); 0 where it has no minute.
    """

    there: Mask
    prices: Floats
    volume: Floats

    @classmethod
    def of(cls, bars: pa.Table, starts: Seconds, union: Seconds) -> Self:
        """Bars that start at `starts`, placed on `union`, which contains all of them."""
        at = np.searchsorted(union, starts)
        there = np.zeros(len(union), dtype=np.bool_)
        prices, volume = np.full((len(PRICES), len(union)), np.nan), np.zeros(len(union))
        there[at], volume[at] = True, to_numpy(bars[VOLUME])
        for row, name in enumerate(PRICES):
            prices[row, at] = to_numpy(bars[name])
        return cls(there, prices, volume)

    def take(self, chosen: Mask | npt.NDArray[np.intp]) -> Self:
        """The chosen minutes."""
        return type(self)(self.there[chosen], self.prices[:, chosen], self.volume[chosen])

    def covers(self, other: "Side") -> Mask:
        """Whether its range contains the other's, shape (n,); any range contains that of a side without the minute."""
        inside = (self.prices[1] >= other.prices[1]) & (self.prices[2] <= other.prices[2])
        mask: Mask = self.there & (inside | ~other.there)
        return mask

    @classmethod
    def joined(cls, sides: Sequence[Self]) -> Self:
        """All minutes of several sides, in that order."""
        return cls(
            np.concatenate([side.there for side in sides]),
            np.concatenate([side.prices for side in sides], axis=1),
            np.concatenate([side.volume for side in sides]),
        )


@dataclass(frozen=True, eq=False)
class Pairs:
    """Minutes of both sides.

    Attributes:
        starts: Unix seconds, rising, shape (n,): every minute that at least one side has.
        day: the Eastern day of each, as a position in `Days.dates`, shape (n,).
        ours: resampled from our seconds.
        vendor: the vendor's own.
    """

    starts: Seconds
    day: npt.NDArray[np.intp]
    ours: Side
    vendor: Side

    @property
    def both(self) -> Mask:
        """Which minutes both sides have."""
        return self.ours.there & self.vendor.there

    @property
    def prices_equal(self) -> Mask:
        """Which minutes both have with the same four prices, exactly."""
        mask: Mask = (self.ours.prices == self.vendor.prices).all(axis=0)  # NaN is equal to nothing
        return mask

    @property
    def volume_close(self) -> Mask:
        """Which minutes both have with volumes within `TOLERANCE`."""
        return self.both & close(self.ours.volume, self.vendor.volume)

    @property
    def agree(self) -> Mask:
        """Which minutes agree: prices exactly, volume within `TOLERANCE`."""
        return self.prices_equal & self.volume_close

    def take(self, chosen: Mask | npt.NDArray[np.intp]) -> Self:
        """The chosen minutes."""
        return replace(
            self,
            starts=self.starts[chosen],
            day=self.day[chosen],
            ours=self.ours.take(chosen),
            vendor=self.vendor.take(chosen),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All minutes of several parts, sorted by time."""
        joined = cls(
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.day for part in parts]),
            Side.joined([part.ours for part in parts]),
            Side.joined([part.vendor for part in parts]),
        )
        return joined.take(np.argsort(joined.starts, kind="stable"))


@dataclass(frozen=True, eq=False)
class Days:
    """The trading days around a UTC month, those without a session too.

    Attributes:
        dates: rising, without a gap.
        edges: the moment at which each begins (`exchange_calendar.trading_day_start`), Unix seconds.
    """

    dates: tuple[date, ...]
    edges: Seconds

    @classmethod
    def around(cls, month: Month) -> Self:
        """Two days before the month to two days after it."""
        first, last = month.start.date() - timedelta(days=2), month.end.date() + timedelta(days=1)
        dates = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
        edges = [int(exchange_calendar.trading_day_start(day).timestamp()) for day in dates]
        return cls(dates, np.array(edges, dtype=np.int64))

    def of(self, starts: Seconds) -> npt.NDArray[np.intp]:
        """The position of each moment's day in `dates`."""
        return np.clip(np.searchsorted(self.edges, starts, side="right") - 1, 0, len(self.dates) - 1)


def side_by_side(ours: pa.Table, vendor: pa.Table, days: Days, shift: int = 0) -> Pairs:
    """Align the minutes of both tables.

    Args:
        ours: minutes, rising.
        vendor: minutes, rising.
        days: assigns minutes to Eastern days.
        shift: by how many seconds our labels were moved; a minute stays in the day of its old label.
    """
    here, there = bar_table.seconds(ours), bar_table.seconds(vendor)
    union = here if np.array_equal(here, there) else np.union1d(here, there)
    day = days.of(union - shift)
    return Pairs(union, day, Side.of(ours, here, union), Side.of(vendor, there, union))


def close(ours: Floats, vendor: Floats) -> Mask:
    """Which volumes are within `TOLERANCE` of the vendor's."""
    return np.abs(ours - vendor) <= TOLERANCE * np.abs(vendor)
