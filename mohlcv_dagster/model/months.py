"""A UTC month: the time that a file of bars covers, and how a month is written in partition keys and file names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Self

from mohlcv_dagster.errors import MonthError

_KEY: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
_MONTHS: Final = 12


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in UTC: every bar has `start <= ts_event < end`.

    Attributes:
        year: 1970 to 9998.
        month: 1 to 12.
    """

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (_FIRST_YEAR <= self.year <= _LAST_YEAR and 1 <= self.month <= _MONTHS):
            raise MonthError(f"{self.year:04d}-{self.month:02d} is not a month; write it as 2024-01")

    @classmethod
    def parse(cls, key: str) -> Self:
        """The month of a partition key such as `2024-01`.

        Raises:
            MonthError: `key` is not of that form.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise MonthError(f"{key!r} is not a month; write it as 2024-01")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, moment: datetime | date) -> Self:
        """The month that holds `moment`; an aware datetime is converted to UTC first, a naive one is read as UTC."""
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @property
    def start(self) -> datetime:
        """The first instant of the month (inclusive), UTC."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first instant of the next month (exclusive end of this one), UTC."""
        return datetime(self.year + self.month // _MONTHS, self.month % _MONTHS + 1, 1, tzinfo=UTC)

    @property
    def start_second(self) -> int:
        """`start` as Unix seconds, inclusive."""
        return int(self.start.timestamp())

    @property
    def end_second(self) -> int:
        """`end` as Unix seconds, exclusive."""
        return int(self.end.timestamp())

    @property
    def file_form(self) -> str:
        """The month as file names write it: `2024_01`."""
        return f"{self.year:04d}_{self.month:02d}"

    def next(self) -> Self:
        """The month after this one.

        Raises:
            MonthError: this is 9998-12.
        """
        return self._from_ordinal(self._ordinal + 1)

    def previous(self) -> Self:
        """The month before this one.

        Raises:
            MonthError: this is 1970-01.
        """
        return self._from_ordinal(self._ordinal - 1)

    @property
    def neighbours(self) -> tuple[Self, ...]:
        """The months before and after this one, as far as they exist."""
        first, last = self.start_second == 0, (self.year, self.month) == (_LAST_YEAR, _MONTHS)
        return (*(() if first else (self.previous(),)), *(() if last else (self.next(),)))

    def until(self, last: Self) -> Iterator[Self]:
        """Every month from this one to `last`, both inclusive; none when `last` is earlier."""
        return (self._from_ordinal(ordinal) for ordinal in range(self._ordinal, last._ordinal + 1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def _ordinal(self) -> int:
        return self.year * _MONTHS + self.month - 1

    @classmethod
    def _from_ordinal(cls, ordinal: int) -> Self:
        return cls(ordinal // _MONTHS, ordinal % _MONTHS + 1)
