"""Minutes that no shift or factor explains, each put in its kind by the evidence in it; `kinds` has that in words."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema, sessions
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.reconciliation.kinds import Kind
from mohlcv_dagster.bars.reconciliation.pairs import Mask, Pairs
from mohlcv_dagster.bars.schema import Floats, Seconds
from mohlcv_dagster.bars.timeframes import MINUTE

Kinds: TypeAlias = npt.NDArray[Any]

_EDGE: Final = timedelta(hours=1)
_AUCTION_SHARE: Final = 0.1
_FEW: Final = 3
_FEW_SHARE: Final = 0.01


@dataclass(frozen=True, eq=False)
class _Ends:
    """Our seconds at the ends of each minute, labels moved as they fit; shape (n,) each.

    Attributes:
        room_first: whether we have none in the minute's first second.
        room_last: whether we have none in its last.
        second_open: the open of the second one we have; NaN where there is none.
        former_close: the close of the last but one; NaN where there is none.
    """

    room_first: Mask
    room_last: Mask
    second_open: Floats
    former_close: Floats


def sort_out(pairs: Pairs, rows: Mask, seconds: pa.Table, shift: npt.NDArray[np.int64], month: Month) -> Kinds:
    """The kind of each chosen minute, an array of `Kind`.

    Args:
        pairs: all minutes, our side relabelled and scaled where that explains a session.
        rows: those that differ, shape (n,).
        seconds: our seconds as they stand, rising.
        shift: how far our labels were moved, seconds, by Eastern day.
        month: which one it is.
    """
    chosen = pairs.take(rows)
    ends = _ends(chosen, seconds, shift[chosen.day])
    vendor_more, ours_more = _more(chosen)
    known = {
        Kind.MONTH_EDGE: _at_edge(pairs, chosen, month),
        Kind.AUCTION_PRINT: _at_bell(pairs, chosen, month),
        Kind.VOLUME_ONLY_PRINT: chosen.prices_equal & vendor_more,
        Kind.LATE_PRINT: chosen.both & vendor_more & _same(chosen, 0) & _same(chosen, 3),
        Kind.MISSING_SECOND: _missing(chosen, ends),
        Kind.EXTRA_PRINT: _extra(chosen, ends, ours_more),
    }
    kinds = np.select(list(known.values()), [np.array(kind) for kind in known], np.array(Kind.UNKNOWN))
    small = chosen.volume_close & np.isin(kinds, [Kind.LATE_PRINT, Kind.MISSING_SECOND, Kind.EXTRA_PRINT])
    return np.where(small & _many(pairs, chosen, small), np.array(Kind.UNKNOWN), kinds)


def _more(chosen: Pairs) -> tuple[Mask, Mask]:
    """Where the vendor's minute, and where ours, is the other with something added: more volume, a covering range."""
    vendor = (chosen.vendor.volume > chosen.ours.volume) & chosen.vendor.covers(chosen.ours)
    ours = (chosen.ours.volume > chosen.vendor.volume) & chosen.ours.covers(chosen.vendor)
    return vendor, ours


def _same(chosen: Pairs, price: int) -> Mask:
    same: Mask = chosen.ours.prices[price] == chosen.vendor.prices[price]
    return same


def _at_edge(pairs: Pairs, chosen: Pairs, month: Month) -> Mask:
    midnight = int(sessions.eastern_midnight(month.start.date()).timestamp())
    late, early = chosen.starts >= int((month.end - _EDGE).timestamp()), chosen.starts < midnight
    beyond: Mask = np.zeros(len(chosen.starts), dtype=np.bool_)
    for lacking, other in ((pairs.ours, chosen.vendor), (pairs.vendor, chosen.ours)):
        has = pairs.starts[lacking.there]
        first, last = (has[0], has[-1]) if len(has) else (month.end_second, month.start_second)
        beyond |= other.there & ((late & (chosen.starts > last)) | (early & (chosen.starts < first)))
    vendor_more, ours_more = _more(chosen)
    very: Mask = np.isin(chosen.starts, [month.start_second, month.end_second - MINUTE.seconds])
    very = very & chosen.both & (vendor_more | ours_more)
    return beyond | very


