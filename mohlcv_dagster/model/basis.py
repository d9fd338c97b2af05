"""The basis of a month's prices: unadjusted, or adjusted for the splits that were known when it was fetched.

An adjusted price is divided by the ratio of each split executed after it and up to the day of the fetch. So two months
of a symbol fit together only where both are unadjusted, or both are adjusted for the same splits.
"""

from collections.abc import Iterable
from datetime import datetime
from math import prod

from mohlcv_dagster.model.exchange_calendar import eastern_midnight
from mohlcv_dagster.model.listings import Split, executed_by, missing_splits
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Origin, Provenance


def name_of(*, adjusted: bool) -> str:
    """The word for a basis."""
    return "adjusted" if adjusted else "unadjusted"


def as_of(recorded: Origin) -> str:
    """The basis of bars in words, such as `adjusted as of 2024-03-01`."""
    day = f" as of {recorded.fetched_at:%Y-%m-%d}" if recorded.adjusted and recorded.fetched_at else ""
    return f"{name_of(adjusted=bool(recorded.adjusted))}{day}"


def difference(month: Month, recorded: Origin, executed: Iterable[Split], *, asked: bool | None) -> str:
    """How the basis of a stored month differs from the one asked for now: what follows `it is`; empty where it is that.

    Nothing is told of a month whose basis is not recorded.

    Args:
        month: of the bars.
        recorded: where they came from.
        executed: the splits of the symbol known to be executed by now.
        asked: whether adjusted prices are asked for; `None` where it does not matter.
    """
    if recorded.adjusted is None or asked is None:
        return ""
    own = as_of(recorded)
    if recorded.adjusted is not asked:
        return f"{own}, and {name_of(adjusted=asked)} prices are asked for"
    lacking = lacking_splits(month, recorded, executed)
    return f"{own}, and not for a later split ({', '.join(map(str, lacking))})" if lacking else ""


def lacking_splits(month: Month, recorded: Origin, executed: Iterable[Split]) -> tuple[Split, ...]:
    """The splits known to be executed that adjusted bars of `month` lack, rising; none where that cannot be told."""
    if not recorded.adjusted or recorded.fetched_at is None:
        return ()
    return missing_splits(month, recorded.fetched_at, recorded.splits, executed)


def price_factor(before: Provenance, after: Provenance) -> float | None:
    """By what the last prices of a month are multiplied on the basis of a later month; 1 where both have the same.

    Of two unadjusted months it is 1: a split between them is a jump in their prices. Of two adjusted ones it is 1 as
    far as splits are known, and `None` where one of the two is adjusted, and for which splits is not known.
    """
    if not before.adjusted and not after.adjusted:
        return 1.0
    if before.last_bar is None or after.first_bar is None or (before.splits is None and after.splits is None):
        return 1.0 if before.adjusted is after.adjusted else None
    known = {*(before.splits or ()), *(after.splits or ()), *after.splits_now}
    between = _ratio(split for split in known if before.last_bar < eastern_midnight(split.executed) <= after.first_bar)
    return _divisor(before, before.last_bar, known) / (_divisor(after, after.first_bar, known) * between)


def _divisor(recorded: Provenance, bar: datetime, known: Iterable[Split]) -> float:
    """By what the price of a bar was divided when it was fetched."""
    if not recorded.adjusted or recorded.fetched_at is None:
        return 1.0
    had = executed_by(known if recorded.splits is None else recorded.splits, recorded.fetched_at)
    return _ratio(split for split in had if eastern_midnight(split.executed) > bar)


def _ratio(splits: Iterable[Split]) -> float:
    return prod(split.after / split.before for split in splits)
