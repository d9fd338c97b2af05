"""`mohlcv fetch`: raw bars of a range of days, by whole months, through Dagster; the original's download script."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.documents import json_option
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.cli.places import Places
from mohlcv_dagster.cli.ranges import DAY, chosen, months_touched, refuse_earlier
from mohlcv_dagster.cli.summary import Summary
from mohlcv_dagster.defs.run_options import RunOptions
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import FORCED, NOTHING_RECORDED, UNREADABLE, Action, Decision, failing
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.cli.deciding import Deciding
    from mohlcv_dagster.cli.display import Display
    from mohlcv_dagster.cli.moving import Moving
    from mohlcv_dagster.cli.runs import Outcome

_DEEDS: Final = tuple(action.done for action in (Action.FETCH, Action.COMPLETE, Action.CHECK))


@click.command("fetch", short_help="Download the months that a range of days touches.")
@click.option(
    "--symbol", "symbols", required=True, multiple=True, help="Symbol, such as SPY; for more, again or SPY,QQQ."
)
@click.option(
    "--start", required=True, type=DAY, metavar="YYYY-MM-DD", help="First day (inclusive); its whole month is fetched."
)
@click.option(
    "--end", required=True, type=DAY, metavar="YYYY-MM-DD", help="Last day (inclusive); its whole month is fetched."
)
@click.option("--output-dir", help="Where raw bars go.  [default: raw_1s in the data folder]")
@click.option("--force", is_flag=True, help="Download whole months anew, whatever is stored.")
@click.option("--accept-loss", is_flag=True, help="Replace a stored month although settled bars of it are gone.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    symbols: tuple[str, ...],
    start: datetime,
    end: datetime,
    output_dir: str | None,
    *,
    force: bool,
    accept_loss: bool,
    as_json: bool,
) -> int:
    """Download 1-second bars of the months that a range of days touches.

    A month that is stored and final (fetched from 11:00 Eastern on the trading day after its last session on) is
    skipped; a provisional one is completed: only what is missing or not final is asked for. A stored file that is not
    the one recorded, or whose blocking checks fail, is downloaded again; one without a record is checked and recorded.
    With --force final bars are compared before they are replaced, and a month that would lose some fails. Each month
    is checked as it is written. Exits with 1 when a month failed. Ctrl-C ends it cleanly, and the same command goes on
    from there.

    \b
    Examples:
      mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-12-31
      mohlcv fetch --symbol SPY --symbol QQQ --start 2024-06-01 --end 2024-06-30 --force
      mohlcv fetch --symbol SPY,QQQ --start 2024-01-01 --end 2024-12-31 --json > summary.json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    months = months_touched(start, end, now=datetime.now(UTC))
    files = [BarFile(symbol, RAW, month) for symbol in chosen(symbols) for month in months]
    home = Home.real(project_root()).prepare()
    settings = home.settings()
    refuse_earlier(months[0], settings)
    settings.require_key()
    orders = RunOptions(force=force, accept_loss=accept_loss)
    summary = Summary("fetch", _DEEDS, len(files))
    console = open_console(stderr=as_json)
    with summary.told(console, as_json=as_json):
        _Fetch(home, settings, Places.of(settings, raw_dir=output_dir), orders, console, summary).each_of(files)
    return 1 if summary.failed else 0


