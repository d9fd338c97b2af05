"""Months whose minutes are folded from their seconds, as arrays that are easy to edit. No test lives here."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.model import bar_files, exchange_calendar, timeframes
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.reconciliation import Reconciliation, reconcile
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket
from mohlcv_dagster_tests.real import REAL

MINUTE = timeframes.parse("1min")


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars as arrays, easy to edit."""

    t: np.ndarray
    o: np.ndarray
    h: np.ndarray
    l: np.ndarray  # noqa: E741 - the letters of OHLCV
    c: np.ndarray
    v: np.ndarray

    @classmethod
    def of(cls, table):
        return cls(bar_table.seconds(table), *(table[name].to_numpy().copy() for name in bar_files.COLUMNS[1:]))

    def table(self):
        prices = dict(zip(bar_files.PRICES, (self.o, self.h, self.l, self.c), strict=True))
        return bar_table.from_arrays(self.t, prices, self.v)

    def take(self, chosen):
        return Bars(*(getattr(self, name)[chosen] for name in "tohlcv"))

    def minutes(self):
        return Bars.of(resample.resample(self.table(), MINUTE))

    def changed(self, at, **values):
        """A copy with new values at `at`, a mask or positions."""
        columns = {name: getattr(self, name).copy() for name in values}
        for name, value in values.items():
            columns[name] = columns[name].astype(np.result_type(columns[name], value), copy=False)
            columns[name][at] = value
        return replace(self, **columns)


@dataclass(frozen=True, eq=False)
class Case:
    """Our seconds beside the vendor's minutes.

    Attributes:
        month: which.
        seconds: ours.
        vendor: the vendor's minutes.
        touched: how many minutes were made to differ; `None` where that is not worked out.
    """

    month: Month
    seconds: Bars
    vendor: Bars
    touched: int | None = None

    def reconcile(self, complete_through: datetime | None = None) -> Reconciliation:
        ours = self.seconds.minutes().table()
        end = complete_through or self.month.end
        return reconcile(self.seconds.table(), ours, self.vendor.table(), self.month, end, adjusted=False)

    def day_of(self, t):
        """The trading day of each moment, as a number; 0 for none."""
        days = {s.date for s in exchange_calendar.sessions_overlapping(self.month)}
        return sum(
            np.where((t >= _begins(day)) & (t < _begins(day + timedelta(days=1))), day.toordinal(), 0) for day in days
        )


def _begins(day):
    return int(exchange_calendar.trading_day_start(day).timestamp())


def midnight(day):
    return int(exchange_calendar.eastern_midnight(day).timestamp())


def clean(symbol: str, month: Month, days: tuple[date, ...]) -> Case:
    """Some sessions of a synthetic month."""
    return _clean(symbol, month, days, exchange_calendar.source())


@cache
def _clean(symbol: str, month: Month, days: tuple[date, ...], calendar: str) -> Case:
    market = SyntheticMarket()
    seconds = Bars.of(pa.concat_tables([market.bars(symbol, day, RAW, adjusted=False) for day in days]))
    inside = seconds.take((seconds.t >= month.start_second) & (seconds.t < month.end_second))
    return Case(month, inside, inside.minutes())


def winter() -> Case:
    """A stock of some activity in sessions of February 2024, whose month begins and ends with an evening session."""
    days = (date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2), date(2024, 2, 28), date(2024, 2, 29))
    return clean("KO", Month(2024, 2), days)


def fractional() -> Case:
    """The same of a month with fractional volumes."""
    return clean("KO", Month(2026, 3), (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 9)))


def thin() -> Case:
    """A stock that trades seldom, six sessions, among them the last of a month, an early close."""
    return clean("XK", Month(2024, 11), tuple(date(2024, 11, d) for d in (1, 4, 5, 26, 27, 29)))


def real(name="SPY_2013_10") -> Case:
    """Real bars, read in place."""
    paths = ("second", "minute") if name == "fractional" else (f"second/{name}", f"minute/{name}")
    folder = REAL / "fractional" if name == "fractional" else REAL
    seconds, minutes = (Bars.of(csv_codec.decode((folder / f"{path}.csv").read_bytes())) for path in paths)
    return Case(Month.of(datetime.fromtimestamp(int(seconds.t[0]), UTC)), seconds, minutes)
