"""The rule `session_coverage`: each session has bars in extended hours as others do, and no half hour is thinned.

`sessions_present` and the rules on minutes see whole minutes of regular hours. What they do not see is judged by the
month's own sessions:

- extended hours without a bar: in every session, although the symbol trades hundreds of times a day; or in one session,
  although all others have many there. Before the opening nothing is expected of a session that does not begin with the
  opening, as the first of a listing, or of one that was halted;
- seconds lost one by one from a half hour of regular hours. Every second bar lost leaves no two in a row: trades come
  in clusters, so that at least as many pairs follow at once as if bars fell at random (`n (n - 1) / seconds`).
  Otherwise the half hour has far fewer bars than that of the other sessions at this session's pace, in minutes that
  have bars: a halt leaves whole minutes empty.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final, Self

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Seconds
from mohlcv_dagster.bars.coverage import SessionCoverage
from mohlcv_dagster.bars.medians import median
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import ASK_AGAIN, Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import eastern
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import TIME

FEWEST_SESSIONS: Final = 5
"""With fewer sessions nothing is known of the others."""
TRADES_OUTSIDE: Final = 100
"""Regular bars a session from which on, in a month, some trade outside regular hours is expected ..."""
TRADES_EACH_SIDE: Final = 500
"""... and from which on both before the opening and after the close."""
USUAL_BARS: Final = 15
"""Bars that other sessions must have, on average, in hours in which one has none."""
SURPRISE: Final = 5.0
"""Standard deviations, of the logarithm, by which no bar at all must be below the others."""
FEWEST_IN_PAIRS: Final = 200
"""Bars of a half hour; with fewer, that none follows at once is chance."""
FEWEST_BARS: Final = 300
"""Bars that a half hour usually has, where it is compared with that of other sessions."""
THINNED: Final = 0.65
"""The share of its usual bars below which a half hour may be thinned ..."""
DEVIATIONS: Final = 6.0
"""... if that is so many standard deviations off, by the month's own half hours."""

_PART: Final = 1_800
_MINUTES: Final = 30
_OUTSIDE: Final = 2
"""Parts before the opening, and after the close."""
_EARLY: Final = 19_800
"""Seconds from 04:00 to the opening; from 07:00 on many more trade."""
_SPLIT_EARLY: Final = 10_800
_LATE: Final = 14_400
"""Seconds from the close to 20:00, or to 17:00 on an early close."""
_SPLIT_LATE: Final = 7_200
_ON_TIME: Final = timedelta(minutes=5)
_BROAD: Final = 0.25
"""Added to the deviation of few sessions' logarithms, which may be small by chance."""
_FEWEST_MINUTES: Final = 10
FULL_MONTH: Final = 10
"""Sessions; with fewer, half hours are not compared with those of others."""
_NAMED: Final = 3


@dataclass(frozen=True)
class _Parts:
    """The bars of sessions of one length, by parts: two before the opening, its half hours, two after the close.

    Attributes:
        sessions: those that have bars, rising.
        edges: where the parts begin and the last one ends, Unix seconds, shape (sessions, parts + 1).
        rows: the first bar from there on, as a position, in the same shape.
    """

    sessions: tuple[SessionCoverage, ...]
    edges: Seconds
    rows: Seconds

    @classmethod
    def of(cls, rising: Seconds, sessions: Sequence[SessionCoverage]) -> Self:
        """The parts of sessions of one length."""
        length = 60 * sessions[0].session.regular_minutes
        inside = np.append(np.arange(0, length, _PART), length)
        parts = np.concatenate([[-_EARLY, _SPLIT_EARLY - _EARLY], inside, [length + _SPLIT_LATE, length + _LATE]])
        opens = np.array([int(each.session.regular_open.timestamp()) for each in sessions])
        edges = opens[:, None] + parts
        return cls(tuple(sessions), edges, np.searchsorted(rising, edges))

    @cached_property
    def counts(self) -> Seconds:
        """Bars of each part, shape (sessions, parts)."""
        return np.diff(self.rows, axis=1)

    @property
    def regular(self) -> Seconds:
        """Bars of each half hour of regular hours, shape (sessions, half hours)."""
        return self.counts[:, _OUTSIDE:-_OUTSIDE]


