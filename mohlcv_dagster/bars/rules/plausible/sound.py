"""The bars a look for bad prints can be had at, and the day each belongs to. What is odd is for the rules to say.

A bar without a time, or with a price that is missing, infinite or not above zero, is no matter of plausibility: other
rules give it as an error, and here it is passed over.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import Floats, Seconds
from mohlcv_dagster.bars.rules.reading import NO_TIME, Reading

Rows = npt.NDArray[np.intp]

SMALLEST: Final = 1e-100
LARGEST: Final = 1e100
"""Within them neither a sum nor a ratio of two prices leaves float64."""

_DAY: Final = 86_400
_NIGHT: Final = 4 * 3600 + 1800
"""04:30 UTC: trading ends at 01:00 UTC at the latest (winter) and begins at 08:00 at the earliest (summer)."""


@dataclass(frozen=True)
class Sound:
    """The sound bars of a file, in the order they stand in.

    Attributes:
        table: the whole file's bars.
        rows: where in the file they are, shape (bars,); `None` where every bar is sound.
        starts: Unix seconds, shape (bars,).
        prices: open, high, low and close, each of shape (bars,), from `SMALLEST` to `LARGEST`.
    """

    table: pa.Table
    rows: Rows | None
    starts: Seconds
    prices: dict[str, Floats]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """The sound bars of a file as read."""
        starts, prices = reading.starts, reading.prices
        if not starts.size or _all_sound(reading):
            return cls(reading.present, None, starts, prices)
        good = starts != NO_TIME
        for price in prices.values():
            good &= (price >= SMALLEST) & (price <= LARGEST)  # never of NaN
        rows = np.flatnonzero(good)
        return cls(reading.present, rows, starts[rows], {name: price[rows] for name, price in prices.items()})

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.starts.size)

    def days(self, at: Rows | slice = slice(None)) -> Seconds:
        """A number for the trading day of each bar, or of those at `at`: it changes while nothing trades.

        From 20:00 to 04:00 Eastern no US exchange trades; the day changes between, at 04:30 UTC all year, so that
        neither a calendar nor a gap in the bars is needed to tell two sessions apart.
        """
        days: Seconds = (self.starts[at] - _NIGHT) // _DAY
        return days

    def bars(self, at: Rows) -> pa.Table:
        """The bars at these positions, as the file has them."""
        return self.table.take(at if self.rows is None else self.rows[at])


def _all_sound(reading: Reading) -> bool:
    """Whether every bar is sound, which is usual and cheap to tell."""
    ranges = reading.ranges.values()
    return all(low >= SMALLEST and high <= LARGEST for low, high in ranges) and bool(reading.starts.min() != NO_TIME)
