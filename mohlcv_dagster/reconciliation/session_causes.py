"""What explains complete sessions: labels shifted by a constant, prices or volumes that differ by a factor.

A shift is accepted when it explains decisively: at least `_GAINED` more minutes agree after it than before, and at most
a third as many differ. A label that is a second early changes every minute that trades in its first or last second; for
another kind of difference to vanish by relabelling, its prices or volumes would have to become equal by chance. Prices
and volumes are also counted apart, so that a shift is found even if closes are wrong as well.

Labels that are early on both sides show in no comparison, but in the opening auction: it prints at the opening or after
it, never before, and it is the largest volume around. A largest volume in the last second *before* the opening, in most
sessions, is therefore an auction labelled a second early. Where none stands out, this cannot be told. Late labels
cannot be found in this way, since some auctions do print later; nor can a single session, since a block may trade at
any time.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.bars.bar_table import Floats, Seconds, from_numpy, to_numpy
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import bar_files, exchange_calendar
from mohlcv_dagster.model.bar_files import PRICES, VOLUME
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation.difference_kinds import DifferenceKind
from mohlcv_dagster.reconciliation.minute_pairs import Counts, Days, Mask, Pairs, close, side_by_side

_HOUR: Final = 3600
_SHIFTS: Final = tuple(sign * s for s in (1, 2, 60, *(hours * _HOUR for hours in range(1, 13))) for sign in (1, -1))
"""Seconds to move our labels by: one or two, a bar labelled by its end, daylight saving, any other time zone."""
_GAINED: Final = 3
_LEFT: Final = 1 / 3

_FEWEST_MINUTES: Final = 5
_MOST_MINUTES: Final = 0.95
_HALF_CENT: Final = 0.0051
"""Half a cent, the rounding of adjusted prices to cents, and a little for float errors."""
_ROUNDING: Final = 1e-4
_ROUNDED_FROM: Final = 10
_PRICE_FACTOR_FROM: Final = 0.001
_VOLUME_FACTOR_FROM: Final = 0.02

EARLY_AUCTION: Final = 1
"""Seconds by which labels must be moved where the opening auction is early."""
_BEFORE: Final = 60
_AFTER: Final = 12
_BUSY: Final = 0.8
_OUTSTANDING: Final = 2.0
_FEWEST_SESSIONS: Final = 2
_FEWEST_QUIET: Final = 4
_MOST_SESSIONS: Final = 0.75


@dataclass(frozen=True)
class SessionCause:
    """What explains the minutes of some sessions at once.

    Attributes:
        kind: `DifferenceKind.SHIFTED_LABEL` or `DifferenceKind.SPLIT_BASIS`.
        first: the first Eastern day it applies to.
        last: the last one, inclusive; it applies to all days between that have bars.
        shift: seconds by which our labels must be moved to fit; 0 for none.
        price: what our prices must be multiplied by to fit.
        volume: what our volumes must be multiplied by to fit.
        both: whether it applies to the vendor's side as well, so that the two agree.
    """

    kind: DifferenceKind
    first: date
    last: date
    shift: int = 0
    price: float = 1.0
    volume: float = 1.0
    both: bool = False

    @property
    def sentence(self) -> str:
        """Such as `every label of 2013-10-07 is 1 second early`."""
        span = f"{self.first}" if self.first == self.last else f"the sessions {self.first} to {self.last}"
        if self.shift:
            text = f"every label of {span} is {_duration(abs(self.shift))} {'early' if self.shift > 0 else 'late'}"
            return f"{text} on both sides: the opening auction is before the opening" if self.both else text
        parts = [("prices", self.price), ("volumes", self.volume)]
        factors = " and ".join(f"{what} {_fraction(factor)} times" for what, factor in parts if factor != 1)
        return f"the vendor's minutes of {span} have {factors} ours"

    @property
    def means(self) -> tuple[str, str] | None:
        """What happened and what to do, where a factor is no split's; `None` for what the kind says."""
        if self.kind is not DifferenceKind.SPLIT_BASIS or (self.price != 1 and self.volume != 1):
            return None
        if self.price == 1:
            return _VOLUMES_ALONE
        return _PRICES_ALONE


