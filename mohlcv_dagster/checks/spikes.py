"""The rule `spikes`: an open or close far off the prices around it, with the price back within three bars.

A bar is one where, for its open or its close `p`,

- `|p - median| > 10 MAD + 2 ticks`, of the nearest of three windows of 50 bars (see `local_stats`). The MAD is that
  window's and at least the month's typical one; a tick is a cent, below a dollar 1/10,000;
- at most one in ten of that window's bars is half as far off or more, on the same side: a price that occurs again and
  again, as the other side of a wide spread does, is not a spike;
- on each side on which its trading day has bars, and on one at least, one of the next three of them lies within half
  of that deviation from the median.

Medians for each of a busy month's 900,000 bars would take seconds, so they are made for candidates only. **No spike is
missed**, since the month's typical MAD, as a share `g` of the price, bounds the threshold from below. Let `m` be the
median and `d = |p/m - 1|`, so that `d > t` with `t = 10 g`; and `q` the price that is back, `|q/m - 1| <= d/2`. Then
`p/q >= (1 + d) / (1 + d/2)` for a spike upwards and `q/p >= (1 - d/2) / (1 - d)`, which is more, for one downwards.
Both rise with `d`, so the larger of the two prices is above `(1 + t) / (1 + t/2)` times the smaller. Only bars with
a price off by that factor within three bars are candidates, on each side that needs one.

Medians and median absolute deviations (MADs) are after Brownlees & Gallo 2006 and Barndorff-Nielsen et al. 2009,
"Realized kernels in practice: trades and quotes" (an observation is compared with the median of the 50 around it,
itself left out), and the nearest of three windows as R `highfrequency` has it, so that the first bars after a jump are
compared with what follows. Prices are multiples of a tick and often do not change. Therefore a window's MAD
is at least half a tick (or 0.2 %, where a tick is more of the price). The month's typical MAD is taken of deviations
that are not 0. And the share of the window's bars near the bar's own price counts, since a price may alternate between
bid and ask.
"""

from dataclasses import dataclass
from statistics import median as median_of
from typing import Final

import numpy as np

from mohlcv_dagster.bars.bar_table import Floats, from_numpy
from mohlcv_dagster.checks.bad_prints import COMPARE, Mask, Rows, UsableBars
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import offending

MADS: Final = 10
TICKS: Final = 2
BACK_WITHIN: Final = 3
SAME_SIDE: Final = 0.1
WINDOW: Final = 50
FEWEST: Final = 10
"""A window with fewer bars, since the file begins or ends there, has no median."""

_SIDES: Final = (np.arange(-BACK_WITHIN, 0), np.arange(1, BACK_WITHIN + 1))
_ROUNDING: Final = 1e-9
_FAULT: Final = (
    f"an open or close far off the prices around it (more than {MADS} times their usual deviation and {TICKS} ticks) "
    f"and back within {BACK_WITHIN} bars"
)
_SCALE_OF: Final = 5
_BLOCKS: Final = 1_000
_AT_ONCE: Final = 1 << 13
_HALF: Final = WINDOW // 2
_OFFSETS: Final = np.array([offset for offset in range(-WINDOW, WINDOW + 1) if offset])
_WINDOWS: Final = (slice(WINDOW - _HALF, WINDOW + _HALF), slice(WINDOW, None), slice(0, WINDOW))
"""Centred, forward and backward, as slices of `_OFFSETS`."""


@rule(
    sentence="No open or close is far off the prices around it and back within 3 bars.",
    threshold="10 median deviations (MAD) and 2 ticks from the nearest of three 50-bar medians",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure=COMPARE,
)
def spikes(given: CheckInput) -> RuleOutcome:
    """Context: `median`, `deviation` and `allowed`, US dollars.

    They are the median around the bar's close (around its open, where that alone is a spike), the price's deviation
    from it, and the deviation that was allowed.
    """
    usable = UsableBars.of(given.own)
    if not usable.size:
        return RuleOutcome(of=0)
    typical = typical_mad(usable.prices["close"])
    found = [_found_in(usable, usable.prices[name], typical) for name in ("close", "open")]
    if not any(at.size for at, _ in found):
        return RuleOutcome(of=usable.size)
    every, first = np.unique(np.concatenate([at for at, _ in found]), return_index=True)
    # of a bar with both, the close's is shown
    context = np.concatenate([columns for _, columns in found], axis=1)[:, first]
    bars = usable.bars(every)
    for name, column in zip(("median", "deviation", "allowed"), context, strict=True):
        bars = bars.append_column(name, from_numpy(np.round(column, 6)))
    fault = offending(bars, usable.size, _FAULT, shown=("open", "close", "median", "allowed"))
    return RuleOutcome(of=usable.size, fault=fault, bars=bars)


def _found_in(usable: UsableBars, prices: Floats, typical: float) -> tuple[Rows, Floats]:
    """Where one price is a spike.

    Args:
        usable: the bars.
        prices: the price of each that is looked at.
        typical: the month's typical MAD, as a share of the price.

    Returns:
        The positions, rising; and median, deviation and allowed deviation of each, shape (3, spikes).
    """
    at = _candidates(usable, prices, typical)
    near = local_stats(prices, at)
    deviation = np.abs(prices[at] - near.median)
    allowed = MADS * np.maximum(near.mad, typical * near.median) + TICKS * near.tick
    off = (deviation > allowed) & (near.same_side <= SAME_SIDE)  # never of NaN
    at, context = at[off], np.stack([near.median, deviation, allowed])[:, off]
    back = _back(usable, at, np.abs(_near(prices, at) - context[0]) <= context[1] / 2)
    return at[back], context[:, back]


