"""Spikes: an open or close far off the prices around it, with the price back where it was within three bars.

A bar is one where, for its open or its close `p`,

- `|p - median| > 10 MAD + 2 ticks`, of the nearest of three windows of 50 bars (see `medians`). The MAD is that
  window's and at least the month's typical one; a tick is a cent, below a dollar 1/10,000;
- at most one in ten of that window's bars is half as far off or more, on the same side: a price that comes again and
  again, as the other side of a wide spread does, is no spike;
- on each side on which its trading day has bars, and on one at least, one of the next three of them lies within half
  of that deviation from the median.

Medians for each of a busy month's 900,000 bars would take seconds, so they are made for candidates only. **No spike is
missed**, since the month's typical MAD, as a share `g` of the price, bounds the threshold from below. Let `m` be the
median and `d = |p/m - 1|`, so that `d > t` with `t = 10 g`; and `q` the price that is back, `|q/m - 1| <= d/2`. Then
`p/q >= (1 + d) / (1 + d/2)` for a spike upwards and `q/p >= (1 - d/2) / (1 - d)`, which is more, for one downwards.
Both rise with `d`, hence the larger of the two prices is above `(1 + t) / (1 + t/2)` times the smaller. Only bars with
a price off by that factor within three bars are candidates, on each side that needs one.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.bar_table import Floats, from_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.plausible.medians import around, typical_mad
from mohlcv_dagster.bars.rules.plausible.sound import Rows, Sound
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import tally

Mask = npt.NDArray[np.bool_]

MADS: Final = 10
TICKS: Final = 2
BACK_WITHIN: Final = 3
ALIKE: Final = 0.1
_SIDES: Final = (np.arange(-BACK_WITHIN, 0), np.arange(1, BACK_WITHIN + 1))
_ROUNDING: Final = 1e-9
_FAULT: Final = (
    f"an open or close far off the prices around it (more than {MADS} times their usual deviation and {TICKS} ticks) "
    f"and back within {BACK_WITHIN} bars"
)


def spikes(evidence: Evidence) -> Outcome:
    """Judge: no open or close is a spike.

    Context: the `median` around the bar's close (around its open, where that alone is a spike), the price's `deviation`
    from it, and the deviation that was `allowed`; US dollars.
    """
    sound = Sound.of(evidence.own)
    if not sound.size:
        return Outcome(of=0)
    typical = typical_mad(sound.prices["close"])
    found = [_found_in(sound, sound.prices[name], typical) for name in ("close", "open")]
    if not any(at.size for at, _ in found):
        return Outcome(of=sound.size)
    every, first = np.unique(np.concatenate([at for at, _ in found]), return_index=True)
    # of a bar with both, the close's is shown
    context = np.concatenate([columns for _, columns in found], axis=1)[:, first]
    bars = sound.bars(every)
    for name, column in zip(("median", "deviation", "allowed"), context, strict=True):
        bars = bars.append_column(name, from_numpy(np.round(column, 6)))
    fault = tally(bars, sound.size, _FAULT, shown=("open", "close", "median", "allowed"))
    return Outcome(of=sound.size, fault=fault, bars=bars)


def _found_in(sound: Sound, prices: Floats, typical: float) -> tuple[Rows, Floats]:
    """Where one price is a spike.

    Args:
        sound: the bars.
        prices: the price of each that is looked at.
        typical: the month's typical MAD, as a share of the price.

    Returns:
        The positions, rising; and median, deviation and allowed deviation of each, shape (3, spikes).
    """
    at = _candidates(sound, prices, typical)
    near = around(prices, at)
    deviation = np.abs(prices[at] - near.median)
    allowed = MADS * np.maximum(near.mad, typical * near.median) + TICKS * near.tick
    off = (deviation > allowed) & (near.alike <= ALIKE)  # never of NaN
    at, context = at[off], np.stack([near.median, deviation, allowed])[:, off]
    back = _back(sound, at, np.abs(_near(prices, at) - context[0]) <= context[1] / 2)
    return at[back], context[:, back]


def _candidates(sound: Sound, prices: Floats, typical: float) -> Rows:
    """Positions that hold every spike; why is in the module's first lines."""
    t = MADS * typical
    factor = (1 + t) / (1 + t / 2) * (1 - _ROUNDING)
    marked = np.zeros(prices.size, dtype=bool)
    for distance in range(1, BACK_WITHIN + 1):
        far = np.flatnonzero(_far(prices[distance:] / prices[:-distance], factor))
        marked[far] = marked[far + distance] = True
    at = np.flatnonzero(marked)
    return at[_back(sound, at, _far(_near(prices, at) / prices[at], factor))]


def _far(ratio: Floats, factor: float) -> Mask:
    """Whether two prices are off each other by the factor, or, where it is 1, at all."""
    return (ratio >= factor) | (ratio <= 1 / factor) if factor > 1 else ratio != 1


def _near(prices: Floats, at: Rows) -> Floats:
    """The prices of the three bars before and after, shape (2, 3, bars); at the file's ends the outermost again."""
    return prices[_positions(at, prices.size)]


def _positions(at: Rows, size: int) -> Rows:
    return np.stack([(side[:, None] + at).clip(0, size - 1) for side in _SIDES])


def _back(sound: Sound, at: Rows, good: Mask) -> Mask:
    """Whether one of three bars is `good` on each side on which the bar's day has some, and on one side at least.

    Args:
        sound: the bars.
        at: positions, shape (bars,).
        good: of the three bars before and after, shape (2, 3, bars).
    """
    positions = _positions(at, sound.size)
    theirs = (sound.days(positions) == sound.days(at)) & (positions != at)
    there, found = theirs.any(axis=1), (theirs & good).any(axis=1)
    return np.asarray((found | ~there).all(axis=0) & there.any(axis=0))
