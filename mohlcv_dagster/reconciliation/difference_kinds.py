"""The kinds of difference between our minutes and the vendor's: what each means, and how a minute is classified."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, to_numpy
from mohlcv_dagster.model import bar_files, exchange_calendar, session_hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation.minute_pairs import Counts, Mask, Pairs, Side

Kinds: TypeAlias = npt.NDArray[Any]
"""An array of `DifferenceKind`."""

_EDGE: Final = timedelta(hours=1)
_AUCTION_SHARE: Final = 0.1
_FEW: Final = 3
_FEW_SHARE: Final = 0.01
_FEW_ALONE: Final = 12
_FEW_ALONE_SHARE: Final = 0.05
_LEAST_VOLUME: Final = 1e-6
"""Shares; volumes have six decimals."""
_SECONDS_FOR_AN_END: Final = 30
"""Two of a minute's sixty seconds are its ends."""
_AUCTION_SECONDS: Final = 2


class DifferenceKind(StrEnum):
    """What explains a minute that differs; each minute has one kind."""

    NEGATIVE_VOLUME = "negative_volume"
    SHIFTED_LABEL = "shifted_label"
    SPLIT_BASIS = "split_basis"
    CARRIED_VOLUME = "carried_volume"
    MONTH_EDGE = "month_edge"
    AUCTION_PRINT = "auction_print"
    VOLUME_ONLY_PRINT = "volume_only_print"
    LATE_PRINT = "late_print"
    MISSING_SECOND = "missing_second"
    EXTRA_PRINT = "extra_print"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class KindDescription:
    """A kind of difference in words.

    Attributes:
        means: what happened.
        evidence: what the bars must show.
        advice: what to do, a sentence.
        wrong: whether a single such minute is an error; the other kinds are known of the vendor.
    """

    means: str
    evidence: str
    advice: str
    wrong: bool = False