@dataclass(frozen=True)
class _Lack:
    """What a part of a session, or two in a row, lacks: from `start` (inclusive) to `until`, UTC."""

    session: date
    start: datetime
    until: datetime
    bars: int
    usual: float
    what: str

    @classmethod
    def of(cls, parts: _Parts, row: int, which: slice, usual: float, what: str) -> Self:
        """What these parts of a session lack."""
        start, until = (datetime.fromtimestamp(int(parts.edges[row, at]), UTC) for at in (which.start, which.stop))
        bars = int(parts.counts[row, which].sum())
        return cls(parts.sessions[row].session.date, start, until, bars, usual, what)

    def __str__(self) -> str:
        """Such as `2024-01-17, 04:00:00 to 07:00:00 Eastern: no bar, usually about 120`."""
        return f"{self.session}, {eastern(self.start)} to {eastern(self.until)} Eastern: {self.what}"


@rule(
    sentence="Extended hours have bars in each session if they have in the others, and no half hour lost single "
    "seconds.",
    threshold="no bar where other sessions have 15 or more; in half hours, 65 % of the usual bars and 6 deviations",
    severity=Severity.WARN,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=f"If trading was not halted then, {ASK_AGAIN[0].lower()}{ASK_AGAIN[1:]}",
    counts="parts of sessions",
)
def session_coverage(given: CheckInput) -> RuleOutcome:
    """Rows: the parts that lack bars, `ts_event` their first second; `until`, `session`, `bars`, `usual`, `finding`."""
    starts = given.own.starts
    rising = starts if bool((starts[1:] >= starts[:-1]).all()) else np.sort(starts)
    sessions = [each for each in given.coverage.sessions if each.is_present]
    if len(sessions) < FEWEST_SESSIONS:
        return RuleOutcome(of=starts.size, note=f"does not apply: {quantity(len(sessions), 'session')}, too few")
    lengths = sorted({each.minutes.size for each in sessions}, reverse=True)
    groups = [_Parts.of(rising, [each for each in sessions if each.minutes.size == length]) for length in lengths]
    never = _never(groups)
    found = [*_no_bars(groups[0], sessions[-1], given), *_no_pairs(groups, rising), *_few_bars(groups[0])]
    lacks = sorted({each.start: each for each in reversed(found)}.values(), key=lambda each: each.start)
    if never is None and not lacks:
        return RuleOutcome(of=starts.size, note=quantity(len(sessions), "session"))
    texts = ([never] if never else []) + ([_some(lacks)] if lacks else [])
    rows = lacks or _outside(groups[0])
    return RuleOutcome(of=starts.size, fault=f"{given.file.path} {'; '.join(texts)}", bars=_table(rows))


def _never(groups: Sequence[_Parts]) -> str | None:
    """What is said of a month without any bar in extended hours, or on one side of them."""
    sessions = sum(len(each.sessions) for each in groups)
    regular = sum(int(each.regular.sum()) for each in groups) / sessions
    before = sum(int((each.rows[:, _OUTSIDE] - each.rows[:, 0]).sum()) for each in groups)
    after = sum(int((each.rows[:, -1] - each.rows[:, -1 - _OUTSIDE]).sum()) for each in groups)
    if before + after == 0 and regular >= TRADES_OUTSIDE:
        where = "outside regular hours"
    elif min(before, after) == 0 and regular >= TRADES_EACH_SIDE:
        where = "before the opening" if before == 0 else "after the close"
    else:
        return None
    return f"has no bar {where} in any of {sessions} sessions, although {regular:,.0f} a session in regular hours"


def _outside(parts: _Parts) -> list[_Lack]:
    """The first hours of each session: what a month without any bar before the opening or after the close lists."""
    what, which = "no bar in extended hours of any session", slice(0, _OUTSIDE)
    return [_Lack.of(parts, row, which, 0.0, what) for row in range(len(parts.sessions))]


def _no_bars(parts: _Parts, last: SessionCoverage, given: CheckInput) -> Iterator[_Lack]:
    """The parts of extended hours that are empty in few sessions; both before the opening or after the close as one."""
    end = given.file.month.end
    through = min(end, (given.provenance and given.provenance.complete_through) or end).timestamp()
    stop, told = parts.counts.shape[1], set()
    for early, first in ((True, 0), (False, stop - _OUTSIDE)):
        sides = parts.counts[:, first : first + _OUTSIDE]
        if sides.all():  # as in most months
            continue
        for which in (slice(first, first + 2), slice(first, first + 1), slice(first + 1, first + 2)):
            over = np.count_nonzero(parts.edges[:, which.stop] <= through)  # only the last one may not be
            counts = parts.counts[:over, which].sum(axis=1)
            usual = _usual_of_others(counts)
            for row in np.flatnonzero(counts == 0).tolist() if usual else ():
                if (row, early) not in told and _is_due(parts.sessions[row], last, early=early):
                    told.add((row, early))
                    yield _Lack.of(parts, row, which, usual, f"no bar, usually about {usual:,.0f}")


