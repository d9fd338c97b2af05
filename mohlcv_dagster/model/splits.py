"""Stock splits, and which of them the adjusted bars of a month include.

A split changes the adjusted price and volume of every bar before it: the vendor rewrites them overnight before the
execution date. So adjusted bars include the splits executed up to the day they were fetched, and no later ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from mohlcv_dagster.model.exchange_calendar import EASTERN, eastern_midnight
from mohlcv_dagster.model.months import Month


@dataclass(frozen=True, order=True)
class Split:
    """A stock split.

    Attributes:
        executed: the first Eastern day on the new basis; its pre-market trading is on it already.
        before: the shares that become
        after: so many. A reverse split has fewer of these.
    """

    executed: date
    before: float
    after: float

    def affects(self, month: Month) -> bool:
        """Whether a bar of `month` may be before it: in winter the first hour of a month is the Eastern day before."""
        return eastern_midnight(self.executed) > month.start

    def __str__(self) -> str:
        return f"{self.after:g} for {self.before:g} on {self.executed}"


@dataclass(frozen=True)
class KnownSplits:
    """A symbol's splits as the vendor gave them, announced ones included.

    Attributes:
        splits: rising; `None` where it did not give them.
        why_unknown: why it did not, a clause without its full stop; empty where it did.
    """

    splits: tuple[Split, ...] | None
    why_unknown: str = ""


def executed_by(splits: Iterable[Split], moment: datetime) -> tuple[Split, ...]:
    """Those of `splits` that bars fetched at `moment` include, rising."""
    today = moment.astimezone(EASTERN).date()
    return tuple(sorted(split for split in splits if split.executed <= today))


def missing_splits(
    month: Month, fetched_at: datetime, then: Iterable[Split] | None, now: Iterable[Split]
) -> tuple[Split, ...]:
    """The splits that adjusted bars of `month` lack, rising: with any, they are on an old basis.

    Args:
        month: of the bars.
        fetched_at: when they were fetched.
        then: the splits known when they were; `None` where that is not recorded. Then the vendor is taken to have known
            each one executed by that day.
        now: the splits executed by now.
    """
    had = executed_by(now if then is None else then, fetched_at)
    return tuple(sorted(split for split in set(now) - set(had) if split.affects(month)))
