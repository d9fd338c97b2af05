"""`mohlcv resample`: raw months folded into longer bars, through Dagster; the original's aggregation script."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from rich.markup import escape

from mohlcv_dagster.cli.console import WARNED, open_console
from mohlcv_dagster.cli.documents import json_option
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.cli.places import Places
from mohlcv_dagster.cli.ranges import DAY, chosen, refuse_turned
from mohlcv_dagster.cli.summary import Summary
from mohlcv_dagster.errors import FileMissingError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.settings import START, TIMEFRAMES, Settings
from mohlcv_dagster.storage.inventory import SkippedFile, list_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.storage.archive import Archive

_DEEDS: Final = ("folded",)


@click.command("resample", short_help="Fold stored raw months into longer bars.")
@click.option(
    "--symbol", "symbols", required=True, multiple=True, help="Symbol, such as SPY; for more, again or SPY,QQQ."
)
@click.option("--timeframes", "names", metavar="LIST", help="Such as 15s,30s,1min.  [default: MOHLCV_TIMEFRAMES]")
@click.option("--input-dir", help="Where raw bars stand.  [default: raw_1s in the data folder]")
@click.option("--output-dir", help="Where the timeframes' folders go.  [default: aggregated in the data folder]")
@click.option("--start", type=DAY, metavar="YYYY-MM-DD", help="First day (inclusive); its whole month is folded.")
@click.option("--end", type=DAY, metavar="YYYY-MM-DD", help="Last day (inclusive); its whole month is folded.")
@click.option("--force", is_flag=True, help="Fold months again whose aggregates are those of their raw files.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    symbols: tuple[str, ...],
    names: str | None,
    input_dir: str | None,
    output_dir: str | None,
    start: datetime | None,
    end: datetime | None,
    *,
    force: bool,
    as_json: bool,
) -> int:
    """Fold the raw months of a symbol that are stored into longer bars.

    Each raw file is checked before anything is made of it, and each aggregate as it is written; of a raw file that
    breaks a rule nothing is made. Neither a key nor a network is needed. In the project's own folders the UI shows the
    runs, and a month whose aggregates are those of its raw file is skipped. With another folder nothing is remembered
    and all months are folded. Timeframes: 15s, 30s, 45s, 1min, 2min, 5min, 15min, 30min, 1h. Leaves with 1 when a month
    failed.

    \b
    Examples:
      mohlcv resample --symbol SPY --timeframes 15s,30s,1min
      mohlcv resample --symbol SPY,QQQ --start 2024-01-01 --end 2024-03-31 --force
      mohlcv resample --symbol SPY --input-dir /old/raw_1s --output-dir /old/aggregated
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    asked = timeframes.parse_list(names) if names is not None else None
    wanted = chosen(symbols)
    home = Home.real(project_root()).prepare()
    settings = home.settings()
    into = asked or settings.timeframes
    places = Places.of(settings, input_dir, output_dir)
    console = open_console(stderr=as_json)
    files = [file for symbol in wanted for file in _stored(places, symbol, console)]
    files = _within(files, start, end)
    summary = Summary("resample", _DEEDS, len(files))
    with summary.told(console, as_json=as_json):
        _Resample(settings, places, into, console, summary, force=force).each_of(files)
    return 1 if summary.failed else 0


