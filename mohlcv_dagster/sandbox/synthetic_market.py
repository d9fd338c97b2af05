"""Synthetic bars: what a symbol's seconds could have been on a day. They look like a market's but are invented.

A day's bars depend on the symbol and the day alone, for one version of NumPy: not on the request, the process or
earlier requests. They never change. Prices continue from day to day along a random walk of each symbol. How
often a symbol trades, at what price, since when, and when it split follows from a hash of its letters; a few well-known
symbols are listed by name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b
from math import exp, log, prod
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.bars.bar_table import Floats, Seconds
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import Session
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox.market import LruCache

FIRST_DAY: Final = date(2003, 9, 10)
"""The first day the vendor's plans reach back to."""
LAST_DAY: Final = date(2099, 12, 31)
FRACTIONAL_FROM: Final = date(2026, 2, 23)
"""The day US stock volumes became fractional."""

_WALK_FROM: Final = date(2003, 1, 1)
_PRICED_ON: Final = date(2024, 1, 2)
_DAILY_MOVE: Final = 0.010
_CACHE_BYTES: Final = 128 * 2**20
_MICRO: Final = 10**6
_WEEKDAYS: Final = 5
_SMALL_LOT: Final = 12

NOT_LISTED: Final = "ZZ"
"""Symbols that begin so have no bars, and so do those whose first letter is not a capital."""

_CHEAPEST, _DEAREST = 4.0, 400.0
_QUIETEST, _BUSIEST = 0.015, 0.9
_PENNY_STOCK: Final = 0.6
_ONE_IN: Final = 25
_SPLIT_YEARS: Final = (2005, 2025)


@dataclass(frozen=True)
class SandboxSplit:
    """A stock split.

    Attributes:
        date: the first Eastern day on the new basis.
        ratio: new shares for each old one.
    """

    date: date
    ratio: int


@dataclass(frozen=True)
class SandboxListing:
    """A symbol of the synthetic market.

    Attributes:
        symbol: case matters.
        activity: expected trades a second in a quiet part of regular hours.
        price: US dollars a share at the start of 2024, on the basis of after the last split.
        splits: rising by date.
        name: of the company; empty for one made up.
        listed: the first Eastern day the company traded, under any symbol; `None` where it is not known.
        delisted: the Eastern day from which the symbol does not trade; `None` for one that does.
        renames: the company's symbols, each with its first day, rising; empty for one that never changed.
    """

    symbol: str
    activity: float
    price: float
    splits: tuple[SandboxSplit, ...] = ()
    name: str = ""
    listed: date | None = None
    delisted: date | None = None
    renames: tuple[tuple[date, str], ...] = ()

    @property
    def first_day(self) -> date:
        """The first day the symbol trades."""
        named = [day for day, symbol in self.renames if symbol == self.symbol]
        return max([*named, self.listed or date.min])

    def trades_on(self, day: date) -> bool:
        """Whether the symbol is listed on an Eastern day."""
        return self.first_day <= day and (self.delisted is None or day < self.delisted)

    def ratio_after(self, day: date) -> int:
        """New shares for each share held on `day`, by all later splits."""
        return prod(split.ratio for split in self.splits if split.date > day)


_META: Final = ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META"))

# days, prices and splits are public record, approximately; how often each trades is chosen
_NAMED: Final = {
    listing.symbol: listing
    for listing in (
        SandboxListing("SPY", 12.0, 472.0, listed=date(1993, 1, 29)),
        SandboxListing("QQQ", 6.5, 402.0, listed=date(1999, 3, 10)),
        SandboxListing(
            "AAPL",
            5.0,
            185.0,
            (SandboxSplit(date(2005, 2, 28), 2), SandboxSplit(date(2014, 6, 9), 7), SandboxSplit(date(2020, 8, 31), 4)),
            name="Apple Inc.",
            listed=date(1980, 12, 12),
        ),
        SandboxListing("MSFT", 3.5, 371.0, listed=date(1986, 3, 13)),
        SandboxListing(
            "TSLA",
            6.0,
            248.0,
            (SandboxSplit(date(2020, 8, 31), 5), SandboxSplit(date(2022, 8, 25), 3)),
            "Tesla, Inc.",
            date(2010, 6, 29),
        ),
        SandboxListing("META", 2.0, 347.0, (), "Meta Platforms, Inc.", date(2012, 5, 18), renames=_META),
        SandboxListing("FB", 2.0, 347.0, (), "Meta Platforms, Inc.", date(2012, 5, 18), date(2022, 6, 9)),
        SandboxListing("TWTR", 2.0, 53.7, (), "Twitter, Inc.", date(2013, 11, 7), date(2022, 10, 28)),
        SandboxListing(
            "NVDA",
            6.0,
            48.0,
            (
                SandboxSplit(date(2006, 4, 7), 2),
                SandboxSplit(date(2007, 9, 11), 2),
                SandboxSplit(date(2021, 7, 20), 4),
                SandboxSplit(date(2024, 6, 10), 10),
            ),
            listed=date(1999, 1, 22),
        ),
    )
}


