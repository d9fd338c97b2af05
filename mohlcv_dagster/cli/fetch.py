"""`mohlcv fetch`: raw bars of a range of days, by whole months, through Dagster; the original's download script."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.documents import json_option
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.cli.places import Places
from mohlcv_dagster.cli.ranges import DAY, chosen, months_touched, refuse_earlier
from mohlcv_dagster.cli.summary import Summary
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.cli.stored import Standing

_DEEDS: Final = ("downloaded", "completed", "checked")


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
