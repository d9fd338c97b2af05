"""The rules that hold a raw month against the exchange calendar: its sessions, minutes, bells, gaps and hours.

A session that has no bar at all is told by `sessions_present` alone; the rules on minutes, bells and gaps look at those
that have bars, and only of a liquid symbol: a quiet one has empty minutes by nature (`coverage.is_liquid`). The facts
are `coverage`'s.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from math import exp, sqrt
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE
from mohlcv_dagster.bars.coverage import Coverage, SessionCoverage
from mohlcv_dagster.bars.rules import wording
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.rule import Outcome, Severity
from mohlcv_dagster.bars.rules.wording import tally
from mohlcv_dagster.model.bar_files import TIME
from mohlcv_dagster.model.exchange_calendar import EASTERN, FIRST_YEAR, LAST_YEAR, eastern_midnight, session_on

OCCUPANCY_WARN: Final = 0.99
OCCUPANCY_ERROR: Final = 0.95
GAP_WARN: Final = timedelta(minutes=5)
GAP_ERROR: Final = timedelta(minutes=15)

_MINUTE: Final = timedelta(minutes=1)
_KNOWN_DAYS: Final = tuple(
    int(eastern_midnight(day).timestamp()) for day in (date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))
)
"""Unix seconds, the last ones exclusive, between which a bar's day can be looked up."""
_DEVIATIONS: Final = 5
"""How far beyond what chance leaves empty, in standard deviations, is no chance."""
_NAMED: Final = 3
"""How many days a message names."""
_UNRECORDED: Final = "it is not recorded up to when its bars were asked for, so the whole month is expected"


def sessions_present(evidence: Evidence) -> Outcome:
    """Judge: every session that is over has a bar in regular hours. An error for a liquid symbol, else a warning.

    Rows: the sessions without, `ts_event` their opening bell, `closes` the closing one; `bars` in extended hours.
    """
    coverage = evidence.coverage
    if not evidence.own.rows and evidence.recorded and evidence.recorded.empty:
        return _passed(evidence, "does not apply: the month was proven empty, of which not_empty speaks")
    absent = [each for each in coverage.sessions if not each.is_present]
    if not absent:
        return _passed(evidence, wording.sessions(coverage.expected))
    named = ", ".join(str(each.session.date) for each in absent[:_NAMED])
    more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
    fault = f"has no bar in the regular hours of {len(absent)} of {wording.sessions(coverage.expected)}: {named}{more}"
    rows = _table(
        absent,
        lambda each: each.session.regular_open,
        closes=lambda each: each.session.regular_close,
        bars=lambda each: each.bars,
    )
    if evidence.liquid:
        return _failed(evidence, fault, rows, Severity.ERROR)
    return _failed(evidence, f"{fault} (a quiet symbol: perhaps nothing traded)", rows, Severity.WARN)


def minute_occupancy(evidence: Evidence) -> Outcome:
    """Judge: 99 % of the regular minutes have bars, of each session and of all together; below 95 % an error.

    Less is allowed where chance leaves more empty, which it does below 8 bars a minute. Rows: the sessions that are
    short or, where only all together are, each with an empty minute; `ts_event` is their first empty minute.
    """
    coverage = _judgeable(evidence)
    if isinstance(coverage, Outcome):
        return coverage
    there = _there(coverage)
    density, empty, minutes = coverage.density or 0.0, sum(map(_empty, there)), sum(each.minutes.size for each in there)
    share = f"{wording.percent(1 - empty / minutes)} of the {minutes:,} regular minutes of {_count(there)}"
    short = [each for each in there if _is_short(_empty(each), each.minutes.size, OCCUPANCY_WARN, density)]
    if not short and not _is_short(empty, minutes, OCCUPANCY_WARN, density):
        return _passed(evidence, share)
    worst = min(there, key=lambda each: each.occupancy)
    fault = (
        f"has bars in {share}; {len(short)} of them {'is' if len(short) == 1 else 'are'} short, the worst "
        f"{worst.session.date} with {wording.percent(worst.occupancy)} ({_empty(worst)} of {worst.minutes.size} "
        f"minutes empty, the first at {wording.utc(_first_empty(worst))})"
    )
    rows = _table(
        short or [each for each in there if _empty(each)],
        _first_empty,
        occupancy=lambda each: round(each.occupancy, 4),
        empty_minutes=_empty,
        regular_minutes=lambda each: each.minutes.size,
    )
    all_and_worst = (empty, minutes), (_empty(worst), worst.minutes.size)
    bad = any(_is_short(*counts, OCCUPANCY_ERROR, density) for counts in all_and_worst)
    return _failed(evidence, fault, rows, Severity.ERROR if bad else Severity.WARN)


def session_edges(evidence: Evidence) -> Outcome:
    """Judge: the first and the last regular minute of each session have a bar.

    Rows: each such minute without, `ts_event` its start; `edge` is `opening` or `closing`, `nearest_bar` the start of
    the session's first or last regular bar.
    """
    coverage = _judgeable(evidence)
    if isinstance(coverage, Outcome):
        return coverage
    there = _there(coverage)
    late = [(each.session.regular_open, "opening", each.first) for each in there if not each.minutes[0]]
    early = [(each.session.regular_close - _MINUTE, "closing", each.last) for each in there if not each.minutes[-1]]
    missing = sorted(late + early, key=lambda row: row[0])
    if not missing:
        return _passed(evidence, f"both of {_count(there)}")
    starts, edges, nearest = zip(*missing, strict=True)
    days = [str(start.astimezone(EASTERN).date()) for start in starts]
    sides = [
        f"the {side} regular minute of {len(found)}" for side, found in (("first", late), ("last", early)) if found
    ]
    fault = (
        f"has no bar in {' and '.join(sides)} of {_count(there)}; first in the {edges[0]} "
        f"minute of {days[0]}, {wording.utc(starts[0])}: the nearest bar starts at {wording.utc(nearest[0])}"
    )
    times = {TIME: pa.array(starts, TIME_TYPE), "nearest_bar": pa.array(nearest, TIME_TYPE)}
    rows = pa.table({TIME: times[TIME], "session": days, "edge": edges, "nearest_bar": times["nearest_bar"]})
    return _failed(evidence, fault, rows, Severity.WARN)


