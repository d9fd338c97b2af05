"""Differences seeded into months whose minutes are folded from their seconds, each with the kind it must be found as.

A seed says how many minutes it touched where it knows. No test lives here. What the reconciliation makes of the seeds
is in docs/reconciliation.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.reconciliation import DifferenceKind
from mohlcv_dagster_tests.reconciliation.reconciled_months import Bars, Case, midnight

TICK = 0.01


@dataclass(frozen=True)
class Seed:
    """A difference: what it is, the kind it must be found as, and how it is made of a case without any."""

    kind: DifferenceKind
    what: str
    make: Callable[[Case], Case]

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def _chance():
    return np.random.default_rng(20240229)


def _session(case, n=1):
    """Which Eastern day is the n-th of the case's, as `day_of` has it."""
    return np.unique(case.day_of(case.seconds.t))[n]


def _shift(seconds_by, *, whole=True):
    def make(case):
        own = case.seconds
        chosen = np.ones(len(own.t), bool) if whole else case.day_of(own.t) == _session(case)
        moved = own.changed(chosen, t=own.t[chosen] + seconds_by)
        return replace(case, seconds=moved)

    return make


def _labelled_by_end(case):
    return replace(case, vendor=case.vendor.changed(slice(None), t=case.vendor.t + 60))


def _early_on_both_sides(case):
    """The opening auction and eleven busy seconds, all labelled one second early, in our seconds and the minutes."""
    opening, _ = _bells(case)
    own, last = case.seconds, np.searchsorted(case.seconds.t, opening) - 1
    t = (opening[:, None] + np.arange(12)).ravel()
    price, volume = np.repeat(own.c[last], 12), np.tile([int(10 * own.v.max()), *[500] * 11], len(opening))
    rest = own.take(~np.isin(own.t, t))
    parts = Bars(t, price, price, price, price, volume.astype(own.v.dtype))
    joined = Bars(*(np.concatenate([getattr(rest, name), getattr(parts, name)]) for name in "tohlcv"))
    busy = joined.take(np.argsort(joined.t))
    early = replace(busy, t=busy.t - 1)
    early = early.take(early.t >= case.month.start_second)
    return replace(case, seconds=early, vendor=early.minutes(), touched=len(opening))


def _scaled(price, volume, *, whole=True, ours=True):
    def make(case):
        bars = case.seconds if ours else case.vendor
        at = np.ones(len(bars.t), bool) if whole else case.day_of(bars.t) == _session(case)
        shares = bars.v[at] * volume
        changed = {name: np.round(getattr(bars, name)[at] * price, 4) for name in "ohlc"} if price != 1 else {}
        scaled = bars.changed(at, v=shares, **changed)
        return replace(case, **{"seconds" if ours else "vendor": scaled})

    return make


def _bells(case):
    """Opening and closing bells of the case's sessions with regular hours in it."""
    found = [
        s for s in exchange_calendar.sessions_in(case.month) if np.isin(int(s.regular_open.timestamp()), case.vendor.t)
    ]
    return (
        np.array([int(s.regular_open.timestamp()) for s in found]),
        np.array([int(s.regular_close.timestamp()) for s in found]),
    )


def _auction_in_vendor(case):
    """The vendor's minute of the bell and the one after the close carry a print that no second has."""
    opening, closing = _bells(case)
    at = np.isin(case.vendor.t, [*opening, *closing])
    vendor, typical = case.vendor, np.median(case.vendor.v)
    opened = np.isin(vendor.t, opening)
    v = vendor.changed(at, v=vendor.v[at] + np.ceil(60 * typical).astype(vendor.v.dtype))
    v = v.changed(opened, o=v.l[opened] - TICK, l=v.l[opened] - TICK)
    closed = np.isin(vendor.t, closing)
    v = v.changed(closed, c=v.h[closed] + TICK, h=v.h[closed] + TICK)
    return replace(case, vendor=v, touched=int(at.sum()))


def _auction_volume_alone(case):
    _, closing = _bells(case)
    at = np.isin(case.vendor.t, closing)
    return replace(case, vendor=case.vendor.changed(at, v=case.vendor.v[at] * 3), touched=int(at.sum()))


