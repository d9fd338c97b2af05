"""`mohlcv fetch`: raw bars of a range of days, by whole months, through Dagster; the original's download script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from mohlcv_dagster.bars.files import BarFile, check_symbol
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.documents import json_option
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.cli.places import Places
from mohlcv_dagster.cli.summary import Summary
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.errors import MonthError, MonthInFutureError
from mohlcv_dagster.settings import START, Settings

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.cli.stored import Standing

_DEEDS: Final = ("downloaded", "completed", "checked")


class _Day(click.DateTime):
    """A day; one that is none is refused in a user's words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - the signature is click's
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is no day; write one as 2024-01-31", param, ctx)


DAY: Final = _Day(["%Y-%m-%d"])
"""How a day is written on the command line."""


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

    A month that is stored and settled (fetched from 11:00 Eastern on the trading day after its last session on) is
    skipped; a provisional one is completed: only what is missing or unsettled is asked for. With --force settled bars
    are compared before they are replaced, and a month that would lose some fails. Each month is checked as it is
    written; a stored one whose checks fail is downloaded again. Leaves with 1 when a month failed. Ctrl-C ends it
    cleanly, and the same command goes on from there.

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
    orders = Orders(force=force, accept_loss=accept_loss)
    summary = Summary("fetch", _DEEDS, len(files))
    console = open_console(stderr=as_json)
    with summary.told(console, as_json=as_json):
        _Fetch(settings, Places.of(settings, raw_dir=output_dir), orders, console, summary).each_of(files)
    return 1 if summary.failed else 0


def chosen(symbols: Iterable[str]) -> list[str]:
    """The symbols given, each once, in their order; one option may name several, separated by commas.

    Raises:
        SymbolError: one of them cannot be asked for and stored.
    """
    named = (name.strip() for text in symbols for name in text.split(","))
    return [check_symbol(symbol) for symbol in dict.fromkeys(named)]


def refuse_earlier(month: Month, settings: Settings) -> None:
    """Let no month be asked for that there is no partition for.

    Raises:
        MonthError: it is before the first one.
    """
    if month < settings.start:
        raise MonthError(f"{month} is before {settings.start}, the first month of {START.variable}; set it earlier")


def refuse_turned(start: datetime, end: datetime) -> None:
    """Let a range begin before it ends.

    Raises:
        MonthError: it does not.
    """
    if end < start:
        raise MonthError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; turn them round")


def months_touched(start: datetime, end: datetime, now: datetime) -> list[Month]:
    """The months from that of `start` to that of `end`, both inclusive, less those that have not begun at `now`.

    Raises:
        MonthError: `end` is before `start`.
        MonthInFutureError: none of them has begun.
    """
    refuse_turned(start, end)
    months = [month for month in Month.of(start).until(Month.of(end)) if month.start <= now]
    if not months:
        raise MonthInFutureError(f"--start {start:%Y-%m-%d} is in the future: it is {now:%Y-%m-%d} (UTC)")
    return months


@dataclass(frozen=True)
class _Fetch:
    """A fetch of months, one after the other; the requests of each run side by side."""

    settings: Settings
    places: Places
    orders: Orders
    console: "Console"
    summary: Summary

    def each_of(self, files: list[BarFile]) -> None:
        # Dagster takes its time to load: not before the options have been understood
        from mohlcv_dagster.cli import runs  # noqa: PLC0415
        from mohlcv_dagster.cli.display import Display  # noqa: PLC0415
        from mohlcv_dagster.cli.moving import Moving  # noqa: PLC0415
        from mohlcv_dagster.cli.stored import Step  # noqa: PLC0415
        from mohlcv_dagster.definitions import build  # noqa: PLC0415
        from mohlcv_dagster.defs import progress  # noqa: PLC0415

        definitions = build(self.settings, archive=self.places.resource())
        with self.places.remembered() as (instance, tags):
            to_do = list(self._to_do(instance, files))
            if not self.places.are_own:
                self.console.print("- another folder than the project's: the runs are not remembered")
            moving = Moving(self.console, len(to_do))
            with moving.shown(), progress.watched(moving.fetched):
                for file, standing in to_do:
                    moving.begin(f"{file.symbol} {file.month}")
                    display = Display(self.console, f"{file.symbol} {file.month}", moving.name)
                    if standing.step is Step.JUDGE:
                        outcome = runs.judge(definitions, instance, file, display, tags=tags)
                    else:
                        outcome = runs.materialize(
                            definitions, instance, file, [RAW], display, orders=self.orders, tags=tags
                        )
                    self.summary.add(file, standing.step.value, outcome)
                    moving.end()

    def _to_do(self, instance: "dg.DagsterInstance", files: list[BarFile]) -> "Iterator[tuple[BarFile, Standing]]":
        """The months that are not skipped, each with how it stands."""
        from mohlcv_dagster.cli.stored import Standing, Step, standing_of  # noqa: PLC0415 - it loads Dagster

        archive = self.places.archive()
        for file in files:
            standing = Standing() if self.orders.force else standing_of(archive, instance, file)
            if standing.why:
                self.console.print(f"- {file.symbol} {file.month}  {standing.why}", markup=False)
            if standing.step is Step.NOTHING:
                self.summary.skip(file, standing.why.removeprefix("skipped: "))
            else:
                yield file, standing
