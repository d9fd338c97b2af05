"""Pages of a market: the rows a query is due, cut at its limit. Days are encoded once and kept while there is room.

No HTTP and no JSON around the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from mohlcv_dagster.bars import resample, schema
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.sandbox import query as queries
from mohlcv_dagster.sandbox import rows
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.query import Query
from mohlcv_dagster.sandbox.rows import Rows
from mohlcv_dagster.sandbox.shelf import Shelf

_ROOM: Final = 384 * 2**20


@dataclass
class Page:
    """What one answer holds.

    Attributes:
        pieces: the text of the rows in order, a comma after each row.
        count: how many rows.
        base_count: how many base bars they were made from.
        final: the start of the last row served, Unix milliseconds; `None` on an empty page.
        more: whether the query has further rows.
    """

    pieces: list[memoryview] = field(default_factory=list)
    count: int = 0
    base_count: int = 0
    final: int | None = None
    more: bool = False


class Ledger:
    """A market's bars as pages.

    Args:
        market: where the bars come from.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self._shelf: Shelf[Rows] = Shelf(_ROOM, lambda day: day.nbytes)

    def page(self, query: Query, now: int) -> Page:
        """The first page of a query.

        Args:
            query: what is asked.
            now: Unix milliseconds; bars that end later do not exist yet.
        """
        page = Page()
        last = min(query.last, now - query.width)
        for day in self._days(query, last):
            encoded = self._encoded(query, day)
            begin = int(np.searchsorted(encoded.starts, query.first))
            end = int(np.searchsorted(encoded.starts, last, side="right"))
            if begin < end:
                _take(page, query, encoded, begin, end)
            if page.more:
                break
        return page

    def _days(self, query: Query, last: int) -> Iterator[date]:
        if last < query.first:
            return iter(())
        days = self.market.days(query.symbol, *queries.eastern_days(query.first, last))
        return reversed(tuple(days)) if query.descending else iter(days)

    def _encoded(self, query: Query, day: date) -> Rows:
        key = (query.symbol, day, query.base, query.multiplier, query.adjusted)
        return self._shelf.get(key, lambda: self._encode(query, day))

    def _encode(self, query: Query, day: date) -> Rows:
        bars = self.market.bars(query.symbol, day, query.base, adjusted=query.adjusted)
        if query.multiplier == 1:
            return rows.encode(bars, np.ones(bars.num_rows, np.int64))
        seconds = query.base.seconds * query.multiplier
        _, base_bars = np.unique(schema.seconds(bars) // seconds, return_counts=True)
        return rows.encode(resample.fold(bars, Timeframe(seconds, f"{query.multiplier}{query.base}")), base_bars)


def _take(page: Page, query: Query, day: Rows, begin: int, end: int) -> None:
    """Add to the page what of the rows `begin` to `end` its limit has room for; one row always fits an empty page."""
    room = query.limit - page.base_count
    held = np.diff(day.base_ends, prepend=0)[begin:end]
    in_order = held[::-1] if query.descending else held
    taken = int(np.searchsorted(np.cumsum(in_order), room, side="right"))
    taken = max(taken, 0 if page.count else 1)
    page.more = taken < end - begin
    if not taken:
        return
    if query.descending:
        page.pieces += [day.between(at, at + 1) for at in range(end - 1, end - 1 - taken, -1)]
        page.final = int(day.starts[end - taken])
    else:
        page.pieces.append(day.between(begin, begin + taken))
        page.final = int(day.starts[begin + taken - 1])
    page.count += taken
    page.base_count += int(in_order[:taken].sum())
