"""What each of the vendor's plans reaches, so that a refusal can say which would do. No request is made here.

From the vendor's pricing page; prices are left out because they change.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from mohlcv_dagster.bars.months import Month

FIRST_DAY: Final = date(2003, 9, 10)
"""The first day the vendor has at all."""

_LEAP_DAY: Final = (2, 29)


@dataclass(frozen=True)
class Plan:
    """A subscription.

    Attributes:
        name: as the vendor calls it.
        years: how far back it reaches from today; `None` for all there is, from `FIRST_DAY`.
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
        """Whether it holds the whole month, or all there is of it."""
        if timespan == "second" and not self.seconds:
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
        month: the month asked for.
        timespan: `second` or `minute`.
        today: UTC.
    """
    enough = [plan.name for plan in PLANS if plan.reaches(month, timespan, today)]
    verdict = f"plans that reach all of {month}: {', '.join(enough) or 'none'}"
    table = " · ".join(f"{plan.name} {_extent(plan, timespan, today)}" for plan in PLANS)
    return f"{verdict}. Today the plans hold {timespan} bars as follows: {table}"


def _extent(plan: Plan, timespan: str, today: date) -> str:
    if timespan == "second" and not plan.seconds:
        return "none"
    return f"from {plan.since(today)}"
