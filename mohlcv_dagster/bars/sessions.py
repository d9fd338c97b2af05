"""The exchange calendar: on which days, and from when to when, US stocks trade. Only here is its library imported.

Dates are Eastern calendar days, moments are UTC; starts are inclusive, ends exclusive. Regular hours (09:30-16:00
Eastern, to 13:00 on an early close) never cross midnight UTC, but extended hours do: in winter 19:00-20:00 Eastern
falls on the next UTC day, so on the last day of a month in the next UTC month. Hence two questions with two names:
`sessions_in` a month and `sessions_overlapping` it.

The library (and pandas below it) is loaded when the first session is asked for, never at import.
"""

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import MonthError

EASTERN: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199

_CALENDAR: Final = "XNYS"
_LOADING: Final = Lock()  # warning filters belong to the process: two threads must not put them back crosswise
_USUAL_CLOSE: Final = time(16)
_EXTENDED_OPEN: Final = time(4)
_EXTENDED_CLOSE: Final = time(20)
_EARLY_EXTENDED_CLOSE: Final = time(17)


@dataclass(frozen=True, order=True)
class Session:
    """One trading day of the New York Stock Exchange.

    Attributes:
        date: the Eastern calendar day.
        regular_open: the opening bell, UTC, inclusive.
        regular_close: the closing bell, UTC, exclusive.
        early_close: whether the bell rings before 16:00 Eastern.
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
        """The minutes of regular hours: 390, or 210 where the bell rings at 13:00."""
        return int((self.regular_close - self.regular_open).total_seconds()) // 60


def eastern_midnight(day: date) -> datetime:
    """00:00 Eastern of `day`, in UTC."""
    return _moment(day, time())


def session_on(day: date) -> Session | None:
    """The session of an Eastern calendar day; `None` on a weekend or holiday.

    Raises:
        MonthError: the day is before 1971 or after 2199.
    """
    return _year(day.year).get(day)


def sessions_between(first: date, last: date) -> tuple[Session, ...]:
    """The sessions of the Eastern calendar days from `first` to `last`, both inclusive; rising.

    Raises:
        MonthError: a day is before 1971 or after 2199.
    """
    years = range(first.year, last.year + 1)
    return tuple(session for year in years for day, session in _year(year).items() if first <= day <= last)


def sessions_in(month: Month) -> tuple[Session, ...]:
    """The sessions whose regular hours lie in the UTC month, which are those whose date does; rising.

    Each session is in exactly one month.

    Raises:
        MonthError: the month is before 1971 or after 2199.
    """
    return sessions_between(month.start.date(), month.end.date() - timedelta(days=1))


def sessions_overlapping(month: Month) -> tuple[Session, ...]:
    """The sessions that share a moment of their extended hours with the UTC month; rising.

    These are `sessions_in(month)`, in winter preceded by the previous month's last day, should that be a session:
    its hour from 19:00 Eastern falls in this month.

    Raises:
        MonthError: the month, or the one before, is before 1971 or after 2199.
    """
    candidates = sessions_between(month.start.date() - timedelta(days=1), month.end.date())
    return tuple(s for s in candidates if s.extended_open < month.end and s.extended_close > month.start)


def _moment(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, EASTERN).astimezone(UTC)


@cache
def _year(year: int) -> dict[date, Session]:
    """The sessions of a year by date, rising."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise MonthError(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}, asked was {year}")
    import exchange_calendars  # noqa: PLC0415 - loads pandas, which takes seconds

    with _LOADING, warnings.catch_warnings():
        # the library's own use of pandas is behind the newest pandas; nothing of it reaches our callers
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar(_CALENDAR, start=f"{year}-01-01", end=f"{year}-12-31")
    schedule = calendar.schedule
    bells = zip(schedule["open"], schedule["close"], strict=True)
    sessions = [_session(opened.to_pydatetime(), closed.to_pydatetime()) for opened, closed in bells]
    return {session.date: session for session in sessions}


def _session(opened: datetime, closed: datetime) -> Session:
    local_close = closed.astimezone(EASTERN)
    return Session(
        date=local_close.date(),
        regular_open=opened.astimezone(UTC),
        regular_close=closed.astimezone(UTC),
        early_close=local_close.time() < _USUAL_CLOSE,
    )
