"""What a vendor may say of a bar besides its prices and volume: how many trades it has, and their average price.

They are no columns of a table of bars, since no CSV file has them. A table of figures goes beside one, row for row:

=======  =======  ===========================================================================
trades   float64  number of trades, whole; NaN where the vendor did not give it
vwap     float64  volume-weighted average price, US dollars a share; NaN where it did not
=======  =======  ===========================================================================
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, from_numpy, to_numpy
from mohlcv_dagster.model.timeframes import MINUTE

TRADES: Final = "trades"
VWAP: Final = "vwap"
NAMES: Final = (TRADES, VWAP)
_SCHEMA: Final = pa.schema([(TRADES, pa.float64()), (VWAP, pa.float64())])
_MOST_TRADES: Final = 2**53
"""Integers below this size are exact in a float64."""
_PLACEHOLDER_FROM: Final = 100
"""So many bars of one trade each, and none of more, are taken for a vendor that does not count."""


def of(trades: Floats, vwap: Floats) -> pa.Table:
    """The figures of as many bars; NaN in place of a price that is not finite, and a count that is not whole."""
    with np.errstate(invalid="ignore"):
        whole = (trades >= 0) & (trades < _MOST_TRADES) & (trades == np.floor(trades))
    columns = [_known(trades, whole), _known(vwap, np.isfinite(vwap))]
    return pa.Table.from_arrays([from_numpy(column) for column in columns], schema=_SCHEMA)


def _known(values: Floats, is_known: npt.NDArray[np.bool_]) -> Floats:
    return values if is_known.all() else np.where(is_known, values, np.nan)


def unknown(rows: int) -> pa.Table:
    """The figures of bars of which the vendor gave none."""
    nothing = np.full(rows, np.nan)
    return of(nothing, nothing)


def join(parts: list[tuple[pa.Table | None, int]]) -> pa.Table:
    """The figures of bars that are put one after the other.

    Args:
        parts: the figures of each part, or `None` where they are not known, and its number of bars.
    """
    return pa.concat_tables([unknown(rows) if figures is None else figures.slice(0, rows) for figures, rows in parts])


def outside_range(bars: pa.Table, figures: pa.Table) -> int:
    """How many bars have an average price above their high or below their low: a known way of the vendor.

    Some prints, such as those reported late, count for volume and not for prices.
    """
    vwap, high, low = (to_numpy(column) for column in (figures[VWAP], bars["high"], bars["low"]))
    with np.errstate(invalid="ignore"):
        return int(np.count_nonzero((vwap > high) | (vwap < low)))


def are_counted(trades: Floats) -> bool:
    """Whether these are counts: some are known, and it is not 1 in a hundred bars and more (older answers say so)."""
    known = trades[~np.isnan(trades)]
    return bool(len(known)) and not (len(known) >= _PLACEHOLDER_FROM and bool((known == 1).all()))


@dataclass(frozen=True, eq=False)
class MinuteTrades:
    """The number of trades in each minute.

    Attributes:
        starts: of the minutes, Unix seconds, rising, shape (n,).
        trades: shape (n,); NaN where the number is not known of each bar in the minute.
    """

    starts: Seconds
    trades: Floats

    @classmethod
    def of(cls, bars: pa.Table, figures: pa.Table) -> Self | None:
        """Summed up over bars, rising, of a minute or less; `None` where the vendor gave no counts."""
        starts, trades = bar_table.seconds(bars), to_numpy(figures[TRADES])
        if not are_counted(trades):
            return None
        minutes = starts - starts % MINUTE.seconds
        first = np.flatnonzero(np.diff(minutes, prepend=minutes[0] - 1))
        return cls(minutes[first], np.add.reduceat(trades, first))

    def at(self, starts: Seconds) -> Floats:
        """The number of trades in the minutes that begin at `starts`; NaN in those that are not there."""
        if not len(self.starts):
            return np.full(len(starts), np.nan)
        position: npt.NDArray[np.intp] = np.minimum(np.searchsorted(self.starts, starts), len(self.starts) - 1)
        return np.where(self.starts[position] == starts, self.trades[position], np.nan)
