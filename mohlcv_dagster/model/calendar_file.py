"""The user's file of the exchange calendar: days on which the exchange keeps other hours, and changes of session hours.

::

    # date           hours, Eastern
    2025-01-09       closed
    2024-12-24       09:30-13:00
    from 2027-03-01  21:00-20:00

A line is a date and its regular hours, separated by blanks: `closed`, or open and close in Eastern time on a 24-hour
clock, within 04:00 to 20:00. A line that begins with `from` has the first trading day from which on bars lie in other
hours (`session_hours.parse`), up to the next such day. `#` begins a comment; empty lines are ignored.
"""

import re
from dataclasses import dataclass, field
from datetime import date, time
from typing import Final

from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model import session_hours
from mohlcv_dagster.model.exchange_calendar import FIRST_YEAR, LAST_YEAR, Hours
from mohlcv_dagster.model.session_hours import SessionHours

_CLOSED: Final = "closed"
_FROM: Final = "from"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOURS: Final = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})", re.ASCII)
_EARLIEST, _LATEST = time(4), time(20)
_WORDS: Final = 2


@dataclass(frozen=True)
class CalendarFile:
    """What a file says.

    Attributes:
        days: regular hours of single days; `None` where the exchange is closed.
        hours: session hours, by the first trading day that has them.
    """

    days: dict[date, Hours | None] = field(default_factory=dict)
    hours: dict[date, SessionHours] = field(default_factory=dict)


def parse(text: str) -> CalendarFile:
    """The lines of a file.

    Raises:
        CalendarError: a line has another form, or repeats a day; the message gives its number, the text and what to
            write.
    """
    found = CalendarFile()
    lines: dict[tuple[bool, date], int] = {}
    lines_of_text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines_of_text, start=1):  # `splitlines` also ends a line, and a comment, at others
        words = line.partition("#")[0].split()
        changes = words[:1] == [_FROM]
        if not words:
            continue
        if len(words) != _WORDS + changes:
            cure = "write a date and its hours, such as 2025-01-09 closed, or from 2027-03-01 21:00-20:00"
            raise _invalid(number, line.strip(), cure)
        day = _parse_day(number, words[-2])
        if (changes, day) in lines:
            raise _invalid(number, words[-2], f"line {lines[changes, day]} has the same day; keep one of the two")
        lines[changes, day] = number
        if changes:
            found.hours[day] = _parse_session(number, words[-1])
        else:
            found.days[day] = _parse_hours(number, words[-1])
    return found


def _parse_day(number: int, text: str) -> date:
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise _invalid(number, text, "write a day of the calendar as 2025-01-09") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _invalid(number, text, f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _parse_session(number: int, text: str) -> SessionHours:
    try:
        return session_hours.parse(text)
    except ValueError as error:
        raise _invalid(number, text, str(error)) from None


def _parse_hours(number: int, text: str) -> Hours | None:
    if text.lower() == _CLOSED:
        return None
    match = _HOURS.fullmatch(text)
    cure = "write closed, or open and close in Eastern time within 04:00-20:00, such as 09:30-13:00"
    try:
        hours = Hours(*map(time.fromisoformat, match.groups())) if match else None
    except ValueError:
        hours = None
    if hours is None or not _EARLIEST <= hours.opens < hours.closes <= _LATEST:
        raise _invalid(number, text, cure)
    return hours


def _invalid(number: int, text: str, cure: str) -> CalendarError:
    return CalendarError(f"line {number}: {text!r} is invalid: {cure}")