_VOLUMES_ALONE: Final = (
    "volumes alone differ by one factor, which is no split: they are counted twice or in another unit, such as lots",
    "Re-materialize raw_1s; if it stays, report the minutes to the vendor.",
)
_PRICES_ALONE: Final = (
    "prices alone differ by one factor: they are in another unit, such as cents, or adjusted while volumes are not",
    "Compare MASSIVE_ADJUSTED with the flag recorded of the month; if it is the same, report it to the vendor.",
)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The minutes once the causes are undone.

    Attributes:
        pairs: our side relabelled and scaled where there is a cause.
        shift: how far our labels were moved, seconds, by Eastern day.
        causes: what was found.
    """

    pairs: Pairs
    shift: Counts
    causes: tuple[SessionCause, ...]


def fit(base: Pairs, seconds: pa.Table, minutes: pa.Table, vendor: pa.Table, days: Days) -> Fitted:
    """Find the causes of complete sessions and undo them.

    Args:
        base: the minutes as they are.
        seconds: our seconds, rising.
        minutes: our minutes in `base`.
        vendor: the vendor's minutes in `base`.
        days: assigns minutes to Eastern days.
    """
    pairs, shift = _unshifted(base, _Labels(seconds, minutes), vendor, days)
    pairs, price, volume = _unscaled(pairs, len(days.dates))
    with_bars = np.unique(base.day)
    shifts = _causes(
        days,
        with_bars,
        shift,
        lambda first, last, d: SessionCause(DifferenceKind.SHIFTED_LABEL, first, last, shift=int(d)),
    )
    pairwise = np.stack([price, volume], axis=1)
    factors = _causes(
        days, with_bars, pairwise, lambda first, last, f: SessionCause(DifferenceKind.SPLIT_BASIS, first, last, 0, *f)
    )
    return Fitted(pairs, shift, (*shifts, *factors))


def _causes(
    days: Days, with_bars: npt.NDArray[np.intp], by_day: Counts | Floats, cause: Callable[..., SessionCause]
) -> Iterator[SessionCause]:
    """A cause for each run of days with bars that have the same shift or factors, if there is one."""
    keyed: Iterable[tuple[object, int]] = ((tuple(np.atleast_1d(by_day[day]).tolist()), int(day)) for day in with_bars)
    for value, run in groupby(keyed, key=lambda pair: pair[0]):
        found = [day for _, day in run]
        if value not in {(0,), (1.0, 1.0)}:
            yield cause(days.dates[found[0]], days.dates[found[-1]], by_day[found[0]])


def _duration(seconds: int) -> str:
    for unit, name in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            return quantity(seconds // unit, name)
    raise ValueError(f"no duration of {seconds} s")


def _fraction(factor: float) -> str:
    simple = Fraction(factor).limit_denominator(50)
    return str(simple) if float(simple) == factor else f"{factor:.6g}"


@dataclass(frozen=True, eq=False)
class _Labels:
    """Our bars, to be relabelled: the seconds, rising, and the minutes resampled from them."""

    seconds: pa.Table
    minutes: pa.Table

    def moved(self, move: int, chosen: Callable[[Seconds], Mask]) -> pa.Table:
        """Our minutes once every label is moved by `move` seconds.

        Args:
            move: seconds; full minutes need no resampling.
            chosen: selects bars, given their new labels.
        """
        full_minutes = move % MINUTE.seconds == 0
        bars = self.minutes if full_minutes else self.seconds
        starts = bar_table.seconds(bars) + move
        selected = chosen(starts)
        bars, starts = bars.filter(from_numpy(selected)), starts[selected]
        moved = bar_table.from_arrays(starts, {name: to_numpy(bars[name]) for name in PRICES}, to_numpy(bars[VOLUME]))
        return moved if full_minutes else resample.resample(moved, MINUTE)


def _unshifted(base: Pairs, labels: _Labels, vendor: pa.Table, days: Days) -> tuple[Pairs, Counts]:
    """The minutes with our side relabelled where that explains, and by how many seconds, for each Eastern day.

    All days that differ are tried together first: a symbol that trades seldom shows a shift in a few minutes a day.
    """
    shift = np.zeros(len(days.dates), dtype=np.int64)
    suspects = np.unique(base.day[~base.agree])
    before = _agreement(base.take(np.isin(base.day, suspects)), days)

    def relabelled(move: int) -> Pairs:
        own = labels.moved(move, lambda starts: np.isin(days.of(starts - move), suspects))
        pairs = side_by_side(own, vendor, days, move)
        return pairs.take(np.isin(pairs.day, suspects))

    tried = {move: relabelled(move) for move in _plausible_shifts(base, labels, vendor, days)}
    after = {move: _agreement(pairs, days) for move, pairs in tried.items()}
    # one second may explain most of a shift by two: the move that leaves the fewest differences is the right one
    decisive = [move for move in tried if _explains(before.sum(axis=0), after[move].sum(axis=0))]
    if decisive:
        shift[suspects] = min(decisive, key=lambda move: int(after[move][:, 0, 0].sum()))
    else:
        for day in suspects:
            fits = [move for move in tried if _explains(before[day], after[move][day])]
            shift[day] = min(fits, key=lambda move: int(after[move][day, 0, 0]), default=0)
    parts = [tried[move].take(shift[tried[move].day] == move) for move in sorted(set(shift.tolist()) - {0})]
    return Pairs.joined([base.take(shift[base.day] == 0), *parts]) if parts else base, shift


def _plausible_shifts(base: Pairs, labels: _Labels, vendor: pa.Table, days: Days) -> Iterator[int]:
    """The shifts after which enough of the minutes that differ agree; only these minutes are resampled."""
    differing = base.starts[~base.agree]
    if len(differing) < _GAINED:
        return
    before = _agreement(base.take(~base.agree), days)
    theirs = vendor.filter(from_numpy(np.isin(bar_table.seconds(vendor), differing)))

    def may(move: int) -> bool:
        own = labels.moved(move, lambda starts: np.isin(starts - starts % MINUTE.seconds, differing))
        left = _agreement(side_by_side(own, theirs, days, move), days)
        return _explains(before.sum(axis=0), left.sum(axis=0)) or any(map(_explains, before, left))

    yield from filter(may, _SHIFTS)


def _agreement(pairs: Pairs, days: Days) -> Counts:
    """How many minutes of each day differ and agree: at all, in prices, in volume; shape (days, 2, 3)."""
    agree = (pairs.agree, pairs.prices_equal, pairs.volume_close)
    masks = [[~mask for mask in agree], agree]
    counted = [[np.bincount(pairs.day[mask], minlength=len(days.dates)) for mask in row] for row in masks]
    return np.array(counted).transpose(2, 0, 1)


def _explains(before: Counts, after: Counts) -> bool:
    """Whether a shift explains in one of the three respects of `_agreement` and makes none worse; shapes (2, 3)."""
    (differed, agreed), (differ, agree) = before, after
    decisive = (agree - agreed >= _GAINED) & (differ <= differed * _LEFT)
    return bool(decisive.any() and (differ <= differed).all())


def _unscaled(pairs: Pairs, days: int) -> tuple[Pairs, Floats, Floats]:
    """Our side scaled to the vendor's where a factor explains, and the factors of price and volume by day."""
    price, volume = np.ones(days), np.ones(days)
    differing = np.unique(pairs.day[~pairs.agree])
    pooled = _factors(pairs.take(np.isin(pairs.day, differing)))
    for day in differing:
        price[day], volume[day] = pooled if pooled != (1, 1) else _factors(pairs.take(pairs.day == day))
    scaled = (price != 1) | (volume != 1)
    if not scaled.any():
        return pairs, price, volume
    by, times = price[pairs.day], volume[pairs.day]
    prices, shares = pairs.ours.prices * by, pairs.ours.volume * times
    near = _near(prices, pairs.vendor.prices) & (by != 1)
    like = _like(shares, pairs.vendor.volume) & (times != 1)
    fitted = replace(
        pairs.ours,
        prices=np.where(near, pairs.vendor.prices, prices),
        volume=np.where(like, pairs.vendor.volume, shares),
    )
    return replace(pairs, ours=fitted), price, volume


