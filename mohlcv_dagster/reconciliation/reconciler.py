"""Reconcile a month: align the minutes, find what explains complete sessions, sort the minutes that are left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import TIME_TYPE, from_numpy, from_strings, to_numpy
from mohlcv_dagster.errors import BarsError, UnsortedBarsError
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation import patterns, thin_seconds
from mohlcv_dagster.reconciliation.difference_kinds import (
    KINDS,
    DifferenceKind,
    Kinds,
    carried,
    classify,
    negative_minutes,
)
from mohlcv_dagster.reconciliation.minute_pairs import Days, Mask, Pairs, side_by_side
from mohlcv_dagster.reconciliation.patterns import Pattern
from mohlcv_dagster.reconciliation.session_causes import EARLY_AUCTION, Fitted, SessionCause, early_auctions, fit
from mohlcv_dagster.reconciliation.thin_seconds import ThinSeconds

if TYPE_CHECKING:
    from mohlcv_dagster.bars.trade_figures import MinuteTrades

KIND: Final = "kind"


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """What differs between our minutes and the vendor's.

    Attributes:
        minutes: minutes that at least one side has.
        only_ours: minutes that the vendor lacks.
        only_vendors: minutes that we lack.
        prices_agree: minutes with the same four prices on both sides.
        off_within: minutes with equal prices, and volumes that are unequal but within the tolerance.
        largest_price: the largest difference of a price, US dollars; 0 where no minute is on both sides.
        largest_volume: the largest difference of a volume, as a share of the larger of the two, at most 1 where neither
            is below zero.
        causes: what explains complete sessions.
        differing: the minutes that differ, rising: `ts_event`, `kind`, ours (`open` …), the vendor's (`vendor_open` …);
            null where a side has no minute.
        inverted: minutes whose seconds have more volume than the vendor's minute, as `differing` without `kind`; after
            the causes of complete sessions were undone, and but for volume that is carried into the minute beside it.
        adjusted: whether both were requested adjusted for splits; `None` where it is not known.
        thin: what the minutes that agree show of lost seconds.
        pattern: what most of the minutes that differ have in common; `None` where nothing is found, or `causes` say it.
    """

    minutes: int
    only_ours: int
    only_vendors: int
    prices_agree: int
    off_within: int
    largest_price: float
    largest_volume: float
    causes: tuple[SessionCause, ...]
    differing: pa.Table
    inverted: pa.Table
    adjusted: bool | None
    thin: ThinSeconds
    pattern: Pattern | None = None

    @cached_property
    def counts(self) -> Mapping[DifferenceKind, int]:
        """The minutes that differ by kind, in the order of `KINDS`; kinds without one are left out."""
        found = self.differing[KIND].to_pylist()
        return {kind: count for kind in KINDS if (count := found.count(kind))}

    @property
    def agreeing(self) -> int:
        """Minutes that agree: prices exactly, volume within the tolerance and not below zero."""
        return self.minutes - sum(self.counts.values())

    @property
    def price_share(self) -> float:
        """The share of minutes with the same four prices on both sides; 1 without minutes."""
        return self.prices_agree / self.minutes if self.minutes else 1.0


def reconcile(  # noqa: PLR0913 - what is compared, and what of it
    seconds: pa.Table,
    minutes_ours: pa.Table,
    minutes_vendor: pa.Table,
    month: Month,
    complete_through: datetime,
    *,
    adjusted: bool | None = None,
    trades: "tuple[MinuteTrades, MinuteTrades] | None" = None,
) -> Reconciliation:
    """Compare our minutes with the vendor's.

    Args:
        seconds: our raw bars, rising strictly.
        minutes_ours: resampled from them, rising strictly.
        minutes_vendor: the vendor's own, rising strictly.
        month: the month compared.
        complete_through: exclusive; only minutes that end by then are compared.
        adjusted: whether both were requested adjusted for splits; `None` where it is not known.
        trades: in each of our minutes and of the vendor's; `None` where they are not known of both.

    Raises:
        UnsortedBarsError: bars of one of the three do not rise strictly.
        BarsError: a field of one of them is missing.
    """
    end = min(int(complete_through.timestamp()), month.end_second)
    for bars, owner in ((seconds, "seconds"), (minutes_ours, "minutes"), (minutes_vendor, "minutes of the vendor")):
        _require_rising(bars, owner)
    seconds = _before(seconds, end - end % MINUTE.seconds)
    ours, vendor = (_before(bars, end - MINUTE.seconds + 1) for bars in (minutes_ours, minutes_vendor))
    days = Days.around(month)
    base = side_by_side(ours, vendor, days)
    negative = negative_minutes(base, seconds)
    if base.agree.all():
        fitted = Fitted(base, np.zeros(len(days.dates), dtype=np.int64), ())
    else:
        fitted = fit(base, seconds, ours, vendor, days)
    both_early = _both_early(base, fitted, seconds, month)
    fitted = replace(fitted, causes=(*fitted.causes, *_cause_of(both_early, base, days)))
    rows = _rows(base, fitted, negative, both_early, seconds, month)
    result = _result(base, fitted, rows, adjusted=adjusted)
    if not fitted.causes and rows.num_rows:
        left = ~fitted.pairs.agree & ~negative & ~carried(fitted.pairs)
        result = replace(result, pattern=patterns.find(fitted.pairs, left, seconds, fitted.shift))
    if not result.off_within and trades is None:
        return result
    return replace(result, thin=thin_seconds.find(base, fitted, days, trades, adjusted=adjusted))


def _both_early(base: Pairs, fitted: Fitted, seconds: pa.Table, month: Month) -> Mask:
    """Which minutes agree and have, on both sides, an opening auction before the opening; shape (n,)."""
    before = early_auctions(seconds, month) - MINUTE.seconds
    mask: Mask = base.agree & np.isin(base.starts, before) & (fitted.shift[base.day] == 0)
    return mask


def _cause_of(both_early: Mask, base: Pairs, days: Days) -> tuple[SessionCause, ...]:
    if not both_early.any():
        return ()
    first, last = (days.dates[day] for day in base.day[both_early][[0, -1]])
    return (SessionCause(DifferenceKind.SHIFTED_LABEL, first, last, shift=EARLY_AUCTION, both=True),)


def _rows(base: Pairs, fitted: Fitted, negative: Mask, both_early: Mask, seconds: pa.Table, month: Month) -> pa.Table:  # noqa: PLR0913, PLR0917 - what was found, and of what
    """Every minute that differs, with its kind; and those that agree but are wrong on both sides."""
    both_early = both_early & ~negative
    below = base.starts[negative]
    left = ~fitted.pairs.agree & ~np.isin(fitted.pairs.starts, below)
    kinds = classify(fitted.pairs, left, seconds, fitted.shift, month)
    tables = [
        _table(base.take(negative), np.full(len(below), DifferenceKind.NEGATIVE_VOLUME)),
        _table(base.take(both_early), np.full(int(both_early.sum()), DifferenceKind.SHIFTED_LABEL)),
        _table(fitted.pairs.take(left), kinds),
        *_explained(base, fitted, np.concatenate([below, fitted.pairs.starts[left]])),
    ]
    return pa.concat_tables(tables).sort_by(TIME)


def _explained(base: Pairs, fitted: Fitted, listed: npt.NDArray[np.int64]) -> list[pa.Table]:
    """The minutes that differ and agree once the causes of complete sessions are undone."""
    if not fitted.causes:
        return []
    rows = base.take(~base.agree & ~np.isin(base.starts, listed))
    shifted = fitted.shift[rows.day] != 0
    return [
        _table(rows, np.where(shifted, np.array(DifferenceKind.SHIFTED_LABEL), np.array(DifferenceKind.SPLIT_BASIS)))
    ]


def _result(base: Pairs, fitted: Fitted, rows: pa.Table, *, adjusted: bool | None) -> Reconciliation:
    both = base.take(base.both)
    off = np.abs(both.ours.volume - both.vendor.volume)
    with np.errstate(divide="ignore", invalid="ignore"):
        larger = np.maximum(np.abs(both.ours.volume), np.abs(both.vendor.volume))
        shares = np.where(off > 0, off / larger, 0.0)
    pairs = fitted.pairs
    more = pairs.both & (pairs.ours.volume > pairs.vendor.volume) & ~carried(pairs)
    return Reconciliation(
        minutes=len(base.starts),
        only_ours=int((~base.vendor.there).sum()),
        only_vendors=int((~base.ours.there).sum()),
        prices_agree=int(base.prices_equal.sum()),
        off_within=int((base.agree & (base.ours.volume != base.vendor.volume)).sum()),
        largest_price=float(np.abs(both.ours.prices - both.vendor.prices).max(initial=0.0)),
        largest_volume=float(shares.max(initial=0.0)),
        causes=fitted.causes,
        differing=rows,
        inverted=_table(pairs.take(more), np.full(int(more.sum()), DifferenceKind.UNKNOWN)).drop_columns([KIND]),
        adjusted=adjusted,
        thin=ThinSeconds(compared=int(base.agree.sum())),
    )


def _table(pairs: Pairs, kinds: Kinds) -> pa.Table:
    columns: dict[str, Any] = {
        TIME: from_numpy(pairs.starts).cast(TIME_TYPE),
        KIND: from_strings([str(kind) for kind in kinds]),
    }
    for side, prefix in ((pairs.ours, ""), (pairs.vendor, "vendor_")):
        for row, name in enumerate(PRICES):
            columns[f"{prefix}{name}"] = from_numpy(side.prices[row], ~side.there)
        columns[f"{prefix}{VOLUME}"] = from_numpy(side.volume, ~side.there)
    return pa.table(columns)


def _before(bars: pa.Table, end: int) -> pa.Table:
    """The bars that start before `end`."""
    return bars.slice(0, int(np.searchsorted(bar_table.seconds(bars), end)))


def _require_rising(bars: pa.Table, owner: str) -> None:
    for name in COLUMNS:
        column = bars[name]
        if column.null_count or (name != TIME and not np.isfinite(to_numpy(column)).all()):
            raise BarsError(f"the {owner} have a {name} that is missing or not finite")
    starts = bar_table.seconds(bars)
    if not (starts[1:] > starts[:-1]).all():
        raise UnsortedBarsError(f"the {owner} do not rise strictly in time")
