"""`mohlcv fetch`: download the raw bars of a range of days, by complete months, through Dagster."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import click

from mohlcv_dagster.cli import known_splits
from mohlcv_dagster.cli.arguments import symbol_options
from mohlcv_dagster.cli.console import RESAMPLED, Summary, json_option, open_console
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.ranges import chosen_months, range_options
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import (
    FORCED,
    NOTHING_RECORDED,
    UNREADABLE,
    Action,
    Decision,
    FileState,
    MonthState,
    RunOptions,
    decide,
    failing,
)
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.cli.known_splits import KnownSplitsOf
    from mohlcv_dagster.cli.progress_bar import Display, ProgressBar
    from mohlcv_dagster.cli.runs import FinishedRun
    from mohlcv_dagster.model.months import Month
    from mohlcv_dagster.model.timeframes import Timeframe
    from mohlcv_dagster.storage.archive import Archive

_NAMED: Final = 5
_OUTCOMES: Final = tuple(action.done for action in (Action.FETCH, Action.COMPLETE, Action.CHECK))


@click.command("fetch", short_help="Download the months that a range of days touches.")
@symbol_options
@range_options("fetched")
@click.option("--output-dir", help="Where raw bars go.  [default: raw_1s in the data folder]")
@click.option("--force", is_flag=True, help="Download complete months again, whatever is stored.")
@click.option("--accept-loss", is_flag=True, help="Replace a stored month although final bars of it would be lost.")
@click.option("--resample", is_flag=True, help="Also make the aggregates of these months, as `resample` does.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    symbols: list[str],
    start: datetime | None,
    end: datetime | None,
    last: int | None,
    output_dir: str | None,
    *,
    force: bool,
    accept_loss: bool,
    resample: bool,
    as_json: bool,
) -> int:
    """Download 1-second bars of the months that a range of days touches.

    A month that is stored and final (fetched after 11:00 Eastern on the trading day after its last session) is
    skipped; a provisional one is completed: only what is missing or not final is requested. A stored file that is not
    the one recorded, or whose blocking checks fail, is downloaded again; one without a record is checked and recorded.
    With --force final bars are compared before they are replaced, and a month that would lose some fails. Each month
    is checked as it is written. Exits with 1 when a month failed. After Ctrl-C the same command continues.

    \b
    Examples:
      mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-12-31
      mohlcv fetch --symbol SPY,QQQ --start 2024-01 --end 2024-12 --json > summary.json
      mohlcv fetch --symbols-from watchlist.txt --last 3months --resample
      mohlcv fetch --symbol SPY --symbol QQQ --start 2024-06 --end 2024-06 --force
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    months = chosen_months(start, end, last, now=datetime.now(UTC))
    files = [BarFile(symbol, RAW, month) for symbol in symbols for month in months]
    home = Home.real(project_root())
    settings = home.settings().reaching(months[0])
    settings.require_key()
    paths = Paths.of(settings, raw_dir=output_dir)
    if resample and not paths.are_own:
        raise InputError(
            "--resample is for the project's own folder: leave out --output-dir, or call `mohlcv resample`"
        )
    into = settings.timeframes if resample else ()
    paths.require_writable(settings, symbols, into)
    summary = Summary("fetch", (*_OUTCOMES, RESAMPLED) if resample else _OUTCOMES, len(files))
    console = open_console(stderr=as_json)
    console.print(f"Fetching {_told(symbols, months)}")
    options = RunOptions(force=force, accept_loss=accept_loss)
    home.prepare()
    with summary.printed(console, as_json=as_json), known_splits.asked(settings) as splits:
        _Fetch(home, settings, paths, options, into, console, summary, splits).fetch(files)
    return 1 if summary.failed else 0


def _told(symbols: list[str], months: "list[Month]") -> str:
    """What is fetched, such as `SPY, QQQ: 2024-01 to 2024-03, 6 months`; of many symbols the first are named."""
    more = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
    span = f"{months[0]} to {months[-1]}" if len(months) > 1 else str(months[0])
    return f"{', '.join(symbols[:_NAMED])}{more}: {span}, {quantity(len(symbols) * len(months), 'month')}"


