"""`mohlcv plan`: estimate what a fetch would take: decisions, requests, bytes. The report is in `plan_report`."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.arguments import symbol_options
from mohlcv_dagster.cli.console import json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths, nearest_existing
from mohlcv_dagster.cli.ranges import chosen_months, range_options
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model import bar_files, exchange_calendar, listings
from mohlcv_dagster.model.bar_files import RAW_FOLDER, BarFile, EstimatedSize
from mohlcv_dagster.model.month_decision import Action, Decision
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE, RAW
from mohlcv_dagster.project import project_root
from mohlcv_dagster.providers import create
from mohlcv_dagster.providers.base import BarProvider, Cost
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.settings import API_KEY, Settings
from mohlcv_dagster.storage.locations import status_of

if TYPE_CHECKING:
    from mohlcv_dagster.model.listings import Listing
    from mohlcv_dagster.providers.massive.plans import Plan
    from mohlcv_dagster.storage.archive import Archive
    from mohlcv_dagster.storage.locations import AnyPath

_LATEST: Final = 12
_FETCHED: Final = frozenset({Action.FETCH, Action.COMPLETE})
_NO_KEY: Final = "not-asked"
"""The key where none is set: an estimate makes no request."""
LATENCY: Final = 0.15


@click.command("plan", short_help="Estimate what a fetch would take.")
@symbol_options
@range_options("counted")
@click.option(
    "--plan",
    "subscription",
    type=click.Choice([plan.name for plan in plans.PLANS], case_sensitive=False),
    help="Your plan at Massive.com: months that it does not include are named and not counted.",
)
@click.option("--force", is_flag=True, help="As `fetch --force`: stored months are fetched again.")
@click.option(
    "--latency",
    default=LATENCY,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Assumed time that an answer takes.",
)
@click.option("--offline", is_flag=True, help="Do not ask the vendor when the symbols were listed.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    symbols: list[str],
    start: datetime | None,
    end: datetime | None,
    last: int | None,
    subscription: str | None,
    latency: float,
    *,
    force: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Estimate what `mohlcv fetch` of the same range would take: months, requests, time, disk. Nothing is fetched.

    Retries are not counted. With a key set, the vendor is asked once for each symbol when it was listed (up to three
    times for one that is not listed any more), and once which splits there were where adjusted months of it are
    stored, unless --offline.

    \b
    Examples:
      mohlcv plan --symbol SPY --start 2015-01-01 --end 2024-12-31
      mohlcv plan --symbol SPY,QQQ --start 2024-01-01 --end 2024-12-31 --plan starter
      mohlcv plan --symbol TSLA --start 2010-01 --end 2010-12 --offline --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    from mohlcv_dagster.cli.plan_report import PlanReport  # noqa: PLC0415 - not for the help text

    now = datetime.now(UTC)
    months = chosen_months(start, end, last, now)
    files = [BarFile(symbol, RAW, month) for symbol in symbols for month in months]
    home = Home.real(project_root())
    home.require_usable_path()
    settings = home.settings().reaching(months[0])
    plan = next((plan for plan in plans.PLANS if plan.name == subscription), None)
    with create.provider(replace(settings, api_key=settings.api_key or _NO_KEY)) as provider:
        planner, not_asked = _planner(home, files, now, plan, provider, force=force, offline=offline)
        planned = list(planner.months(files))
    report = PlanReport(planner, planned, latency, disk_of(settings.data_dir), not_asked)
    if as_json:
        print_json(report.document())
    else:
        report.show(open_console())


def _planner(  # noqa: PLR0913 - what, when and how
    home: Home,
    files: list[BarFile],
    now: datetime,
    plan: "Plan | None",
    provider: BarProvider,
    *,
    force: bool,
    offline: bool,
) -> "tuple[Planner, tuple[str, ...]]":
    """The planner, and what the vendor was not asked or did not answer, clauses."""
    from mohlcv_dagster.cli.fetch import FetchDecisions  # noqa: PLC0415 - as above
    from mohlcv_dagster.cli.known_splits import KnownSplitsOf  # noqa: PLC0415 - as above
    from mohlcv_dagster.settings import apply_calendar  # noqa: PLC0415 - not for the help text

    settings = home.settings()
    apply_calendar(settings)
    archive = Paths(settings.data_dir).archive()
    symbols = list(dict.fromkeys(file.symbol for file in files))
    splits = None if offline or settings.api_key is None else KnownSplitsOf(provider)
    decisions = FetchDecisions.of(settings, archive, force=force, splits=splits)
    decided = decisions.in_home(home, files)
    listings, not_asked = _listings(settings, provider, symbols, offline=offline)
    planner = Planner(
        settings=settings,
        provider=provider,
        now=now,
        decisions=decided,
        plan=plan,
        listings=listings,
        densities={symbol: density_of(archive, symbol, now) for symbol in symbols},
    )
    return planner, (*not_asked, *(splits.unknown if splits else ()))


def _listings(
    settings: Settings, provider: BarProvider, symbols: list[str], *, offline: bool
) -> "tuple[dict[str, Listing], tuple[str, ...]]":
    """The listing of each symbol, and what the vendor was not asked or did not answer."""
    if offline:
        return {}, ("when the symbols were listed was not asked: --offline",)
    if settings.api_key is None:
        return {}, (f"when the symbols were listed was not asked: {API_KEY.variable} is not set",)
    listings = {}
    for symbol in symbols:
        listings[symbol] = provider.listing(symbol)
        if not listings[symbol].known:  # the others would have the same answer
            return listings, (f"when {symbol} was listed is not known: {listings[symbol].why_unknown}",)
    return listings, ()


def disk_of(data_dir: str) -> tuple[Path, int] | None:
    """The nearest folder of `data_dir` that exists, and the bytes free on its disk; `None` where it is a URL."""
    if "://" in data_dir:
        return None
    folder = nearest_existing(Path(data_dir))
    return folder, shutil.disk_usage(folder).free


@dataclass(frozen=True)
class PlannedMonth:
    """What a fetch would do about a month.

    Attributes:
        refused: whether the subscription does not include it.
        empty: why it cannot have bars; empty where it may have.
        cost: requests, the fewest and the most; none where nothing is requested, and where it is refused.
        size: bytes that are added, the least and the most.
    """

    file: BarFile
    decision: Decision
    refused: bool = False
    empty: str = ""
    cost: tuple[Cost, Cost] = (Cost(), Cost())
    size: tuple[EstimatedSize, EstimatedSize] = (EstimatedSize(), EstimatedSize())


@dataclass(frozen=True)
class Density:
    """How many 1-second bars a session of a symbol has.

    Attributes:
        least: bars a session.
        most: the same as `least` where it was measured.
        months: how many stored months it was measured in; 0 where it is assumed, from quiet to busy.
    """

    least: float = bar_files.QUIET_BARS
    most: float = bar_files.BUSY_BARS
    months: int = 0


@dataclass(frozen=True)
class Planner:
    """Plans months one by one.

    Attributes:
        provider: estimates what a month costs; nothing is requested.
        now: aware, UTC.
        plan: the subscription; `None` where none was named.
        listings: the listing of each symbol that the vendor was asked about.
    """

    settings: Settings
    provider: BarProvider
    now: datetime
    decisions: Mapping[BarFile, Decision]
    plan: "Plan | None"
    listings: "dict[str, Listing]"
    densities: dict[str, Density]

    def months(self, files: Iterable[BarFile]) -> Iterator[PlannedMonth]:
        """What `files` would take, with the requests that ask which company had the symbol.

        They are made for the first month of a symbol; for later ones there is none where the company is the same.
        """
        asked = set[str]()
        for file in files:
            month, known = self.month(file), self.listings.get(file.symbol)
            has_bars = not month.empty and (known is None or not known.known or known.exists)
            if month.decision.action in _FETCHED and not month.refused and has_bars:
                fewest, largest = month.cost
                least, most = self._company_requests(month.decision, is_first=file.symbol not in asked)
                month = replace(month, cost=(fewest + Cost(reference=least), largest + Cost(reference=most)))
                asked |= {file.symbol} if month.decision.action is Action.FETCH else set()
            yield month

    def _company_requests(self, decision: Decision, *, is_first: bool) -> tuple[int, int]:
        """The fewest and the most; of a stored month it may be recorded already which company had the symbol."""
        most = self.provider.company_requests
        if not is_first or decision.action is Action.COMPLETE:
            return 0, min(1, most)
        return (most if decision.adds_file else min(1, most)), most

    def month(self, file: BarFile) -> PlannedMonth:
        """What `file` would take, its bars and why it has none."""
        decision = self.decisions[file]
        if decision.action not in _FETCHED:
            return PlannedMonth(file, decision)
        if self.plan is not None and not self.plan.reaches(file.month, "second", self.now.date()):
            return PlannedMonth(file, decision, refused=True)
        known = self.listings.get(file.symbol)
        empty = listings.why_not_listed(known, file.month) if known is not None else None
        without = known if empty or (known is not None and known.known and not known.exists) else None
        fewest, most = (self._cost(file, decision.since, without, bars) for bars in self._bars(file))
        adds = decision.adds_file or decision.action is Action.COMPLETE
        added = self._size(file, decision.since) if without is None and adds else (EstimatedSize(), EstimatedSize())
        return PlannedMonth(file, decision, empty=empty or "", cost=(fewest, most), size=added)

    def _bars(self, file: BarFile) -> tuple[float, float]:
        """Bars a session, the least and the most."""
        density = self.densities[file.symbol]
        return density.least, density.most

    def _cost(self, file: BarFile, since: datetime | None, without: "Listing | None", bars: float) -> Cost:
        """Requests where a session has that many bars."""
        cost = self.provider.estimate(file.month, self.now, bars_a_session=bars, since=since, empty=without)
        return cost if MINUTE in self.settings.timeframes else replace(cost, minutes=0)

    def _size(self, file: BarFile, since: datetime | None) -> tuple[EstimatedSize, EstimatedSize]:
        """What is added to the disk: the sessions from `since` on that are over."""
        sessions = [each for each in exchange_calendar.sessions_in(file.month) if each.regular_close <= self.now]
        new = [each for each in sessions if since is None or each.regular_close > since]
        longest = max([bar_files.USUAL_SECONDS, *(each.seconds for each in new)])
        least, most = (
            bar_files.estimate_size(len(new), bars, self.settings.timeframes, longest) for bars in self._bars(file)
        )
        return least, most


def density_of(archive: "Archive", symbol: str, now: datetime) -> Density:
    """Measured in the latest stored months of `symbol`, without that in progress at `now`; else from quiet to busy."""
    folder = archive.path(BarFile(symbol, RAW, Month.of(now))).parent
    names = sorted(str(at).replace("\\", "/").rpartition("/")[2] for at in folder.glob(f"{symbol}_*.csv"))
    found: list[float] = []
    for name in reversed(names):
        sessions, size = _sessions_of(symbol, name, now), _size_of(folder.joinpath(name))
        if sessions and size > bar_files.BYTES_A_BAR:  # a header alone gives no density
            found.append(size / bar_files.BYTES_A_BAR / sessions)
        if len(found) == _LATEST:
            break
    if not found:
        return Density()
    mean = sum(found) / len(found)
    return Density(mean, mean, len(found))


def _size_of(at: "AnyPath") -> int:
    """The bytes of a file; none where it cannot be looked at."""
    try:
        return status_of(at).size
    except (OSError, FileError):
        return 0


def _sessions_of(symbol: str, name: str, now: datetime) -> int:
    """How many sessions the month of a file has; none where it is not over, or the name is not the layout's."""
    try:
        month = BarFile.parse(f"{RAW_FOLDER}/{symbol}/{name}").month
    except FileError:
        return 0
    return len(exchange_calendar.sessions_in(month)) if month.end <= now else 0


