"""What a shell is told of words begun: symbols of the data folder, timeframes. Loads neither Dagster nor Arrow.

click completes commands and options by itself; the script that asks it is printed by `mohlcv completion`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.errors import MohlcvError, SymbolError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, check_symbol
from mohlcv_dagster.settings import DATA_DIR


class Symbol(click.types.StringParamType):
    """A symbol, or several with commas between; completed with those that the data folder has files of."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - the signature is click's
        """The symbols that the last word, after a comma or alone, may become, in whatever case it was typed."""
        before, comma, begun = incomplete.rpartition(",")
        fit = [symbol for symbol in stored_symbols() if symbol.lower().startswith(begun.lower())]
        return [CompletionItem(f"{before}{comma}{symbol}") for symbol in fit if symbol not in before.split(",")]


class Timeframes(click.types.StringParamType):
    """Timeframes with commas between; the last one is completed."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - as above
        """The list so far, with each timeframe that the last one may become and that is not in it."""
        before, comma, begun = incomplete.rpartition(",")
        names = [each.name for each in timeframes.AGGREGATED if each.name not in before.split(",")]
        return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(begun)]


_TYPES: Final[dict[str, Symbol | Timeframes]] = {
    "--symbol": Symbol(),
    "symbols": Symbol(),
    "--timeframe": Timeframes(),
    "--timeframes": Timeframes(),
}
"""By option, or by the name of an argument."""


def taught(command: click.Command) -> click.Command:
    """`command`, its parameters that take a symbol or timeframes as text completing them; those below it as well."""
    for parameter in command.params:
        names = parameter.opts if isinstance(parameter, click.Option) else [parameter.name or ""]
        known = [_TYPES[name] for name in names if name in _TYPES]
        if known and parameter.type is click.STRING:
            parameter.type = known[0]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            taught(below)
    return command


def stored_symbols() -> list[str]:
    """The symbols with files in the data folder, in order; none where it is no local folder or cannot be read."""
    try:
        data_dir = Home.real(project_root()).environment[DATA_DIR.variable]
    except MohlcvError:
        return []  # between two words of a command line is no place to say what is wrong with .env
    if "://" in data_dir:
        return []
    found = {name for name in _names(Path(data_dir, RAW_FOLDER)) if _is_symbol(name)}
    for folder in _names(Path(data_dir, AGGREGATED_FOLDER)) if not found else ():
        names = _names(Path(data_dir, AGGREGATED_FOLDER, folder))
        found |= {symbol for symbol in (name.partition("_")[0] for name in names) if _is_symbol(symbol)}
    return sorted(found)


def _names(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - a Path each would take longer than to read them
    except OSError:
        return ()


def _is_symbol(name: str) -> bool:
    try:
        check_symbol(name)
    except SymbolError:
        return False
    return True
