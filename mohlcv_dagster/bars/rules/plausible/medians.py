"""Robust level and scale of the prices around a bar: medians and median absolute deviations (MADs) of 50 bars.

After Brownlees & Gallo 2006 and Barndorff-Nielsen et al. 2009, "Realized kernels in practice: trades and quotes" (an
observation is held against the median of the 50 around it, itself left out), and the nearest of three windows as R
`highfrequency` has it, so that the first bars after a jump are held against what follows.

One thing is our own: prices stand on ticks and often stand still, so the plain MAD is often 0, and the other side of a
wide spread would be taken for a bad print. The MAD here is the median of the deviations that are not 0, where there are
at least five; else 0, as fewer are no scale.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mohlcv_dagster.bars.rules.plausible.sound import Rows
from mohlcv_dagster.bars.schema import Floats

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
    """What the prices around some bars are.

    Attributes:
        median: of the window whose median is nearest to the bar's own price; NaN where no window has one.
        mad: of the same window about it, US dollars.
    """

    median: Floats
    mad: Floats


def typical_mad(prices: Floats) -> float:
    """The MAD of 50 bars in a row as a share of their median: its median over up to 1,000 blocks spread over the month.

    0 for fewer than 50 prices, and where prices mostly stand still.
    """
    blocks = prices.size // WINDOW
    if not blocks:
        return 0.0
    chosen = np.unique(np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).astype(np.intp))
    block = prices[: blocks * WINDOW].reshape(blocks, WINDOW)[chosen]
    median = _median(block)
    return float(np.median(_mad(block, median) / median))


def around(prices: Floats, at: Rows) -> Around:
    """Median and MAD of the nearest of centred, forward and backward 50 bars around each bar of `at`, without it."""
    pieces = [_around(prices, at[start : start + _AT_ONCE]) for start in range(0, at.size, _AT_ONCE)]
    if not pieces:
        return Around(np.empty(0), np.empty(0))
    return Around(np.concatenate([p.median for p in pieces]), np.concatenate([p.mad for p in pieces]))


def _around(prices: Floats, at: Rows) -> Around:
    positions = at[:, None] + _OFFSETS
    inside = (positions >= 0) & (positions < prices.size)
    values = np.where(inside, prices[np.where(inside, positions, 0)], np.nan)
    windows = [values[:, window] for window in _WINDOWS]
    medians = np.stack([_median(window) for window in windows])
    distance = np.abs(medians - prices[at])
    distance[np.isnan(distance)] = np.inf
    nearest, row = distance.argmin(axis=0), np.arange(at.size)
    median = medians[nearest, row]
    return Around(median, _mad(np.stack(windows)[nearest, row], median))


def _mad(values: Floats, median: Floats) -> Floats:
    """The median of each row's deviations that are not 0; 0 where there are fewer than five."""
    deviations = np.abs(values - median[:, None])
    deviations[deviations == 0] = np.nan
    mad = _median(deviations, fewest=_SCALE_OF)
    return np.where(np.isnan(mad), 0.0, mad)


def _median(values: Floats, fewest: int = FEWEST) -> Floats:
    """The median of each row, NaN passed over; NaN where fewer than `fewest` are left."""
    rising = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(rising), axis=1)
    row = np.arange(len(rising))
    low, high = rising[row, np.maximum(count - 1, 0) // 2], rising[row, np.minimum(count // 2, rising.shape[1] - 1)]
    return np.where(count >= fewest, (low + high) / 2, np.nan)
