"""The rules on whether a month is complete: it has bars, and has them in every session of the calendar.

None of them blocks: what a month has can be resampled exactly, whatever is missing. A session without any bar is
reported by `sessions_present` alone; the rules on minutes, edges and gaps look at the sessions that have bars, and only
if the symbol is liquid: a quiet one has empty minutes by nature (`coverage.is_liquid`). Of a quiet one `largest_gap`
judges what chance does not explain (`quiet_gaps`). The facts are those of `coverage`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import exp, sqrt
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE
from mohlcv_dagster.bars.coverage import Coverage, SessionCoverage
from mohlcv_dagster.checks import quiet_gaps, wording
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import ASK_AGAIN, Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import TIME
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.listings import EmptyMonthCause

OCCUPANCY_WARN: Final = 0.99
OCCUPANCY_ERROR: Final = 0.95
GAP_WARN: Final = timedelta(minutes=5)
GAP_ERROR: Final = timedelta(minutes=15)
MOST_HALTED: Final = 5
"""Sessions of a month in which trading may have been halted; the whole market was in four of March 2020."""

_MINUTE: Final = timedelta(minutes=1)
_DEVIATIONS: Final = 5
"""Standard deviations above what chance leaves empty; more is not chance."""
_NOT_A_FEW: Final = 100
"""So many bars and none in regular hours are no quiet symbol's: their labels, or the month, are wrong."""
_NAMED: Final = 3
"""How many days a message names."""
_UNRECORDED: Final = "it is not recorded up to when its bars were requested, so the complete month is expected"
_ASK_AGAIN: Final = ASK_AGAIN[0].lower() + ASK_AGAIN[1:]
_UNLESS_HALTED: Final = f"If trading was not halted then, {_ASK_AGAIN}"


@rule(
    sentence="The month has bars, or was proven empty for a known reason.",
    threshold="at least 1 bar",
    blocking=False,
    cure="Is the symbol right, and was it listed then? Re-materialize {asset} for {partition}, or delete the file.",
)
def not_empty(given: CheckInput) -> RuleOutcome:
    """A warning where the month was proven empty and the reason is unknown."""
    rows, path = given.own.rows, given.file.path
    if rows:
        return RuleOutcome(of=rows)
    empty = given.provenance.empty if given.provenance else None
    if empty is None:
        return RuleOutcome(of=rows, fault=f"{path} has a header and not one bar")
    proven = "no bars: the vendor answered every window of the month completely, with none"
    if empty.cause is EmptyMonthCause.EXPLAINED:
        return RuleOutcome(of=rows, note=f"{proven}, as expected: {empty.reason}")
    if empty.cause is EmptyMonthCause.UNKNOWN:
        return RuleOutcome(of=rows, fault=f"{path} has {proven}; {empty.reason}", severity=Severity.WARN)
    return RuleOutcome(of=rows, fault=f"{path} has {proven}, yet {empty.reason}")


@rule(
    sentence="Each session of the month that is over has bars in regular hours.",
    threshold="0 sessions; a warning for a quiet symbol, unless 100 bars are all outside regular hours",
    blocking=False,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=f"If it was listed then, {_ASK_AGAIN}",
    counts="sessions",
)
def sessions_present(given: CheckInput) -> RuleOutcome:
    """Rows: the sessions without, `ts_event` their opening, `closes` their close; `bars` in extended hours."""
    coverage = given.coverage
    if not given.own.rows and given.provenance and given.provenance.empty:
        return _passed(given, "does not apply: the month was proven empty, see not_empty")
    due = _listed(given, coverage.sessions)
    absent = [each for each in due if not each.is_present]
    expected = quantity(len(due), "session")
    if len(due) < coverage.expected:
        expected += f" on which {given.file.symbol} was listed by then, of {coverage.expected}"
    if not absent:
        return _passed(given, expected)
    named = ", ".join(str(each.session.date) for each in absent[:_NAMED])
    more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
    fault = f"has no bar in the regular hours of {len(absent)} of {expected}: {named}{more}"
    rows = _table(
        absent,
        lambda each: each.session.regular_open,
        closes=lambda each: each.session.regular_close,
        bars=lambda each: each.bars,
    )
    if given.liquid:
        return _failed(given, fault, rows, Severity.ERROR)
    if len(absent) == len(due) and given.own.rows >= _NOT_A_FEW:
        return _failed(given, f"{fault}, although it has {given.own.rows:,} bars", rows, Severity.ERROR)
    return _failed(given, f"{fault} (a quiet symbol: perhaps nothing traded)", rows, Severity.WARN)