@dataclass(frozen=True)
class FetchDecisions:
    """Decides what a fetch does about raw months, from their files and records; `mohlcv plan` uses it too.

    Attributes:
        archive: where the files are.
        vendor: who would give the bars.
        adjusted: whether bars adjusted for splits would be requested.
        force: whether complete months are downloaded, whatever is stored.
        splits: asked for the splits of symbols with adjusted months; `None`: those recorded have to do.
    """

    archive: "Archive"
    vendor: str
    adjusted: bool
    force: bool
    splits: "KnownSplitsOf | None" = None

    @classmethod
    def of(cls, settings: Settings, archive: "Archive", *, force: bool, splits: "KnownSplitsOf | None" = None) -> Self:
        """The decisions of a fetch with these settings.

        Raises:
            SettingsError: the base URL is invalid.
        """
        from mohlcv_dagster.providers.massive.provider import provider_name  # noqa: PLC0415 - not for the help text

        ask = splits if settings.adjusted and not force else None
        return cls(archive, provider_name(settings.base_url), settings.adjusted, force, ask)

    def about(self, instance: "dg.DagsterInstance | None", files: "Collection[BarFile]") -> dict[BarFile, Decision]:
        """What is to be done about each of `files`, in their order.

        Args:
            instance: knows what was recorded; `None` where nothing was.
            files: raw files, whether or not they exist.

        Raises:
            FileError: the state of a file could not be read.
            MonthError: a month is beyond the exchange calendar.
        """
        from mohlcv_dagster.defs import month_state  # noqa: PLC0415 - it loads Dagster

        return self._decided(month_state.for_files(instance, self.archive, files, self.splits))

    def in_home(self, home: Home, files: "Collection[BarFile]") -> dict[BarFile, Decision]:
        """As `about`, by what `home` has recorded; without a file, Dagster is not loaded. No home is made."""
        if any(self.archive.exists(file) for file in files):
            with home.instance_if_made() as instance:
                return self.about(instance, files)
        return self._decided({file: MonthState(file.month, FileState.ABSENT) for file in files})

    def _decided(self, states: dict[BarFile, MonthState]) -> dict[BarFile, Decision]:
        now = datetime.now(UTC)
        return {
            file: decide(state, now=now, vendor=self.vendor, adjusted=self.adjusted, force=self.force)
            for file, state in states.items()
        }


