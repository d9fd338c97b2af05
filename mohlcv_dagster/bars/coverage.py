"""A raw month compared with the exchange calendar: which sessions and minutes have bars, gaps, bars outside hours.

Facts only: the rules decide which of them are wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.bar_table import Seconds
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import Session
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.session_hours import USUAL

Mask: TypeAlias = npt.NDArray[np.bool_]
Counts: TypeAlias = npt.NDArray[np.intp]

LIQUID_OCCUPANCY: Final = 0.95
"""A symbol is liquid when its median session has bars in this share of the regular minutes; see `is_liquid`."""
DENSE: Final = 8.0
"""With so many bars in the median minute that has any, no minute is empty by chance; see `is_liquid`."""

_MINUTE: Final = 60
_DAY: Final = 86_400
_NIGHT: Final = 4 * 3600 + 1800
"""04:30 UTC: trading ends at 01:00 UTC at the latest (winter) and begins at 08:00 at the earliest (summer)."""
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_KNOWN_DAYS: Final = tuple(
    date(year, 1, 1).toordinal() - _FIRST_DAY for year in (exchange_calendar.FIRST_YEAR, exchange_calendar.LAST_YEAR)
)
"""Days since 1970 that can be looked up; the last one exclusive."""


@dataclass(frozen=True, eq=False)
class SessionCoverage:
    """The bars of a raw month in one session.

    Attributes:
        session: the session.
        bars: how many bars in its extended hours (regular ones included), as far as these lie in the month.
        minutes: whether each regular minute has a bar, shape (session.regular_minutes,), from the open on.
        first: the start of the first bar in regular hours, UTC; `None` where there is none.
        last: the start of the last bar in regular hours, UTC; `None` where there is none.
        gap_start: the first second of the longest gap in regular hours, UTC; `None` where every
            second has one.
        gap_seconds: its length; a gap after the open or before the close counts too.
    """

    session: Session
    bars: int
    minutes: Mask
    first: datetime | None
    last: datetime | None
    gap_start: datetime | None
    gap_seconds: int

    @property
    def occupancy(self) -> float:
        """The share of regular minutes that have a bar, 0 to 1."""
        return float(self.minutes.mean())

    @property
    def is_present(self) -> bool:
        """Whether there is a bar in regular hours."""
        return self.first is not None


@dataclass(frozen=True, eq=False)
class Coverage:
    """The bars of a raw month in its sessions.

    Attributes:
        sessions: those that were over by the moment the month is complete through, rising. A session under way is not
            among them: what it lacks may still come.
        outside: whether each bar lies outside the hours of every session, shape (bars,), in the bars' order.
        density: how many bars the median regular minute has of those that have any; `None` where none has.
        reaches: whether a bar starts in the first second of any session's hours, and whether in the last.
    """

    sessions: tuple[SessionCoverage, ...]
    outside: Mask
    density: float | None
    reaches: tuple[bool, bool]

    @property
    def expected(self) -> int:
        """How many sessions should have bars."""
        return len(self.sessions)

    @property
    def present(self) -> int:
        """How many have a bar in regular hours."""
        return sum(each.is_present for each in self.sessions)

    @property
    def occupancy(self) -> float | None:
        """The occupancy of the median session among those that have bars, 0 to 1; `None` without any."""
        return median([each.occupancy for each in self.sessions if each.is_present]) if self.present else None

    @property
    def liquid(self) -> bool:
        """Whether the symbol is liquid by this month alone; see `is_liquid`."""
        return is_liquid(self.occupancy, density=self.density)


def is_liquid(occupancy: float | None, neighbours: Sequence[float] = (), *, density: float | None = None) -> bool:
    """Whether a symbol trades so often that a regular minute without a bar is a fault and not chance.

    It does where the median session has bars in 95 % of its minutes. It also does where that share is low because the
    month is damaged: where the minutes that have bars have 8 or more, or the stored neighbour months all reach
    95 %.

    Measured over 83 symbols of the synthetic market, 1 to 720 trades a minute, in eight sessions of January 2024: up to
    3.9 trades a minute the median session has 56 to 94.6 % of its minutes, and the median minute 1 to 3 bars; from 4.2
    trades 96.5 % and more, and 3 bars; from 10 trades on no session has less than 99.7 %, and the median minute 8 bars
    or more. Between 95 and 99.7 % single minutes are empty by chance, five in a row hardly ever.

    Args:
        occupancy: the month's, 0 to 1; `None` where no session has bars.
        neighbours: the occupancies of the stored months before and after; empty where none is.
        density: bars in the month's median minute that has any; `None` where unknown.
    """
    own = occupancy is not None and occupancy >= LIQUID_OCCUPANCY
    dense = density is not None and density >= DENSE
    return own or dense or (bool(neighbours) and min(neighbours) >= LIQUID_OCCUPANCY)


def trading_days(starts: Seconds) -> Seconds:
    """A number for the trading day of each start; it rises with time, and has no other meaning.

    From 20:00 to 04:00 Eastern no US exchange trades; the day changes between, at 04:30 UTC all year, so that sessions
    are separated without a calendar and without a gap in the bars. Where the calendar has trading days that begin on
    the evening before, theirs change at 20:00 Eastern.

    Args:
        starts: Unix seconds, in any order, of any year.
    """
    first = exchange_calendar.hours_by_date().first_evening
    if first is None or not starts.size or starts.max() < (first.toordinal() - _FIRST_DAY) * _DAY:
        days: Seconds = (starts - _NIGHT) // _DAY
        return days
    flat = starts.ravel()
    numbers, at = np.unique(flat // _DAY, return_inverse=True)
    turns = np.array([number * _DAY + _turn(number) for number in numbers.tolist()], dtype=np.int64)
    days = numbers[at] - (flat < turns[at])
    return days.reshape(starts.shape)


def trading_day_starts(month: Month) -> Seconds:
    """Where the numbers of `trading_days` change, Unix seconds, rising: a day before a month to the day after."""
    days = range(month.start_second // _DAY - 1, month.end_second // _DAY + 1)
    return np.array([day * _DAY + _turn(day) for day in days], dtype=np.int64)


def mornings(month: Month) -> Seconds:
    """Where the day itself begins in each of `trading_day_starts`: 04:00 Eastern after an evening, else its start."""
    numbers = range(month.start_second // _DAY - 1, month.end_second // _DAY + 1)
    return np.array([number * _DAY + _turn(number, USUAL.opens) for number in numbers], dtype=np.int64)


def _turn(number: int, minute: int | None = None) -> int:
    """The second of a UTC day, counted from 1970, at which its trading day begins, or that minute after an evening."""
    if not _KNOWN_DAYS[0] <= number < _KNOWN_DAYS[1]:
        return _NIGHT
    day = date.fromordinal(_FIRST_DAY + number)
    if exchange_calendar.hours_by_date().on(day).evening is None:
        return _NIGHT
    start = exchange_calendar.trading_day_start(day) if minute is None else exchange_calendar.eastern_time(day, minute)
    return _second(start) - number * _DAY


def measure(starts: Seconds, month: Month, complete_through: datetime) -> Coverage:
    """What the bars cover of the month's sessions.

    The evening of the previous month's last session, which in winter lies in this month, counts as trading hours; that
    session's minutes belong to the previous month.

    Args:
        starts: the bars' starts as Unix seconds, rising for speed; in any other order they are sorted first. A start
            outside the month counts like any other.
        month: the UTC month.
        complete_through: the moment (exclusive) up to which the bars were requested; a session that closes later is not
            expected.

    Raises:
        MonthError: the exchange calendar does not cover the month or the one before it.
    """
    order = None if bool((starts[1:] >= starts[:-1]).all()) else np.argsort(starts, kind="stable")
    rising = starts if order is None else starts[order]
    outside = np.ones(rising.size, dtype=np.bool_)
    first = last = False
    for session in exchange_calendar.sessions_overlapping(month):
        for opens, closes in session.spans:
            inside = _between(rising, opens, closes)
            outside[inside] = False
            if inside.stop > inside.start:
                first |= bool(rising[inside.start] == _second(opens))
                last |= bool(rising[inside.stop - 1] == _second(closes) - 1)
    if order is not None:
        outside[order] = outside.copy()
    expected = [
        session for session in exchange_calendar.sessions_in(month) if session.regular_close <= complete_through
    ]
    counts = [_bars_a_minute(rising, session) for session in expected]
    covered = (_measure_session(rising, session, count > 0) for session, count in zip(expected, counts, strict=True))
    return Coverage(tuple(covered), outside, _density(counts), (first, last))


def _measure_session(rising: Seconds, session: Session, minutes: Mask) -> SessionCoverage:
    regular = rising[_between(rising, session.regular_open, session.regular_close)]
    gap_start, gap_seconds = _longest_gap(regular, _second(session.regular_open), _second(session.regular_close))
    around = _between(rising, session.extended_open, session.extended_close)
    return SessionCoverage(
        session=session,
        bars=around.stop - around.start,
        minutes=minutes,
        first=_moment(regular[0]) if regular.size else None,
        last=_moment(regular[-1]) if regular.size else None,
        gap_start=_moment(gap_start) if gap_seconds else None,
        gap_seconds=gap_seconds,
    )


def _bars_a_minute(rising: Seconds, session: Session) -> Counts:
    edges = _second(session.regular_open) + _MINUTE * np.arange(session.regular_minutes + 1)
    counts: Counts = np.diff(np.searchsorted(rising, edges))
    return counts


def _longest_gap(regular: Seconds, opens: int, closes: int) -> tuple[int, int]:
    """Start and length in seconds of the longest gap in `[opens, closes)`; the first of several."""
    begins = np.concatenate(([opens], regular + 1))
    lengths = np.concatenate((regular, [closes])) - begins
    at = int(lengths.argmax())
    return int(begins[at]), int(lengths[at])


def _density(counts: list[Counts]) -> float | None:
    every = np.concatenate(counts) if counts else np.zeros(0, dtype=np.intp)
    occupied = every[every > 0]
    return float(median(occupied.tolist())) if occupied.size else None


def _between(rising: Seconds, start: datetime, end: datetime) -> slice:
    first, last = np.searchsorted(rising, [_second(start), _second(end)])
    return slice(int(first), int(last))


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(int(second), UTC)
