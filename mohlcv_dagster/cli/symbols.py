"""`mohlcv symbols`: list, add and remove symbols."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

import click

from mohlcv_dagster.cli import SuggestingGroup, symbols_list
from mohlcv_dagster.cli.arguments import Symbol, symbols_in
from mohlcv_dagster.cli.console import json_option, print_json, print_text
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.errors import SymbolError
from mohlcv_dagster.model.bar_files import check_symbol, portability_notes
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mohlcv_dagster.model.listings import Listing
    from mohlcv_dagster.settings import Settings

_DIMENSION: Final = "symbol"


@click.group("symbols", cls=SuggestingGroup, invoke_without_command=True, short_help="List, add and remove symbols.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the symbols with what is stored of each, as `symbols list` does; add and remove symbols.

    \b
    Examples:
      mohlcv symbols
      mohlcv symbols --json
      mohlcv symbols add SPY QQQ BRK.B
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    if ctx.invoked_subcommand is None:
        symbols_list.show(as_json=as_json)


@command.command("add", short_help="Add symbols; nothing is fetched yet.")
@click.argument("symbols", type=Symbol(), nargs=-1)
@click.option("--from", "listed", type=click.File(encoding="utf-8"), help="File with one symbol a line; - reads stdin.")
@click.option("--offline", is_flag=True, help="Do not ask the vendor whether the symbol exists.")
@json_option
def add(symbols: tuple[str, ...], listed: TextIO | None, *, offline: bool, as_json: bool) -> int:
    """Add SYMBOLS, case kept; nothing is fetched yet.

    With a key set, the vendor is asked whether it knows each new one: one request, up to three if it is not listed
    today. A symbol that it does not know is not added, and the command exits with 1. One that it gives no answer for is
    added. In a file, blank lines and what follows a # are skipped.

    \b
    Examples:
      mohlcv symbols add SPY QQQ BRK.B
      mohlcv symbols add --from watchlist.txt --offline
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    chosen = [check_symbol(symbol) for symbol in dict.fromkeys((*symbols, *symbols_in(listed)))]
    if not chosen:
        raise SymbolError("no symbol to add: write one such as SPY, or name a file with --from")
    home = Home.real(project_root())
    settings = home.settings()
    with home.instance() as instance:
        kept = frozenset(instance.get_dynamic_partitions(_DIMENSION))
        new = [symbol for symbol in chosen if symbol not in kept]
        answers = dict(_ask(settings, new)) if new and not offline and settings.api_key else {}
        refused = {symbol for symbol, answer in answers.items() if answer.refused}
        instance.add_dynamic_partitions(_DIMENSION, [symbol for symbol in new if symbol not in refused])
    portability = portability_notes(chosen, kept)
    added = []
    for symbol in chosen:
        became = "refused" if symbol in refused else "added" if symbol in new else "was there already"
        notes = [note for note in (answers.get(symbol, _Answer()).note, portability.get(symbol)) if note]
        added.append({"symbol": symbol, "became": became, "notes": notes})
        print_text(f"{symbol}: {became}", as_json=as_json)
        for note in notes:
            click.echo(f"  note: {note}", err=True)
    if as_json:
        print_json({"symbols": added})
    return ExitCode.FAILED if refused else ExitCode.DONE


@command.command("remove", short_help="Remove symbols; their files stay.")
@click.argument("symbols", type=Symbol(), nargs=-1, required=True)
@json_option
def remove(symbols: tuple[str, ...], *, as_json: bool) -> None:
    """Remove SYMBOLS from the partitions; files on disk stay where they are.

    \b
    Examples:
      mohlcv symbols remove QQQ
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    with Home.real(project_root()).instance() as instance:
        kept = frozenset(instance.get_dynamic_partitions(_DIMENSION))
        if unknown := [symbol for symbol in symbols if symbol not in kept]:
            raise SymbolError(f"no such symbol: {', '.join(unknown)}; kept are {', '.join(sorted(kept)) or 'none'}")
        for symbol in dict.fromkeys(symbols):
            instance.delete_dynamic_partition(_DIMENSION, symbol)
            print_text(f"{symbol}: removed; its files stay", as_json=as_json)
    if as_json:
        print_json({"symbols": [{"symbol": symbol, "became": "removed"} for symbol in dict.fromkeys(symbols)]})


@command.command("list", short_help="List them with what is stored of each.")
@json_option
def list_(*, as_json: bool) -> None:
    """List the symbols with their raw months, the first and the last, their timeframes and their state.

    The state is what the manifest says: files with errors or warnings, months that are missing between the first and
    the last, or provisional. Symbols that have files but no partitions are listed too, and named below.

    \b
    Examples:
      mohlcv symbols list
      mohlcv symbols list --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    symbols_list.show(as_json=as_json)


@dataclass(frozen=True)
class _Answer:
    """The vendor's answer about a symbol.

    Attributes:
        note: a clause for the user; empty for none.
        refused: whether it knows no such symbol.
    """

    note: str = ""
    refused: bool = False


def _ask(settings: "Settings", symbols: "Iterable[str]") -> "Iterator[tuple[str, _Answer]]":
    """The vendor's answer about each symbol; after the first that is not answered, the others are not asked."""
    from mohlcv_dagster.providers import create  # noqa: PLC0415 - only where there is something to ask

    with create.provider(settings) as vendor:
        for symbol in symbols:
            listing = vendor.listing(symbol)
            yield symbol, _answer(listing)
            if not listing.known:
                return


def _answer(listing: "Listing") -> _Answer:
    if not listing.known:
        return _Answer(f"added without asking, as are those after it: {listing.why_unknown}")
    if not listing.exists:
        case = f": is {listing.symbol.upper()} meant?" if listing.symbol.islower() else "; case counts: BACpB, BRK.B"
        return _Answer(f"the vendor knows no symbol {listing.symbol}, of today or before{case}", refused=True)
    return _Answer(f"{listing.display_name} was delisted {listing.delisted}" if listing.delisted else "")
