"""What the sandbox can serve: the form a source of bars has. Synthetic and replayed bars are two of them."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

import pyarrow as pa

from mohlcv_dagster.bars.timeframes import Timeframe


class Market(Protocol):
    """A source of bars, asked by Eastern calendar day: `[00:00, 24:00)` Eastern. Safe to share between threads."""

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:
        """The days from `first` to `last`, both inclusive, that may have bars; rising. None for an unknown symbol."""
        ...

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:
        """A day's bars, rising; no rows where nothing traded.

        Args:
            symbol: case matters.
            day: one that `days` gave.
            timeframe: one second, minute or hour.
            adjusted: whether prices and volumes are restated for later splits.
        """
        ...