@rule(
    sentence="Nearly every regular minute has a bar, in each session and in all together, if the symbol is liquid.",
    threshold=f"below {OCCUPANCY_WARN * 100:.0f} % a warning, below {OCCUPANCY_ERROR * 100:.0f} % an error",
    blocking=False,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=_UNLESS_HALTED,
    counts="sessions",
)
def minute_occupancy(given: CheckInput) -> RuleOutcome:
    """Less is allowed where chance leaves more empty, which it does below 8 bars a minute.

    The gap of a session in which trading may have been halted is left to `largest_gap`. Rows: the sessions that are
    short or, where only all together are, each with an empty minute; `ts_event` is their first empty minute.
    """
    coverage = _coverage_of_liquid(given)
    if isinstance(coverage, RuleOutcome):
        return coverage
    halted = _perhaps_halted(coverage)
    there = [_filled(each) if each in halted else each for each in _present(coverage)]
    density, empty, minutes = coverage.density or 0.0, sum(map(_empty, there)), sum(each.minutes.size for each in there)
    share = f"{wording.percent(1 - empty / minutes)} of the {minutes:,} regular minutes of {_count(there)}"
    if halted:
        share += f", what largest_gap tells of {_count(halted)} left out"
    short = [each for each in there if _is_short(_empty(each), each.minutes.size, OCCUPANCY_WARN, density)]
    if not short and not _is_short(empty, minutes, OCCUPANCY_WARN, density):
        return _passed(given, share)
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
    return _failed(given, fault, rows, Severity.ERROR if bad else Severity.WARN)


@rule(
    sentence="The first and the last regular minute of each session have a bar, if the symbol is liquid.",
    threshold="0 minutes",
    severity=Severity.WARN,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=_UNLESS_HALTED,
    counts="minutes",
)
def session_edges(given: CheckInput) -> RuleOutcome:
    """Rows: each such minute without, `ts_event` its start; `edge` and `nearest_bar`.

    The `edge` is `opening` or `closing`, the `nearest_bar` the start of the session's first or last regular bar.
    """
    coverage = _coverage_of_liquid(given)
    if isinstance(coverage, RuleOutcome):
        return coverage
    there = _present(coverage)
    late = [(each.session.regular_open, "opening", each.first) for each in there if not each.minutes[0]]
    early = [(each.session.regular_close - _MINUTE, "closing", each.last) for each in there if not each.minutes[-1]]
    missing = sorted(late + early, key=lambda row: row[0])
    if not missing:
        return _passed(given, f"both of {_count(there)}")
    starts, edges, nearest = zip(*missing, strict=True)
    days = [str(start.astimezone(EASTERN).date()) for start in starts]
    sides = [
        f"the {side} regular minute of {len(found)}" for side, found in (("first", late), ("last", early)) if found
    ]
    fault = (
        f"has no bar in {' and '.join(sides)} of {_count(there)}; first in the {edges[0]} "
        f"minute of {days[0]}, {wording.utc(starts[0])}: the nearest bar starts at {wording.utc(nearest[0])}"
    )
    times, bars = pa.array(starts, TIME_TYPE), pa.array(nearest, TIME_TYPE)
    rows = pa.table({TIME: times, "session": days, "edge": edges, "nearest_bar": bars})
    return _failed(given, fault, rows, Severity.WARN)


@rule(
    sentence="Regular hours have no long gap; of a quiet symbol, none that chance does not explain.",
    threshold=f"over {GAP_WARN // _MINUTE} minutes a warning, over {GAP_ERROR // _MINUTE} an error unless trading may "
    "have been halted; of a quiet symbol, what chance leaves empty once in three million a warning",
    blocking=False,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=_UNLESS_HALTED,
    counts="gaps",
)
def largest_gap(given: CheckInput) -> RuleOutcome:
    """Rows: the longest gap of each session that has one, `ts_event` its first second; `seconds`, `until`.

    `until` is exclusive, UTC. Trading may have been halted where the gap is between two bars of a session that is
    otherwise full, in few sessions of the month. Of a quiet symbol the gap that is least likely; see `quiet_gaps`.
    """
    coverage = _coverage_of_liquid(given)
    if isinstance(coverage, RuleOutcome):
        return _quiet_gaps(given) if given.coverage.present >= quiet_gaps.FEWEST else coverage
    there = _present(coverage)
    worst = max(there, key=_gap)
    wide = [each for each in there if _gap(each) > GAP_WARN]
    if not wide:
        return _passed(given, f"the longest of {_count(there)} is {worst.gap_seconds} s")
    start, end = worst.gap_start, _gap_end(worst)
    fault = (
        f"has a gap of over {wording.length(GAP_WARN)} in the regular hours of {len(wide)} of "
        f"{_count(there)}; the longest is {wording.length(_gap(worst))} on {worst.session.date}, {wording.utc(start)} "
        f"to {wording.utc(end)} ({wording.eastern(start)} to {wording.eastern(end)} Eastern)"
    )
    halted = _perhaps_halted(coverage)
    if halted:
        fault += (
            f"; trading may have been halted in {_count(halted)}, or bars are lost: the vendor's own minutes show "
            "which, see matches_vendor of aggregated/1min"
        )
    rows = _table(wide, lambda each: each.gap_start, seconds=lambda each: each.gap_seconds, until=_gap_end)
    lost = any(_gap(each) > GAP_ERROR and each not in halted for each in wide)
    return _failed(given, fault, rows, Severity.ERROR if lost else Severity.WARN)


