"""`mohlcv symbols`: which symbols there are partitions for."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.bars.files import check_symbol, portability_note
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.errors import SymbolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

_DIMENSION: Final = "symbol"


@click.group("symbols")
def command() -> None:
    """Add, remove and list the symbols that there are partitions for.

    \b
    Examples:
      mohlcv symbols add SPY QQQ BRK.B
      mohlcv symbols list
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is


@command.command("add")
@click.argument("symbols", nargs=-1, required=True)
def add(symbols: tuple[str, ...]) -> None:
    """Add SYMBOLS, case kept; nothing is fetched yet."""
    for symbol in symbols:
        check_symbol(symbol)
    with _instance() as instance:
        kept = frozenset(instance.get_dynamic_partitions(_DIMENSION))
        instance.add_dynamic_partitions(_DIMENSION, [symbol for symbol in symbols if symbol not in kept])
    for symbol in symbols:
        click.echo(f"{symbol}: {'was there already' if symbol in kept else 'added'}")
        if note := portability_note(symbol, kept | set(symbols)):
            click.echo(f"  note: {note}", err=True)


@command.command("remove")
@click.argument("symbols", nargs=-1, required=True)
def remove(symbols: tuple[str, ...]) -> None:
    """Remove SYMBOLS from the partitions; files on disk stay where they are."""
    with _instance() as instance:
        kept = frozenset(instance.get_dynamic_partitions(_DIMENSION))
        if unknown := [symbol for symbol in symbols if symbol not in kept]:
            raise SymbolError(f"no such symbol: {', '.join(unknown)}; kept are {', '.join(sorted(kept)) or 'none'}")
        for symbol in symbols:
            instance.delete_dynamic_partition(_DIMENSION, symbol)
            click.echo(f"{symbol}: removed; its files stay")


@command.command("list")
def list_() -> None:
    """List the symbols, one a line."""
    with _instance() as instance:
        for symbol in sorted(instance.get_dynamic_partitions(_DIMENSION)):
            click.echo(symbol)


@contextmanager
def _instance() -> "Iterator[dg.DagsterInstance]":
    import dagster as dg  # noqa: PLC0415 - it takes its time to load: not before the options have been understood

    Home.real(project_root()).prepare()
    with dg.DagsterInstance.get() as instance:
        yield instance
