"""A market of few bars, served under any symbol, so that each run can have one of its own. Faults are not made here."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import Timeframe
from mohlcv_dagster.sandbox import Market
from mohlcv_dagster.sandbox.synthetic_market import SandboxListing

MONTH = Month(2024, 1)
NO_SUCH_SYMBOL, LISTED_LATER, LISTED, UNTOLD = "ZZN", "ZZF", "ZZL", "ZZU"
"""Symbols without a bar in the month."""

_LISTINGS = {
    NO_SUCH_SYMBOL: None,
    LISTED_LATER: SandboxListing(LISTED_LATER, 1.0, 100.0, listed=date(2024, 2, 5)),
    LISTED: SandboxListing(LISTED, 1.0, 100.0, listed=date(1999, 3, 10)),
    UNTOLD: SandboxListing(UNTOLD, 1.0, 100.0, listed=date(2024, 2, 5)),
}
_HOLIDAYS = (date(2024, 1, 1), date(2024, 1, 15))


@dataclass
class AnySymbol:
    """The bars of one replayed symbol under every name but those that never traded, and listings of all.

    Attributes:
        market: holds bars of `ABC`.
        dying: where set, it is told on the day `dies_on`, and each later day takes its time.
    """

    market: Market
    dying: threading.Event = field(default_factory=threading.Event)
    dies_on: date = date.max

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:
        return () if symbol in _LISTINGS else self.market.days("ABC", first, last)

    def listing(self, symbol: str) -> SandboxListing | None:
        return _LISTINGS.get(symbol, SandboxListing(symbol, 1.0, 100.0))

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:
        if day >= self.dies_on:
            self.dying.set()
            time.sleep(0.3)
        return self.market.bars("ABC", day, timeframe, adjusted=adjusted)


def recorded(folder: Path) -> Path:
    """A quiet stock: two bars in each half hour of regular hours, on each session of the month."""
    lines = ["ts_event,open,high,low,close,volume"]
    day = MONTH.start
    while day < MONTH.end:
        if day.weekday() < 5 and day.date() not in _HOLIDAYS:  # Saturday is 5
            for half_hour in range(13):
                start = day + timedelta(hours=14, minutes=30 * (half_hour + 1), seconds=17)
                price = 100 + day.day + half_hour / 4
                lines.append(f"{start}+00:00,{price},{price + 0.5},{price - 0.5},{price + 0.25},{100 + half_hour}")
                start += timedelta(seconds=20 + half_hour % 7)  # not all on one step, as longer bars are
                lines.append(f"{start}+00:00,{price},{price},{price},{price},7")
        day += timedelta(days=1)
    (folder / "second").mkdir(parents=True)
    text = "\n".join([*lines, ""]).replace("+00:00+00:00", "+00:00")
    (folder / "second" / "ABC_2024_01.csv").write_text(text)
    return folder
