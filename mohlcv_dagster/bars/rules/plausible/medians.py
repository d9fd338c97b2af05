"""Robust level and scale of the prices around a bar: medians and median absolute deviations (MADs) of 50 bars.

After Brownlees & Gallo 2006 and Barndorff-Nielsen et al. 2009, "Realized kernels in practice: trades and quotes" (an
observation is held against the median of the 50 around it, itself left out), and the nearest of three windows as R
`highfrequency` has it, so that the first bars after a jump are held against what follows.

Prices stand on ticks and often stand still, hence three things of our own. A window's MAD is at least half a tick (or
0.2 %, where a tick is more of the price). The month's typical scale is taken of deviations that are not 0. And how many
bars of the window stand where the bar does is told, since a price may go to and fro between bid and ask.
"""

from dataclasses import dataclass
from statistics import median as median_of
from typing import Final

import numpy as np

from mohlcv_dagster.bars.bar_table import Floats
from mohlcv_dagster.bars.rules.plausible.sound import Rows

WINDOW: Final = 50
FEWEST: Final = 10
"""A window cut shorter than this by an end of the file has no median."""

_SCALE_OF: Final = 5

_BLOCKS: Final = 1_000
_AT_ONCE: Final = 1 << 13
_HALF: Final = WINDOW // 2
_OFFSETS: Final = np.array([offset for offset in range(-WINDOW, WINDOW + 1) if offset])
_WINDOWS: Final = (slice(WINDOW - _HALF, WINDOW + _HALF), slice(WINDOW, None), slice(0, WINDOW))
"""Centred, forward and backward, as slices of `_OFFSETS`."""


@dataclass(frozen=True)
class Around:
    """What the prices around some bars are; NaN where a bar has no window.

    Attributes:
        median: of the window whose median is nearest to the bar's own price.
        tick: a cent, or 1/10,000 dollar for a median below a dollar.
        mad: of the same window about it, US dollars; at least half a tick, or 0.2 % of the median where that is less.
        alike: the share of that window's bars which are at least half as far off the median as the bar, on its side.
    """

    median: Floats
    tick: Floats
    mad: Floats
    alike: Floats


def typical_mad(prices: Floats) -> float:
    """How far prices that are off the median of 50 bars in a row are off it, as a share: the month's typical MAD.

    For each of up to 1,000 blocks spread over the month, the median of the deviations that are not 0 (0 where fewer
    than five are not); the median of these. 0 for fewer than 50 prices, and where most blocks stand still.
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


def around(prices: Floats, at: Rows) -> Around:
    """Median and MAD of the nearest of centred, forward and backward 50 bars around each bar of `at`, without it."""
    pieces = [_around(prices, at[start : start + _AT_ONCE]) for start in range(0, at.size, _AT_ONCE)]
    if not pieces:
        return Around(*[np.empty(0)] * 4)
    columns = zip(*((piece.median, piece.tick, piece.mad, piece.alike) for piece in pieces), strict=True)
    return Around(*(np.concatenate(column) for column in columns))


def _around(prices: Floats, at: Rows) -> Around:
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
    return Around(median, tick, mad, _alike(window, median, prices[at]))


def _alike(values: Floats, median: Floats, price: Floats) -> Floats:
    """The share of each row at least half as far off its median as a price, on the same side; 0 without values."""
    side = np.sign(price - median)
    as_far = side[:, None] * (values - median[:, None]) >= (np.abs(price - median) / 2)[:, None]  # never of NaN
    share: Floats = np.count_nonzero(as_far, axis=1) / np.maximum(np.count_nonzero(~np.isnan(values), axis=1), 1)
    return share


def _median(values: Floats, fewest: int = FEWEST) -> Floats:
    """The median of each row, NaN passed over; NaN where fewer than `fewest` are left."""
    rising = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(rising), axis=1)
    row = np.arange(len(rising))
    low, high = rising[row, np.maximum(count - 1, 0) // 2], rising[row, np.minimum(count // 2, rising.shape[1] - 1)]
    return np.where(count >= fewest, (low + high) / 2, np.nan)