KINDS: Final = {
    DifferenceKind.NEGATIVE_VOLUME: KindDescription(
        "a volume below zero, which is a correction that was left among the bars",
        "a side of the minute, or one of our seconds in it, has a volume below zero; whether or not the sides agree",
        "Report the minutes to the vendor.",
        wrong=True,
    ),
    DifferenceKind.SHIFTED_LABEL: KindDescription(
        "one of the two sides labels its bars too early or too late, or both label them early",
        "our seconds of a complete session, or of the month, fit when they are relabelled by 1 or 2 seconds, a minute, "
        "or 1 to 12 hours: at least 3 more minutes agree then and at most a "
        "third as many differ as before, altogether or in prices or volume alone. Or both sides agree and the largest "
        "volume around the opening, twice any other, is in the second before it, in 3 of 4 sessions and at "
        "least 2 (4 where not every second trades)",
        "Do not use the months before it is known which side is right; report both request ids to the vendor.",
        wrong=True,
    ),
    DifferenceKind.SPLIT_BASIS: KindDescription(
        "one side is adjusted for splits (or counts volume in another unit), the other is not",
        "over a session or the month, the vendor's prices are ours times one factor, to half a cent, in at least 95 % "
        "of the minutes and unscaled in at most 5 %; or the same of the volumes, within 0.5 %",
        "Compare MASSIVE_ADJUSTED with the flag recorded of the month; re-materialize raw_1s with the right one.",
        wrong=True,
    ),
    DifferenceKind.CARRIED_VOLUME: KindDescription(
        "volume that the other side counts in the minute beside it",
        "the minute before or after it has exactly the opposite difference of volume, and the two together have the "
        "same open, high, low and close on both sides",
        "Nothing is lost: the two minutes together agree. Do not rely on which of them a print at their border is in.",
    ),
    DifferenceKind.MONTH_EDGE: KindDescription(
        "one side cuts the month elsewhere",
        "a minute of the month's last hour, or before its first Eastern midnight, is after the last (before the first) "
        "minute of the side that lacks it; or the month's very first or last minute has more on one side",
        "If it is our side that ends early, re-materialize raw_1s.",
    ),
    DifferenceKind.AUCTION_PRINT: KindDescription(
        "the print of the opening or closing auction is counted on one side only",
        "in the minute of the opening, the last before the close or the first after it (early closes "
        "too), one side has at least a tenth of the minute or the session's median minute more, and its range covers "
        "the other's, or it has twice as much; or it has any more volume, a range that covers, and of open and close "
        "only the one at the bell is another, unless more than 3 and more than 1 % of the session's other minutes are "
        "unknown; or it has the minute alone, in a session that both have. Of the "
        "opening and the last minute before the close, too, no more than about one of our seconds is lacking: we have "
        "half as many, less one, as in the session's median minute, or the vendor lacks no more than two of ours",
        "Nothing need be done: a known way of the vendor. Do not mix both in a study of the auctions.",
    ),
    DifferenceKind.VOLUME_ONLY_PRINT: KindDescription(
        "a print that counts for volume and not for prices is in the vendor's minute alone",
        "all four prices are equal, and the vendor's volume is more than 0.5 % larger; and it is not shown to be a "
        "missing second",
        "Nothing need be done about single ones: a known way of the vendor.",
    ),
    DifferenceKind.LATE_PRINT: KindDescription(
        "a print that was reported late, and does not count for open and close, is in the vendor's minute alone",
        "open and close are equal, the vendor's volume is larger, its range covers ours and is wider",
        "Re-materialize raw_1s: the vendor's seconds may have it by now.",
    ),
    DifferenceKind.MISSING_SECOND: KindDescription(
        "the vendor's minute counts trades that are in no second of ours",
        "the vendor alone has the minute; or its volume is larger, its range covers ours, and open (close) differs "
        "where we have nothing in the minute's first (last) second. Minutes with equal prices, in which we lack a "
        "second, are of this kind too where more than 12 and more than 5 % of a session's minutes are like that, or "
        "where 3 minutes of the month miss their first or last second and at most 30 times as many are like that",
        "Re-materialize raw_1s: the vendor's seconds may have it by now.",
    ),
    DifferenceKind.EXTRA_PRINT: KindDescription(
        "our seconds count a print that the vendor's minute does not: cancelled since, or a bad one",
        "the mirror of the three above: our volume is larger, our range covers the vendor's, and open (close) differs "
        "only where our first (last) second alone can be too much; or we alone have the minute, with volume",
        "Re-materialize raw_1s: the vendor may have taken the print back. Look at the prices of the minutes before.",
    ),
    DifferenceKind.UNKNOWN: KindDescription(
        "no known way of the vendor explains it",
        "everything else, such as a close that differs at the same volume; and prints shown by no more than 0.5 % "
        "of volume where they are more than 3 and more than 1 % of a session's minutes",
        "Re-materialize raw_1s; if it stays, do not rely on the month and report the minutes to the vendor.",
        wrong=True,
    ),
}
"""Every kind, in the order in which they are tried; what explains complete sessions is tried before them."""


def negative_minutes(pairs: Pairs, seconds: pa.Table) -> Mask:
    """Which minutes have a volume below zero, on one side or in one of our seconds; shape (n,)."""
    volume = to_numpy(seconds[bar_files.VOLUME])
    below: Seconds = bar_table.seconds(seconds)[volume < 0]
    mask: Mask = np.isin(pairs.starts, below - below % MINUTE.seconds)
    return mask | (pairs.ours.volume < 0) | (pairs.vendor.volume < 0)


@dataclass(frozen=True, eq=False)
class _Ends:
    """Our first and last seconds of each minute, relabelled; shape (n,) each.

    Attributes:
        no_first: whether we have no bar in the minute's first second.
        no_last: whether we have no bar in its last second.
        second_open: the open of our second bar in the minute; NaN where there is none.
        second_last_close: the close of our last but one; NaN where there is none.
    """

    no_first: Mask
    no_last: Mask
    second_open: Floats
    second_last_close: Floats