def _factors(pairs: Pairs) -> tuple[float, float]:
    """What price and volume must be multiplied by to fit; each is 1 where no factor explains."""
    pairs = pairs.take(pairs.both & (pairs.ours.volume > 0) & (pairs.ours.prices > 0).all(axis=0))
    if len(pairs.starts) < _FEWEST_MINUTES:
        return 1, 1
    ours, vendor = pairs.ours, pairs.vendor
    price = _simple(float(np.median(vendor.prices / ours.prices)))
    near = _near(ours.prices * price, vendor.prices).all(axis=0).mean()
    coarse = float(np.median(_rounding(vendor.prices) / vendor.prices))
    if not _is_factor(near, pairs.prices_equal.mean(), price, max(_PRICE_FACTOR_FROM, 4 * coarse)):
        price = 1
    volume = _simple(float(np.median(vendor.volume / ours.volume)))
    like = _like(ours.volume * volume, vendor.volume).mean()
    if not _is_factor(like, pairs.volume_close.mean(), volume, _VOLUME_FACTOR_FROM):
        volume = 1
    return price, volume


def price_factor(ours: Floats, vendor: Floats) -> tuple[float, Mask]:
    """What prices must be multiplied by to fit, 1 where that is no factor; and which minutes fit with all four then.

    Args:
        ours: shape (4, n), n above 0.
        vendor: the same.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = _simple(float(np.median(vendor / ours)))
    if not np.isfinite(factor) or abs(factor - 1) <= _PRICE_FACTOR_FROM:
        return 1.0, np.zeros(ours.shape[1], dtype=np.bool_)
    mask: Mask = np.logical_and.reduce(_near(ours * factor, vendor))
    return factor, mask


def _is_factor(after: float, before: float, factor: float, least: float) -> bool:
    """Whether a factor explains: most minutes fit with it, hardly one without it, and it is more than rounding."""
    return bool(after >= _MOST_MINUTES and before <= 1 - _MOST_MINUTES and abs(factor - 1) > least)


def _near(ours: Floats, vendor: Floats) -> Mask:
    return np.abs(ours - vendor) <= _rounding(vendor)


def _rounding(vendor: Floats) -> Floats:
    return _HALF_CENT + _ROUNDING * np.abs(vendor)


def _like(ours: Floats, vendor: Floats) -> Mask:
    """Within the tolerance, or, from ten shares on, within the one share by which adjusted volumes are rounded."""
    return close(ours, vendor) | ((np.abs(ours - vendor) <= 1) & (vendor >= _ROUNDED_FROM))


def _simple(factor: float) -> float:
    """The simple fraction, as in a split, that equals the factor to a thousandth; else the factor itself."""
    simple = float(Fraction(factor).limit_denominator(50)) if np.isfinite(factor) else factor
    return simple if abs(simple - factor) <= _PRICE_FACTOR_FROM * abs(factor) / 2 and simple > 0 else factor


def early_auctions(seconds: pa.Table, month: Month) -> Seconds:
    """The session openings, Unix seconds, rising, whose auction is labelled a second early; empty if too few are.

    A symbol that does not trade every second needs more sessions: its largest volume may be another trade's.

    Args:
        seconds: our seconds, rising.
        month: the month compared.
    """
    openings, volume, clear = _clear_auctions(seconds, month)
    busy = (volume[:, _BEFORE:] > 0).mean(axis=1) >= _BUSY
    for those, fewest in ((clear & busy, _FEWEST_SESSIONS), (clear, _FEWEST_QUIET)):
        early = those & (volume.argmax(axis=1) == _BEFORE - EARLY_AUCTION)
        if early.sum() >= max(fewest, _MOST_SESSIONS * those.sum()):
            chosen: Seconds = openings[early]
            return chosen
    return openings[:0]


def shows_openings(seconds: pa.Table, month: Month) -> bool:
    """Whether opening auctions show that labels are not early: most that stand out are in the opening second.

    Args:
        seconds: our seconds, rising.
        month: the month compared.
    """
    _, volume, clear = _clear_auctions(seconds, month)
    on_time = clear & (volume.argmax(axis=1) == _BEFORE)
    return bool(on_time.sum() >= max(_FEWEST_SESSIONS, clear.sum() / 2))


def _clear_auctions(seconds: pa.Table, month: Month) -> tuple[Counts, Floats, Mask]:
    """Each session's opening, the volume around it, and whether one second of these stands out."""
    openings = np.array(
        [int(each.regular_open.timestamp()) for each in exchange_calendar.sessions_in(month)], dtype=np.int64
    )
    volume = _volume_around(seconds, openings)
    largest, second_largest = volume.max(axis=1, initial=0), np.sort(volume, axis=1)[:, -2]
    return openings, volume, (largest > 0) & (largest >= _OUTSTANDING * second_largest)


def _volume_around(seconds: pa.Table, openings: Counts) -> Floats:
    """The volume of each second from a minute before an opening on, 0 without a bar; shape (openings, seconds)."""
    moments = openings[:, None] + np.arange(-_BEFORE, _AFTER)
    starts, volume = bar_table.seconds(seconds), to_numpy(seconds[bar_files.VOLUME])
    if not len(starts):
        return np.zeros(moments.shape)
    at = np.minimum(np.searchsorted(starts, moments), len(starts) - 1)
    return np.where(starts[at] == moments, volume[at], 0).astype(np.float64)