@dataclass(frozen=True)
class Totals:
    """Months added up.

    Attributes:
        done: how many would be downloaded, completed and so on.
        cost: requests, the fewest and the most.
        size: bytes that are added, the least and the most.
    """

    months: int
    done: Counter[str]
    cost: tuple[Cost, Cost]
    size: tuple[EstimatedSize, EstimatedSize]

    @classmethod
    def of(cls, planned: Iterable[PlannedMonth]) -> "Totals":
        """The totals of `planned`."""
        each = list(planned)
        done = Counter(month.decision.action.done for month in each)
        fewest, most = (sum((month.cost[which] for month in each), Cost()) for which in (0, 1))
        smallest, largest = (sum((month.size[which] for month in each), EstimatedSize()) for which in (0, 1))
        return cls(len(each), done, (fewest, most), (smallest, largest))


def seconds(planned: Sequence[PlannedMonth], settings: Settings, latency: float) -> tuple[float, float]:
    """The least time that the fewest and the most requests take, the months one after the other."""
    fewest, most = (
        plans.estimate_seconds(
            [month.cost[which] for month in planned],
            concurrency=settings.concurrency,
            requests_per_minute=settings.requests_per_minute,
            latency=latency,
        )
        for which in (0, 1)
    )
    return fewest, most


def months_by_plan(planned: Sequence[PlannedMonth], today: date) -> dict[str, int]:
    """How many of the months that would be fetched each subscription includes."""
    months = [month.file.month for month in planned if month.refused or month.cost[1].fetch]
    return {plan.name: sum(plan.reaches(month, "second", today) for month in months) for plan in plans.PLANS}
