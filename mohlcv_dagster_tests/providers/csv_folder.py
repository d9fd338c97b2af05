"""A second provider: a folder of CSV files, one a symbol and month, with the bars' starts in Unix seconds."""

import csv
from datetime import UTC, datetime

import numpy as np

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.errors import NoTradesError
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.model.company import KnownCompany
from mohlcv_dagster.model.listings import KnownSplits, Listing
from mohlcv_dagster.providers.base import Cost, FetchedMonth, FetchProgress

NUMBERS = (*bar_files.PRICES, bar_files.VOLUME)


class CsvFolder:
    """A `BarProvider` that reads `SYMBOL-2024-02-second.csv` and `SYMBOL-2024-02-minute.csv`.

    Attributes:
        asked: the question of each fetch: symbol, month, timeframe, since.
    """

    name = "csv folder"
    adjusted = False
    company_requests = 0

    def __init__(self, folder, now=None):
        self._folder = folder
        self._now = now or datetime.now(UTC)
        self.asked = []

    def fetch_month(self, symbol, month, *, timeframe="second", adjusted=None, since=None, on_progress=None):  # noqa: PLR0913 - as the protocol
        self.asked.append((symbol, str(month), timeframe, since))
        path = self._folder / f"{check_symbol(symbol)}-{month}-{timeframe}.csv"
        if not path.exists():
            raise NoTradesError(f"{symbol} has no trades in {month}: there is no {path.name}")
        end = min(month.end, self._now.replace(microsecond=0))
        first = (since or month.start).timestamp()
        with path.open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if first <= int(row["start"]) < end.timestamp()]
        numbers = {name: np.array([float(row[name]) for row in rows]) for name in NUMBERS}
        starts = np.array([int(row["start"]) for row in rows], dtype=np.int64)
        if on_progress:
            on_progress(FetchProgress(1, 1, len(rows), path.stat().st_size, 1))
        return FetchedMonth(
            bars=bar_table.normalize_volume_dtype(bar_table.from_arrays(starts, numbers, numbers[bar_files.VOLUME])),
            requests=1,
            retries=0,
            seconds=0.0,
            bytes=path.stat().st_size,
            fetched_at=self._now,
            complete_through=end,
            vendor=self.name,
            adjusted=False,
            request_ids=(path.name,),
            plan_delayed=False,
        )

    def listing(self, symbol):
        return Listing(check_symbol(symbol), known=False, why_unknown="a folder of files has no listings")

    def splits(self, symbol):
        return KnownSplits(None, "a folder of files has no splits")

    def company(self, symbol, day, known=()):
        return KnownCompany(None, "a folder of files has no companies")

    def estimate(self, month, now, *, bars_a_session, since=None, empty=None):
        return Cost(bars=1, minutes=1)

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