def classify(pairs: Pairs, rows: Mask, seconds: pa.Table, shift: Counts, month: Month) -> Kinds:
    """Find the kind of each minute that no shift or factor explains.

    Args:
        pairs: all minutes, our side relabelled and scaled where that explains a session.
        rows: those that differ, shape (n,).
        seconds: our seconds as they are, rising.
        shift: how far our labels were moved, seconds, by Eastern day.
        month: the month compared.
    """
    chosen, usual = pairs.take(rows), _daytime(pairs, month)
    ends = _ends(chosen, seconds, shift[chosen.day])
    vendor_more, ours_more = _more(chosen)
    held = _held(seconds, chosen.starts - shift[chosen.day])
    whole = _whole_minute(usual, chosen, held, seconds, month)
    known = {
        DifferenceKind.CARRIED_VOLUME: carried(pairs)[rows],
        DifferenceKind.MONTH_EDGE: _at_edge(pairs, chosen, month),
        DifferenceKind.AUCTION_PRINT: _at_auction(pairs, usual, chosen, month) & ~whole,
        DifferenceKind.VOLUME_ONLY_PRINT: chosen.prices_equal & vendor_more,
        DifferenceKind.LATE_PRINT: chosen.both & vendor_more & _same(chosen, 0) & _same(chosen, 3),
        DifferenceKind.MISSING_SECOND: _missing(chosen, ends),
        DifferenceKind.EXTRA_PRINT: _extra(chosen, ends, ours_more),
    }
    kinds = np.select(list(known.values()), [np.array(kind) for kind in known], np.array(DifferenceKind.UNKNOWN))
    small = chosen.volume_close & np.isin(
        kinds, [DifferenceKind.LATE_PRINT, DifferenceKind.MISSING_SECOND, DifferenceKind.EXTRA_PRINT]
    )
    kinds = np.where(small & _many(usual, chosen, small), np.array(DifferenceKind.UNKNOWN), kinds)
    kinds = np.where(_first_or_last(usual, chosen, kinds, month), np.array(DifferenceKind.AUCTION_PRINT), kinds)
    return np.where(_lost_inside(usual, chosen, kinds, held), np.array(DifferenceKind.MISSING_SECOND), kinds)


def _daytime(pairs: Pairs, month: Month) -> Pairs:
    """The minutes without those from 20:00 on the evening before to 04:00, which say nothing of what is usual."""
    if exchange_calendar.hours_by_date().first_evening is None:
        return pairs
    night = np.zeros(len(pairs.starts), dtype=np.bool_)
    for session in exchange_calendar.sessions_in(month):
        morning = exchange_calendar.eastern_time(session.date, session_hours.USUAL.opens)
        bounds = int(session.extended_open.timestamp()), int(morning.timestamp())
        night[slice(*np.searchsorted(pairs.starts, bounds))] = True
    return pairs.take(~night)


def carried(pairs: Pairs) -> Mask:
    """Which minutes have volume that the other side counts in the minute beside it; shape (n,)."""
    off = pairs.ours.volume - pairs.vendor.volume
    opposite = (np.abs(off[1:] + off[:-1]) < _LEAST_VOLUME) & (np.abs(off[1:]) >= _LEAST_VOLUME)
    opposite &= np.diff(pairs.starts) == MINUTE.seconds
    opposite &= (_together(pairs.ours) == _together(pairs.vendor)).all(axis=0)
    mask: Mask = np.append(opposite, False) | np.append(False, opposite)
    return mask


