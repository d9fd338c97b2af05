"""Whole synthetic months, and what is cut out of them or put into them. No test and no single corruption."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.rules import WHOLE, Beside, Evidence, Finding, Reading, Recorded
from mohlcv_dagster.bars.rules.judging import evaluate
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket

EASTERN = ZoneInfo("America/New_York")

Edit = Callable[[pa.Table], pa.Table]


@cache
def _whole_month(symbol: str, month: str) -> pa.Table:
    market, span = SyntheticMarket(), Month.parse(month)
    # the evening of the day before the month may lie in it
    days = market.days(symbol, span.start.date() - timedelta(days=1), span.end.date())
    bars = pa.concat_tables(
        [market.bars(symbol, day, RAW, adjusted=False) for day in days], promote_options="permissive"
    )
    return inside(bars, span.start, span.end).combine_chunks()


def whole_month(symbol: str, month: str, *, without: frozenset[date] | set[date] = frozenset()) -> pa.Table:
    """A clean month of a symbol of the synthetic market, less the Eastern days named."""
    return drop_days(list(without))(_whole_month(symbol, month))


def judge_whole(
    bars: pa.Table, symbol: str, month: str, *, through: datetime | None = None, neighbours: tuple[float, ...] = ()
) -> dict[str, Finding]:
    """What the rules on whole months say of bars that were asked for up to `through`, by default the month's end."""
    file = BarFile(symbol, RAW, Month.parse(month))
    recorded = Recorded(bars.num_rows, "", complete_through=through or file.month.end)
    reading = Reading(b"", bars, None)
    evidence = Evidence(file, reading, reading, recorded, Beside(neighbours))
    return {rule.name: evaluate(rule, evidence) for rule in WHOLE}


def failing(findings: dict[str, Finding]) -> dict[str, str]:
    """The rules that failed, each with its severity."""
    return {name: str(finding.severity) for name, finding in findings.items() if not finding.passed}


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
