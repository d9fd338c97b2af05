"""GeneratedMarket bars for the sandbox to serve: as many as a symbol of each size has, the same at every run.

They resemble stored seconds of SPY in what costs time: how many, how many distinct prices (cents, and a few hundredths
of a cent), how many distinct volumes, how many digits. They are nobody's prices.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.timeframes import RAW, Timeframe

BARS_A_SESSION: Final = {"spy": 43_800, "quiet": 1_950, "crowded": 57_200, "tiny": 44}
"""Of the 57,600 seconds from 04:00 to 20:00 Eastern (46,800 on an early close); January 2024 has 21 sessions."""
FRACTIONAL, WHOLE = "fractional", "int"

_SUB_PENNY: Final = 0.04
_MICRO: Final = 10**6
_NO_FRACTION: Final = 3 / 5


@dataclass(frozen=True)
class GeneratedMarket:
    """A market where every symbol has a size: `TINY…` symbols are tiny, the others have the one given.

    Attributes:
        size: a name in `BARS_A_SESSION`.
        volume: `int` or `fractional`.
    """

    size: str
    volume: str = WHOLE

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:  # noqa: ARG002 - every symbol trades
        """The days from `first` to `last`, both inclusive, with a session."""
        return [session.date for session in exchange_calendar.sessions_between(first, last)]

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:  # noqa: ARG002 - no splits
        """A day's bars; see `mohlcv_dagster.sandbox.Market`."""
        size = "tiny" if symbol.startswith("TINY") else self.size
        seconds = _day(symbol, day, BARS_A_SESSION[size], fractional=self.volume == FRACTIONAL)
        return seconds if timeframe.seconds == RAW.seconds else resample.resample(seconds, timeframe)


def _day(symbol: str, day: date, bars: int, *, fractional: bool) -> pa.Table:
    chance = np.random.Generator(np.random.PCG64(_seed(symbol, day)))
    session = exchange_calendar.session_on(day)
    if session is None:
        return bar_table.empty()
    opens, closes = (int(moment.timestamp()) for moment in (session.extended_open, session.extended_close))
    bars = min(bars, closes - opens)
    starts = opens + np.sort(chance.choice(closes - opens, bars, replace=False)).astype(np.int64)
    level = 475 * np.exp(0.03 * np.sin(day.toordinal() / 9))
    close = np.rint(level * np.exp(np.cumsum(chance.normal(0, 3e-5, bars))) * 10_000).astype(np.int64)
    close = np.where(chance.random(bars) < _SUB_PENNY, close, close // 100 * 100)
    opened = np.concatenate((close[:1], close[:-1]))
    reach = chance.integers(0, 4, (2, bars)) * 100
    ticks = {
        "open": opened,
        "high": np.maximum(opened, close) + reach[0],
        "low": np.minimum(opened, close) - reach[1],
        "close": close,
    }
    prices = {name: column / 10_000 for name, column in ticks.items()}
    return bar_table.from_arrays(starts, prices, _volume(chance, bars, fractional=fractional))


def _volume(
    chance: np.random.Generator, bars: int, *, fractional: bool
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    shares = np.maximum(np.rint(np.exp(chance.normal(6.5, 1.4, bars))), 1).astype(np.int64)
    if not fractional:
        return shares
    millionths = chance.integers(1, _MICRO, bars) * (chance.random(bars) >= _NO_FRACTION)
    result: npt.NDArray[np.float64] = (shares * _MICRO + millionths) / _MICRO
    return result


def _seed(symbol: str, day: date) -> int:
    return int.from_bytes(blake2b(f"{symbol}|{day}".encode(), digest_size=16).digest())
