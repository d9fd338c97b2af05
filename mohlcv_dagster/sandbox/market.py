"""What a source of bars must provide to be served, its cache, and the source that replays stored files.

`ReplayedMarket` reads a folder with `second/SYMBOL_YYYY_MM.csv` and, where there are such, `minute/SYMBOL_YYYY_MM.csv`.
A symbol or month without a file of seconds is unknown: an empty answer. Minutes without a file are resampled from the
seconds. Files carry no splits, so the same bars are served for `adjusted=true` and `adjusted=false`.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.errors import CsvFormatError, FileMissingError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

T = TypeVar("T")


class Market(Protocol):
    """A source of bars by trading day. Safe to share between threads.

    A trading day is `[00:00, 24:00)` Eastern, or from 20:00 to 20:00 (`exchange_calendar.trading_day_start`).
    """

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


class LruCache(Generic[T]):
    """A cache bounded by bytes; the least recently used value goes first. Safe to share between threads.

    Args:
        max_bytes: the most that is kept; the newest value is kept even if it alone is larger.
        size: the bytes a value takes.
    """

    def __init__(self, max_bytes: int, size: Callable[[T], int]) -> None:
        self._max_bytes = max_bytes
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self._making = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made first where it is not cached; one value is made at a time."""
        found = self._find(key)
        if found is not None:
            return found
        with self._making:
            found = self._find(key)
            return self._keep(key, make()) if found is None else found

    def _find(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _keep(self, key: Hashable, value: T) -> T:
        with self._lock:
            self._values[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._max_bytes and len(self._values) > 1:
                self._bytes -= self._size(self._values.popitem(last=False)[1])
        return value


_FILE: Final = re.compile(r"(?P<symbol>[^_]+)_(?P<month>\d{4}_\d{2})\.csv")
_SECONDS, _MINUTES = RAW.seconds, 60
_FOLDERS: Final = {_SECONDS: "second", _MINUTES: "minute"}
_CACHE_BYTES: Final = 512 * 2**20

_Key = tuple[int, str, Month]


class ReplayedMarket:
    """A market of stored bars.

    Args:
        folder: holds `second/` and perhaps `minute/`; which files there are is read once, here.

    Raises:
        FileMissingError: the folder has no file of seconds.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {key: path for seconds in _FOLDERS for key, path in _found(folder, seconds)}
        if not any(seconds == _SECONDS for seconds, _, _ in self._files):
            raise FileMissingError(f"nothing to replay: {folder} has no file such as second/SPY_2013_10.csv")
        self._cache: LruCache[pa.Table] = LruCache(_CACHE_BYTES, lambda bars: int(bars.nbytes))

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:
        """The days from `first` to `last`, both inclusive, that a file of seconds may hold; rising."""
        months = sorted(month for seconds, name, month in self._files if seconds == _SECONDS and name == symbol)
        days = {day for month in months for day in _days_of(month)}
        return sorted(day for day in days if first <= day <= last)

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:  # noqa: ARG002 - files carry no splits
        """A day's bars of one second, minute or hour; see `market.Market`.

        Raises:
            CsvFormatError: a file is not one of bars, or has empty fields.
        """
        start, end = (
            exchange_calendar.trading_day_start(day),
            exchange_calendar.trading_day_start(day + timedelta(days=1)),
        )
        months = sorted({Month.of(start), Month.of(end - timedelta(seconds=1))})
        tables = [self._month(symbol, month, timeframe.seconds) for month in months]
        bounds = int(start.timestamp()), int(end.timestamp())
        parts = [_slice(table, *bounds) for table in tables if table is not None]
        bars = _joined(parts)
        return bars if timeframe.seconds in (_SECONDS, _MINUTES) else resample.resample(bars, timeframe)

    def _month(self, symbol: str, month: Month, seconds: int) -> pa.Table | None:
        """The bars of a file; minutes are made from the seconds where they have no file."""
        for source in (_MINUTES, _SECONDS) if seconds > _SECONDS else (_SECONDS,):
            path = self._files.get((source, symbol, month))
            if path is not None:
                return self._cache.get((seconds, symbol, month), partial(_read, path, source, seconds))
        return None


def _found(folder: Path, seconds: int) -> Iterable[tuple[_Key, Path]]:
    for path in sorted((folder / _FOLDERS[seconds]).glob("*.csv")):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            yield (seconds, match["symbol"], Month.parse(match["month"].replace("_", "-"))), path


def _days_of(month: Month) -> Iterable[date]:
    """The Eastern days a UTC month touches: its own, and the evening of the one before."""
    day = month.start.date() - timedelta(days=1)
    while day < month.end.date():
        yield day
        day += timedelta(days=1)


def _read(path: Path, source: int, seconds: int) -> pa.Table:
    bars = csv_codec.decode(path.read_bytes())
    if any(column.null_count for column in bars.columns):
        raise CsvFormatError(f"{path} has empty fields, which the vendor's rows cannot have")
    return bars if source == _MINUTES or seconds == _SECONDS else resample.resample(bars, Timeframe(_MINUTES, "minute"))


def _slice(bars: pa.Table, start: int, end: int) -> pa.Table:
    begin, stop = np.searchsorted(bar_table.seconds(bars), [start, end])
    return bars.slice(int(begin), int(stop - begin))


def _joined(parts: list[pa.Table]) -> pa.Table:
    """The parts as one table; integer and fractional volumes together are fractional."""
    if all(bar_table.has_whole_volume(part) for part in parts):
        return pa.concat_tables([bar_table.empty(), *parts])
    return pa.concat_tables([part.cast(bar_table.bar_schema(whole_volume=False)) for part in parts])