def _candidates(usable: UsableBars, prices: Floats, typical: float) -> Rows:
    """Positions that include every spike; the module's docstring has the proof."""
    t = MADS * typical
    factor = (1 + t) / (1 + t / 2) * (1 - _ROUNDING)
    marked = np.zeros(prices.size, dtype=bool)
    for distance in range(1, BACK_WITHIN + 1):
        far = np.flatnonzero(_far(prices[distance:] / prices[:-distance], factor))
        marked[far] = marked[far + distance] = True
    at = np.flatnonzero(marked)
    return at[_back(usable, at, _far(_near(prices, at) / prices[at], factor))]


def _far(ratio: Floats, factor: float) -> Mask:
    """Whether two prices differ by the factor or, where it is 1, at all."""
    return (ratio >= factor) | (ratio <= 1 / factor) if factor > 1 else ratio != 1


def _near(prices: Floats, at: Rows) -> Floats:
    """The prices of the three bars before and after, shape (2, 3, bars); at the file's ends the outermost repeated."""
    return prices[_positions(at, prices.size)]


def _positions(at: Rows, size: int) -> Rows:
    return np.stack([(side[:, None] + at).clip(0, size - 1) for side in _SIDES])


def _back(usable: UsableBars, at: Rows, good: Mask) -> Mask:
    """Whether one of three bars is `good` on each side on which the bar's day has some, and on one side at least.

    Args:
        usable: the bars.
        at: positions, shape (bars,).
        good: of the three bars before and after, shape (2, 3, bars).
    """
    positions = _positions(at, usable.size)
    theirs = (usable.days(positions) == usable.days(at)) & (positions != at)
    there, found = theirs.any(axis=1), (theirs & good).any(axis=1)
    return np.asarray((found | ~there).all(axis=0) & there.any(axis=0))


@dataclass(frozen=True)
class LocalStats:
    """Level and scale of the prices around some bars; NaN where a bar has no window.

    Attributes:
        median: of the window whose median is nearest to the bar's own price.
        tick: a cent, or 1/10,000 dollar for a median below a dollar.
        mad: of the same window about it, US dollars; at least half a tick, or 0.2 % of the median where that is less.
        same_side: the share of that window's bars that are at least half as far off the median as the bar, on its
            side.
    """

    median: Floats
    tick: Floats
    mad: Floats
    same_side: Floats


def typical_mad(prices: Floats) -> float:
    """The month's typical MAD, as a share of the price: how far prices that are off the median of 50 bars are off it.

    For each of up to 1,000 blocks spread over the month, the median of the deviations that are not 0 (0 where fewer
    than five are not); the median of these. 0 for fewer than 50 prices, and where most blocks do not change.
    """
    blocks = prices.size // WINDOW
    if not blocks:
        return 0.0
    chosen = np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).astype(np.intp)
    block = prices[: blocks * WINDOW].reshape(blocks, WINDOW)[chosen]
    median = _median(block)
    deviations = np.abs(block - median[:, None])
    deviations[deviations == 0] = np.nan
    typical = _median(deviations, fewest=_SCALE_OF) / median
    return float(median_of(np.where(np.isnan(typical), 0.0, typical).tolist()))


def local_stats(prices: Floats, at: Rows) -> LocalStats:
    """Median and MAD of the nearest of centred, forward and backward 50 bars around each bar of `at`, without it."""
    pieces = [_local_stats(prices, at[start : start + _AT_ONCE]) for start in range(0, at.size, _AT_ONCE)]
    if not pieces:
        return LocalStats(*[np.empty(0)] * 4)
    columns = zip(*((piece.median, piece.tick, piece.mad, piece.same_side) for piece in pieces), strict=True)
    return LocalStats(*(np.concatenate(column) for column in columns))


def _local_stats(prices: Floats, at: Rows) -> LocalStats:
    positions = at[:, None] + _OFFSETS
    inside = (positions >= 0) & (positions < prices.size)
    values = np.where(inside, prices[np.where(inside, positions, 0)], np.nan)
    windows = [values[:, window] for window in _WINDOWS]
    medians = np.stack([_median(window) for window in windows])
    distance = np.abs(medians - prices[at])
    distance[np.isnan(distance)] = np.inf
    nearest, row = distance.argmin(axis=0), np.arange(at.size)
    median, window = medians[nearest, row], np.stack(windows)[nearest, row]
    tick = np.where(median >= 1, 0.01, 0.0001)
    mad = np.maximum(_median(np.abs(window - median[:, None])), np.minimum(tick / 2, median / 500))
    return LocalStats(median, tick, mad, _same_side(window, median, prices[at]))


def _same_side(values: Floats, median: Floats, price: Floats) -> Floats:
    """The share of each row at least half as far off its median as a price, on the same side; 0 without values."""
    side = np.sign(price - median)
    as_far = side[:, None] * (values - median[:, None]) >= (np.abs(price - median) / 2)[:, None]  # never of NaN
    share: Floats = np.count_nonzero(as_far, axis=1) / np.maximum(np.count_nonzero(~np.isnan(values), axis=1), 1)
    return share


def _median(values: Floats, fewest: int = FEWEST) -> Floats:
    """The median of each row, NaN ignored; NaN where fewer than `fewest` are left."""
    rising = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(rising), axis=1)
    row = np.arange(len(rising))
    low, high = rising[row, np.maximum(count - 1, 0) // 2], rising[row, np.minimum(count // 2, rising.shape[1] - 1)]
    return np.where(count >= fewest, (low + high) / 2, np.nan)
