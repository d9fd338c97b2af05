"""What a range of months would take, counted and added up: the join of what rooms below know. Words are in `plan`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model import bar_files, exchange_calendar, listings
from mohlcv_dagster.model.bar_files import RAW_FOLDER, BarFile, EstimatedSize
from mohlcv_dagster.model.listings import Listing
from mohlcv_dagster.model.month_decision import Action, Decision
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE, RAW
from mohlcv_dagster.providers.base import Cost
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.plans import Plan
from mohlcv_dagster.settings import Settings

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import BarProvider
    from mohlcv_dagster.storage.archive import Archive

_LATEST: Final = 12


DONE: Final = tuple(dict.fromkeys(action.done for action in Action))
"""What a fetch may do about a month, in the words of its summary."""
_FETCHED: Final = frozenset({Action.FETCH, Action.COMPLETE})


@dataclass(frozen=True)
class Planned:
    """A month of a symbol.

    Attributes:
        file: its raw file.
        decision: what a fetch would do about it.
        refused: whether the subscription named does not reach it.
        empty: why it cannot have bars; empty where it may have.
        cost: requests, the fewest and the most; none where nothing is asked for, and where it is refused.
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
    """How many second bars a session of a symbol has.

    Attributes:
        least: bars a session.
        most: the same as `least` where it was measured.
        months: how many stored months it was measured in; 0 where it is a range from quiet to busy.
    """

    least: float = bar_files.QUIET_BARS
    most: float = bar_files.BUSY_BARS
    months: int = 0


@dataclass(frozen=True)
class Planner:
    """Plans months one by one.

    Attributes:
        settings: what the user decided.
        provider: who would be asked.
        now: aware, UTC.
        decisions: what is to be done about each month.
        plan: the subscription; `None` where none was named.
        listings: what the vendor said of each symbol; without those that it was not asked about.
        densities: bars a session of each symbol.
    """

    settings: Settings
    provider: "BarProvider"
    now: datetime
    decisions: Mapping[BarFile, Decision]
    plan: Plan | None
    listings: dict[str, Listing]
    densities: dict[str, Density]

    def month(self, file: BarFile) -> Planned:
        """What `file` would take."""
        decision = self.decisions[file]
        if decision.action not in _FETCHED:
            return Planned(file, decision)
        if self.plan is not None and not self.plan.reaches(file.month, "second", self.now.date()):
            return Planned(file, decision, refused=True)
        known = self.listings.get(file.symbol)
        empty = listings.why_not_listed(known, file.month) if known is not None else None
        without = known if empty or (known is not None and known.known and not known.exists) else None
        fewest, most = (self._cost(file, decision.since, without, bars) for bars in self._bars(file))
        adds = decision.adds_file or decision.action is Action.COMPLETE
        added = self._size(file, decision.since) if without is None and adds else (EstimatedSize(), EstimatedSize())
        return Planned(file, decision, empty=empty or "", cost=(fewest, most), size=added)

    def _bars(self, file: BarFile) -> tuple[float, float]:
        """Bars a session, the least and the most."""
        density = self.densities[file.symbol]
        return density.least, density.most

    def _cost(self, file: BarFile, since: datetime | None, without: Listing | None, bars: float) -> Cost:
        """Requests for so many bars a session."""
        asked = self.provider.estimate(file.month, self.now, bars_a_session=bars, since=since, empty=without)
        return asked if MINUTE in self.settings.timeframes else replace(asked, minutes=0)

    def _size(self, file: BarFile, since: datetime | None) -> tuple[EstimatedSize, EstimatedSize]:
        """What is added to the disk: the sessions from `since` on that are over."""
        held = [each for each in exchange_calendar.sessions_in(file.month) if each.regular_close <= self.now]
        new = len([each for each in held if since is None or each.regular_close > since])
        least, most = (bar_files.estimate_size(new, bars, self.settings.timeframes) for bars in self._bars(file))
        return least, most


def density_of(archive: "Archive", symbol: str, now: datetime) -> Density:
    """What the latest stored months of `symbol` tell, that in progress at `now` aside; else a range, quiet to busy."""
    folder = archive.path(BarFile(symbol, RAW, Month.of(now))).parent
    names = sorted(str(at).replace("\\", "/").rpartition("/")[2] for at in folder.glob(f"{symbol}_*.csv"))
    found: list[float] = []
    for name in reversed(names):
        held, size = _whole_sessions(symbol, name, now), folder.joinpath(name).stat().st_size
        if held and size > bar_files.BYTES_A_BAR:  # a header alone says nothing
            found.append(size / bar_files.BYTES_A_BAR / held)
        if len(found) == _LATEST:
            break
    if not found:
        return Density()
    mean = sum(found) / len(found)
    return Density(mean, mean, len(found))


def _whole_sessions(symbol: str, name: str, now: datetime) -> int:
    """How many sessions the month of a file holds; none where it is not over, or the file is not the layout's."""
    try:
        month = BarFile.parse(f"{RAW_FOLDER}/{symbol}/{name}").month
    except FileError:
        return 0
    return len(exchange_calendar.sessions_in(month)) if month.end <= now else 0


@dataclass(frozen=True)
class Totals:
    """Months added up.

    Attributes:
        months: how many there are.
        done: how many would be downloaded, completed and so on.
        cost: requests, the fewest and the most.
        least: bytes added at the least.
        most: bytes added at the most.
    """

    months: int
    done: Counter[str]
    cost: tuple[Cost, Cost]
    least: EstimatedSize
    most: EstimatedSize

    @classmethod
    def of(cls, planned: Iterable[Planned]) -> "Totals":
        """The totals of `planned`."""
        each = list(planned)
        return cls(
            months=len(each),
            done=Counter(month.decision.action.done for month in each),
            cost=(sum((month.cost[0] for month in each), Cost()), sum((month.cost[1] for month in each), Cost())),
            least=sum((month.size[0] for month in each), EstimatedSize()),
            most=sum((month.size[1] for month in each), EstimatedSize()),
        )


def seconds(planned: Sequence[Planned], settings: Settings, latency: float) -> tuple[float, float]:
    """How long the fewest and the most requests take at the least, the months one after the other."""
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


def reaching(planned: Sequence[Planned], today: date) -> dict[str, int]:
    """How many of the months that would be fetched each subscription holds."""
    months = [month.file.month for month in planned if month.refused or month.cost[1].fetch]
    return {plan.name: sum(plan.reaches(month, "second", today) for month in months) for plan in plans.PLANS}


def spans(months: Iterable[Month]) -> str:
    """Months, each once, as a reader has them: `2024-01`, `2024-01 to 2024-05`, with commas between what is apart."""
    runs: list[list[Month]] = []
    for month in sorted(set(months)):
        if runs and runs[-1][-1].next() == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