def _auction_seconds_lost(case):
    """Our seconds lack the one of the opening auction and the one of the closing auction, just before the bell."""
    opening, closing = _bells(case)
    whole = case.seconds.changed(np.isin(case.seconds.t, opening), v=case.seconds.v.max())
    lost = np.isin(whole.t, [*opening, *(closing - 1)])
    return replace(case, seconds=whole.take(~lost), vendor=whole.minutes(), touched=int(lost.sum()))


def _auction_in_seconds(case):
    """The vendor's minutes lack the closing auction's second."""
    _, closing = _bells(case)
    rest = case.seconds.take(~np.isin(case.seconds.t, closing - 1))
    return replace(case, vendor=rest.minutes())


def _small_auction_lost(case):
    """A small print of the auction, the minute's first, is in the vendor's opening minutes alone."""
    opening, _ = _bells(case)
    at = np.isin(case.vendor.t, opening[:2])
    v = case.vendor
    more = np.maximum(v.v[at] * 0.02, 1).astype(v.v.dtype)
    first = v.l[at] - TICK
    return replace(case, vendor=v.changed(at, v=v.v[at] + more, o=first, l=first), touched=int(at.sum()))


def _quiet(case, count, wanted=None):
    """Positions of some of the vendor's minutes of regular hours away from bells and from the month's edges."""
    opening, closing = _bells(case)
    t = case.vendor.t
    fine = np.zeros(len(t), bool)
    for opened, closed in zip(opening, closing, strict=True):
        fine |= (t > opened + 120) & (t < closed - 120)
    if not len(opening):
        fine[5:-5] = True
    if wanted is not None:
        fine &= wanted
    return np.sort(_chance().choice(np.flatnonzero(fine), count, replace=False))


def _volume_only(case):
    at = _quiet(case, 12)
    return replace(case, vendor=case.vendor.changed(at, v=case.vendor.v[at] * 3 + 1), touched=12)


def _late(share):
    def make(case):
        at, v = _quiet(case, 9), case.vendor
        more = np.maximum(v.v[at] * share, 1).astype(v.v.dtype)
        high, low = at[:5], at[5:]
        found = v.changed(at, v=v.v[at] + more)
        found = found.changed(high, h=v.h[high] + 3 * TICK).changed(low, l=v.l[low] - 2 * TICK)
        return replace(case, vendor=found, touched=9)

    return make


def _late_few(case):
    at, v = _quiet(case, 3), case.vendor
    return replace(case, vendor=v.changed(at, h=v.h[at] + TICK, v=v.v[at] + v.v[at] * 0.001), touched=3)


def _without_last_second(case, count):
    """The seconds without the last of some minutes, each with another close before it; and how many minutes."""
    s = case.seconds
    minute = s.t - s.t % 60
    last = np.flatnonzero(np.append(minute[1:] != minute[:-1], True))
    sums = case.vendor.v
    lone = np.append(True, minute[1:] != minute[:-1])[last]
    before = np.maximum(last - 1, 0)
    told = ~lone & (s.c[before] != s.c[last]) & (s.v[last] > 0.006 * sums)
    at = last[_quiet(case, count, told)]
    return s.take(~np.isin(np.arange(len(s.t)), at)), count


def _second_lost(case):
    seconds, touched = _without_last_second(case, 6)
    return replace(case, seconds=seconds, touched=touched)


def _minutes_lost(case):
    gone = case.vendor.t[_quiet(case, 4)]
    return replace(case, seconds=case.seconds.take(~np.isin(case.seconds.t - case.seconds.t % 60, gone)), touched=4)


def _second_too_many(case):
    seconds, touched = _without_last_second(case, 6)
    return replace(case, vendor=seconds.minutes(), touched=touched)


def _minute_too_many(case):
    at = _quiet(case, 4)
    return replace(case, vendor=case.vendor.take(~np.isin(np.arange(len(case.vendor.t)), at)), touched=4)


def _bad_print_of_ours(case):
    s, v = case.seconds, case.vendor
    at = np.searchsorted(s.t, v.t[_quiet(case, 3)])
    return replace(case, seconds=s.changed(at, h=s.h[at] * 10, v=s.v[at] * 2), touched=3)


