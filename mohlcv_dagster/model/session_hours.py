"""The hours of a trading day, Eastern, and how they are written.

They are data: 04:00 to 20:00 for every day, until a line of the user's file says otherwise (`exchange_calendar`). A
day is at most 24 hours long. What is traded from 20:00 Eastern on belongs to the next calendar day, so that a trading
day may begin on the evening before it. All of it is of its own UTC date but the hour from 19:00 in winter: 20:00
Eastern is 00:00 UTC in summer and 01:00 in winter.
"""

import re
from dataclasses import dataclass
from typing import Final

_HOUR: Final = 60
_DAY_END: Final = 24 * _HOUR
EVENING: Final = 20 * _HOUR
"""20:00, in minutes of the Eastern clock: from then on a print belongs to the next calendar day."""
_REGULAR: Final = 9 * _HOUR + 30, 16 * _HOUR
_SPAN: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, order=True)
class SessionHours:
    """The hours in which a trading day's bars lie, in minutes of the Eastern clock, ends exclusive.

    Attributes:
        opens: on the day itself, 0 to 570 (09:30).
        closes: on the day itself, 960 (16:00) to 1200 (20:00).
        evening: from when to when on the calendar day before, within 1200 (20:00) to 1440 (24:00); `None` for none.
    """

    opens: int
    closes: int
    evening: tuple[int, int] | None = None

    @property
    def is_one_span(self) -> bool:
        """Whether there is no pause between the evening and the day."""
        return self.evening is None or (self.evening[1] == _DAY_END and self.opens == 0)

    @property
    def clock(self) -> str:
        """As the user's file has them, such as `21:00-20:00`."""
        opens, closes = self.opens, self.closes
        if self.evening is not None and self.is_one_span:
            opens = self.evening[0]
        elif self.evening is not None:
            closes = self.evening[1]
        return f"{opens // _HOUR:02}:{opens % _HOUR:02}-{closes // _HOUR:02}:{closes % _HOUR:02}"


USUAL: Final = SessionHours(4 * _HOUR, EVENING)
"""04:00 to 20:00: of every trading day of which a user's file says nothing else."""


def parse(text: str) -> SessionHours:
    """The hours in `text`, such as `04:00-20:00`, `01:30-23:30`, `21:00-20:00` or `20:00-20:00`, which is all day.

    An end that is not after the start is one of the next calendar day. What is after 20:00 is the evening of the next
    trading day.

    Raises:
        ValueError: they have another form, leave out a part of 09:30 to 16:00, or reach over 20:00 in such a way that
            two trading days would overlap.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError("write open and close in Eastern time, such as 04:00-20:00 or 21:00-20:00")
    numbers = [int(part) for part in match.groups()]
    opens, closes = numbers[0] * _HOUR + numbers[1], numbers[2] * _HOUR + numbers[3]
    if max(opens, closes) > _DAY_END or opens == _DAY_END:
        raise ValueError("a clock goes from 00:00 to 24:00, and 24:00 is an end only")
    hours = _of(opens, closes)
    if hours.opens > _REGULAR[0] or not _REGULAR[1] <= hours.closes <= EVENING:
        raise ValueError(
            "the hours must hold 09:30-16:00, and a trading day that begins on the evening before begins from 20:00 on"
        )
    return hours


def _of(opens: int, closes: int) -> SessionHours:
    if closes <= opens:
        # a start before 20:00 leaves the day itself without a close that is valid
        return SessionHours(0, closes if opens >= EVENING else _DAY_END, (opens, _DAY_END))
    if closes > EVENING:
        return SessionHours(opens, EVENING, (EVENING, closes))
    return SessionHours(opens, closes)
