"""`mohlcv symbols`: the list of symbols with what is stored of each."""

from typing import TYPE_CHECKING, Final

from mohlcv_dagster.cli.console import open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mohlcv_dagster.storage.overview import StoredSymbol

_DIMENSION: Final = "symbol"


def show(*, as_json: bool) -> None:
    """Print the symbols that have partitions or files, each with what is stored of it.

    Raises:
        SettingsError: a setting is invalid.
        FileError: the disk refused.
    """
    from mohlcv_dagster.storage import overview  # noqa: PLC0415 - not for the help text

    home = Home.real(project_root())
    stored = overview.of_symbols(Paths(home.settings().data_dir).archive())
    home.require_usable_path()
    kept = frozenset[str]()
    if home.path.is_dir():
        with home.instance() as instance:
            kept = frozenset(instance.get_dynamic_partitions(_DIMENSION))
    symbols = [stored.get(name) or overview.StoredSymbol(name) for name in sorted(kept | stored.keys())]
    if as_json:
        print_json({"symbols": [{**each.document(), "partitions": each.symbol in kept} for each in symbols]})
    else:
        _print(symbols, kept)


def _print(symbols: "Sequence[StoredSymbol]", kept: frozenset[str]) -> None:
    from rich.table import Table  # noqa: PLC0415 - it takes its time to load

    from mohlcv_dagster.cli.nothing_stored import NOTHING  # noqa: PLC0415 - as above

    console = open_console()
    if not symbols:
        console.print(NOTHING)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("symbol", "months", "first", "last"):
        table.add_column(name, justify="right" if name == "months" else "left", no_wrap=True)
    table.add_column("timeframes")
    table.add_column("state")
    for each in symbols:
        first, last = (str(each.months[0]), str(each.months[-1])) if each.months else ("", "")
        table.add_row(each.symbol, f"{len(each.months):,}", first, last, each.timeframes, each.state)
    console.print(table)
    for each in symbols:
        if each.symbol not in kept:
            console.print(f"{each.symbol} has no partitions: `mohlcv symbols add {each.symbol}`", markup=False)