@dataclass(frozen=True)
class _Resample:
    """A folding of months, one after the other; each month into all timeframes in one run."""

    settings: Settings
    places: Places
    into: "Sequence[Timeframe]"
    console: "Console"
    summary: Summary
    force: bool

    def each_of(self, files: list[BarFile]) -> None:
        # Dagster takes its time to load: not before the options have been understood
        from mohlcv_dagster.cli import runs  # noqa: PLC0415
        from mohlcv_dagster.cli.display import Display  # noqa: PLC0415
        from mohlcv_dagster.cli.moving import Moving  # noqa: PLC0415
        from mohlcv_dagster.definitions import build  # noqa: PLC0415

        settings = self._settings(files)
        definitions = build(settings, archive=self.places.resource())
        with self.places.remembered() as (instance, tags):
            to_do = list(self._to_do(instance, settings.start, files))
            moving = Moving(self.console, len(to_do))
            if to_do and not self.places.are_own:
                self.console.print("- other folders than the project's: nothing is remembered")
                if self.places.aggregated_dir is None:
                    self.console.print(f"{WARNED} they go into the project's own folder: --output-dir names another")
            with moving.shown():
                for file, into in to_do:
                    moving.begin(f"{file.symbol} {file.month}")
                    display = Display(self.console, f"{file.symbol} {file.month}", moving.name)
                    outcome = runs.materialize(definitions, instance, file, into, display, tags=tags, offline=True)
                    self.summary.add(file, _DEEDS[0], outcome, [each.name for each in into])
                    moving.end()

    def _settings(self, files: list[BarFile]) -> Settings:
        """The settings with what was asked for here: months of a foreign tree may be older than the project's."""
        known = set(self.settings.timeframes)
        unknown = ", ".join(each.name for each in self.into if each not in known)
        if unknown and self.places.are_own:
            self.console.print(f"- {unknown} is not in {TIMEFRAMES.variable}: the UI will not show it")
        earliest = self.settings.start if self.places.are_own else min(file.month for file in files)
        both = tuple(sorted(known | set(self.into)))
        return replace(self.settings, timeframes=both, start=min(self.settings.start, earliest))

    def _to_do(
        self, instance: "dg.DagsterInstance", start: Month, files: list[BarFile]
    ) -> "Iterator[tuple[BarFile, list[Timeframe]]]":
        """The months to fold, each with the timeframes whose files are not those of its raw file."""
        archive = self.places.archive()
        for file in files:
            if file.month < start:
                self.summary.fail(file, f"before {start}, the first month of {START.variable}; set it earlier")
            elif file.month.start > datetime.now(UTC):
                self.summary.fail(file, "the month has not begun yet: what is its file?")
            elif into := [
                each for each in self.into if self.force or not self._is_current(archive, instance, file, each)
            ]:
                yield file, into
            else:
                said = "its aggregates are those of its raw file"
                self.console.print(f"- {file.symbol} {file.month}  skipped: {said}")
                self.summary.skip(file, said)

    def _is_current(
        self, archive: "Archive", instance: "dg.DagsterInstance", file: BarFile, timeframe: Timeframe
    ) -> bool:
        """Whether the aggregate that stands there was made of the raw file that stands there, and judged good."""
        from mohlcv_dagster.defs import check_results, records  # noqa: PLC0415 - it loads Dagster

        own = BarFile(file.symbol, timeframe, file.month)
        record = records.latest(instance, own) if archive.exists(own) else None
        if record is None or record.raw_sha256 != _sha256(archive, file) or record.sha256 != _sha256(archive, own):
            return False
        said = check_results.of_file(instance, own)
        return not said.errors and not said.unchecked


def _sha256(archive: "Archive", file: BarFile) -> str:
    return hashlib.sha256(archive.read(file)).hexdigest()


def _stored(places: Places, symbol: str, console: "Console") -> list[BarFile]:
    """The raw months of a symbol that stand in the tree, rising; what else is there is named.

    Raises:
        FileMissingError: there is none.
    """
    raw = places.archive().raw
    folder = raw / symbol
    if not folder.is_dir():
        there = ", ".join(sorted(each.name for each in raw.iterdir() if each.is_dir())) if raw.is_dir() else ""
        has = f"there are {there}" if there else "there is none of any symbol"
        raise FileMissingError(f"there is no folder {folder}: {has}. Fetch {symbol} first, or name another --input-dir")
    tree = list_folder(str(folder), RAW)
    files = [file for file in tree.files if file.symbol == symbol]
    others = [SkippedFile(str(at), "of another symbol") for file, at in tree.files.items() if file.symbol != symbol]
    for other in (*tree.passed_over, *others):
        console.print(f"{WARNED} {escape(other.path)} is passed over: {escape(other.why)}")
    if not files:
        raise FileMissingError(f"{folder} holds no raw file, such as {symbol}_2024_01.csv: fetch {symbol} first")
    return files


def _within(files: list[BarFile], start: datetime | None, end: datetime | None) -> list[BarFile]:
    if start and end:
        refuse_turned(start, end)
    first, last = (Month.of(day) if day else None for day in (start, end))
    inside = [file for file in files if (first is None or file.month >= first) and (last is None or file.month <= last)]
    if not inside:
        raise FileMissingError(
            f"no stored month lies from --start to --end: there are {files[0].month} to {files[-1].month}"
        )
    return inside