def _at_bell(pairs: Pairs, chosen: Pairs, month: Month) -> Mask:
    bells = []
    for session in sessions.sessions_in(month):
        opening, closing = int(session.regular_open.timestamp()), int(session.regular_close.timestamp())
        bells += [opening, closing - MINUTE.seconds, closing]
    at: Mask = np.isin(chosen.starts, bells)
    if not at.any():
        return at
    usual = {day: _usual_volume(pairs, day) for day in np.unique(chosen.day[at])}
    lesser, greater = np.sort([chosen.ours.volume, chosen.vendor.volume], axis=0)
    least = np.minimum(_AUCTION_SHARE * greater, [usual.get(day, 0.0) for day in chosen.day])
    vendor_more, ours_more = _more(chosen)
    large: Mask = at & (greater - lesser >= least) & np.isin(chosen.day, pairs.day[pairs.both])
    print_alone: Mask = vendor_more | ours_more | (greater >= 2 * lesser)
    return large & print_alone


def _usual_volume(pairs: Pairs, day: int) -> float:
    """The median volume of a day's minutes, of the side that has more."""
    of_day = pairs.day == day
    return float(np.median(np.maximum(pairs.ours.volume[of_day], pairs.vendor.volume[of_day])))


def _missing(chosen: Pairs, ends: _Ends) -> Mask:
    alone: Mask = ~chosen.ours.there & (chosen.vendor.volume > 0) & (chosen.starts % MINUTE.seconds == 0)
    vendor_more, _ = _more(chosen)
    at_ends = (_same(chosen, 0) | ends.room_first) & (_same(chosen, 3) | ends.room_last)
    more: Mask = chosen.both & vendor_more & at_ends
    return alone | more


def _extra(chosen: Pairs, ends: _Ends, ours_more: Mask) -> Mask:
    alone: Mask = ~chosen.vendor.there & (chosen.ours.volume > 0)
    opens = _same(chosen, 0) | (chosen.vendor.prices[0] == ends.second_open)
    closes = _same(chosen, 3) | (chosen.vendor.prices[3] == ends.former_close)
    more: Mask = chosen.both & ours_more & opens & closes
    return alone | more


def _ends(chosen: Pairs, seconds: pa.Table, shift: npt.NDArray[np.int64]) -> _Ends:
    starts, begin = schema.seconds(seconds), chosen.starts - shift
    first = np.searchsorted(starts, begin)
    last = np.searchsorted(starts, begin + MINUTE.seconds) - 1
    several = last > first
    return _Ends(
        room_first=_where(first < len(starts), starts, first) != begin,
        room_last=_where(last >= 0, starts, last) != begin + MINUTE.seconds - 1,
        second_open=_where(several, to_numpy(seconds["open"]), first + 1),
        former_close=_where(several, to_numpy(seconds["close"]), last - 1),
    )


def _where(there: Mask, values: Floats | Seconds, at: npt.NDArray[np.intp]) -> Floats:
    if not len(values):
        return np.full(len(at), np.nan)
    found: Floats = np.where(there, values[np.clip(at, 0, len(values) - 1)], np.nan)
    return found


def _many(pairs: Pairs, chosen: Pairs, small: Mask) -> Mask:
    """Where the session has more minutes like these, told by hardly any volume, than prints explain."""
    days = int(pairs.day.max(initial=0)) + 1
    found, minutes = np.bincount(chosen.day[small], minlength=days), np.bincount(pairs.day, minlength=days)
    many: Mask = (found > np.maximum(_FEW, _FEW_SHARE * minutes))[chosen.day]
    return many


def negative_minutes(pairs: Pairs, seconds: pa.Table) -> Mask:
    """Which minutes have a volume below zero on a side, or in one of our seconds; shape (n,)."""
    volume = to_numpy(seconds[schema.VOLUME])
    below: Seconds = schema.seconds(seconds)[volume < 0]
    mask: Mask = np.isin(pairs.starts, below - below % MINUTE.seconds)
    return mask | (pairs.ours.volume < 0) | (pairs.vendor.volume < 0)
