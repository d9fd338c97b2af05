"""Replayed bars: files of bars in a folder, served as they are.

The folder holds `second/SYMBOL_YYYY_MM.csv` and, where there are such, `minute/SYMBOL_YYYY_MM.csv`. A symbol or month
without a file of seconds is unknown: an empty answer. Minutes without a file are resampled from the seconds. Files
carry no splits, so the same bars are served for `adjusted=true` and `adjusted=false`.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.errors import CsvFormatError, FileMissingError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox.market import LruCache

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
        FileMissingError: there is no file of seconds in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {key: path for seconds in _FOLDERS for key, path in _found(folder, seconds)}
        if not any(seconds == _SECONDS for seconds, _, _ in self._files):
            raise FileMissingError(f"nothing to replay: {folder} holds no file such as second/SPY_2013_10.csv")
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
            exchange_calendar.eastern_midnight(day),
            exchange_calendar.eastern_midnight(day + timedelta(days=1)),
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
    """The Eastern days a UTC month touches: its own, and the one before, of which it holds the evening."""
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
    """The parts as one table; whole and fractional volumes together are fractional."""
    if all(bar_table.has_whole_volume(part) for part in parts):
        return pa.concat_tables([bar_table.empty(), *parts])
    return pa.concat_tables([part.cast(bar_table.bar_schema(whole_volume=False)) for part in parts])
