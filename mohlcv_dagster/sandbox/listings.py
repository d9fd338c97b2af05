"""The synthetic market's symbols: how often each trades, at what price, since when, and when it split. Stable for ever.

A few well-known symbols are named; the rest follow from a hash of their letters. No bar is made here.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from math import exp, log, prod
from typing import Final

import numpy as np

NOT_LISTED: Final = "ZZ"
"""Symbols that begin so have no bars, as those of which the first letter is not a capital."""

_CHEAPEST, _DEAREST = 4.0, 400.0
_QUIETEST, _BUSIEST = 0.015, 0.9
_PENNY_STOCK: Final = 0.6
_ONE_IN: Final = 25
_SPLIT_YEARS: Final = (2005, 2025)


@dataclass(frozen=True)
class Split:
    """A stock split.

    Attributes:
        date: the first Eastern day on the new basis.
        ratio: new shares for each old one.
    """

    date: date
    ratio: int


@dataclass(frozen=True)
class Listing:
    """A symbol of the synthetic market.

    Attributes:
        symbol: case matters.
        activity: expected trades a second in a quiet stretch of regular hours.
        price: US dollars a share at the start of 2024, on the basis of after the last split.
        splits: rising by date.
        name: of the company; empty for one made up.
        listed: the first Eastern day the company traded, under whatever symbol; `None` where that is not told.
        delisted: the Eastern day from which the symbol does not trade; `None` for one that does.
        renames: the company's symbols, each with the first day it bore it, rising; empty for one that never changed.
    """

    symbol: str
    activity: float
    price: float
    splits: tuple[Split, ...] = ()
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

# days, prices and splits are public record, near enough; how often each trades is chosen
_NAMED: Final = {
    listing.symbol: listing
    for listing in (
        Listing("SPY", 12.0, 472.0, listed=date(1993, 1, 29)),
        Listing("QQQ", 6.5, 402.0, listed=date(1999, 3, 10)),
        Listing(
            "AAPL",
            5.0,
            185.0,
            (Split(date(2005, 2, 28), 2), Split(date(2014, 6, 9), 7), Split(date(2020, 8, 31), 4)),
            name="Apple Inc.",
            listed=date(1980, 12, 12),
        ),
        Listing("MSFT", 3.5, 371.0, listed=date(1986, 3, 13)),
        Listing(
            "TSLA",
            6.0,
            248.0,
            (Split(date(2020, 8, 31), 5), Split(date(2022, 8, 25), 3)),
            "Tesla, Inc.",
            date(2010, 6, 29),
        ),
        Listing("META", 2.0, 347.0, (), "Meta Platforms, Inc.", date(2012, 5, 18), renames=_META),
        Listing("FB", 2.0, 347.0, (), "Meta Platforms, Inc.", date(2012, 5, 18), date(2022, 6, 9)),
        Listing("TWTR", 2.0, 53.7, (), "Twitter, Inc.", date(2013, 11, 7), date(2022, 10, 28)),
        Listing(
            "NVDA",
            6.0,
            48.0,
            (
                Split(date(2006, 4, 7), 2),
                Split(date(2007, 9, 11), 2),
                Split(date(2021, 7, 20), 4),
                Split(date(2024, 6, 10), 10),
            ),
            listed=date(1999, 1, 22),
        ),
    )
}


def seeded(*parts: object) -> np.random.Generator:
    """A generator that depends on the parts alone: not on the process, nor on Python's hash seed."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


@lru_cache(maxsize=1024)
def find(symbol: str) -> Listing | None:
    """The listing of a symbol; `None` for one that does not exist."""
    if symbol.startswith(NOT_LISTED) or not "A" <= symbol[:1] <= "Z":
        return None
    return _NAMED.get(symbol) or _hashed(symbol)


def _hashed(symbol: str) -> Listing:
    chance = seeded(symbol, "listing")
    activity = exp(chance.uniform(log(_QUIETEST), log(_BUSIEST)))
    price = exp(chance.uniform(log(_CHEAPEST), log(_DEAREST)))
    if chance.integers(_ONE_IN) == 0:
        price = _PENNY_STOCK
    days = (chance.integers(_SPLIT_YEARS[0], _SPLIT_YEARS[1]), chance.integers(1, 13), chance.integers(1, 29))
    split = Split(date(*map(int, days)), int(chance.choice([2, 3, 4, 10])))
    return Listing(symbol, activity, price, (split,) if chance.random() < 1 / 2 else ())