def seeded_generator(*parts: object) -> np.random.Generator:
    """A generator that depends on the parts alone: neither on the process nor on Python's hash seed."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


@lru_cache(maxsize=1024)
def find_listing(symbol: str) -> SandboxListing | None:
    """The listing of a symbol; `None` for one that does not exist."""
    if symbol.startswith(NOT_LISTED) or not "A" <= symbol[:1] <= "Z":
        return None
    return _NAMED.get(symbol) or _hashed(symbol)


def _hashed(symbol: str) -> SandboxListing:
    chance = seeded_generator(symbol, "listing")
    activity = exp(chance.uniform(log(_QUIETEST), log(_BUSIEST)))
    price = exp(chance.uniform(log(_CHEAPEST), log(_DEAREST)))
    if chance.integers(_ONE_IN) == 0:
        price = _PENNY_STOCK
    days = (chance.integers(_SPLIT_YEARS[0], _SPLIT_YEARS[1]), chance.integers(1, 13), chance.integers(1, 29))
    split = SandboxSplit(date(*map(int, days)), int(chance.choice([2, 3, 4, 10])))
    return SandboxListing(symbol, activity, price, (split,) if chance.random() < 1 / 2 else ())


class SyntheticMarket:
    """A market of synthetic bars, from 2003-09-10 to 2099, in the hours of the exchange calendar."""

    def __init__(self) -> None:
        self._seconds: LruCache[pa.Table] = LruCache(_CACHE_BYTES, lambda bars: int(bars.nbytes))

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:
        """The days from `first` to `last`, both inclusive, with a session; none while a symbol is not listed."""
        listing = find_listing(symbol)
        if listing is None:
            return ()
        days = exchange_calendar.sessions_between(max(first, FIRST_DAY), min(last, LAST_DAY))
        return (session.date for session in days if listing.trades_on(session.date))

    def listing(self, symbol: str) -> SandboxListing | None:
        """The listing of a symbol; `None` for one that does not exist."""
        return find_listing(symbol)

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:
        """A session's bars of one second, minute or hour; see `market.Market`."""
        seconds = self._seconds.get((symbol, day, adjusted), lambda: _day(symbol, day, adjusted=adjusted))
        return seconds if timeframe.seconds == RAW.seconds else resample.resample(seconds, timeframe)


def _day(symbol: str, day: date, *, adjusted: bool) -> pa.Table:
    listing, session = find_listing(symbol), exchange_calendar.session_on(day)
    if listing is None or session is None or not listing.trades_on(day):
        return bar_table.empty()
    chance = seeded_generator(symbol, day.isoformat())
    starts, pace = _traded_seconds(chance, listing, session)
    trades = 1 + chance.poisson(pace)
    ticks, scale = _ticks(chance, listing, day, pace, trades)
    fractional = day >= FRACTIONAL_FROM
    volume = _volume(chance, trades, _position(starts, session.regular_close), fractional=fractional)
    ratio = listing.ratio_after(day) if adjusted else 1
    if ratio > 1:
        ticks = {name: np.rint(column * (10_000 / (scale * ratio))) for name, column in ticks.items()}
        scale, volume = 10_000, volume * ratio
    prices = {name: column / scale for name, column in ticks.items()}
    shares = volume / _MICRO if fractional else volume // _MICRO
    return bar_table.from_arrays(starts, prices, shares)


def _position(starts: Seconds, moment: datetime) -> int:
    return int(np.searchsorted(starts, int(moment.timestamp())))


