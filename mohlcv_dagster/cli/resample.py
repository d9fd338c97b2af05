"""`mohlcv resample`: resample stored raw months into longer bars, through Dagster."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from mohlcv_dagster.cli.arguments import Timeframes, symbol_options
from mohlcv_dagster.cli.console import RESAMPLED, WARNED, Summary, json_option, open_console
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.nothing_stored import require_symbol
from mohlcv_dagster.cli.ranges import latest, range_options, require_order
from mohlcv_dagster.errors import FileMissingError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import START, TIMEFRAMES, Settings
from mohlcv_dagster.storage.inventory import SkippedFile, list_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.storage.archive import Archive


@click.command("resample", short_help="Resample stored raw months into longer bars.")
@symbol_options
@range_options("resampled")
@click.option(
    "--timeframes",
    "names",
    type=Timeframes(),
    metavar="LIST",
    help="Such as 15s,30s,1min.  [default: MOHLCV_TIMEFRAMES]",
)
@click.option("--input-dir", help="Where raw bars are.  [default: raw_1s in the data folder]")
@click.option("--output-dir", help="Where the timeframes' folders go.  [default: aggregated in the data folder]")
@click.option("--force", is_flag=True, help="Also resample months whose aggregates are up to date.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    symbols: list[str],
    start: datetime | None,
    end: datetime | None,
    last: int | None,
    names: str | None,
    input_dir: str | None,
    output_dir: str | None,
    *,
    force: bool,
    as_json: bool,
) -> int:
    """Resample the stored raw months of a symbol into longer bars.

    Each raw file is checked first, and each aggregate as it is written; nothing is made from a raw file that fails a
    blocking check. Needs neither a key nor a network. In the project's own folders the UI shows the runs, and months
    whose aggregates are up to date are skipped. In other folders nothing is recorded and all months are resampled.
    Timeframes: 15s, 30s, 45s, 1min, 2min, 5min, 15min, 30min, 1h. Exits with 1 when a month failed.

    \b
    Examples:
      mohlcv resample --symbol SPY --timeframes 15s,30s,1min
      mohlcv resample --symbol SPY,QQQ --start 2024-01-01 --end 2024-03-31 --force
      mohlcv resample --symbol SPY --input-dir /old/raw_1s --output-dir /old/aggregated
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    named = timeframes.parse_list(names) if names is not None else None
    first, final = _bounds(start, end, last)
    home = Home.real(project_root())
    settings = home.settings()
    into = named or settings.timeframes
    paths = Paths.of(settings, input_dir, output_dir)
    console = open_console(stderr=as_json)
    files = _in_range([file for symbol in symbols for file in _stored(paths, symbol, console)], first, final)
    paths.require_writable(settings, (), into)
    summary = Summary("resample", (RESAMPLED,), len(files))
    console.print(f"Resampling {quantity(len(files), 'month')} into {', '.join(each.name for each in into)}")
    home.prepare()
    with summary.printed(console, as_json=as_json):
        _Resample(settings, paths, into, console, summary, force=force).resample(files)
    return 1 if summary.failed else 0