@dataclass(frozen=True)
class _Fetch:
    """Fetches months, one after the other; the requests of a month are concurrent."""

    home: Home
    settings: Settings
    paths: Paths
    options: RunOptions
    into: "Sequence[Timeframe]"
    console: "Console"
    summary: Summary
    splits: "KnownSplitsOf"

    def fetch(self, files: list[BarFile]) -> None:
        # Dagster takes its time to load: loaded after the options were parsed
        from mohlcv_dagster.cli.progress_bar import ProgressBar  # noqa: PLC0415
        from mohlcv_dagster.definitions import build  # noqa: PLC0415
        from mohlcv_dagster.defs import progress  # noqa: PLC0415

        definitions = build(self.settings, archive=self.paths.resource())
        with self.paths.instance() as (instance, tags):
            to_do = list(self._to_do(instance, files))
            if not self.paths.are_own:
                self.console.print("- not the project's own folder: Dagster does not remember these runs")
            bar = ProgressBar(self.console, len(to_do))
            with bar.shown(), progress.watched(bar.fetched):
                for file, decision in to_do:
                    with bar.month(_label(file)):
                        outcome = self._do(_Run(definitions, instance, file, tags, bar), decision)
                    if outcome.is_inescapable:
                        return

    def _to_do(self, instance: "dg.DagsterInstance", files: list[BarFile]) -> "Iterator[tuple[BarFile, Decision]]":
        """The months that are neither skipped nor done, each with what is to be done about it."""
        decided = self._decisions.about(instance, files)
        for clause in self.splits.unknown:
            self.console.print(f"- {clause}", markup=False)
        unrecorded = [file for file, decision in decided.items() if decision.action is Action.RECORD]
        if not self.paths.are_own:
            decided |= dict.fromkeys(unrecorded, NOTHING_RECORDED)
        for file, decision in decided.items():
            if not decision.is_new and decision.action is not Action.SKIP and decision.reason != FORCED:
                self._print(file, decision)
        if not self.paths.are_own:
            unrecorded = []
        if unrecorded:
            decided |= self._record(instance, unrecorded, decided)
        skipped = [file for file, each in decided.items() if each.action is Action.SKIP]
        done = {file for file in skipped if not self._stale(instance, file)}
        for file in skipped:
            if file in done and file not in unrecorded:
                self.summary.skip(file, decided[file].reason)
        self.summary.show_skipped(self.console)
        yield from ((file, decision) for file, decision in decided.items() if file not in done)

    def _stale(self, instance: "dg.DagsterInstance", file: BarFile) -> "list[Timeframe]":
        """The timeframes whose aggregate of a stored month is to be made."""
        if not self.into:
            return []
        from mohlcv_dagster.cli.resample import is_current  # noqa: PLC0415 - as in fetch

        archive = self.paths.archive()
        return [each for each in self.into if not is_current(archive, instance, file, each)]

    @property
    def _decisions(self) -> "FetchDecisions":
        return FetchDecisions.of(self.settings, self.paths.archive(), force=self.options.force, splits=self.splits)

    def _record(
        self, instance: "dg.DagsterInstance", files: list[BarFile], decided: "Mapping[BarFile, Decision]"
    ) -> "dict[BarFile, Decision]":
        """Record files that have no record and check them; what is to be done about each of them after that."""
        from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as in fetch

        recorded = runs.record(self.home, instance, self.paths.archive(), files, parquet=self.settings.parquet)
        after = self._decisions.about(instance, files)
        for file, evaluations in recorded.items():
            self._display(file).show_checks(evaluations)
            if after[file].action is Action.RECORD:
                after[file] = UNREADABLE
            if after[file].action is Action.SKIP and not self._stale(instance, file):
                self.summary.add(file, Action.RECORD.done, runs.outcome_of(evaluations), because=decided[file].reason)
            elif after[file].action is not Action.SKIP:
                self._print(file, after[file])
        return after

    def _do(self, run: "_Run", decision: Decision) -> "FinishedRun":
        """Do what was decided; a stored file that fails a blocking check is fetched again at once."""
        if decision.action is Action.SKIP:
            return self._materialize(run, Decision(Action.SKIP, decision.reason), self._stale(run.instance, run.file))
        if decision.action is Action.CHECK:
            outcome = self._check(run)
            broken = any(check.blocking for check in outcome.checks)
            after = self._after_checks(run, outcome) if broken or not outcome.succeeded else decision
            if after.action is not Action.FETCH:  # passed, or the checks could not be run
                stale = self._stale(run.instance, run.file) if after is decision else []
                if stale:
                    return self._materialize(run, decision, stale, outcome.reasons)
                self.summary.add(run.file, decision.action.done, outcome, because=decision.reason)
                return outcome
            decision = after
            self._print(run.file, decision)
        return self._materialize(run, decision, [RAW, *self.into])

    def _materialize(
        self, run: "_Run", decision: Decision, timeframes: "Sequence[Timeframe]", before: tuple[str, ...] = ()
    ) -> "FinishedRun":
        """Make the file in these timeframes; `before` is what checks of the stored raw file found."""
        from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as in fetch

        display = self._display(run.file, run.bar, all_rules=True)
        outcome = runs.materialize(
            run.definitions, run.instance, run.file, timeframes, display, options=self.options, tags=run.tags
        )
        outcome = replace(outcome, reasons=(*before, *outcome.reasons))
        done = RESAMPLED if decision.action is Action.SKIP else decision.action.done
        into = [each.name for each in timeframes if each != RAW]
        self.summary.add(run.file, done, outcome, into, because=decision.reason)
        return outcome

    def _check(self, run: "_Run") -> "FinishedRun":
        from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as in fetch
        from mohlcv_dagster.defs.partitions import SYMBOL  # noqa: PLC0415 - as in fetch

        run.instance.add_dynamic_partitions(SYMBOL, [run.file.symbol])
        return runs.check(run.definitions, run.instance, run.file, self._display(run.file, run.bar), tags=run.tags)

    def _after_checks(self, run: "_Run", outcome: "FinishedRun") -> Decision:
        """What is to be done about a file that failed its checks."""
        if self.paths.are_own:
            return self._decisions.about(run.instance, [run.file])[run.file]
        errors = tuple(rule for check in outcome.checks for rule in check.blocking)
        return failing(errors) if errors else NOTHING_RECORDED

    def _display(self, file: BarFile, bar: "ProgressBar | None" = None, *, all_rules: bool = False) -> "Display":
        from mohlcv_dagster.checks.registry import PROVENANCE_RULES  # noqa: PLC0415 - as in fetch
        from mohlcv_dagster.cli.progress_bar import Display  # noqa: PLC0415 - as in fetch

        ignored = () if self.paths.are_own or all_rules else PROVENANCE_RULES
        return Display(self.console, _label(file), bar.set_status if bar else None, ignored)

    def _print(self, file: BarFile, decision: Decision) -> None:
        self.console.print(f"- {_label(file)}  {decision.sentence}", markup=False)


@dataclass(frozen=True)
class _Run:
    """A month and what its run needs."""

    definitions: "dg.Definitions"
    instance: "dg.DagsterInstance"
    file: BarFile
    tags: "Mapping[str, str]"
    bar: "ProgressBar"


def _label(file: BarFile) -> str:
    return f"{file.symbol} {file.month}"