def _traded_seconds(chance: np.random.Generator, listing: SandboxListing, session: Session) -> tuple[Seconds, Floats]:
    """The seconds something traded in, and the trades expected in each."""
    opening, close = int(session.regular_open.timestamp()), int(session.regular_close.timestamp())
    spans = [(int(begin.timestamp()), int(end.timestamp())) for begin, end in session.spans]
    seconds = np.concatenate([np.arange(begin, end, dtype=np.int64) for begin, end in spans])
    pace = listing.activity * _busyness(seconds, opening, close)
    traded = chance.random(len(seconds)) < -np.expm1(-pace)
    traded[np.searchsorted(seconds, [opening, close - 1])] = True  # the auctions
    return seconds[traded], pace[traded]


def _busyness(seconds: Seconds, opening: int, close: int) -> Floats:
    """How much of a symbol's activity each second has: high at the open and the close, low in extended hours."""
    since_open, to_close = seconds - opening, close - seconds
    before = 0.045 + 0.25 * np.exp(np.minimum(since_open, 0) / 2400)
    regular = 0.75 + 1.6 * np.exp(-np.maximum(since_open, 0) / 900) + 1.3 * np.exp(-np.maximum(to_close, 0) / 600)
    after = 0.045 + 0.25 * np.exp(np.minimum(to_close, 0) / 2400)
    shape: Floats = np.select([since_open < 0, to_close > 0], [before, regular], after)
    return shape


def _ticks(
    chance: np.random.Generator, listing: SandboxListing, day: date, pace: Floats, trades: npt.NDArray[np.int64]
) -> tuple[dict[str, npt.NDArray[np.int64]], int]:
    """Open, high, low and close in ticks, and the ticks in a dollar: cents, or 1/10,000 below a dollar."""
    start, end = _levels(listing, day)
    steps = chance.standard_normal(len(pace)) * np.sqrt(pace / pace.sum()) * _DAILY_MOVE
    path = np.cumsum(steps)
    bridge = path + (np.log(end / start) - path[-1]) * np.cumsum(pace) / pace.sum()
    scale = 100 if min(start, end) >= 1 else 10_000
    close = np.maximum(np.rint(start * np.exp(bridge) * scale).astype(np.int64), 1)
    opened = np.concatenate(([max(round(start * scale), 1)], close[:-1])) + chance.integers(-1, 2, len(pace))
    opened = np.where(trades == 1, close, np.maximum(opened, 1))
    reach = chance.integers(0, 3, (2, len(pace))) * (trades > 2)  # noqa: PLR2004 - a wick needs a third trade
    high, low = np.maximum(opened, close) + reach[0], np.maximum(np.minimum(opened, close) - reach[1], 1)
    return {"open": opened, "high": high, "low": low, "close": close}, scale


def _volume(
    chance: np.random.Generator, trades: npt.NDArray[np.int64], closing: int, *, fractional: bool
) -> npt.NDArray[np.int64]:
    """Millionths of a share: whole shares, or two bars in five with a fraction and a few below one share."""
    shares = np.maximum(np.rint(trades * np.exp(chance.normal(4.4, 0.9, len(trades)))), 1).astype(np.int64)
    shares[max(closing - 1, 0)] = shares.sum() // 20 + 1  # the closing auction
    if not fractional:
        return shares * _MICRO
    fraction = chance.integers(1, _MICRO, len(trades)) * (chance.random(len(trades)) < 2 / 5)
    whole = np.where((fraction > 0) & (shares < _SMALL_LOT), 0, shares)
    millionths: npt.NDArray[np.int64] = whole * _MICRO + fraction
    return millionths


def _levels(listing: SandboxListing, day: date) -> tuple[float, float]:
    """The price a day starts from and ends at, US dollars, unadjusted."""
    walk = _walk(listing.symbol)
    at = (day - _WALK_FROM).days
    dollars = listing.price * listing.ratio_after(day)
    priced = walk[(_PRICED_ON - _WALK_FROM).days]
    return dollars * float(np.exp(walk[at - 1] - priced)), dollars * float(np.exp(walk[at] - priced))


@lru_cache(maxsize=256)
def _walk(symbol: str) -> Floats:
    """The logarithm of a symbol's price on each calendar day; it does not change at weekends."""
    days = (LAST_DAY - _WALK_FROM).days + 1
    moves = seeded_generator(symbol, "walk").normal(0, _DAILY_MOVE, days)
    weekday = (np.arange(days) + _WALK_FROM.weekday()) % 7
    moves[weekday >= _WEEKDAYS] = 0
    walk: Floats = np.cumsum(moves)
    return walk
