"""`mohlcv adopt`: the files that stand in the data folder already, made known to the project's home."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from filelock import FileLock, Timeout

from mohlcv_dagster.bars.files import BarFile, check_symbol
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli.adoption_report import Report
from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.errors import InputError, SettingsError
from mohlcv_dagster.settings import DATA_DIR, START, TIMEFRAMES, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg


@click.command("adopt")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--symbol", "symbols", multiple=True, help="Only files of this symbol; give it again for more.")
@click.option("--rewrite", is_flag=True, help="Mend what can be mended without loss, in place.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; record and write nothing.")
@click.option("--accept-changed", is_flag=True, help="Take files that are not as they were recorded, as they are.")
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON, for a script.")
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
    with _instance(home, dry_run=dry_run) as instance:
        work = _Work(settings, instance, report, accept_changed=accept_changed)
        work.adopt(frozenset(symbols), rewrite=rewrite)
    if as_json:
        click.echo(json.dumps(report.told(), indent=1))
    else:
        report.show(open_console())
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
def _instance(home: Home, *, dry_run: bool) -> "Iterator[dg.DagsterInstance]":
    """The instance of the home; in a dry run without one, one that forgets, so that not even a home is made."""
    import dagster as dg  # noqa: PLC0415 - it takes its time to load: not before the options have been understood

    if dry_run and not (home.path / "dagster.yaml").exists():
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    home.prepare()
    try:
        with FileLock(home.path / "adopt.lock", timeout=0), dg.DagsterInstance.get() as instance:
            yield instance
    except Timeout as error:
        raise SettingsError(f"`mohlcv adopt` is at work on {home.path} already: wait until it is done") from error


@dataclass(frozen=True)
class _Work:
    """The command at work; what it finds and does goes into `report`."""

    settings: Settings
    instance: "dg.DagsterInstance"
    report: Report
    accept_changed: bool

    def adopt(self, symbols: frozenset[str], *, rewrite: bool) -> None:
        # they load Dagster and Arrow
        from mohlcv_dagster import calendar_file  # noqa: PLC0415
        from mohlcv_dagster.adoption import survey  # noqa: PLC0415
        from mohlcv_dagster.adoption.rewrite import Journal, Rewriter  # noqa: PLC0415
        from mohlcv_dagster.archive import Archive  # noqa: PLC0415
        from mohlcv_dagster.bars.processors import in_order  # noqa: PLC0415
        from mohlcv_dagster.defs.adoption import Adoption  # noqa: PLC0415
        from mohlcv_dagster.defs.recording import Recording  # noqa: PLC0415
        from mohlcv_dagster.defs.standing import Standing  # noqa: PLC0415
        from mohlcv_dagster.manifest.measure import measure  # noqa: PLC0415
        from mohlcv_dagster.reader import Reader  # noqa: PLC0415

        calendar_file.put_in_force(self.settings)
        archive = Archive(self.settings.data_dir)
        tree = survey.tree(archive, symbols)
        self.report.strange.extend(tree.strange)
        files = [file for file in tree.files if self._has_partition(file)]
        measured = dict(zip(files, in_order(lambda file: measure(archive.path(file)), files), strict=True))
        journal = Journal(archive) if isinstance(archive.root, Path) else None
        known = journal.read() if journal else {}
        timeframes = (RAW, *self.settings.timeframes)
        standing = Standing(self.instance, archive, timeframes, measured, known, self.accept_changed)
        if rewrite:
            rewriter = Rewriter(archive, None if self.report.dry_run else Journal(archive), standing.origin)
            faulty = [file for file in files if not standing.is_settled(file)]
            for told in rewriter.rewrite(faulty):
                self.report.rewritten.append(told)
                measured[told.file] = measure(archive.path(told.file))
            known |= journal.read() if journal else {}
        adoption = Adoption(standing, Reader(archive), self.settings.parquet)
        if self.report.dry_run:
            self.report.entries.extend(adoption.look(files))
            return
        with Recording(self.instance) as recording:
            self.report.entries.extend(adoption.judge(list(adoption.register(files, recording)), recording))
        if journal is not None and known.keys() <= {str(file.path) for file in files}:
            journal.clear()

    def _has_partition(self, file: BarFile) -> bool:
        """Whether there is a partition for `file` in this project; tells why not."""
        why = None
        if file.month < self.settings.start:
            why = f"{file.month} is before {self.settings.start}, the first month of {START.variable}; set it earlier"
        elif file.month > Month.of(datetime.now(UTC)):
            why = f"{file.month} has not begun yet"
        elif file.timeframe not in (RAW, *self.settings.timeframes):
            why = f"{file.timeframe} is not among {TIMEFRAMES.variable}; add it there"
        if why is not None:
            self.report.outside[file] = why
        return why is None
