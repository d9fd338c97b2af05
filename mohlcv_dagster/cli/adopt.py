"""`mohlcv adopt`: the files that stand in the data folder already, made known to the project's home."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from filelock import FileLock, Timeout

from mohlcv_dagster.cli.adoption_report import Report
from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.documents import json_option, print_document
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.errors import InputError, SettingsError
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.settings import DATA_DIR, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dagster as dg
    from rich.console import Console


@click.command("adopt", short_help="Register the CSV files that are there already.")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--symbol", "symbols", multiple=True, help="Only files of this symbol; give it again for more.")
@click.option("--rewrite", is_flag=True, help="Mend what can be mended without loss, in place.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; record and write nothing.")
@click.option("--accept-changed", is_flag=True, help="Take files that are not as they were recorded, as they are.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    folder: str | None, symbols: tuple[str, ...], *, rewrite: bool, dry_run: bool, accept_changed: bool, as_json: bool
) -> int:
    """Register the CSV files that stand in the data folder: as partitions that the UI shows, with their checks.

    Files of the original scripts and of the Databento sibling are fine. Says of each what is not as the contract says.
    No file of bars is changed without --rewrite. What is registered already is left as it is: calling it again does
    nothing. Leaves with 1 when a file is not right. See docs/adopt.md.

    \b
    Examples:
      mohlcv adopt
      mohlcv adopt --symbol SPY --dry-run
      mohlcv adopt --rewrite
      MOHLCV_DATA_DIR=/srv/bars mohlcv adopt
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    for symbol in symbols:
        check_symbol(symbol)
    home = Home.real(project_root())
    settings = home.settings()
    _require_data_folder(folder, settings)
    report = Report(dry_run=dry_run)
    console = open_console()
    with _instance(home, dry_run=dry_run) as instance, _moving(console) as progress:
        from mohlcv_dagster.cli.adopting import Adopting  # noqa: PLC0415 - it takes its time to load

        work = Adopting(settings, instance, report, accept_changed, progress)
        work.adopt(frozenset(symbols), rewrite=rewrite)
    if as_json:
        print_document(report.told())
    else:
        report.show(console)
    return 1 if report.is_wrong else 0


def _require_data_folder(folder: str | None, settings: Settings) -> None:
    """Refuse another tree than the project's own: its partitions would lead to files that nothing else here reads."""
    if folder is None or folder == settings.data_dir:
        return
    if "://" not in folder + settings.data_dir and Path(folder).resolve() == Path(settings.data_dir).resolve():
        return
    raise InputError(
        f"{folder} is not the data folder of this project, which is {settings.data_dir}; partitions of it would lead "
        f"to files that nothing here reads. Set {DATA_DIR.variable}={folder} in .env to work with them where they "
        "are, or copy them into the data folder and run this without DIR"
    )


@contextmanager
def _moving(console: "Console") -> "Iterator[Callable[[str], None]]":
    """What takes words on how far it has come: on a terminal a line that moves, else nothing."""
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield status.update


@contextmanager
def _instance(home: Home, *, dry_run: bool) -> "Iterator[dg.DagsterInstance]":
    """The instance of the home; in a dry run without one, one that forgets, so that not even a home is made."""
    import dagster as dg  # noqa: PLC0415 - it takes its time to load: not before the options have been understood

    if dry_run and not (home.path / "dagster.yaml").exists():
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    home.prepare()
    try:
        with FileLock(home.adopt_lock, timeout=0), dg.DagsterInstance.get() as instance:
            yield instance
    except Timeout as error:
        raise SettingsError(f"`mohlcv adopt` is at work on {home.path} already: wait until it is done") from error