def largest_gap(evidence: Evidence) -> Outcome:
    """Judge: no stretch of over 5 minutes of regular hours is without a bar; over 15 minutes is an error.

    Rows: the longest stretch of each session that has one, `ts_event` its first second; `seconds`, and `until` (UTC,
    exclusive).
    """
    coverage = _judgeable(evidence)
    if isinstance(coverage, Outcome):
        return coverage
    there = _there(coverage)
    worst = max(there, key=_gap)
    wide = [each for each in there if _gap(each) > GAP_WARN]
    if not wide:
        return _passed(evidence, f"the longest of {_count(there)} is {worst.gap_seconds} s")
    start, end = worst.gap_start, _gap_end(worst)
    fault = (
        f"has a stretch of over {wording.length(GAP_WARN)} without a bar in the regular hours of {len(wide)} of "
        f"{_count(there)}; the longest is {wording.length(_gap(worst))} on {worst.session.date}, {wording.utc(start)} "
        f"to {wording.utc(end)} ({wording.eastern(start)} to {wording.eastern(end)} Eastern)"
    )
    rows = _table(wide, lambda each: each.gap_start, seconds=lambda each: each.gap_seconds, until=_gap_end)
    return _failed(evidence, fault, rows, Severity.ERROR if _gap(worst) > GAP_ERROR else Severity.WARN)


def trading_hours(evidence: Evidence) -> Outcome:
    """Judge: every bar lies in the extended hours of a session. Rows: the bars that do not."""
    outside = evidence.coverage.outside
    if not outside.any():
        return Outcome(of=evidence.own.rows)
    bars = evidence.own.present.filter(pa.array(outside))
    fault = tally(bars, evidence.own.rows, "a start outside trading hours", shown=())
    first = int(evidence.own.starts[outside][0])
    if _KNOWN_DAYS[0] <= first < _KNOWN_DAYS[1]:  # a missing start is before them
        local = datetime.fromtimestamp(first, EASTERN)
        kind = "a trading day" if session_on(local.date()) else "no trading day"
        fault += f" ({local:%A %Y-%m-%d %H:%M:%S} Eastern, {kind})"
    return Outcome(of=evidence.own.rows, fault=fault, bars=bars)


def _judgeable(evidence: Evidence) -> Coverage | Outcome:
    """The bars beside the calendar, where their minutes can be judged; else the outcome that says why not."""
    coverage = evidence.coverage
    if not coverage.present:
        why = "no session of the month has bars" if coverage.expected else "no session of the month is over yet"
        return _passed(evidence, f"does not apply: {why}")
    if not evidence.liquid:
        occupancy = wording.percent(coverage.occupancy or 0.0)
        return _passed(evidence, f"does not apply: a quiet symbol, median occupancy {occupancy}")
    return coverage


def _is_short(empty: int, minutes: int, due: float, density: float) -> bool:
    """Whether more minutes are empty than both the threshold and chance allow.

    Trades that come at random leave `exp(-n)` of the minutes empty at `n` a minute. The density is a median of whole
    numbers, so `n` is taken as one less. At 8 and more that is below 0.1 %, and the threshold decides alone.
    """
    chance = minutes * exp(1 - density)
    return empty > max((1 - due) * minutes, chance + _DEVIATIONS * sqrt(chance))


def _there(coverage: Coverage) -> list[SessionCoverage]:
    return [each for each in coverage.sessions if each.is_present]


def _count(there: list[SessionCoverage]) -> str:
    return wording.sessions(len(there))


def _empty(each: SessionCoverage) -> int:
    return int(each.minutes.size - each.minutes.sum())


def _first_empty(each: SessionCoverage) -> datetime:
    return each.session.regular_open + int(np.argmin(each.minutes)) * _MINUTE


def _gap(each: SessionCoverage) -> timedelta:
    return timedelta(seconds=each.gap_seconds)


def _gap_end(each: SessionCoverage) -> datetime | None:
    return each.gap_start + _gap(each) if each.gap_start else None


def _table(
    rows: Sequence[SessionCoverage],
    at: Callable[[SessionCoverage], datetime | None],
    **columns: Callable[[SessionCoverage], object],
) -> pa.Table:
    """A row for each session: `ts_event`, `session` (its date), and the columns, each told by a function."""
    cells: dict[str, Any] = {TIME: pa.array(list(map(at, rows)), TIME_TYPE)}
    cells["session"] = [str(each.session.date) for each in rows]
    for name, tell in columns.items():
        values = list(map(tell, rows))
        cells[name] = pa.array(values, TIME_TYPE) if isinstance(values[0], datetime) else values
    return pa.table(cells)


def _passed(evidence: Evidence, note: str) -> Outcome:
    return Outcome(of=evidence.own.rows, note=note + _assumed(evidence))


def _failed(evidence: Evidence, fault: str, rows: pa.Table, severity: Severity) -> Outcome:
    whole = f"{evidence.file.path} {fault}{_assumed(evidence)}"
    return Outcome(of=evidence.own.rows, fault=whole, bars=rows, severity=severity)


def _assumed(evidence: Evidence) -> str:
    return "" if evidence.recorded and evidence.recorded.complete_through else f"; {_UNRECORDED}"
