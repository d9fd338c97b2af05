"""Whole synthetic months, and what is cut out of them or put into them. No test and no single corruption."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.resample import resample
from mohlcv_dagster.checks.check_input import CheckInput, NeighbourMonths
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.rule import RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import ListedDays
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket
from mohlcv_dagster_tests.checks.clean_files import COMPLETENESS, FIELDS, named

EASTERN = ZoneInfo("America/New_York")

Edit = Callable[[pa.Table], pa.Table]


@cache
def _whole_month(symbol: str, month: str, calendar: str) -> pa.Table:
    market, span = SyntheticMarket(), Month.parse(month)
    # the evening of the day before the month may lie in it
    days = market.days(symbol, span.start.date() - timedelta(days=1), span.end.date())
    bars = pa.concat_tables(
        [market.bars(symbol, day, RAW, adjusted=False) for day in days], promote_options="permissive"
    )
    return inside(bars, span.start, span.end).combine_chunks()


def whole_month(symbol: str, month: str, *, without: frozenset[date] | set[date] = frozenset()) -> pa.Table:
    """A clean month of a symbol of the synthetic market, less the Eastern days named."""
    return drop_days(list(without))(_whole_month(symbol, month, exchange_calendar.source()))


def check_month(  # noqa: PLR0913 - each has a default
    bars: pa.Table,
    symbol: str,
    month: str,
    *,
    through: datetime | None = None,
    neighbours: tuple[float, ...] = (),
    listed: ListedDays | None = None,
    more: str = "",
) -> dict[str, RuleResult]:
    """What the rules on whole months say of bars that were asked for up to `through`, by default the month's end.

    `more` is another rule that is put to them.
    """
    file = BarFile(symbol, RAW, Month.parse(month))
    reading = Reading(b"", bars, None)
    recorded = Provenance(bars.num_rows, reading.sha256, complete_through=through or file.month.end, listed=listed)
    given = CheckInput(file, reading, reading, recorded, NeighbourMonths(neighbours))
    return {rule.name: evaluate(rule, given) for rule in (*COMPLETENESS, *FIELDS, *named((more,)))}


def failing(results: dict[str, RuleResult]) -> dict[str, str]:
    """The rules that failed, each with its severity."""
    return {name: str(result.severity) for name, result in results.items() if not result.passed}


def eastern(day: date, clock: str) -> datetime:
    """A moment by the New York clock; `24:00` is the next midnight."""
    hours, minutes = map(int, clock.split(":"))
    midnight = datetime.combine(day, time(), EASTERN)
    return (midnight.replace(hour=hours, minute=minutes) if hours < 24 else midnight + timedelta(days=1)).astimezone(
        UTC
    )


def inside(bars: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """The bars from `start` (inclusive) to `end` (exclusive)."""
    return bars.filter(pa.array(_between(bars, start, end)))


def of_seconds(length: int) -> Edit:
    """Put bars of `length` seconds, a whole part of a minute, in the place of those of one."""

    def edit(bars: pa.Table) -> pa.Table:
        return resample(bars, Timeframe(length, f"{length}s"))

    return edit


def drop(day: date, start: str, end: str) -> Edit:
    """Take out a stretch of an Eastern day."""
    return drop_all([(day, start, end)])


def drop_all(stretches: list[tuple[date, str, str]]) -> Edit:
    """Take out stretches of Eastern days."""

    def edit(bars: pa.Table) -> pa.Table:
        starts, kept = bar_table.seconds(bars), np.ones(bars.num_rows, dtype=bool)
        for day, start, end in stretches:
            first, last = np.searchsorted(starts, [int(eastern(day, clock).timestamp()) for clock in (start, end)])
            kept[first:last] = False
        return bars.filter(pa.array(kept))

    return edit


def drop_days(days: list[date]) -> Edit:
    """Take out whole Eastern days."""
    return drop_all([(day, "00:00", "24:00") for day in days])


def add(day: date, start: str, end: str) -> Edit:
    """Put a bar in each second of a stretch of an Eastern day that has none."""

    def edit(bars: pa.Table) -> pa.Table:
        clear = drop(day, start, end)(bars)
        seconds = np.arange(int(eastern(day, start).timestamp()), int(eastern(day, end).timestamp()))
        some = clear.take(pa.array(np.zeros(len(seconds), dtype=np.int64)))
        return pa.concat_tables([clear, _at(some, seconds)]).sort_by("ts_event")

    return edit


def shift(first: date, seconds: int) -> Edit:
    """Label all bars from an Eastern day on so many seconds later."""

    def edit(bars: pa.Table) -> pa.Table:
        starts = bar_table.seconds(bars)
        later = starts >= int(eastern(first, "00:00").timestamp())
        return _at(bars, starts + seconds * later).sort_by("ts_event")

    return edit


def _at(bars: pa.Table, starts: np.ndarray) -> pa.Table:
    return bars.set_column(0, bars.schema.field(0), pa.array(starts).cast(bar_table.TIME_TYPE))


def _between(bars: pa.Table, start: datetime, end: datetime) -> np.ndarray:
    starts = bar_table.seconds(bars)
    return (starts >= int(start.timestamp())) & (starts < int(end.timestamp()))


_HOLIDAYS = {date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19), date(2024, 6, 19)}

Seeded = Callable[[list[date], np.random.Generator], Edit]
"""Makes the edit from the trading days of the month, all of full length, and a seed's chance."""