@dataclass(frozen=True)
class _Resample:
    """Resamples months, one after the other; each into all timeframes in one run."""

    settings: Settings
    paths: Paths
    into: "Sequence[Timeframe]"
    console: "Console"
    summary: Summary
    force: bool

    def resample(self, files: list[BarFile]) -> None:
        # Dagster takes its time to load: loaded after the options were parsed
        from mohlcv_dagster.cli import runs  # noqa: PLC0415
        from mohlcv_dagster.cli.progress_bar import Display, ProgressBar  # noqa: PLC0415
        from mohlcv_dagster.definitions import build  # noqa: PLC0415

        settings = self._settings(files)
        definitions = build(settings, archive=self.paths.resource())
        with self.paths.instance() as (instance, tags):
            to_do = list(self._to_do(instance, settings.start, files))
            if to_do:
                self._warn_of_other_folders()
            bar = ProgressBar(self.console, len(to_do))
            with bar.shown():
                for file, into in to_do:
                    label = f"{file.symbol} {file.month}"
                    with bar.month(label):
                        display = Display(self.console, label, bar.set_status)
                        outcome = runs.materialize(definitions, instance, file, into, display, tags=tags, offline=True)
                        self.summary.add(file, RESAMPLED, outcome, [each.name for each in into])

    def _warn_of_other_folders(self) -> None:
        if not self.paths.are_own:
            self.console.print("- not the project's own folders: nothing is recorded")
            if self.paths.aggregated_dir is None:
                self.console.print(f"{WARNED} output goes to the project's own folder; change it with --output-dir")

    def _settings(self, files: list[BarFile]) -> Settings:
        """The settings with these timeframes; months of another folder may be older than the project's first one."""
        known = set(self.settings.timeframes)
        unknown = ", ".join(each.name for each in self.into if each not in known)
        if unknown and self.paths.are_own:
            self.console.print(f"- {unknown} is not in {TIMEFRAMES.variable}: the UI does not show it")
        earliest = self.settings.start if self.paths.are_own else min(file.month for file in files)
        both = tuple(sorted(known | set(self.into)))
        return replace(self.settings, timeframes=both, start=min(self.settings.start, earliest))

    def _to_do(
        self, instance: "dg.DagsterInstance", start: Month, files: list[BarFile]
    ) -> "Iterator[tuple[BarFile, list[Timeframe]]]":
        """The months to resample, each with the timeframes that are not up to date."""
        archive = self.paths.archive()
        for file in files:
            if file.month < start:
                self.summary.fail(file, f"before {start}, the first month of {START.variable}; set it earlier")
            elif file.month.start > datetime.now(UTC):
                self.summary.fail(file, "the month has not begun yet")
            elif into := [each for each in self.into if self.force or not is_current(archive, instance, file, each)]:
                yield file, into
            else:
                self.summary.skip(file, "its aggregates are up to date")
        self.summary.show_skipped(self.console)


def is_current(archive: "Archive", instance: "dg.DagsterInstance", file: BarFile, timeframe: Timeframe) -> bool:
    """Whether the stored aggregate was made from the stored raw file, and passed its checks."""
    from mohlcv_dagster.defs import records  # noqa: PLC0415 - it loads Dagster

    own = BarFile(file.symbol, timeframe, file.month)
    record = records.latest(instance, own) if archive.exists(own) else None
    if record is None or record.raw_sha256 != _sha256(archive, file) or record.sha256 != _sha256(archive, own):
        return False
    results = records.of_file(instance, own)
    return not results.errors and not results.unchecked


def _sha256(archive: "Archive", file: BarFile) -> str:
    return hashlib.sha256(archive.read(file)).hexdigest()


def _stored(paths: Paths, symbol: str, console: "Console") -> list[BarFile]:
    """The stored raw months of a symbol, in order; other files are reported.

    Raises:
        FileMissingError: there is none.
    """
    archive = paths.archive()
    require_symbol(archive, symbol)
    folder = archive.raw / symbol
    tree = list_folder(str(folder), RAW)
    files = [file for file in tree.files if file.symbol == symbol]
    others = [SkippedFile(str(at), "of another symbol") for file, at in tree.files.items() if file.symbol != symbol]
    for other in (*tree.skipped, *others):
        console.print(f"{WARNED} {escape(other.path)} is skipped: {escape(other.why)}")
    if not files:
        raise FileMissingError(f"{folder} holds no raw file, such as {symbol}_2024_01.csv: fetch {symbol} first")
    return files


def _bounds(start: datetime | None, end: datetime | None, last: int | None) -> tuple[Month | None, Month | None]:
    """The first and the last month of the range; `None` where it is open."""
    if last is not None:
        return latest(start, end, last, datetime.now(UTC)), None
    if start and end:
        require_order(start, end)
    return Month.of(start) if start else None, Month.of(end) if end else None


def _in_range(files: list[BarFile], first: Month | None, last: Month | None) -> list[BarFile]:
    inside = [file for file in files if (first is None or file.month >= first) and (last is None or file.month <= last)]
    if not inside:
        months = sorted(file.month for file in files)
        wanted = f"from {first or 'the first'} to {last or 'the last'}"
        raise FileMissingError(f"no stored month is {wanted}: there are {months[0]} to {months[-1]}")
    return inside
