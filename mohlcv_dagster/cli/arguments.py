"""Symbols and timeframes on the command line: how they are read, checked and completed by a shell."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final, TextIO, TypeVar

import click
from click.shell_completion import CompletionItem

from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.errors import MohlcvError, SymbolError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, check_symbol
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import DATA_DIR

F = TypeVar("F", bound=Callable[..., object])

_LISTED: Final = "mohlcv.listed_symbols"
"""Where click keeps the symbols of `--symbols-from` until `--symbol` was read."""


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


def symbol_options(command: F) -> F:
    """The options `--symbol` and `--symbols-from`; the argument `symbols` has all of them, each once."""
    listed = click.option(
        "--symbols-from",
        metavar="FILE",
        type=click.File(encoding="utf-8"),
        is_eager=True,
        expose_value=False,
        callback=_keep_listed,
        help="File with a symbol a line, as for `symbols add --from`; - reads stdin.",
    )
    named = click.option(
        "--symbol",
        "symbols",
        type=Symbol(),
        multiple=True,
        callback=_all_symbols,
        help="Symbol, such as SPY; for more, again or SPY,QQQ.",
    )
    return named(listed(command))


def _keep_listed(ctx: click.Context, _: click.Parameter, file: TextIO | None) -> None:
    with file or nullcontext():
        ctx.meta[_LISTED] = list(symbols_in(file))


def _all_symbols(ctx: click.Context, _: click.Parameter, named: tuple[str, ...]) -> list[str]:
    symbols = split_symbols([*named, *ctx.meta.get(_LISTED, ())])
    if not symbols and not ctx.resilient_parsing:
        raise click.UsageError("no symbol was given: write --symbol SPY, or name a file with --symbols-from", ctx)
    return symbols


def symbols_in(file: TextIO | None) -> Iterator[str]:
    """The symbols of a file, one a line; blank lines and what follows a # are skipped.

    Raises:
        SymbolError: it is not text in UTF-8.
    """
    try:
        for line in file or ():
            symbol = line.lstrip("\ufeff").partition("#")[0].strip()
            if symbol:
                yield symbol
    except UnicodeDecodeError as error:
        name = getattr(file, "name", "the file")
        raise SymbolError(f"{name} cannot be read ({error}): save it as plain text in UTF-8") from error


def split_symbols(given: Iterable[str]) -> list[str]:
    """The symbols given, each once, in their order; one option may name several, separated by commas.

    Raises:
        SymbolError: one of them cannot be requested and stored.
    """
    named = (name.strip() for text in given for name in text.split(","))
    return [check_symbol(symbol) for symbol in dict.fromkeys(named)]


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
