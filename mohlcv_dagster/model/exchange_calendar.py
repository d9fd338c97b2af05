"""The exchange calendar: on which days, and from when to when, US stocks trade; and a user's overrides of it.

Dates are trading days, moments are UTC; starts are inclusive, ends exclusive. Regular hours (09:30-16:00 Eastern, to
13:00 on an early close) never cross midnight UTC, but extended hours do: in winter 19:00-20:00 Eastern falls on the
next UTC day, so on the last day of a month in the next UTC month. Therefore there are both `sessions_in` a month and
`sessions_overlapping` it.

Extended hours are 04:00-20:00 Eastern, or what the user's file says from a day on (`session_hours`). A session may
begin from 20:00 on the evening before; that evening is of the session's own UTC date and month.

Holidays and early closes are in `exchange_days`, a table made from the library exchange_calendars; a test compares the
two session by session. The library is not used at run time: it loads pandas, which takes a second, and every Dagster
run is a process of its own. `set_overrides` adds a day that the table does not know yet.

A month may have no session, where a user's overrides say so.

Every function that gives sessions raises `MonthError` for a day before 1971 or after 2199.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from mohlcv_dagster.errors import CalendarError, MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_days, session_hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.session_hours import SessionHours

EASTERN: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199

_LONGEST_CLOSURE: Final = 366
"""Days; the longest closure so far had seven days between two sessions, after 2001-09-10."""
_SATURDAY: Final = 5
_ONE_DAY: Final = timedelta(days=1)
_HOURS_A_DAY: Final = 24
_USUAL_OPEN: Final = time(9, 30)
_USUAL_CLOSE: Final = time(16)
_EARLY_EXTENDED_CLOSE: Final = time(17)


@dataclass(frozen=True)
class Hours:
    """Regular hours of a day, Eastern, full minutes: `opens` is inclusive, `closes` exclusive and later."""

    opens: time
    closes: time


class HoursByDate:
    """From which trading day on which hours are valid.

    Args:
        changes: the first trading day of each, inclusive, and its hours; 04:00 to 20:00 before the first.
    """

    def __init__(self, changes: Mapping[date, SessionHours]) -> None:
        self._days = sorted(changes)
        self._hours = [session_hours.USUAL, *(changes[day] for day in self._days)]
        self.first_evening = next((day for day in self._days if changes[day].evening is not None), None)
        """The first trading day that may begin on the evening before; `None` where none does."""

    def on(self, day: date) -> SessionHours:
        """The hours of a trading day."""
        return self._hours[bisect_right(self._days, day)]

    @property
    def changes(self) -> dict[date, SessionHours]:
        """What it was made of, rising."""
        return dict(zip(self._days, self._hours[1:], strict=True))


_USUAL: Final = Hours(_USUAL_OPEN, _USUAL_CLOSE)
_overrides: dict[date, Hours | None] = {}
_hours = HoursByDate({})


@dataclass(frozen=True, order=True)
class Session:
    """One trading day of the New York Stock Exchange.

    Attributes:
        date: the trading day, an Eastern calendar day.
        regular_open: UTC, inclusive.
        regular_close: UTC, exclusive.
        early_close: whether regular hours end before 16:00 Eastern.
        hours: in which its bars lie; an early close ends them at 17:00.
    """

    date: date
    regular_open: datetime
    regular_close: datetime
    early_close: bool
    hours: SessionHours = session_hours.USUAL

    @property
    def extended_open(self) -> datetime:
        """The first moment of trading, UTC, inclusive: 04:00 Eastern, or as its hours say, on the evening before."""
        return self.spans[0][0]

    @property
    def extended_close(self) -> datetime:
        """The end of trading, UTC, exclusive: 20:00 Eastern, or as its hours say; 17:00 on an early close."""
        return self.spans[-1][1]

    @property
    def spans(self) -> tuple[tuple[datetime, datetime], ...]:
        """From when to when it trades, UTC, rising: one span, or the evening before and the day with a pause between.

        Regular hours lie in the last span.
        """
        hours = self.hours
        closes = eastern_time(self.date, hours.closes)
        if self.early_close:
            closes = min(closes, _moment(self.date, _EARLY_EXTENDED_CLOSE))
        opens, closes = min(eastern_time(self.date, hours.opens), self.regular_open), max(closes, self.regular_close)
        if hours.evening is None:
            return ((opens, closes),)
        begin, end = (eastern_time(self.date - _ONE_DAY, minute) for minute in hours.evening)
        return ((begin, closes),) if hours.is_one_span else ((begin, end), (opens, closes))

    @property
    def seconds(self) -> int:
        """The seconds of extended hours, regular ones included."""
        return sum(int((closes - opens).total_seconds()) for opens, closes in self.spans)

    @property
    def regular_minutes(self) -> int:
        """The minutes of regular hours: 390, or 210 with a close at 13:00."""
        return int((self.regular_close - self.regular_open).total_seconds()) // 60


def set_overrides(days: Mapping[date, Hours | None], hours: Mapping[date, SessionHours] = MappingProxyType({})) -> None:
    """Use other hours for some days in this process, replacing all earlier overrides.

    The only state of the domain: call it once, before a session is looked up, as `settings.apply_calendar` does.

    Args:
        days: trading days with their regular hours, weekends too; `None` where the exchange is closed.
        hours: in which all bars lie, by the first trading day that has them.
    """
    global _hours  # noqa: PLW0603 - see above
    _overrides.clear()
    _overrides.update(days)
    _hours = HoursByDate(hours)
    session_on.cache_clear()


def overrides() -> Mapping[date, Hours | None]:
    """The days that `set_overrides` was given, read only."""
    return MappingProxyType(_overrides)


def hours_by_date() -> HoursByDate:
    """The hours in which bars lie, by trading day."""
    return _hours


def source() -> str:
    """The source of the calendar, to be recorded: `exchange_calendars 4.13.2, XNYS`, and what is overridden.

    The version is that of the library the table was made from.
    """
    own = f"; {quantity(len(_overrides), 'day')} overridden" if _overrides else ""
    changed = "".join(f"; {hours.clock} from {day}" for day, hours in _hours.changes.items())
    return exchange_days.SOURCE + own + changed


def trading_day_start(day: date) -> datetime:
    """The moment, UTC, from which on a print belongs to an Eastern calendar day, whether or not that has a session.

    00:00 Eastern; 20:00 on the evening before where trading days may begin there.
    """
    if _hours.on(day).evening is not None:
        return eastern_time(day - _ONE_DAY, session_hours.EVENING)
    return eastern_midnight(day)


def trading_day_of(moment: datetime) -> date:
    """The Eastern calendar day that a print at `moment`, aware, belongs to; see `trading_day_start`."""
    day = moment.astimezone(EASTERN).date()
    following = day + _ONE_DAY
    return following if moment >= trading_day_start(following) else day


def eastern_midnight(day: date) -> datetime:
    """00:00 Eastern of `day`, in UTC."""
    return _moment(day, time())


def eastern_time(day: date, minute: int) -> datetime:
    """A minute of a day's Eastern clock, 0 to 1440, in UTC."""
    hour, minute = divmod(minute, 60)
    return _moment(day, time(hour, minute)) if hour < _HOURS_A_DAY else eastern_midnight(day + _ONE_DAY)


@cache
def session_on(day: date) -> Session | None:
    """The session of an Eastern calendar day; `None` on a weekend or holiday."""
    hours = _overrides[day] if day in _overrides else _exchange_hours(day)
    if hours is None:
        return None
    early_close = hours.closes < _USUAL_CLOSE
    return Session(day, _moment(day, hours.opens), _moment(day, hours.closes), early_close, _hours.on(day))


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
    its hour from 19:00 Eastern falls in this month. The evening before a month's first session is of this month.
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
