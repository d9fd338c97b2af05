"""What each subscription covers, from the vendor's pricing page, and how many requests a fetch takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.listings import Listing
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import Cost
from mohlcv_dagster.providers.massive.paging import SECOND, Timespan, cut, end_of, joined, start_of
from mohlcv_dagster.providers.massive.rate_limits import MINUTE

FIRST_DAY: Final = date(2003, 9, 10)
"""The first day the vendor has at all."""

_LEAP_DAY: Final = (2, 29)
_INSTANT: Final = timedelta(microseconds=1)
_SPLITS: Final = 1
_WHY_EMPTY: Final = 2
_WHY_EMPTY_SINCE_DELISTED: Final = 4


@dataclass(frozen=True)
class Plan:
    """A subscription.

    Attributes:
        name: as the vendor calls it.
        years: how far back it reaches from today; `None` for everything from `FIRST_DAY` on.
        seconds: whether it holds second bars.
    """

    name: str
    years: int | None
    seconds: bool

    def since(self, today: date) -> date:
        """The first day it reaches."""
        if self.years is None:
            return FIRST_DAY
        day = 28 if (today.month, today.day) == _LEAP_DAY else today.day
        return max(FIRST_DAY, date(today.year - self.years, today.month, day))

    def reaches(self, month: Month, timespan: str, today: date) -> bool:
        """Whether it covers the complete month, or all of it that exists."""
        if timespan == SECOND and not self.seconds:
            return False
        since = self.since(today)
        return since <= month.start.date() or (since == FIRST_DAY and Month.of(since) == month)


PLANS: Final = (
    Plan("Basic", 2, seconds=False),
    Plan("Starter", 5, seconds=True),
    Plan("Developer", 10, seconds=True),
    Plan("Advanced", None, seconds=True),
)


def coverage(month: Month, timespan: str, today: date) -> str:
    """Which plans reach `month`, and the table of all of them, in one sentence each.

    Args:
        month: the month requested.
        timespan: `second` or `minute`.
        today: UTC.
    """
    enough = [plan.name for plan in PLANS if plan.reaches(month, timespan, today)]
    reach = f"plans that reach all of {month}: {', '.join(enough) or 'none'}"
    table = " · ".join(f"{plan.name} {_extent(plan, timespan, today)}" for plan in PLANS)
    return f"{reach}. Today the plans hold {timespan} bars as follows: {table}"


def _extent(plan: Plan, timespan: str, today: date) -> str:
    if timespan == SECOND and not plan.seconds:
        return "none"
    return f"from {plan.since(today)}"


def estimate_month(  # noqa: PLR0913 - each has a name at every call
    month: Month,
    now: datetime,
    *,
    bars_a_session: float,
    since: datetime | None = None,
    adjusted: bool = False,
    empty: Listing | None = None,
) -> Cost:
    """How many requests a fetch of `month` at `now` makes, without retries.

    Args:
        month: UTC, begun.
        now: aware.
        bars_a_session: second bars in each session; ignored where `empty` is given.
        since: where a fetch of the rest begins; `None` for the complete month.
        adjusted: whether bars are requested adjusted for splits.
        empty: the listing that shows that the month has no bars, so that the vendor is asked why; `None` where it may
            have some.

    Raises:
        MonthInFutureError: at `now` no bar of the month is complete.
    """
    second, minute = Timespan.parse(SECOND), Timespan.parse("minute")
    bars = _pages(month, second, now, since, 0 if empty else bars_a_session)
    reference = _SPLITS if adjusted else 0
    if empty is not None and since is None and month.end.date() > FIRST_DAY:
        reference += _WHY_EMPTY_SINCE_DELISTED if empty.delisted else _WHY_EMPTY
    # a month one minute old has no complete minute yet, and its check requests none
    minutes = _pages(month, minute, now, None, 0) if _has_a_minute(month, now) else 0
    return Cost(bars, reference, minutes)


def estimate_seconds(
    costs: Sequence[Cost], *, concurrency: int, requests_per_minute: int | None, latency: float
) -> float:
    """The shortest time that the requests of months fetched one after the other take.

    Args:
        costs: of each month.
        concurrency: requests in flight for one month.
        requests_per_minute: the limit over all; `None` for none.
        latency: assumed seconds from a request to the end of its answer.
    """
    # the first window goes alone
    rounds = [min(cost.bars, 1 + -(-(cost.bars - 1) // concurrency)) for cost in costs]
    unlimited = sum((bars + cost.reference) * latency for bars, cost in zip(rounds, costs, strict=True))
    total = sum(cost.fetch for cost in costs)
    if requests_per_minute is None or not total:
        return unlimited
    # a limit lets that many be sent at once; the next ones wait until the first is a minute old
    return max(unlimited, (total - 1) // requests_per_minute * MINUTE + latency)


def _pages(month: Month, timespan: Timespan, now: datetime, since: datetime | None, bars_a_session: float) -> int:
    """How many pages a fetch requests, if its first window has as many bars as the others."""
    end = end_of(month, timespan, now)
    start = start_of(month, end, since)
    windows = cut(start, end, timespan)
    bars = bars_a_session * len(exchange_calendar.sessions_between(start.date(), (end - _INSTANT).date()))
    return 1 + len(joined(windows[1:], round(bars / len(windows))))


def _has_a_minute(month: Month, now: datetime) -> bool:
    return (now - month.start).total_seconds() >= MINUTE
