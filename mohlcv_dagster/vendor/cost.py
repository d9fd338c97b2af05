"""What a fetch will ask of the vendor, counted before it is made. No request is made here, no clock is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.listing import Listing
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.vendor import plans
from mohlcv_dagster.vendor.limits import MINUTE
from mohlcv_dagster.vendor.windows import SECOND, Timespan, cut, end_of, joined, start_of

_INSTANT: Final = timedelta(microseconds=1)
_SPLITS: Final = 1
_WHY_EMPTY: Final = 2
_WHY_EMPTY_SINCE_DELISTED: Final = 4


@dataclass(frozen=True)
class Cost:
    """Requests, each asked once: a vendor that fails for a while is asked again, and that is not foreseen.

    Attributes:
        bars: for second bars, a page each. How many there are is told from how much the symbol trades.
        reference: for splits, before adjusted bars, and for why a month has none.
        minutes: for the vendor's own minutes, which its check asks for once `aggregated/1min` is made.
    """

    bars: int = 0
    reference: int = 0
    minutes: int = 0

    @property
    def fetch(self) -> int:
        """What the fetch itself asks."""
        return self.bars + self.reference

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.bars + other.bars, self.reference + other.reference, self.minutes + other.minutes)


def of_month(  # noqa: PLR0913 - each has a name at every call
    month: Month,
    now: datetime,
    *,
    bars_a_session: float,
    since: datetime | None = None,
    adjusted: bool = False,
    empty: Listing | None = None,
) -> Cost:
    """What a fetch of `month` at `now` asks.

    Args:
        month: UTC, begun.
        now: aware.
        bars_a_session: second bars in each; of no account where `empty` is given.
        since: where a fetch of the rest begins; `None` for the whole month.
        adjusted: whether bars are asked for adjusted for splits.
        empty: the listing by which the month has no bars, so that the vendor is asked why; `None` where it may have.

    Raises:
        MonthInFutureError: at `now` no bar of the month is complete.
    """
    second, minute = Timespan.parse(SECOND), Timespan.parse("minute")
    bars = _pages(month, second, now, since, 0 if empty else bars_a_session)
    reference = _SPLITS if adjusted else 0
    if empty is not None and since is None and month.end.date() > plans.FIRST_DAY:
        reference += _WHY_EMPTY_SINCE_DELISTED if empty.delisted else _WHY_EMPTY
    # a month one minute old has no whole minute yet, and its check asks for none
    minutes = _pages(month, minute, now, None, 0) if _has_a_minute(month, now) else 0
    return Cost(bars, reference, minutes)


def seconds(costs: Sequence[Cost], *, concurrency: int, requests_per_minute: int | None, latency: float) -> float:
    """How long the requests of months fetched one after the other take at the least.

    Args:
        costs: of each month.
        concurrency: requests in flight for one month.
        requests_per_minute: the limit over all; `None` for none.
        latency: seconds from a request to the end of its answer, assumed.
    """
    # the first window goes alone
    rounds = [min(cost.bars, 1 + -(-(cost.bars - 1) // concurrency)) for cost in costs]
    unhindered = sum((bars + cost.reference) * latency for bars, cost in zip(rounds, costs, strict=True))
    total = sum(cost.fetch for cost in costs)
    if requests_per_minute is None or not total:
        return unhindered
    # a limit lets that many leave at once; the next wait for the first to be a minute old
    return max(unhindered, (total - 1) // requests_per_minute * MINUTE + latency)


def _pages(month: Month, timespan: Timespan, now: datetime, since: datetime | None, bars_a_session: float) -> int:
    """How many pages a fetch asks for, if its first window has as many bars as the others."""
    end = end_of(month, timespan, now)
    start = start_of(month, end, since)
    windows = cut(start, end, timespan)
    bars = bars_a_session * len(sessions.sessions_between(start.date(), (end - _INSTANT).date()))
    return 1 + len(joined(windows[1:], round(bars / len(windows))))


def _has_a_minute(month: Month, now: datetime) -> bool:
    return (now - month.start).total_seconds() >= MINUTE
