"""A request for bars, parsed as the vendor parses it, and the page of rows that answers it."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote

import numpy as np

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.timeframes import Timeframe
from mohlcv_dagster.sandbox.market import LruCache, Market
from mohlcv_dagster.sandbox.responses import VENDOR, BarsResponse, EncodedRows, encode_rows

BASES: Final = {"second": Timeframe(1, "second"), "minute": Timeframe(60, "minute"), "hour": Timeframe(3600, "hour")}
DEFAULT_LIMIT: Final = 5_000
HIGHEST_LIMIT: Final = 50_000

_HOUR: Final = 3600
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MILLISECONDS: Final = re.compile(r"\d{1,15}")
_CACHE_BYTES: Final = 384 * 2**20


@dataclass(frozen=True)
class BarsQuery:
    """One request for bars.

    Attributes:
        symbol: as written; case matters.
        multiplier: base bars in a bar.
        base: one second, minute or hour.
        first: the start of the earliest bar requested, Unix milliseconds, inclusive, rounded down to a bar's start.
        last: the last millisecond requested, inclusive.
        begins: the moment that `to` names, Unix milliseconds: `last`, or for a day its midnight.
        adjusted: whether bars are adjusted for later splits.
        limit: the most base bars an answer may hold.
        descending: whether the latest bar comes first.
    """

    symbol: str
    multiplier: int
    base: Timeframe
    first: int
    last: int
    begins: int
    adjusted: bool
    limit: int
    descending: bool

    @property
    def width(self) -> int:
        """The length of a bar, milliseconds."""
        return self.base.seconds * self.multiplier * 1000

    @property
    def cursor(self) -> str:
        """The cursor of the next page: it carries only the limit and the order."""
        text = f"limit={self.limit}&sort={'desc' if self.descending else 'asc'}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_query(path: Mapping[str, str], parameters: Mapping[str, str]) -> BarsQuery:
    """The query of a request.

    Args:
        path: `ticker`, `multiplier`, `timespan`, `from` and `to`, as the path has them.
        parameters: `adjusted`, `sort`, `limit` and `cursor`, where given; a cursor's values win.

    Raises:
        InputError: the vendor would answer 400; with the vendor's message.
    """
    settings = {**parameters, **_cursor_settings(parameters.get("cursor", ""))}
    base, multiplier = _parse_bar(path["timespan"], path["multiplier"])
    first, _ = _parse_time("from", path["from"])
    begins, last = _parse_time("to", path["to"])
    if last < first:
        raise InputError("The parameter 'to' cannot be a time that occurs before 'from'")
    width = base.seconds * multiplier * 1000
    return BarsQuery(
        symbol=path["ticker"],
        multiplier=multiplier,
        base=base,
        first=first // width * width,
        last=last,
        begins=begins,
        adjusted=_is_second("adjusted", settings.get("adjusted", "true"), ("false", "true")),
        limit=_parse_limit(settings.get("limit", str(DEFAULT_LIMIT))),
        descending=_is_second("sort", settings.get("sort", "asc"), ("asc", "desc")),
    )


def _cursor_settings(cursor: str) -> dict[str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return dict(parse_qsl(b64decode(padded, altchars=b"-_", validate=True).decode()))
    except ValueError as error:
        raise InputError(f"Could not read the cursor '{cursor}'") from error


def _parse_bar(timespan: str, multiplier: str) -> tuple[Timeframe, int]:
    base = BASES.get(timespan)
    if base is None:
        raise InputError(f"Could not parse the timespan '{timespan}'; the sandbox serves {', '.join(BASES)}")
    times = int(multiplier) if _MILLISECONDS.fullmatch(multiplier) else 0
    if times < 1 or _HOUR % (base.seconds * times):
        raise InputError(f"Could not use the multiplier '{multiplier}'; in the sandbox a bar divides an hour")
    return base, times


def _parse_time(name: str, text: str) -> tuple[int, int]:
    """The first and last millisecond that `text` names: one and the same, or those of an Eastern day."""
    if _MILLISECONDS.fullmatch(text):
        return int(text), int(text)
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
        midnights = exchange_calendar.eastern_midnight(day), exchange_calendar.eastern_midnight(day + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise InputError(f"Could not parse the time parameter '{name}': '{text}'") from error
    start, end = (round(midnight.timestamp() * 1000) for midnight in midnights)
    return start, end - 1


def _parse_limit(text: str) -> int:
    limit = int(text) if _MILLISECONDS.fullmatch(text) else 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise InputError(f"The parameter 'limit' must be from 1 to {HIGHEST_LIMIT}, was '{text}'")
    return limit


def _is_second(name: str, text: str, choices: tuple[str, str]) -> bool:
    """Whether `text` is the second of the two choices."""
    if text not in choices:
        raise InputError(f"The parameter '{name}' must be {choices[0]} or {choices[1]}, was '{text}'")
    return text == choices[1]


@dataclass
class RowPage:
    """The rows of one answer.

    Attributes:
        pieces: the text of the rows in order, a comma after each row.
        count: how many rows.
        base_count: how many base bars they were made from.
        final: the start of the last row, Unix milliseconds; `None` on an empty page.
        more: whether the query has further rows.
    """

    pieces: list[memoryview] = field(default_factory=list)
    count: int = 0
    base_count: int = 0
    final: int | None = None
    more: bool = False


class MarketPages:
    """A market's bars in pages; encoded days are cached.

    Args:
        market: where the bars come from.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self._cache: LruCache[EncodedRows] = LruCache(_CACHE_BYTES, lambda day: day.nbytes)

    def page(self, query: BarsQuery, now: int) -> RowPage:
        """The first page of a query.

        Args:
            query: what is requested.
            now: Unix milliseconds; bars that end later do not exist yet.

        Raises:
            InputError: the query reaches beyond what a calendar holds.
        """
        page = RowPage()
        last = min(query.last, now - query.width)
        for day in self._days(query, last):
            encoded = self._encoded(query, day)
            begin = int(np.searchsorted(encoded.starts, query.first))
            end = int(np.searchsorted(encoded.starts, last, side="right"))
            if begin < end:
                _add_rows(page, query, encoded, begin, end)
            if page.more:
                break
        return page

    def _days(self, query: BarsQuery, last: int) -> Iterator[date]:
        if last < query.first:
            return iter(())
        days = self.market.days(query.symbol, _day(query.first), _day(last))
        return reversed(tuple(days)) if query.descending else iter(days)

    def _encoded(self, query: BarsQuery, day: date) -> EncodedRows:
        key = (query.symbol, day, query.base, query.multiplier, query.adjusted)
        return self._cache.get(key, lambda: self._encode(query, day))

    def _encode(self, query: BarsQuery, day: date) -> EncodedRows:
        bars = self.market.bars(query.symbol, day, query.base, adjusted=query.adjusted)
        if query.multiplier == 1:
            return encode_rows(bars, np.ones(bars.num_rows, np.int64))
        seconds = query.base.seconds * query.multiplier
        _, base_bars = np.unique(bar_table.seconds(bars) // seconds, return_counts=True)
        return encode_rows(resample.resample(bars, Timeframe(seconds, f"{query.multiplier}{query.base}")), base_bars)


def _day(moment: int) -> date:
    try:
        return exchange_calendar.trading_day_of(datetime.fromtimestamp(moment / 1000, UTC))
    except (ValueError, OverflowError) as error:
        raise InputError(f"Could not parse the time parameter: {moment} is beyond the calendar") from error


def _add_rows(page: RowPage, query: BarsQuery, day: EncodedRows, begin: int, end: int) -> None:
    """Add the rows `begin` to `end` as far as the limit allows; one row always fits an empty page."""
    allowed = query.limit - page.base_count
    base_bars = np.diff(day.base_ends, prepend=0)[begin:end]
    in_order = base_bars[::-1] if query.descending else base_bars
    taken = int(np.searchsorted(np.cumsum(in_order), allowed, side="right"))
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


def bars_response(query: BarsQuery, to: str, page: RowPage) -> BarsResponse:
    """The vendor's answer to a query.

    Args:
        query: what was requested.
        to: the `to` of the path, as written: `next_url` repeats it.
        page: the rows of the answer.
    """
    following = next_url(query, to, page)
    return BarsResponse(
        ticker=query.symbol,
        query_count=page.base_count,
        results_count=page.count,
        adjusted=query.adjusted,
        first=query.first,
        following=following,
        rows=tuple(page.pieces),
        results="rows" if page.count else "absent",
        next_url=following if page.more else None,
    )


def next_url(query: BarsQuery, to: str, page: RowPage) -> str:
    """The address of the page after `page`: on the vendor's host, with a cursor."""
    begin, end = str(query.first), to
    if page.final is not None and query.descending:
        end = str(page.final - 1)
    elif page.final is not None:
        begin = str(page.final + query.width)
    bar = f"{query.multiplier}/{query.base}"
    return f"{VENDOR}/v2/aggs/ticker/{quote(query.symbol)}/range/{bar}/{begin}/{end}?cursor={query.cursor}"
