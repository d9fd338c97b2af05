"""Labels that are early on both sides alike, which no comparison shows: told by the seconds around the opening bell.

The opening auction prints at the bell or after it, never before, and in a symbol that trades each second then, it is
the largest volume around. A largest volume in the last second *before* the bell, in most sessions, is therefore an
auction whose label is a second early. The mirror proves nothing, since auctions do print a second or more after the
bell; nor does one session, since a block may trade at any second.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema, sessions
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.schema import Floats, Seconds

EARLY: Final = 1
"""Seconds by which labels that are early must be moved."""
_BEFORE: Final = 60
_AFTER: Final = 12
_BUSY: Final = 0.8
_OUTSTANDING: Final = 2.0
_FEWEST: Final = 2
_MOST: Final = 0.75


def early_bells(seconds: pa.Table, month: Month) -> Seconds:
    """The opening bells, Unix seconds, rising, that show the labels a second early; none where too few do.

    Args:
        seconds: our seconds, rising.
        month: which one it is.
    """
    bells = np.array([int(each.regular_open.timestamp()) for each in sessions.sessions_in(month)], dtype=np.int64)
    volume = _around(seconds, bells)
    largest = volume.max(axis=1, initial=0)
    second_largest = np.sort(volume, axis=1)[:, -2]
    busy = (volume[:, _BEFORE:] > 0).mean(axis=1) >= _BUSY
    told = busy & (largest >= _OUTSTANDING * second_largest)
    early = told & (volume.argmax(axis=1) == _BEFORE - EARLY)
    enough = early.sum() >= max(_FEWEST, _MOST * told.sum())
    return bells[early] if enough else bells[:0]


def _around(seconds: pa.Table, bells: npt.NDArray[np.int64]) -> Floats:
    """The volume of each second from a minute before a bell on, 0 where there is no bar; shape (bells, seconds)."""
    wanted = bells[:, None] + np.arange(-_BEFORE, _AFTER)
    starts, volume = schema.seconds(seconds), to_numpy(seconds[schema.VOLUME])
    if not len(starts):
        return np.zeros(wanted.shape)
    at = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    found: Floats = np.where(starts[at] == wanted, volume[at], 0).astype(np.float64)
    return found
