"""`mohlcv plan`: what a range of months would take, before anything is spent. The sums are in `planning`."""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.console import open_console
from mohlcv_dagster.cli.documents import json_option, print_document
from mohlcv_dagster.cli.examinations.folder import nearest
from mohlcv_dagster.cli.homes import Home, project_root
from mohlcv_dagster.cli.ranges import DAY, chosen, months_touched, refuse_earlier
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.providers.massive.plans import PLANS
from mohlcv_dagster.settings import API_KEY, Settings

if TYPE_CHECKING:
    from mohlcv_dagster.cli.outlook import Outlook
    from mohlcv_dagster.model.listings import Listing
    from mohlcv_dagster.providers.base import BarProvider

LATENCY: Final = 0.15
_NEVER_ASKED: Final = "no-key"
"""For a vendor that is only asked what it is called."""


@click.command("plan", short_help="Say what a fetch would take, before anything is spent.")
@click.option(
    "--symbol", "symbols", required=True, multiple=True, help="Symbol, such as SPY; for more, again or SPY,QQQ."
)
@click.option("--start", required=True, type=DAY, metavar="YYYY-MM-DD", help="First day (inclusive), as of `fetch`.")
@click.option("--end", required=True, type=DAY, metavar="YYYY-MM-DD", help="Last day (inclusive), as of `fetch`.")
@click.option(
    "--plan",
    "subscription",
    type=click.Choice([plan.name for plan in PLANS], case_sensitive=False),
    help="Your plan at Massive.com: months that it does not reach are told and left out.",
)
@click.option("--force", is_flag=True, help="As `fetch --force`: stored months are fetched whole all the same.")
@click.option(
    "--latency",
    default=LATENCY,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="How long an answer takes, assumed.",
)
@click.option("--offline", is_flag=True, help="Do not ask the vendor when the symbols were listed.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    symbols: tuple[str, ...],
    start: datetime,
    end: datetime,
    subscription: str | None,
    latency: float,
    *,
    force: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Say what `mohlcv fetch` of the same range would take: months, requests, time, disk. Nothing is fetched.

    Requests are those of a fetch in which nothing must be asked twice. With a key set, the vendor is asked once for
    each symbol when it was listed (up to three times for one that is not listed any more), unless --offline.

    \b
    Examples:
      mohlcv plan --symbol SPY --start 2015-01-01 --end 2024-12-31
      mohlcv plan --symbol SPY,QQQ --start 2024-01-01 --end 2024-12-31 --plan starter
      mohlcv plan --symbol TSLA --start 2010-01-01 --end 2010-12-31 --offline --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    now = datetime.now(UTC)
    months = months_touched(start, end, now=now)
    names = tuple(chosen(symbols))
    home = Home.real(project_root())
    settings = home.settings()
    refuse_earlier(months[0], settings)
    outlook = _outlook(home, settings, names, months, _Choices(now, subscription, latency, force, offline))
    if as_json:
        print_document(outlook.document())
    else:
        outlook.show(open_console())


@dataclass(frozen=True)
class _Choices:
    now: datetime
    subscription: str | None
    latency: float
    force: bool
    offline: bool


def _outlook(
    home: Home, settings: Settings, symbols: tuple[str, ...], months: list[Month], choices: _Choices
) -> "Outlook":
    # not before the options have been understood
    from mohlcv_dagster import calendar_file  # noqa: PLC0415
    from mohlcv_dagster.cli.deciding import Deciding  # noqa: PLC0415
    from mohlcv_dagster.cli.outlook import Outlook  # noqa: PLC0415
    from mohlcv_dagster.cli.planning import Planner, density_of  # noqa: PLC0415
    from mohlcv_dagster.providers import create  # noqa: PLC0415
    from mohlcv_dagster.storage.archive import Archive  # noqa: PLC0415

    calendar_file.apply_overrides(settings)
    archive = Archive(settings.data_dir)
    deciding = Deciding.of(settings, archive, force=choices.force)
    files = [BarFile(symbol, RAW, month) for symbol in symbols for month in months]
    with create.provider(replace(settings, api_key=settings.api_key or _NEVER_ASKED)) as vendor:
        listings, not_asked = _listings(settings, vendor, symbols, choices)
        planner = Planner(
            settings=settings,
            provider=vendor,
            now=choices.now,
            decisions=deciding.without_running(home, files),
            plan=next((plan for plan in PLANS if plan.name == choices.subscription), None),
            listings=listings,
            densities={symbol: density_of(archive, symbol, choices.now) for symbol in symbols},
        )
        planned = [planner.month(file) for file in files]
    return Outlook(planner, planned, choices.latency, disk_of(settings.data_dir), tuple(not_asked))


def _listings(
    settings: Settings, vendor: "BarProvider", symbols: tuple[str, ...], choices: _Choices
) -> "tuple[dict[str, Listing], list[str]]":
    """What the vendor says of each symbol, and why it does not."""
    if choices.offline:
        return {}, ["when the symbols were listed was not asked: --offline"]
    if settings.api_key is None:
        return {}, [f"when the symbols were listed was not asked: {API_KEY.variable} is not set"]
    listings = {}
    for symbol in symbols:
        listings[symbol] = vendor.listing(symbol)
        if not listings[symbol].known:
            why = listings[symbol].why_unknown
            return listings, [f"when {symbol} was listed is not known: {why}"]  # it would be the same for the others
    return listings, []


def disk_of(data_dir: str) -> tuple[Path, int] | None:
    """The folder that is there of `data_dir`, and the bytes free on its disk; `None` where it is a URL."""
    if "://" in data_dir:
        return None
    there = nearest(Path(data_dir))
    return there, shutil.disk_usage(there).free