def _together(side: Side) -> Floats:
    """The prices of each two neighbours together, shape (4, n - 1); NaN where the side has neither."""
    opens, highs, lows, closes = side.prices
    first, last = side.there[:-1], side.there[1:]
    return np.stack(
        [
            np.where(first, opens[:-1], opens[1:]),
            np.fmax(highs[:-1], highs[1:]),
            np.fmin(lows[:-1], lows[1:]),
            np.where(last, closes[1:], closes[:-1]),
        ]
    )


def _held(seconds: pa.Table, begin: Seconds) -> Counts:
    """How many of our seconds are in each minute that begins at `begin`."""
    starts = bar_table.seconds(seconds)
    counts: Counts = np.searchsorted(starts, begin + MINUTE.seconds) - np.searchsorted(starts, begin)
    return counts


def _whole_minute(pairs: Pairs, chosen: Pairs, held: Counts, seconds: pa.Table, month: Month) -> Mask:
    """Where more than an auction's print differs: most seconds of a minute of regular hours."""
    at = np.isin(chosen.starts, [minute for opening, last, _ in _bells(month) for minute in (opening, last)])
    theirs: Mask = ~chosen.vendor.there & (held > _AUCTION_SECONDS)
    if not at.any():
        return at
    usual = {day: _usual(pairs, day, seconds) for day in np.unique(chosen.day[at])}
    fewer = held + 1 < np.array([usual.get(day, 0.0) for day in chosen.day]) / 2
    return at & ((fewer & chosen.vendor.there) | theirs)


def _usual(pairs: Pairs, day: int, seconds: pa.Table) -> float:
    """How many seconds our median minute of a day has; 0 where we have none of it."""
    held = _held(seconds, pairs.starts[pairs.ours.there & (pairs.day == day)])
    return float(np.median(held)) if len(held) else 0.0


def _lost_inside(pairs: Pairs, chosen: Pairs, kinds: Kinds, held: Counts) -> Mask:
    """Which prints of volume alone are too many, or beside too many missing seconds, to be shown to be that."""
    alone: Mask = (kinds == DifferenceKind.VOLUME_ONLY_PRINT) & (held < MINUTE.seconds)
    ends = int((chosen.both & (kinds == DifferenceKind.MISSING_SECOND)).sum())
    if ends >= _FEW and int(alone.sum()) <= _SECONDS_FOR_AN_END * ends:
        return alone
    return alone & _many(pairs, chosen, alone, _FEW_ALONE, _FEW_ALONE_SHARE)


def _more(chosen: Pairs) -> tuple[Mask, Mask]:
    """Where the vendor has all of our minute and more, and the other way round: more volume, a range that covers."""
    vendor = (chosen.vendor.volume > chosen.ours.volume) & chosen.vendor.covers(chosen.ours)
    ours = (chosen.ours.volume > chosen.vendor.volume) & chosen.ours.covers(chosen.vendor)
    return vendor, ours


def _same(chosen: Pairs, price: int) -> Mask:
    mask: Mask = chosen.ours.prices[price] == chosen.vendor.prices[price]
    return mask


def _at_edge(pairs: Pairs, chosen: Pairs, month: Month) -> Mask:
    midnight = int(exchange_calendar.eastern_midnight(month.start.date()).timestamp())
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


def _at_auction(pairs: Pairs, usual: Pairs, chosen: Pairs, month: Month) -> Mask:
    at: Mask = np.isin(chosen.starts, _bells(month))
    if not at.any():
        return at
    median = {day: _median_volume(usual, day) for day in np.unique(chosen.day[at])}
    lesser, greater = np.sort([chosen.ours.volume, chosen.vendor.volume], axis=0)
    least = np.minimum(_AUCTION_SHARE * greater, [median.get(day, 0.0) for day in chosen.day])
    vendor_more, ours_more = _more(chosen)
    large: Mask = at & (greater - lesser >= least) & np.isin(chosen.day, pairs.day[pairs.both])
    print_alone: Mask = vendor_more | ours_more | (greater >= 2 * lesser)
    return large & print_alone


