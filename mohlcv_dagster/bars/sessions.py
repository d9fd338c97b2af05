"""The exchange calendar: on which days, and from when to when, US stocks trade. Only here is it known.

Dates are Eastern calendar days, moments are UTC; starts are inclusive, ends exclusive. Regular hours (09:30-16:00
Eastern, to 13:00 on an early close) never cross midnight UTC, but extended hours do: in winter 19:00-20:00 Eastern
falls on the next UTC day, so on the last day of a month in the next UTC month. Hence two questions with two names:
`sessions_in` a month and `sessions_overlapping` it.

Holidays and early closes stand in `exchange_days`, a table made from the library exchange_calendars and held equal to
it, session by session, by a test. The library itself is not asked here: it loads pandas, which takes a second, more
than all the work on a quiet month, and every run of Dagster is a process of its own. What it says changes a few times
a year, and only with a release of it; a day it does not know yet is what `override` is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from mohlcv_dagster.bars import exchange_days
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import MonthError

EASTERN: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199

_SATURDAY: Final = 5
_USUAL_OPEN: Final = time(9, 30)
_USUAL_CLOSE: Final = time(16)
_EXTENDED_OPEN: Final = time(4)
_EXTENDED_CLOSE: Final = time(20)
_EARLY_EXTENDED_CLOSE: Final = time(17)


@dataclass(frozen=True)
class Hours:
    """Regular hours of a day, Eastern.

    Attributes:
        opens: the opening bell, whole minutes, inclusive.
        closes: the closing bell, whole minutes, exclusive; later than `opens`.
    """

    opens: time
    closes: time


_USUAL: Final = Hours(_USUAL_OPEN, _USUAL_CLOSE)
_overriding: dict[date, Hours | None] = {}


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


def override(days: Mapping[date, Hours | None]) -> None:
    """Put other hours in force for some days, for this process, in place of all that were before.

    The one thing in the domain that can be changed, and meant to be called once, before the first session is asked
    for: `calendar_file` does. Without it the calendar is the exchange's.

    Args:
        days: Eastern calendar days with their hours, weekends too; `None` where the exchange is closed.
    """
    _overriding.clear()
    _overriding.update(days)
    _session.cache_clear()


def overridden() -> Mapping[date, Hours | None]:
    """The days that `override` put in force, to be read."""
    return MappingProxyType(_overriding)


def provenance() -> str:
    """Where the calendar is from, to be recorded: `exchange_calendars 4.13.2, XNYS`, and how many days are overridden.

    The version is that of the library the table was made from.
    """
    own = f"; {len(_overriding)} {'day' if len(_overriding) == 1 else 'days'} overridden" if _overriding else ""
    return exchange_days.SOURCE + own


def eastern_midnight(day: date) -> datetime:
    """00:00 Eastern of `day`, in UTC."""
    return _moment(day, time())


def session_on(day: date) -> Session | None:
    """The session of an Eastern calendar day; `None` on a weekend or holiday.

    Raises:
        MonthError: the day is before 1971 or after 2199.
    """
    return _session(day)


def sessions_between(first: date, last: date) -> tuple[Session, ...]:
    """The sessions of the Eastern calendar days from `first` to `last`, both inclusive; rising.

    Raises:
        MonthError: a day is before 1971 or after 2199.
    """
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return tuple(session for session in map(_session, days) if session is not None)


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
def _session(day: date) -> Session | None:
    hours = _overriding[day] if day in _overriding else _hours(day)
    if hours is None:
        return None
    return Session(
        date=day,
        regular_open=_moment(day, hours.opens),
        regular_close=_moment(day, hours.closes),
        early_close=hours.closes < _USUAL_CLOSE,
    )


def _hours(day: date) -> Hours | None:
    """The exchange's hours on a day; `None` where it is closed."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise MonthError(f"the exchange calendar covers {FIRST_YEAR} to {LAST_YEAR}, asked was {day.year}")
    if day.weekday() >= _SATURDAY:
        return None
    close = _special_days(day.year).get(f"{day:%m%d}", "usual")
    if close == "usual":
        return _USUAL
    return Hours(_USUAL_OPEN, time(int(close[:2]), int(close[2:]))) if close else None


@cache
def _special_days(year: int) -> dict[str, str]:
    """The days of a year that are not as usual, `MMDD`, each with its early close, `HHMM`, or nothing."""
    line = next(line for line in exchange_days.YEARS.splitlines() if line.startswith(f"{year} "))
    days = (word.partition("-") for word in line.split()[1:])
    return {day: close for day, _, close in days}