@dataclass(frozen=True)
class _Fetch:
    """A fetch of months, one after the other; the requests of each run side by side."""

    home: Home
    settings: Settings
    places: Places
    orders: RunOptions
    console: "Console"
    summary: Summary

    def each_of(self, files: list[BarFile]) -> None:
        # Dagster takes its time to load: not before the options have been understood
        from mohlcv_dagster.cli.moving import Moving  # noqa: PLC0415
        from mohlcv_dagster.definitions import build  # noqa: PLC0415
        from mohlcv_dagster.defs import progress  # noqa: PLC0415

        definitions = build(self.settings, archive=self.places.resource())
        with self.places.remembered() as (instance, tags):
            to_do = list(self._to_do(instance, files))
            if not self.places.are_own:
                self.console.print("- another folder than the project's: the runs are not remembered")
            moving = Moving(self.console, len(to_do))
            with moving.shown(), progress.watched(moving.fetched):
                for file, decision in to_do:
                    moving.begin(_label(file))
                    self._do(_Run(definitions, instance, file, tags, moving), decision)
                    moving.end()

    def _to_do(self, instance: "dg.DagsterInstance", files: list[BarFile]) -> "Iterator[tuple[BarFile, Decision]]":
        """The months that are neither skipped nor done, each with what is to be done about it."""
        decided = self._deciding.about(instance, files)
        unrecorded = [file for file, decision in decided.items() if decision.action is Action.RECORD]
        if not self.places.are_own:
            decided |= dict.fromkeys(unrecorded, NOTHING_RECORDED)
        for file, decision in decided.items():
            if not decision.is_new and decision.reason != FORCED:
                self._say(file, decision)
            if decision.action is Action.SKIP:
                self.summary.skip(file, decision.reason)
        if unrecorded and self.places.are_own:
            decided |= self._recorded(instance, unrecorded, decided)
        yield from ((file, decision) for file, decision in decided.items() if decision.action is not Action.SKIP)

    @property
    def _deciding(self) -> "Deciding":
        from mohlcv_dagster.cli.deciding import Deciding  # noqa: PLC0415 - as each_of has it

        return Deciding.of(self.settings, self.places.archive(), force=self.orders.force)

    def _recorded(
        self, instance: "dg.DagsterInstance", files: list[BarFile], decided: "Mapping[BarFile, Decision]"
    ) -> "dict[BarFile, Decision]":
        """Record files that have no record and check them; what is to be done about each of them after that."""
        from mohlcv_dagster.cli.registering import register  # noqa: PLC0415 - as each_of has it

        archive = self.places.archive()
        registered = register(self.home, instance, archive, files, parquet=self.settings.parquet)
        after = self._deciding.about(instance, files)
        for file, found in registered.items():
            self._display(file).checked(found.evaluations)
            if after[file].action is Action.RECORD:
                after[file] = UNREADABLE
            if after[file].action is Action.SKIP:
                self.summary.add(file, Action.RECORD.done, found.outcome, why=decided[file].reason)
            else:
                self._say(file, after[file])
        return after

    def _do(self, run: "_Run", decision: Decision) -> None:
        """Do what was decided; a stored file that fails a check that blocks is fetched again at once."""
        from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as each_of has it
        from mohlcv_dagster.defs.partitions import SYMBOL  # noqa: PLC0415 - as above

        if decision.action is Action.CHECK:
            run.instance.add_dynamic_partitions(SYMBOL, [run.file.symbol])
            display = self._display(run.file, run.moving)
            outcome = runs.judge(run.definitions, run.instance, run.file, display, tags=run.tags)
            broken = any(check.blocking for check in outcome.checks)
            after = self._after_checks(run, outcome) if broken or not outcome.succeeded else decision
            if after.action is not Action.FETCH:  # passed, or the checks themselves could not be made
                self.summary.add(run.file, decision.action.done, outcome, why=decision.reason)
                return
            decision = after
            self._say(run.file, decision)
        outcome = runs.materialize(
            run.definitions,
            run.instance,
            run.file,
            [RAW],
            self._display(run.file, run.moving, all_judged=True),
            orders=self.orders,
            tags=run.tags,
        )
        self.summary.add(run.file, decision.action.done, outcome, why=decision.reason)

    def _after_checks(self, run: "_Run", outcome: "Outcome") -> Decision:
        """What is to be done about a file that failed its checks."""
        if self.places.are_own:
            return self._deciding.about(run.instance, [run.file])[run.file]
        errors = tuple(rule for check in outcome.checks for rule in check.blocking)
        return failing(errors) if errors else NOTHING_RECORDED

    def _display(self, file: BarFile, moving: "Moving | None" = None, *, all_judged: bool = False) -> "Display":
        from mohlcv_dagster.checks.registry import PROVENANCE_RULES  # noqa: PLC0415 - as each_of has it
        from mohlcv_dagster.cli.display import Display  # noqa: PLC0415 - as above

        left_out = () if self.places.are_own or all_judged else PROVENANCE_RULES
        return Display(self.console, _label(file), moving.name if moving else None, left_out)

    def _say(self, file: BarFile, decision: Decision) -> None:
        self.console.print(f"- {_label(file)}  {decision.sentence}", markup=False)


@dataclass(frozen=True)
class _Run:
    """A month and what its run needs."""

    definitions: "dg.Definitions"
    instance: "dg.DagsterInstance"
    file: BarFile
    tags: "Mapping[str, str]"
    moving: "Moving"


def _label(file: BarFile) -> str:
    return f"{file.symbol} {file.month}"
