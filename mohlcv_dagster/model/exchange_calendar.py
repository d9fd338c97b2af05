"""The exchange calendar: on which days, and from when to when, US stocks trade; and a user's overrides of it.

Dates are Eastern calendar days, moments are UTC; starts are inclusive, ends exclusive. Regular hours (09:30-16:00
Eastern, to 13:00 on an early close) never cross midnight UTC, but extended hours do: in winter 19:00-20:00 Eastern
falls on the next UTC day, so on the last day of a month in the next UTC month. Therefore there are both
`sessions_in` a month and `sessions_overlapping` it.

Holidays and early closes are in `exchange_days`, a table made from the library exchange_calendars; a test compares the
two session by session. The library is not used at run time: it loads pandas, which takes a second, and every Dagster
run is a process of its own. `set_overrides` adds a day that the table does not know yet.

A month may have no session, where a user's overrides say so.

Every function that gives sessions raises `MonthError` for a day before 1971 or after 2199.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from mohlcv_dagster.errors import CalendarError, MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_days
from mohlcv_dagster.model.months import Month

EASTERN: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199

_LONGEST_CLOSURE: Final = 366
"""Days; the longest closure so far had seven days between two sessions, after 2001-09-10."""
_SATURDAY: Final = 5
_USUAL_OPEN: Final = time(9, 30)
_USUAL_CLOSE: Final = time(16)
_EXTENDED_OPEN: Final = time(4)
_EXTENDED_CLOSE: Final = time(20)
_EARLY_EXTENDED_CLOSE: Final = time(17)


@dataclass(frozen=True)
class Hours:
    """Regular hours of a day, Eastern, full minutes: `opens` is inclusive, `closes` exclusive and later."""

    opens: time
    closes: time


_USUAL: Final = Hours(_USUAL_OPEN, _USUAL_CLOSE)
_overrides: dict[date, Hours | None] = {}


@dataclass(frozen=True, order=True)
class Session:
    """One trading day of the New York Stock Exchange.

    Attributes:
        date: the Eastern calendar day.
        regular_open: UTC, inclusive.
        regular_close: UTC, exclusive.
        early_close: whether regular hours end before 16:00 Eastern.
    """

    date: date
    regular_open: datetime
    regular_close: datetime
    early_close: bool

    @property
    def extended_open(self) -> datetime:
        """04:00 Eastern in UTC, inclusive: the first moment of pre-market trading."""
        return _moment(self.date, _EXTENDED_OPEN)

    @property
    def extended_close(self) -> datetime:
        """20:00 Eastern, or 17:00 on an early close, in UTC, exclusive: the end of after-market trading."""
        return _moment(self.date, _EARLY_EXTENDED_CLOSE if self.early_close else _EXTENDED_CLOSE)

    @property
    def regular_minutes(self) -> int:
        """The minutes of regular hours: 390, or 210 with a close at 13:00."""
        return int((self.regular_close - self.regular_open).total_seconds()) // 60


def set_overrides(days: Mapping[date, Hours | None]) -> None:
    """Use other hours for some days in this process, replacing all earlier overrides.

    The only state of the domain: call it once, before a session is looked up, as `settings.apply_calendar` does.

    Args:
        days: Eastern calendar days with their hours, weekends too; `None` where the exchange is closed.
    """
    _overrides.clear()
    _overrides.update(days)
    session_on.cache_clear()


def overrides() -> Mapping[date, Hours | None]:
    """The days that `set_overrides` was given, read only."""
    return MappingProxyType(_overrides)


def source() -> str:
    """The source of the calendar, to be recorded: `exchange_calendars 4.13.2, XNYS`, and how many days are overridden.

    The version is that of the library the table was made from.
    """
    own = f"; {quantity(len(_overrides), 'day')} overridden" if _overrides else ""
    return exchange_days.SOURCE + own


def eastern_midnight(day: date) -> datetime:
    """00:00 Eastern of `day`, in UTC."""
    return _moment(day, time())


@cache
def session_on(day: date) -> Session | None:
    """The session of an Eastern calendar day; `None` on a weekend or holiday."""
    hours = _overrides[day] if day in _overrides else _exchange_hours(day)
    if hours is None:
        return None
    early_close = hours.closes < _USUAL_CLOSE
    return Session(day, _moment(day, hours.opens), _moment(day, hours.closes), early_close)


def sessions_between(first: date, last: date) -> tuple[Session, ...]:
    """The sessions of the Eastern calendar days from `first` to `last`, both inclusive; rising."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return tuple(session for session in map(session_on, days) if session is not None)


