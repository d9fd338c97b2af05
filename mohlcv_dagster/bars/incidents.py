"""Vendor incidents: regular minutes that are missing in several liquid symbols at once.

One liquid symbol may have no trade for a minute; the same minute missing in several is the vendor's fault. How many
symbols it takes depends on how often they miss a minute anyway: two where they hardly ever do, more where two would
coincide by chance.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from mohlcv_dagster.bars.bar_table import Seconds

if TYPE_CHECKING:
    from mohlcv_dagster.bars.coverage import Coverage

FEWEST_SYMBOLS: Final = 2
BY_CHANCE: Final = 0.5
"""Minutes of a month that may coincide by chance, on average: fewer than one a month."""

_WRITTEN: Final = "%Y-%m-%dT%H:%MZ"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, order=True)
class Gap:
    """Consecutive regular minutes of a session without a bar.

    Attributes:
        start: Unix minute of the first, inclusive.
        minutes: how many there are, one or more.
    """

    start: int
    minutes: int

    @property
    def end(self) -> int:
        """Unix minute after the last."""
        return self.start + self.minutes

    @property
    def written(self) -> str:
        """The gap as text that `parse` reads: `2024-01-05T15:30Z/3`."""
        return f"{_moment(self.start):{_WRITTEN}}/{self.minutes}"

    @classmethod
    def parse(cls, written: str) -> Self:
        """The gap of such a text."""
        start, _, minutes = written.partition("/")
        return cls((datetime.fromisoformat(start) - _EPOCH) // _MINUTE, int(minutes))

    def __str__(self) -> str:
        first, last = _moment(self.start), _moment(self.end - 1)
        if self.minutes == 1:
            return f"{first:%Y-%m-%d %H:%M}Z"
        return f"{first:%Y-%m-%d %H:%M}Z to {last:%H:%M}Z"


@dataclass(frozen=True, order=True)
class Incident:
    """Consecutive minutes, each of them missing in several liquid symbols.

    Attributes:
        gap: the minutes.
        symbols: those that miss one or more of them, in order of name.
    """

    gap: Gap
    symbols: tuple[str, ...]


def gaps(minutes: Seconds) -> tuple[Gap, ...]:
    """The runs of consecutive minutes in rising, distinct Unix minutes, rising."""
    if not minutes.size:
        return ()
    breaks = np.flatnonzero(np.diff(minutes) != 1) + 1
    begins = np.concatenate([[0], breaks])
    lengths = np.diff(np.concatenate([begins, [minutes.size]]))
    return tuple(Gap(int(minutes[at]), int(length)) for at, length in zip(begins, lengths, strict=True))


def of_coverage(coverage: "Coverage") -> tuple[Gap, ...]:
    """The gaps in the regular minutes of the sessions of a month, rising."""
    empty = [
        np.flatnonzero(~each.minutes) + int(each.session.regular_open.timestamp()) // 60 for each in coverage.sessions
    ]
    return gaps(np.concatenate(empty)) if empty else ()


def find(missing: Mapping[str, Iterable[Gap]], regular_minutes: int) -> tuple[Incident, ...]:
    """The incidents of a month, in order of time.

    Args:
        missing: the gaps of each liquid symbol of the month.
        regular_minutes: of the month's sessions.
    """
    names = sorted(missing)
    spans = {name: tuple(missing[name]) for name in names}
    owner = [row for row, name in enumerate(names) for gap in spans[name] for _ in range(gap.minutes)]
    minute = [at for name in names for gap in spans[name] for at in range(gap.start, gap.end)]
    if not minute:
        return ()
    minutes, column = np.unique(np.array(minute), return_inverse=True)
    absent = np.zeros((minutes.size, len(names)), dtype=bool)
    absent[column, owner] = True
    common = absent.sum(axis=1) >= symbols_needed(sum(map(len, spans.values())), regular_minutes)
    found = gaps(minutes[common])
    slices = [slice(*np.searchsorted(minutes, [gap.start, gap.end])) for gap in found]
    hit = [np.flatnonzero(np.any(absent[span], axis=0)) for span in slices]
    return tuple(Incident(gap, tuple(names[row] for row in rows)) for gap, rows in zip(found, hit, strict=True))


def symbols_needed(happenings: int, regular_minutes: int) -> int:
    """How many symbols must miss a minute before that is not a coincidence, two or more.

    With independent gaps the number of symbols that miss a minute follows a Poisson distribution of mean
    `happenings / regular_minutes`; the least count is taken that fewer than `BY_CHANCE` minutes of the month reach.

    Args:
        happenings: the gaps of all symbols; a long one counts once, since its minutes are missing for one cause.
        regular_minutes: of the month's sessions.
    """
    mean = happenings / max(regular_minutes, 1)
    reached, chance = 1.0, exp(-mean)
    for count in range(happenings + 1):
        if count >= FEWEST_SYMBOLS and regular_minutes * reached < BY_CHANCE:
            return count
        reached -= chance
        chance *= mean / (count + 1)
    return max(happenings, FEWEST_SYMBOLS)


def _moment(minute: int) -> datetime:
    return _EPOCH + minute * _MINUTE
