"""Symbols, timeframes and days on the command line: how they are read, checked and completed by a shell."""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.errors import MohlcvError, MonthError, MonthInFutureError, SymbolError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.settings import DATA_DIR, START, Settings, project_root


class _Day(click.DateTime):
    """A day of the form YYYY-MM-DD."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - the signature is click's
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is not a date; write one as 2024-01-31", param, ctx)


DAY: Final = _Day(["%Y-%m-%d"])
"""The type of options that name a day."""


class Symbol(click.types.StringParamType):
    """A symbol, or several separated by commas; completed with those that the data folder has files of."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - the signature is click's
        """Complete the last symbol, typed in any case."""
        before, comma, begun = incomplete.rpartition(",")
        fit = [symbol for symbol in stored_symbols() if symbol.lower().startswith(begun.lower())]
        return [CompletionItem(f"{before}{comma}{symbol}") for symbol in fit if symbol not in before.split(",")]


class Timeframes(click.types.StringParamType):
    """Timeframes separated by commas; the last one is completed."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - as above
        """Complete the last timeframe with those that are not in the list."""
        before, comma, begun = incomplete.rpartition(",")
        names = [each.name for each in timeframes.AGGREGATED if each.name not in before.split(",")]
        return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(begun)]


symbol_option: Final = click.option(
    "--symbol",
    "symbols",
    type=Symbol(),
    required=True,
    multiple=True,
    help="Symbol, such as SPY; for more, again or SPY,QQQ.",
)


def split_symbols(given: Iterable[str]) -> list[str]:
    """The symbols given, each once, in their order; one option may name several, separated by commas.

    Raises:
        SymbolError: one of them cannot be requested and stored.
    """
    named = (name.strip() for text in given for name in text.split(","))
    return [check_symbol(symbol) for symbol in dict.fromkeys(named)]


def require_partition(month: Month, settings: Settings) -> None:
    """Refuse a month that has no partition.

    Raises:
        MonthError: it is before the first one.
    """
    if month < settings.start:
        raise MonthError(f"{month} is before {settings.start}, the first month of {START.variable}; set it earlier")


def require_order(start: datetime, end: datetime) -> None:
    """Refuse a range that ends before it starts.

    Raises:
        MonthError: it does.
    """
    if end < start:
        raise MonthError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; swap them")


def months_touched(start: datetime, end: datetime, now: datetime) -> list[Month]:
    """The months from that of `start` to that of `end`, both inclusive, less those that have not begun at `now`.

    Raises:
        MonthError: `end` is before `start`.
        MonthInFutureError: none of them has begun.
    """
    require_order(start, end)
    months = [month for month in Month.of(start).until(Month.of(end)) if month.start <= now]
    if not months:
        raise MonthInFutureError(f"--start {start:%Y-%m-%d} is in the future: it is {now:%Y-%m-%d} (UTC)")
    return months


def stored_symbols() -> list[str]:
    """The symbols with files in the data folder, in order; none where it is not a local folder or cannot be read."""
    try:
        data_dir = Home.real(project_root(), warn=False).environment[DATA_DIR.variable]
    except MohlcvError:
        return []  # completion does not report an error in .env
    if "://" in data_dir:
        return []
    found = {name for name in _names(Path(data_dir, RAW_FOLDER)) if _is_symbol(name)}
    for folder in _names(Path(data_dir, AGGREGATED_FOLDER)) if not found else ():
        names = _names(Path(data_dir, AGGREGATED_FOLDER, folder))
        found |= {symbol for symbol in (name.partition("_")[0] for name in names) if _is_symbol(symbol)}
    return sorted(found)


def _names(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - to make a Path of each takes longer than to read them
    except OSError:
        return ()


def _is_symbol(name: str) -> bool:
    try:
        check_symbol(name)
    except SymbolError:
        return False
    return True
