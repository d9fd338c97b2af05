"""Symbols and days as they are given on the command line, and the months that they name."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import click

from mohlcv_dagster.errors import MonthError, MonthInFutureError
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.settings import START, Settings


class _Day(click.DateTime):
    """A day; one that is none is refused in a user's words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - the signature is click's
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is no day; write one as 2024-01-31", param, ctx)


DAY: Final = _Day(["%Y-%m-%d"])
"""How a day is written on the command line."""


def chosen(symbols: Iterable[str]) -> list[str]:
    """The symbols given, each once, in their order; one option may name several, separated by commas.

    Raises:
        SymbolError: one of them cannot be asked for and stored.
    """
    named = (name.strip() for text in symbols for name in text.split(","))
    return [check_symbol(symbol) for symbol in dict.fromkeys(named)]


def refuse_earlier(month: Month, settings: Settings) -> None:
    """Let no month be asked for that there is no partition for.

    Raises:
        MonthError: it is before the first one.
    """
    if month < settings.start:
        raise MonthError(f"{month} is before {settings.start}, the first month of {START.variable}; set it earlier")


def refuse_turned(start: datetime, end: datetime) -> None:
    """Let a range begin before it ends.

    Raises:
        MonthError: it does not.
    """
    if end < start:
        raise MonthError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; turn them round")


def months_touched(start: datetime, end: datetime, now: datetime) -> list[Month]:
    """The months from that of `start` to that of `end`, both inclusive, less those that have not begun at `now`.

    Raises:
        MonthError: `end` is before `start`.
        MonthInFutureError: none of them has begun.
    """
    refuse_turned(start, end)
    months = [month for month in Month.of(start).until(Month.of(end)) if month.start <= now]
    if not months:
        raise MonthInFutureError(f"--start {start:%Y-%m-%d} is in the future: it is {now:%Y-%m-%d} (UTC)")
    return months
