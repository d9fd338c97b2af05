"""Stretches of a session on a level near that of the bars around: another symbol's hour within a few percent.

A step of one percent from one second to the next is nothing by itself. Here it is compared with the month's own steps,
and told only where the closes lie flat on both sides of it, the price is back, by a step as clear, minutes later on the
same day, and the month has hardly another step like these.
"""

from typing import Final

import numpy as np

from mohlcv_dagster.bars.bar_table import Floats
from mohlcv_dagster.bars.medians import median
from mohlcv_dagster.checks.bad_prints import Rows, UsableBars

NEAR: Final = 0.005
"""The least step."""
TIMES_USUAL: Final = 3.0
"""And how many times the step that 99 in 100 of the month stay below: a wide spread makes such steps all the time."""
TICKS: Final = 4
"""And ticks: the price of a cheap symbol often stands still on one of two."""
AROUND: Final = 10
"""Closes on each side that must lie apart from those of the other side."""
FEWEST: Final = 30
"""Bars on the other level ..."""
SHORTEST: Final = 300
"""... and seconds: a shorter stretch may be trades at the other side of a spread."""

ALONE: Final = 1
"""Steps as clear that may come without another: a symbol with more of them in a month moves so by itself."""

_USUAL: Final = 0.99
_SAMPLED: Final = 50_000
_FLAT: Final = 0.6
"""How far the closes on a side may be apart, as a share of the step."""
_BACK_WITHIN: Final = 0.75
"""How much the step back may differ from the step, as a share of the larger one: the other level moves, too."""
_AT_ONCE: Final = 120
"""Seconds; over a longer pause the price moves by itself."""


def stretches(usable: UsableBars, step: Floats, at: Rows) -> Rows:
    """The bars at which another level begins and ends, as positions, rising.

    Args:
        usable: the bars.
        step: from the close before to that of each bar but the first, as a ratio, shape (bars - 1,).
        at: the bars, as positions, whose step is more than `NEAR`, on the day of the bar before; rising.
    """
    if at.size < 2:  # noqa: PLR2004 - there and back
        return at[:0]
    usual = float(np.quantile(np.abs(np.log(step[:: max(1, step.size // _SAMPLED)])), _USUAL))
    at = at[np.abs(np.log(step[at - 1])) > TIMES_USUAL * usual]
    close = usable.prices["close"]
    at = at[np.abs(close[at] - close[at - 1]) > TICKS * np.where(close[at] < 1, 0.0001, 0.01)]
    at = at[(at >= AROUND) & (at <= usable.size - AROUND) & (usable.starts[at] - usable.starts[at - 1] <= _AT_ONCE)]
    before, after = (np.log(close[at[:, None] + side]) for side in _SIDES)
    size = median(after, axis=1) - median(before, axis=1)
    apart = np.maximum(after.min(axis=1, initial=np.inf) - before.max(axis=1, initial=-np.inf), 0)
    apart += np.maximum(before.min(axis=1, initial=np.inf) - after.max(axis=1, initial=-np.inf), 0)
    flat = np.maximum(np.ptp(before, axis=1), np.ptp(after, axis=1)) if at.size else size
    clean = (apart > np.log1p(NEAR) / 2) & (flat < _FLAT * np.abs(size))
    return _there_and_back(usable, at[clean], size[clean])


_SIDES: Final = (np.arange(-AROUND, 0), np.arange(AROUND))


def _there_and_back(usable: UsableBars, at: Rows, size: Floats) -> Rows:
    """The steps that have their opposite next, long enough after, on the same day."""
    largest = np.maximum(np.abs(size[1:]), np.abs(size[:-1]))
    back = (np.abs(size[1:] + size[:-1]) <= _BACK_WITHIN * largest) & (np.diff(at) >= FEWEST)
    back &= (np.diff(usable.starts[at]) >= SHORTEST) & (np.diff(usable.days(at)) == 0)
    first = np.flatnonzero(back)
    found = np.union1d(at[first], at[first + 1])
    return found if at.size <= found.size + ALONE else found[:0]