def _negative_seconds(case):
    s = case.seconds
    at = np.searchsorted(s.t, case.vendor.t[_quiet(case, 5)])
    return replace(case, seconds=s.changed(at, v=-s.v[at]), touched=5)


def _negative_minutes(case):
    at = _quiet(case, 5)
    return replace(case, vendor=case.vendor.changed(at, v=-case.vendor.v[at]), touched=5)


def _negative_both(case):
    case = _negative_seconds(case)
    return replace(case, vendor=case.seconds.minutes())


def _cut_in_eastern_days(case):
    own = case.seconds
    return replace(case, seconds=own.take(own.t >= midnight(case.month.start.date())))


def _vendor_cut_in_eastern_days(case):
    own = case.vendor
    return replace(case, vendor=own.take(own.t >= midnight(case.month.start.date())))


def _last_half_hour_lost(case):
    return replace(case, seconds=case.seconds.take(case.seconds.t < case.month.end_second - 1800))


def _last_second_lost(case):
    """As the original's downloader did: each month's last second; a second is put there first."""
    s, end = case.seconds, case.month.end_second
    rest = s.take(s.t < end - 60)
    more = Bars(np.array([end - 40, end - 1]), *(np.repeat(getattr(rest, name)[-1:], 2) for name in "ohlc"), s.v[:2])
    whole = Bars(*(np.concatenate([getattr(rest, name), getattr(more, name)]) for name in "tohlcv"))
    return replace(case, seconds=whole.take(whole.t < end - 1), vendor=whole.minutes(), touched=1)


def _wrong_close(bars, chance, chosen):
    wrong = np.where(bars.c > bars.l, bars.l, bars.h)
    at = chosen & (chance.random(len(bars.t)) < 0.5)
    return bars.changed(at, c=wrong[at])


def _wrong_close_in_minutes(case):
    return replace(case, vendor=_wrong_close(case.vendor, _chance(), np.ones(len(case.vendor.t), bool)))


def _wrong_close_in_seconds(case):
    s = case.seconds
    at = _chance().random(len(s.t)) < 0.5
    return replace(case, seconds=s.changed(at, c=s.o[at]))


def _close_of_the_next(case):
    s = case.seconds
    at = (_chance().random(len(s.t)) < 0.5) & (np.arange(len(s.t)) < len(s.t) - 1)
    following = np.append(s.c[1:], s.c[-1])
    moved = s.changed(at, c=following[at])
    return replace(case, seconds=moved.changed(at, h=np.maximum(s.h, moved.c)[at], l=np.minimum(s.l, moved.c)[at]))


def _wrong_close_and_a_little_volume(case):
    """The vintage that hides best: wrong closes beside minutes that all have a thousandth more volume."""
    wrong = _wrong_close(case.vendor, _chance(), np.ones(len(case.vendor.t), bool))
    return replace(case, vendor=wrong.changed(slice(None), v=wrong.v * 1.001))


def _high_without_volume(case):
    at = _quiet(case, 7)
    return replace(case, vendor=case.vendor.changed(at, h=case.vendor.h[at] + TICK), touched=7)


def _carried_on(case, *, ours):
    """Eight of our last seconds of a minute are counted in the next one, by the vendor or by us."""
    s, v = case.seconds, case.vendor
    minute = s.t - s.t % 60
    last = np.flatnonzero((minute[1:] == minute[:-1] + 60) & np.isin(np.arange(1, len(s.t)), np.searchsorted(s.t, v.t)))
    wanted = np.isin(v.t, minute[last][::5]) & (v.t % 120 == 0)
    moved = last[np.isin(minute[last], v.t[_quiet(case, 8, wanted)])]
    moved = moved[s.v[moved] > 0.006 * v.v[np.searchsorted(v.t, minute[moved])]]
    moved = moved[~np.isin(minute[moved] + 60, s.t)]
    t = s.t.copy()
    t[moved] = minute[moved] + 60
    carried = replace(s, t=t)
    return replace(case, seconds=carried) if ours else replace(case, vendor=carried.minutes())


