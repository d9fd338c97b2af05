"""Text ⇄ days on which the exchange keeps other hours than its calendar says. Whose text it is, is known elsewhere.

::

    # date      hours, Eastern
    2025-01-09  closed
    2024-12-24  09:30-13:00
"""

import re
from datetime import date, time
from typing import Final

from mohlcv_dagster.bars.sessions import FIRST_YEAR, LAST_YEAR, Hours
from mohlcv_dagster.errors import CalendarError

_CLOSED: Final = "closed"
_HOURS: Final = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})", re.ASCII)
_EARLIEST: Final = time(4)
_LATEST: Final = time(20)
_WORDS: Final = 2


def parse(text: str) -> dict[date, Hours | None]:
    """The days in `text`, one a line; `None` where the exchange is closed.

    A line is a date and its regular hours, apart by blanks: `closed`, or the bells in Eastern time on a 24-hour clock,
    `09:30-13:00`, within 04:00 to 20:00. `#` begins a comment; empty lines are ignored.

    Raises:
        CalendarError: a line is none of that, or names a day a second time; the message gives its number, the text and
            what to write.
    """
    days: dict[date, Hours | None] = {}
    lines: dict[date, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != _WORDS:
            raise _wrong(number, line.strip(), "write a date and its hours, such as 2025-01-09 closed")
        day = _day(number, words[0])
        if day in days:
            raise _wrong(number, words[0], f"the day stands on line {lines[day]} already; keep one of the two")
        days[day], lines[day] = _hours(number, words[1]), number
    return days


def _day(number: int, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _wrong(number, text, "write a day of the calendar as 2025-01-09") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _wrong(number, text, f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _hours(number: int, text: str) -> Hours | None:
    if text.lower() == _CLOSED:
        return None
    match = _HOURS.fullmatch(text)
    try:
        opens, closes = map(time.fromisoformat, match.groups()) if match else (_LATEST, _EARLIEST)
    except ValueError:
        opens, closes = _LATEST, _EARLIEST
    if not _EARLIEST <= opens < closes <= _LATEST:
        raise _wrong(number, text, "write closed, or the bells in Eastern time within 04:00-20:00, such as 09:30-13:00")
    return Hours(opens, closes)


def _wrong(number: int, text: str, cure: str) -> CalendarError:
    return CalendarError(f"line {number}: {text!r} cannot be meant: {cure}")
