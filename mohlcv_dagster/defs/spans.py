"""Months and symbols as a person writes them into the config of a job: checked, each error with what to write."""

from collections.abc import Iterable
from typing import Final

from mohlcv_dagster.errors import InputError, MonthError
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.model.months import Month

FIRST: Final = "first_month"
LAST: Final = "last_month"
SYMBOLS: Final = "symbols"
_SHOWN: Final = 12


def months(first: str, last: str, *, earliest: Month, latest: Month) -> tuple[Month, Month]:
    """The first and the last month meant, both inclusive.

    Args:
        first: such as `2024-01`; blank for `earliest`.
        last: as `first`; blank for `latest`.
        earliest: the first month that may be meant.
        latest: the last one.

    Raises:
        InputError: one is no month, lies outside, or they are the wrong way round.
    """
    begin, end = _month(FIRST, first, earliest), _month(LAST, last, latest)
    if begin > end:
        raise InputError(f"{FIRST} {begin} is after {LAST} {end}: swap them")
    if begin < earliest:
        raise InputError(f"{FIRST} {begin} is before {earliest}, the first month there is (MOHLCV_START decides)")
    if end > latest:
        raise InputError(f"{LAST} {end} has not begun: write {latest} or an earlier month, or leave it blank")
    return begin, end


def symbols(told: Iterable[str], stored: Iterable[str]) -> list[str]:
    """The symbols meant, in order; all that are stored where none is named.

    Raises:
        InputError: one is no symbol, or nothing of it is stored.
    """
    known, meant = sorted(stored), sorted({check_symbol(each.strip()) for each in told})
    unknown = [each for each in meant if each not in known]
    if unknown:
        there = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "") if known else "nothing"
        raise InputError(f"{SYMBOLS}: no month is stored of {', '.join(unknown)}; stored is {there}")
    return meant or known


def _month(name: str, told: str, default: Month) -> Month:
    try:
        return Month.parse(told.strip()) if told.strip() else default
    except MonthError as error:
        raise InputError(f"{name}: {error}") from error