def full_days(month: str) -> list[date]:
    """The trading days of a seeded month, by hand: weekdays less holidays; none of them closes early."""
    every = (date.fromisoformat(f"{month}-{day:02d}") for day in range(1, 29))
    return [day for day in every if day.weekday() < 5 and day not in _HOLIDAYS]


def once(start: str, end: str) -> Seeded:
    """A stretch lost on one day."""
    return lambda days, chance: drop(days[int(chance.integers(len(days)))], start, end)


def somewhere(minutes: int) -> Seeded:
    """So many minutes in a row lost on one day, between 10:00 and 15:00."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        begins = 600 + int(chance.integers(300 - minutes))
        return drop(days[int(chance.integers(len(days)))], _clock(begins), _clock(begins + minutes))

    return seeded


def single_minutes(count: int, *, each_day: bool = False) -> Seeded:
    """So many single minutes lost, no two of them neighbours."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        minutes = 571 + 2 * chance.choice(190, count, replace=False)
        on = days if each_day else [days[int(chance.integers(len(days)))]]
        return drop_all([(day, _clock(int(at)), _clock(int(at) + 1)) for day in on for at in minutes])

    return seeded


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def every_day(start: str, end: str) -> Seeded:
    return lambda days, _: drop_all([(day, start, end) for day in month_of(days)])


def month_of(days: list[date]) -> list[date]:
    return days + [days[0].replace(day=day) for day in range(29, 32) if _exists(days[0], day)]


def _exists(of: date, day: int) -> bool:
    try:
        return bool(of.replace(day=day))
    except ValueError:
        return False


def days_lost(count: int) -> Seeded:
    """So many trading days in a row lost."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        first = int(chance.integers(len(days) - count))
        return drop_days(days[first : first + count])

    return seeded


def repeated(later: int) -> Seeded:
    """A day's bars in place of those so many trading days later."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        at = int(chance.integers(len(days) - later))
        day, other = days[at], days[at + later]

        def edit(bars: pa.Table) -> pa.Table:
            own = inside(bars, eastern(day, "00:00"), eastern(day, "24:00"))
            moved = _at(own, bar_table.seconds(own) + 86_400 * (other - day).days)
            return pa.concat_tables([drop_days([other])(bars), moved]).sort_by("ts_event")

        return edit

    return seeded


def strays(start: str, end: str) -> Seeded:
    """Bars put where none belong, on one day."""
    return lambda days, chance: add(days[int(chance.integers(len(days)))], start, end)