def _perhaps_halted(coverage: Coverage) -> list[SessionCoverage]:
    """The sessions with one long gap between two bars, and no more empty minutes than others; none where many have one.

    A halt has no sign of its own: an hour of lost bars looks the same in one session, and not in every one.
    """
    there, density = _present(coverage), coverage.density or 0.0
    found = [
        each
        for each in there
        if _gap(each) > GAP_WARN
        and each.gap_start != each.session.regular_open
        and _gap_end(each) != each.session.regular_close
        and not _is_short(_empty(_filled(each)), each.minutes.size, OCCUPANCY_WARN, density)
    ]
    return found if len(found) <= MOST_HALTED and 2 * len(found) <= len(there) else []


def _filled(each: SessionCoverage) -> SessionCoverage:
    """The session as if each minute in its longest gap had a bar."""
    minutes = each.minutes.copy()
    if each.gap_start:
        first = (each.gap_start - each.session.regular_open) // _MINUTE
        minutes[first : first + -(-_gap(each) // _MINUTE) + 1] = True
    return replace(each, minutes=minutes)


def _quiet_gaps(given: CheckInput) -> RuleOutcome:
    """What `largest_gap` says of a quiet symbol."""
    there = _present(given.coverage)
    found = quiet_gaps.unlikely(there)
    if not found:
        return _passed(given, f"a quiet symbol: no gap in {_count(there)} that chance does not explain")
    worst = max(found, key=lambda each: each.surprise)
    fault = (
        f"has no bar in a stretch of the regular hours of {len(found)} of {_count(there)}, although it should by the "
        f"other sessions and hours of this quiet symbol; the least likely on {worst.session.date}, "
        f"{wording.eastern(worst.start)} to {wording.eastern(worst.until)} Eastern, where about "
        f"{worst.expected:.0f} trades were expected"
    )
    rows = pa.table(
        {
            TIME: pa.array([each.start for each in found], TIME_TYPE),
            "session": [str(each.session.date) for each in found],
            "seconds": [60 * (each.end - each.first) for each in found],
            "until": pa.array([each.until for each in found], TIME_TYPE),
        }
    )
    return _failed(given, fault, rows, Severity.WARN)


def _coverage_of_liquid(given: CheckInput) -> Coverage | RuleOutcome:
    """The coverage, where the symbol is liquid and has sessions with bars; else the outcome with the reason."""
    coverage = given.coverage
    if not coverage.present:
        why = "no session of the month has bars" if coverage.expected else "no session of the month is over yet"
        return _passed(given, f"does not apply: {why}")
    if not given.liquid:
        occupancy = wording.percent(coverage.occupancy or 0.0)
        return _passed(given, f"does not apply: a quiet symbol, median occupancy {occupancy}")
    return coverage


def _is_short(empty: int, minutes: int, share: float, density: float) -> bool:
    """Whether more minutes are empty than both the share to be filled and chance allow.

    Trades that come at random leave `exp(-n)` of the minutes empty at `n` a minute. The density is a median of whole
    numbers, so `n` is taken as one less. At 8 and more that is below 0.1 %, and the share decides alone.
    """
    chance = minutes * exp(1 - density)
    return empty > max((1 - share) * minutes, chance + _DEVIATIONS * sqrt(chance))


def _listed(given: CheckInput, sessions: Sequence[SessionCoverage]) -> list[SessionCoverage]:
    """Those on whose day the symbol could be traded; a day that bars prove wrong says nothing."""
    listed = given.provenance.listed if given.provenance else None
    if listed is None or any(each.is_present and not listed.has(each.session.date) for each in sessions):
        return list(sessions)
    return [each for each in sessions if listed.has(each.session.date)]


def _present(coverage: Coverage) -> list[SessionCoverage]:
    return [each for each in coverage.sessions if each.is_present]


def _count(there: list[SessionCoverage]) -> str:
    return quantity(len(there), "session")


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
    """A row for each session: `ts_event`, `session` (its date), and a column for each function."""
    cells: dict[str, Any] = {TIME: pa.array(list(map(at, rows)), TIME_TYPE)}
    cells["session"] = [str(each.session.date) for each in rows]
    for name, value_of in columns.items():
        values = list(map(value_of, rows))
        cells[name] = pa.array(values, TIME_TYPE) if isinstance(values[0], datetime) else values
    return pa.table(cells)


def _passed(given: CheckInput, note: str) -> RuleOutcome:
    return RuleOutcome(of=given.own.rows, note=note + _assumption(given))


def _failed(given: CheckInput, fault: str, rows: pa.Table, severity: Severity) -> RuleOutcome:
    fault = f"{given.file.path} {fault}{_assumption(given)}"
    return RuleOutcome(of=given.own.rows, fault=fault, bars=rows, severity=severity)


def _assumption(given: CheckInput) -> str:
    return "" if given.provenance and given.provenance.complete_through else f"; {_UNRECORDED}"