def _opening_minutes_lost(case):
    """All our seconds of the opening minutes; the symbol is made to trade every third second in them and around."""
    opening, _ = _bells(case)
    own, last = case.seconds, np.searchsorted(case.seconds.t, opening) - 1
    t = (opening[:, None] + np.arange(0, 14_400, 12)).ravel()
    price, volume = np.repeat(own.c[last], 1200), np.full(len(t), 500).astype(own.v.dtype)
    rest = own.take(~np.isin(own.t - own.t % 60, t - t % 60))
    parts = Bars(t, price, price, price, price, volume)
    joined = Bars(*(np.concatenate([getattr(rest, name), getattr(parts, name)]) for name in "tohlcv"))
    busy = joined.take(np.argsort(joined.t, kind="stable"))
    gone = np.isin(busy.t - busy.t % 60, opening)
    return replace(case, seconds=busy.take(~gone), vendor=busy.minutes(), touched=len(opening))


def _seconds_lost_inside(case):
    """A second in two hundred of a busy session, none that makes a price of its minute."""
    opening, _ = _bells(case)
    own, first = case.seconds, np.searchsorted(case.seconds.t, opening[0]) - 1
    t = opening[0] + np.arange(60 * 300)
    price, volume = np.full(len(t), own.c[first]), np.full(len(t), 500).astype(own.v.dtype)
    rest = own.take((own.t < t[0]) | (own.t > t[-1]))
    parts = Bars(t, price, price, price, price, volume)
    joined = Bars(*(np.concatenate([getattr(rest, name), getattr(parts, name)]) for name in "tohlcv"))
    busy = joined.take(np.argsort(joined.t, kind="stable"))
    at = _chance().choice(t, len(t) // 200, replace=False)
    seconds = busy.take(~np.isin(busy.t, at))
    return replace(case, seconds=seconds, vendor=busy.minutes(), touched=len(np.unique(at - at % 60)))


def _filled_in(case):
    """Quiet minutes that the vendor fills in without volume."""
    v = case.vendor
    gaps = np.flatnonzero(np.diff(v.t) == 120)[:5]
    filler = Bars(v.t[gaps] + 60, *(v.c[gaps],) * 4, v.v[gaps] * 0)
    t = np.argsort(np.concatenate([v.t, filler.t]))
    filled = Bars(*(np.concatenate([getattr(v, name), getattr(filler, name)])[t] for name in "tohlcv"))
    return replace(case, vendor=filled, touched=len(gaps))


def _a_tick_off(case):
    v = case.vendor
    return replace(
        case, vendor=v.changed(slice(None), **{name: np.round(getattr(v, name) + TICK, 2) for name in "ohlc"})
    )


SEEDS = (
    Seed(DifferenceKind.NEGATIVE_VOLUME, "a negative volume in five of our seconds", _negative_seconds),
    Seed(DifferenceKind.NEGATIVE_VOLUME, "five of the vendor's minutes negative", _negative_minutes),
    Seed(DifferenceKind.NEGATIVE_VOLUME, "negative seconds, and minutes that agree with them", _negative_both),
    Seed(DifferenceKind.SHIFTED_LABEL, "a session one second early", _shift(-1, whole=False)),
    Seed(DifferenceKind.SHIFTED_LABEL, "a session one second late", _shift(1, whole=False)),
    Seed(DifferenceKind.SHIFTED_LABEL, "the month one second early", _shift(-1)),
    Seed(DifferenceKind.SHIFTED_LABEL, "the month one second late", _shift(1)),
    Seed(DifferenceKind.SHIFTED_LABEL, "the month two seconds early", _shift(-2)),
    Seed(DifferenceKind.SHIFTED_LABEL, "both sides one second early, the month", _early_on_both_sides),
    Seed(DifferenceKind.SHIFTED_LABEL, "a session an hour early", _shift(-3600, whole=False)),
    Seed(DifferenceKind.SHIFTED_LABEL, "the vendor's minutes labelled by their end", _labelled_by_end),
    Seed(DifferenceKind.SPLIT_BASIS, "half our price, twice our volume, the month", _scaled(0.5, 2)),
    Seed(DifferenceKind.SPLIT_BASIS, "half our price, twice our volume, a session", _scaled(0.5, 2, whole=False)),
    Seed(DifferenceKind.SPLIT_BASIS, "the vendor adjusted 3 for 2, the month", _scaled(2 / 3, 1.5, ours=False)),
    Seed(DifferenceKind.SPLIT_BASIS, "the vendor's prices adjusted, its volumes not", _scaled(0.1, 1, ours=False)),
    Seed(DifferenceKind.SPLIT_BASIS, "our volumes doubled, prices right", _scaled(1, 2)),
    Seed(
        DifferenceKind.CARRIED_VOLUME,
        "last seconds of the vendor's in the next minute",
        partial(_carried_on, ours=False),
    ),
    Seed(DifferenceKind.CARRIED_VOLUME, "last seconds of ours in the next minute", partial(_carried_on, ours=True)),
    Seed(DifferenceKind.MONTH_EDGE, "our month cut in Eastern days", _cut_in_eastern_days),
    Seed(DifferenceKind.MONTH_EDGE, "the vendor's month cut in Eastern days", _vendor_cut_in_eastern_days),
    Seed(DifferenceKind.MONTH_EDGE, "our last half hour of the month lost", _last_half_hour_lost),
    Seed(DifferenceKind.MONTH_EDGE, "our last second of the month lost", _last_second_lost),
    Seed(DifferenceKind.AUCTION_PRINT, "auctions in the vendor's minutes alone", _auction_in_vendor),
    Seed(DifferenceKind.AUCTION_PRINT, "the closing auction's volume alone", _auction_volume_alone),
    Seed(DifferenceKind.AUCTION_PRINT, "the auctions' seconds lost from ours", _auction_seconds_lost),
    Seed(DifferenceKind.AUCTION_PRINT, "the closing auction in our seconds alone", _auction_in_seconds),
    Seed(DifferenceKind.AUCTION_PRINT, "a small auction print at two openings lost from ours", _small_auction_lost),
    Seed(DifferenceKind.VOLUME_ONLY_PRINT, "more volume in twelve of the vendor's minutes", _volume_only),
    Seed(DifferenceKind.LATE_PRINT, "a wider range with a tenth more volume in nine minutes", _late(0.1)),
    Seed(DifferenceKind.LATE_PRINT, "a wider range with a thousandth more volume in three", _late_few),
    Seed(DifferenceKind.MISSING_SECOND, "the last second of six minutes lost", _second_lost),
    Seed(DifferenceKind.MISSING_SECOND, "four minutes lost", _minutes_lost),
    Seed(DifferenceKind.MISSING_SECOND, "the opening minutes lost", _opening_minutes_lost),
    Seed(DifferenceKind.MISSING_SECOND, "half a percent of a session's seconds lost", _seconds_lost_inside),
    Seed(DifferenceKind.EXTRA_PRINT, "six seconds that the vendor's minutes lack", _second_too_many),
    Seed(DifferenceKind.EXTRA_PRINT, "four minutes that the vendor lacks", _minute_too_many),
    Seed(DifferenceKind.EXTRA_PRINT, "a bad print in three of our seconds", _bad_print_of_ours),
    Seed(DifferenceKind.UNKNOWN, "a wrong close in half the vendor's minutes", _wrong_close_in_minutes),
    Seed(DifferenceKind.UNKNOWN, "a wrong close in half our seconds", _wrong_close_in_seconds),
    Seed(DifferenceKind.UNKNOWN, "the next second's close in half our seconds", _close_of_the_next),
    Seed(
        DifferenceKind.UNKNOWN, "a wrong close in half, and a thousandth more volume", _wrong_close_and_a_little_volume
    ),
    Seed(DifferenceKind.UNKNOWN, "a higher high at the same volume in seven minutes", _high_without_volume),
    Seed(DifferenceKind.UNKNOWN, "quiet minutes filled in", _filled_in),
    Seed(DifferenceKind.UNKNOWN, "every price a tick too high", _a_tick_off),
)


def seed_named(what):
    """The seed with this description."""
    [found] = [each for each in SEEDS if each.what == what]
    return found
