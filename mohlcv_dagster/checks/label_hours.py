"""Labels that are hours off: of another time zone, or by an hour after a change of clocks, told from the bars alone."""

from typing import Final

import numpy as np

from mohlcv_dagster.bars.bar_table import Seconds
from mohlcv_dagster.bars.coverage import Mask
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month

_HOUR: Final = 3600
_DAY: Final = 86_400
_FURTHEST: Final = 12
_FEWEST_DAYS: Final = 2
"""One day may have had other hours."""
_REACH: Final = 16 * _HOUR
"""From the first bar outside back to the first of its day."""
_LEFT: Final = 0.1
"""The share of the bars outside that may stay so."""
_GAINED: Final = 1.05
"""So many times as many bars must be in regular hours, when most trading is."""


def hours_off(starts: Seconds, outside: Mask, month: Month) -> int:
    """By how many hours labels look late (above 0) or early (below 0); 0 where that is not told.

    Args:
        starts: of the bars, Unix seconds, rising.
        outside: which of them are outside the hours of every session, at least one.
        month: theirs.
    """
    gone = starts[outside]
    if len(np.unique(gone // _DAY)) < _FEWEST_DAYS:
        return 0
    tried = starts[(starts >= gone[0] - _REACH) & (starts <= gone[-1])]
    sessions = list(exchange_calendar.sessions_overlapping(month))
    bounds = [(each.extended_open, each.extended_close, each.regular_open, each.regular_close) for each in sessions]
    edges = np.array([[int(moment.timestamp()) for moment in each] for each in bounds], dtype=np.int64).reshape(-1, 4)

    def inside(hours: int, opens: int, closes: int) -> int:
        moved = tried - hours * _HOUR
        return int((np.searchsorted(moved, edges[:, closes]) - np.searchsorted(moved, edges[:, opens])).sum())

    best, most = 0, _GAINED * inside(0, 2, 3)
    for hours in (sign * number for number in range(1, _FURTHEST + 1) for sign in (1, -1)):
        regular = inside(hours, 2, 3)
        if regular > most and len(tried) - inside(hours, 0, 1) <= _LEFT * len(gone):
            best, most = hours, regular
    return best
