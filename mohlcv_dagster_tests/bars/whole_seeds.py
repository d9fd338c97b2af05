"""Faults in a whole month whose day, and time of day where they have one, follow from a seed. No test lives here."""

from collections.abc import Callable
from datetime import date

import numpy as np

from mohlcv_dagster_tests.bars.whole_months import Edit, add, drop, drop_all, drop_days

_HOLIDAYS = {date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19), date(2024, 6, 19)}

Seeded = Callable[[list[date], np.random.Generator], Edit]
"""Makes the edit from the trading days of the month, all of full length, and a seed's chance."""


def full_days(month: str) -> list[date]:
    """The trading days of a seeded month, by hand: weekdays less holidays; none of them closes early."""
    every = (date.fromisoformat(f"{month}-{day:02d}") for day in range(1, 29))
    return [day for day in every if day.weekday() < 5 and day not in _HOLIDAYS]


def once(start: str, end: str) -> Seeded:
    """A stretch lost on one day."""
    return lambda days, chance: drop(days[int(chance.integers(len(days)))], start, end)


def somewhere(minutes: int) -> Seeded:
    """So many minutes in a row lost on one day, between 10:00 and 15:00."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        begins = 600 + int(chance.integers(300 - minutes))
        return drop(days[int(chance.integers(len(days)))], _clock(begins), _clock(begins + minutes))

    return seeded


def single_minutes(count: int, *, each_day: bool = False) -> Seeded:
    """So many single minutes lost, no two of them neighbours."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        minutes = 571 + 2 * chance.choice(190, count, replace=False)
        on = days if each_day else [days[int(chance.integers(len(days)))]]
        return drop_all([(day, _clock(int(at)), _clock(int(at) + 1)) for day in on for at in minutes])

    return seeded


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def every_day(start: str, end: str) -> Seeded:
    return lambda days, _: drop_all([(day, start, end) for day in month_of(days)])


def month_of(days: list[date]) -> list[date]:
    return days + [days[0].replace(day=day) for day in range(29, 32) if _exists(days[0], day)]


def _exists(of: date, day: int) -> bool:
    try:
        return bool(of.replace(day=day))
    except ValueError:
        return False


def days_lost(count: int) -> Seeded:
    """So many trading days in a row lost."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        first = int(chance.integers(len(days) - count))
        return drop_days(days[first : first + count])

    return seeded


def strays(start: str, end: str) -> Seeded:
    """Bars put where none belong, on one day."""
    return lambda days, chance: add(days[int(chance.integers(len(days)))], start, end)
