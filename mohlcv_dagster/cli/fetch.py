"""`mohlcv fetch`: raw bars of a range of days, by whole months, through Dagster; the original's download script."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mohlcv_dagster.bars import settlement
from mohlcv_dagster.bars.files import BarFile, check_symbol
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli.console import open_console, show_reasons
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.errors import MonthError, MonthInFutureError
from mohlcv_dagster.settings import START, Settings

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.archive import Archive
    from mohlcv_dagster.cli.runs import Outcome

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("fetch")
@click.option("--symbol", "symbols", required=True, multiple=True, help="Symbol, such as SPY; give it again for more.")
@click.option(
    "--start", required=True, type=_DAY, metavar="YYYY-MM-DD", help="First day (inclusive); its whole month is fetched."
)
@click.option(
    "--end", required=True, type=_DAY, metavar="YYYY-MM-DD", help="Last day (inclusive); its whole month is fetched."
)
@click.option("--output-dir", help="Where raw bars go.  [default: raw_1s in the data folder]")
@click.option("--force", is_flag=True, help="Download whole months anew, whatever is stored.")
@click.option("--accept-loss", is_flag=True, help="Replace a stored month although settled bars of it are gone.")
def command(  # noqa: PLR0913 - one argument for each option
    symbols: tuple[str, ...], start: datetime, end: datetime, output_dir: str | None, *, force: bool, accept_loss: bool
) -> int:
    """Download 1-second bars of the months that a range of days touches.

    A month that is stored and settled (fetched from 11:00 Eastern on the trading day after its last session on) is
    skipped; a provisional one is completed: only what is missing or unsettled is asked for. With --force settled bars
    are compared before they are replaced, and a month that would lose some fails. Each month is checked as it is
    written. Leaves with 1 when a month failed.

    \b
    Examples:
      mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-12-31
      mohlcv fetch --symbol SPY --symbol QQQ --start 2024-06-01 --end 2024-06-30 --force
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    months = months_touched(start, end, now=datetime.now(UTC))
    for symbol in symbols:
        check_symbol(symbol)
    files = [BarFile(symbol, RAW, month) for symbol in dict.fromkeys(symbols) for month in months]
    home = Home.real(project_root()).prepare()
    settings = home.settings()
    if months[0] < settings.start:
        raise MonthError(f"{months[0]} is before {settings.start}, the first month of {START.variable}; set it earlier")
    settings.require_key()
    return _fetch(settings, files, output_dir, Orders(force=force, accept_loss=accept_loss))


def months_touched(start: datetime, end: datetime, now: datetime) -> list[Month]:
    """The months from that of `start` to that of `end`, both inclusive, less those that have not begun at `now`.

    Raises:
        MonthError: `end` is before `start`.
        MonthInFutureError: none of them has begun.
    """
    if end < start:
        raise MonthError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; turn them round")
    months = [month for month in Month.of(start).until(Month.of(end)) if month.start <= now]
    if not months:
        raise MonthInFutureError(f"--start {start:%Y-%m-%d} is in the future: it is {now:%Y-%m-%d} (UTC)")
    return months


def _fetch(settings: Settings, files: list[BarFile], output_dir: str | None, orders: Orders) -> int:
    # Dagster takes its time to load: not before the options have been understood
    import dagster as dg  # noqa: PLC0415

    from mohlcv_dagster.cli import runs  # noqa: PLC0415
    from mohlcv_dagster.cli.display import Display  # noqa: PLC0415
    from mohlcv_dagster.definitions import build  # noqa: PLC0415
    from mohlcv_dagster.defs.resources import ArchiveResource  # noqa: PLC0415

    console = open_console()
    archive = ArchiveResource(data_dir=settings.data_dir, raw_dir=output_dir)
    definitions = build(settings, archive=archive)
    summary = Summary()
    # a home remembers the files of its own data folder only
    with dg.DagsterInstance.ephemeral() if output_dir else runs.instance() as instance:
        for file in files:
            stored = Standing() if orders.force else _standing(archive.open(), instance, file)
            if stored.why:
                console.print(f"- {file.symbol} {file.month}  {stored.why}")
            if stored.skip:
                summary.skipped += 1
                continue
            display = Display(console, f"{file.symbol} {file.month}")
            with display.moving():
                outcome = runs.materialize(definitions, instance, file, [RAW], display, orders=orders)
            summary.add(file, outcome, completed=bool(stored.why))
    summary.show(console)
    return 1 if summary.failed else 0


@dataclass(frozen=True)
class Standing:
    """How a month stands before it is fetched.

    Attributes:
        why: what is said of one that is stored; empty where there is nothing to say.
        skip: whether it need not be fetched.
    """

    why: str = ""
    skip: bool = False


def _standing(archive: "Archive", instance: "dg.DagsterInstance", file: BarFile) -> Standing:
    from mohlcv_dagster.defs.records import latest  # noqa: PLC0415 - it loads Dagster

    if not archive.exists(file):
        return Standing()
    record = latest(instance, file)
    if record is None:
        return Standing("skipped: stored, though not by this home; --force fetches it again", skip=True)
    at = record.fetched_at
    if at is None:
        return Standing("skipped: stored, though when it was fetched is not known; --force fetches it again", skip=True)
    if settlement.state(file.month, at) is settlement.State.SETTLED:
        return Standing("skipped: stored", skip=True)
    settles = settlement.settles_at(file.month)
    return Standing(f"completing: fetched at {at:%Y-%m-%d %H:%M}Z, provisional until {settles:%Y-%m-%d %H:%M}Z")


@dataclass
class Summary:
    """What became of the months asked for."""

    downloaded: int = 0
    empty: int = 0
    completed: int = 0
    skipped: int = 0
    wrong: int = 0
    failed: dict[BarFile, tuple[str, ...]] = field(default_factory=dict)

    def add(self, file: BarFile, outcome: "Outcome", *, completed: bool) -> None:
        """Count a run; `completed` where there was a provisional month."""
        if not outcome.succeeded:
            self.failed[file] = outcome.reasons
            return
        self.wrong += bool(outcome.reasons)
        if completed:
            self.completed += 1
        else:
            self.downloaded += 1
            self.empty += outcome.empty

    def show(self, console: "Console") -> None:
        """Print the counts, and each failed month with its reasons."""
        empty = f" ({self.empty} without bars)" if self.empty else ""
        completed = f"{self.completed} completed, " if self.completed else ""
        counts = f"{self.downloaded} downloaded{empty}, {completed}{self.skipped} skipped, {len(self.failed)} failed"
        wrong = f", {self.wrong} stored with errors" if self.wrong else ""
        console.print(f"\n{counts}{wrong}")
        for file, reasons in self.failed.items():
            show_reasons(console, f"{file.symbol} {file.month}", reasons)