def _first_or_last(pairs: Pairs, chosen: Pairs, kinds: Kinds, month: Month) -> Mask:
    """Which unknown minutes at a bell lack a small print of it that was first or last, on one side.

    Of open and close only that one differs. Where much more of a session is unknown, closes are wrong throughout.
    """
    opening, last, after = (np.isin(chosen.starts, minutes) for minutes in zip(*_bells(month), strict=True))
    opens, closes = _same(chosen, 0), _same(chosen, 3)
    vendor_more, ours_more = _more(chosen)
    alone: Mask = ((opening | after) & closes & ~opens) | ((last | after) & opens & ~closes)
    alone &= chosen.both & (vendor_more | ours_more) & (kinds == DifferenceKind.UNKNOWN)
    return alone & ~_many(pairs, chosen, (kinds == DifferenceKind.UNKNOWN) & ~alone)


def _bells(month: Month) -> list[tuple[int, int, int]]:
    """The minute of each session's opening, the last before its close and the first after it, Unix seconds."""
    sessions = exchange_calendar.sessions_in(month)
    bells = [(int(each.regular_open.timestamp()), int(each.regular_close.timestamp())) for each in sessions]
    return [(opening, closing - MINUTE.seconds, closing) for opening, closing in bells]


def _median_volume(pairs: Pairs, day: int) -> float:
    """The median volume of a day's minutes; of each minute the side with more counts."""
    of_day = pairs.day == day
    return float(np.median(np.maximum(pairs.ours.volume[of_day], pairs.vendor.volume[of_day])))


def _missing(chosen: Pairs, ends: _Ends) -> Mask:
    alone: Mask = ~chosen.ours.there & (chosen.vendor.volume > 0) & (chosen.starts % MINUTE.seconds == 0)
    vendor_more, _ = _more(chosen)
    at_ends = (_same(chosen, 0) | ends.no_first) & (_same(chosen, 3) | ends.no_last)
    more: Mask = chosen.both & vendor_more & at_ends
    return alone | more


def _extra(chosen: Pairs, ends: _Ends, ours_more: Mask) -> Mask:
    alone: Mask = ~chosen.vendor.there & (chosen.ours.volume > 0)
    opens = _same(chosen, 0) | (chosen.vendor.prices[0] == ends.second_open)
    closes = _same(chosen, 3) | (chosen.vendor.prices[3] == ends.second_last_close)
    more: Mask = chosen.both & ours_more & opens & closes
    return alone | more


def _ends(chosen: Pairs, seconds: pa.Table, shift: Counts) -> _Ends:
    starts, begin = bar_table.seconds(seconds), chosen.starts - shift
    first = np.searchsorted(starts, begin)
    last = np.searchsorted(starts, begin + MINUTE.seconds) - 1
    several = last > first
    return _Ends(
        no_first=_where(first < len(starts), starts, first) != begin,
        no_last=_where(last >= 0, starts, last) != begin + MINUTE.seconds - 1,
        second_open=_where(several, to_numpy(seconds["open"]), first + 1),
        second_last_close=_where(several, to_numpy(seconds["close"]), last - 1),
    )


def _where(there: Mask, values: Floats | Seconds, at: npt.NDArray[np.intp]) -> Floats:
    if not len(values):
        return np.full(len(at), np.nan)
    return np.where(there, values[np.clip(at, 0, len(values) - 1)], np.nan)


def _many(pairs: Pairs, chosen: Pairs, small: Mask, few: int = _FEW, share: float = _FEW_SHARE) -> Mask:
    """Where a session has more minutes like these than single prints explain."""
    days = int(max(pairs.day.max(initial=0), chosen.day.max(initial=0))) + 1
    found, minutes = np.bincount(chosen.day[small], minlength=days), np.bincount(pairs.day, minlength=days)
    mask: Mask = (found > np.maximum(few, share * minutes))[chosen.day]
    return mask