def next_session(day: date) -> Session:
    """The first session after a day.

    Raises:
        CalendarError: there is none within a year: a user's overrides close the exchange for so long.
    """
    return _nearest(day, timedelta(days=1))


def previous_session(day: date) -> Session:
    """The last session before a day.

    Raises:
        CalendarError: as `next_session`.
    """
    return _nearest(day, timedelta(days=-1))


def _nearest(day: date, step: timedelta) -> Session:
    found = (session_on(day + number * step) for number in range(1, _LONGEST_CLOSURE))
    nearest = next((session for session in found if session is not None), None)
    if nearest is None:
        side = "after" if step > timedelta() else "before"
        raise CalendarError(f"there is no session in the year {side} {day}: correct the days of MOHLCV_CALENDAR")
    return nearest


def sessions_in(month: Month) -> tuple[Session, ...]:
    """The sessions whose regular hours lie in the UTC month, which are those whose date does; rising.

    Each session is in exactly one month.
    """
    return sessions_between(month.start.date(), month.end.date() - timedelta(days=1))


def sessions_overlapping(month: Month) -> tuple[Session, ...]:
    """The sessions that share a moment of their extended hours with the UTC month; rising.

    These are `sessions_in(month)` and, in winter, the session on the previous month's last day (if there is one):
    its hour from 19:00 Eastern falls in this month.
    """
    candidates = sessions_between(month.start.date() - timedelta(days=1), month.end.date())
    return tuple(s for s in candidates if s.extended_open < month.end and s.extended_close > month.start)


def _moment(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, EASTERN).astimezone(UTC)


def _exchange_hours(day: date) -> Hours | None:
    """The exchange's own hours on a day; `None` where it is closed."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise MonthError(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}, not {day.year}")
    if day.weekday() >= _SATURDAY:
        return None
    close = _special_days(day.year).get(f"{day:%m%d}", "usual")
    if close == "usual":
        return _USUAL
    return Hours(_USUAL_OPEN, time(int(close[:2]), int(close[2:]))) if close else None


@cache
def _special_days(year: int) -> dict[str, str]:
    """The weekdays of a year without usual hours, `MMDD`, each with its early close, `HHMM`, or nothing (closed)."""
    line = next(line for line in exchange_days.YEARS.splitlines() if line.startswith(f"{year} "))
    days = (word.partition("-") for word in line.split()[1:])
    return {day: close for day, _, close in days}


_CLOSED: Final = "closed"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOURS: Final = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})", re.ASCII)
_WORDS: Final = 2


def parse_overrides(text: str) -> dict[date, Hours | None]:
    """The days in the text of a user's file, one a line; `None` where the exchange is closed.

    ::

        # date      hours, Eastern
        2025-01-09  closed
        2024-12-24  09:30-13:00

    A line is a date and its regular hours, separated by blanks: `closed`, or open and close in Eastern time on a
    24-hour clock, within 04:00 to 20:00. `#` begins a comment; empty lines are ignored.

    Raises:
        CalendarError: a line has another form, or repeats a day; the message gives its number, the text and what to
            write.
    """
    days: dict[date, Hours | None] = {}
    lines: dict[date, int] = {}
    lines_of_text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines_of_text, start=1):  # `splitlines` also ends a line, and a comment, at others
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != _WORDS:
            raise _invalid(number, line.strip(), "write a date and its hours, such as 2025-01-09 closed")
        day = _parse_day(number, words[0])
        if day in days:
            raise _invalid(number, words[0], f"line {lines[day]} has the same day; keep one of the two")
        days[day], lines[day] = _parse_hours(number, words[1]), number
    return days


def _parse_day(number: int, text: str) -> date:
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise _invalid(number, text, "write a day of the calendar as 2025-01-09") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _invalid(number, text, f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _parse_hours(number: int, text: str) -> Hours | None:
    if text.lower() == _CLOSED:
        return None
    match = _HOURS.fullmatch(text)
    cure = "write closed, or open and close in Eastern time within 04:00-20:00, such as 09:30-13:00"
    try:
        hours = Hours(*map(time.fromisoformat, match.groups())) if match else None
    except ValueError:
        hours = None
    if hours is None or not _EXTENDED_OPEN <= hours.opens < hours.closes <= _EXTENDED_CLOSE:
        raise _invalid(number, text, cure)
    return hours


def _invalid(number: int, text: str, cure: str) -> CalendarError:
    return CalendarError(f"line {number}: {text!r} is invalid: {cure}")
