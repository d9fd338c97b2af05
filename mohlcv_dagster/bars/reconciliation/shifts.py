"""Labels that are too early or too late by a constant: our bars relabelled, to see whether they fit then.

A shift is believed when it explains decisively: at least `_GAINED` more minutes agree after it than before, and at
most a third as many differ as before. A second too early changes every minute that trades in its first or last second;
for a difference of another making to vanish by relabelling, its prices or its volume would have to come out equal by
chance. Prices and volume are looked at apart too, so that a shift is seen beside closes that are wrong as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import resample, schema
from mohlcv_dagster.bars.arrays import from_numpy, to_numpy
from mohlcv_dagster.bars.reconciliation.pairs import Counts, Days, Mask, Pairs, side_by_side
from mohlcv_dagster.bars.schema import PRICES, VOLUME, Seconds
from mohlcv_dagster.bars.timeframes import MINUTE

_HOUR: Final = 3600
_SHIFTS: Final = tuple(sign * s for s in (1, 2, 60, _HOUR, 4 * _HOUR, 5 * _HOUR) for sign in (1, -1))
"""Seconds our labels are moved by: one or two, a bar labelled by its end, daylight saving, Eastern time as UTC."""
_GAINED: Final = 3
_LEFT: Final = 1 / 3


@dataclass(frozen=True, eq=False)
class Labels:
    """Our bars, to be relabelled.

    Attributes:
        seconds: rising.
        minutes: what is folded from them.
    """

    seconds: pa.Table
    minutes: pa.Table

    def moved(self, move: int, chosen: Callable[[Seconds], Mask]) -> pa.Table:
        """Our minutes once every label is moved by `move` seconds.

        Args:
            move: seconds; whole minutes need no folding.
            chosen: which bars are wanted, told their new labels.
        """
        whole = move % MINUTE.seconds == 0
        bars = self.minutes if whole else self.seconds
        starts = schema.seconds(bars) + move
        wanted = chosen(starts)
        bars, starts = bars.filter(from_numpy(wanted)), starts[wanted]
        moved = schema.from_arrays(starts, {name: to_numpy(bars[name]) for name in PRICES}, to_numpy(bars[VOLUME]))
        return moved if whole else resample.fold(moved, MINUTE)


def unshifted(base: Pairs, labels: Labels, vendor: pa.Table, days: Days) -> tuple[Pairs, Counts]:
    """The minutes with our side relabelled where that explains, and by how many seconds, for each Eastern day.

    All days that differ are tried as one first: a symbol that trades seldom shows a shift in a few minutes a day.

    Args:
        base: the minutes as they stand.
        labels: our bars.
        vendor: the vendor's minutes of `base`.
        days: which moment belongs to which Eastern day.
    """
    shift = np.zeros(len(days.dates), dtype=np.int64)
    suspects = np.unique(base.day[~base.agree])
    before = _tally(base.take(np.isin(base.day, suspects)), days)
    tried: dict[int, Pairs] = {}
    for move in _plausible(base, labels, vendor, days):
        own = labels.moved(move, partial(_in_days, days, suspects, move))
        moved = side_by_side(own, vendor, days, move)
        tried[move] = moved.take(np.isin(moved.day, suspects))
    after = {move: _tally(pairs, days) for move, pairs in tried.items()}
    # a second may explain most of two: the one that leaves fewest is it
    whole = [move for move in tried if _explains(before.sum(axis=0), after[move].sum(axis=0))]
    if whole:
        shift[suspects] = min(whole, key=lambda move: int(after[move][:, 0, 0].sum()))
    else:
        for day in suspects:
            fits = [move for move in tried if _explains(before[day], after[move][day])]
            shift[day] = min(fits, key=lambda move: int(after[move][day, 0, 0]), default=0)
    parts = [tried[move].take(shift[tried[move].day] == move) for move in sorted(set(shift.tolist()) - {0})]
    return Pairs.joined([base.take(shift[base.day] == 0), *parts]) if parts else base, shift


def _plausible(base: Pairs, labels: Labels, vendor: pa.Table, days: Days) -> Iterator[int]:
    """The shifts after which enough of the minutes that differ agree; looks at those alone, cheap for a few."""
    differing = base.starts[~base.agree]
    if len(differing) < _GAINED:
        return
    before = _tally(base.take(~base.agree), days)
    theirs = vendor.filter(from_numpy(np.isin(schema.seconds(vendor), differing)))

    def may(move: int) -> bool:
        moved = side_by_side(labels.moved(move, partial(_in_minutes, differing)), theirs, days, move)
        left = _tally(moved, days)
        return _explains(before.sum(axis=0), left.sum(axis=0)) or any(map(_explains, before, left))

    yield from filter(may, _SHIFTS)


def _in_days(days: Days, wanted: npt.NDArray[np.intp], move: int, starts: Seconds) -> Mask:
    mask: Mask = np.isin(days.of(starts - move), wanted)
    return mask


def _in_minutes(wanted: Seconds, starts: Seconds) -> Mask:
    mask: Mask = np.isin(starts - starts % MINUTE.seconds, wanted)
    return mask


def _tally(pairs: Pairs, days: Days) -> Counts:
    """How many minutes of each day differ and agree: at all, in prices, in volume; shape (days, 2, 3)."""
    agree = (pairs.agree, pairs.prices_equal, pairs.volume_close)
    masks = [[~mask for mask in agree], agree]
    counted = [[np.bincount(pairs.day[mask], minlength=len(days.dates)) for mask in row] for row in masks]
    tally: Counts = np.array(counted).transpose(2, 0, 1)
    return tally


def _explains(before: Counts, after: Counts) -> bool:
    """Whether a shift explains, in one of the three respects of `_tally`, and makes none worse; shapes (2, 3)."""
    (differed, agreed), (differ, agree) = before, after
    decisive = (agree - agreed >= _GAINED) & (differ <= differed * _LEFT)
    return bool(decisive.any() and (differ <= differed).all())