def _usual_of_others(counts: Seconds) -> float:
    """How many bars the other sessions have where few have none; 0 where that may be chance."""
    empty = np.count_nonzero(counts == 0)
    if not empty or 2 * empty > counts.size or counts.size < FEWEST_SESSIONS:
        return 0.0
    others = np.log1p(counts[counts > 0])
    usual = float(np.expm1(others.mean()))
    return usual if usual >= USUAL_BARS and others.mean() > SURPRISE * (others.std() + _BROAD) else 0.0


def _is_due(each: SessionCoverage, last: SessionCoverage, *, early: bool) -> bool:
    """Whether trading began with the opening, or went on to the close and to another session."""
    if early:
        return each.first is not None and each.first < each.session.regular_open + _ON_TIME
    return each is not last and each.last is not None and each.last >= each.session.regular_close - _ON_TIME


def _no_pairs(groups: Sequence[_Parts], rising: Seconds) -> Iterator[_Lack]:
    """The half hours of regular hours in which far fewer bars follow each other at once than by chance."""
    for parts in groups:
        for row, half_hour in np.argwhere(parts.regular >= FEWEST_IN_PAIRS).tolist():
            part = half_hour + _OUTSIDE
            first, end = parts.rows[row, part : part + 2].tolist()
            bars, pairs = end - first, int(np.count_nonzero(np.diff(rising[first:end]) == 1))
            chance = bars * (bars - 1) / _PART
            if pairs < chance / 2 and chance - pairs > SURPRISE * chance**0.5:
                what = f"{bars:,} bars, of which {pairs:,} follow at once, by chance {chance:,.0f} would"
                yield _Lack.of(parts, row, slice(part, part + 1), 2.0 * bars, what)


def _few_bars(parts: _Parts) -> Iterator[_Lack]:
    """The half hours with far fewer bars, in minutes that have any, than those of other sessions at this one's pace."""
    bars = parts.regular.astype(np.float64)
    if len(bars) < FULL_MONTH or bars.max() < FEWEST_BARS:  # as in most months
        return
    usual = median(bars, axis=0)
    minutes = np.stack([each.minutes.reshape(-1, _MINUTES).sum(axis=1) for each in parts.sessions])
    off = np.log(np.maximum(bars, 1) * _MINUTES / np.maximum(minutes, 1))
    off -= median(off, axis=0)
    off -= median(off, axis=1, keepdims=True)
    spread = 1.4826 * float(median(np.abs(off)))
    allowed = np.maximum(-np.log(THINNED), DEVIATIONS * spread + 4 / np.sqrt(np.maximum(bars, 1)))
    thinned = (off < -allowed) & (minutes >= _FEWEST_MINUTES) & (usual >= FEWEST_BARS)
    for row, part in np.argwhere(thinned).tolist():
        what = f"{bars[row, part]:,.0f} bars, usually about {usual[part]:,.0f}"
        which = slice(part + _OUTSIDE, part + _OUTSIDE + 1)
        yield _Lack.of(parts, row, which, float(usual[part]), what)


def _some(lacks: Sequence[_Lack]) -> str:
    more = f"; and {len(lacks) - _NAMED} more" if len(lacks) > _NAMED else ""
    return f"lacks bars in {quantity(len(lacks), 'part')} of its sessions: {'; '.join(map(str, lacks[:_NAMED]))}{more}"


def _table(rows: Sequence[_Lack]) -> pa.Table:
    return pa.table(
        {
            TIME: pa.array([each.start for each in rows], TIME_TYPE),
            "until": pa.array([each.until for each in rows], TIME_TYPE),
            "session": [str(each.session) for each in rows],
            "bars": [each.bars for each in rows],
            "usual": [round(each.usual, 1) for each in rows],
            "finding": [each.what for each in rows],
        }
    )
