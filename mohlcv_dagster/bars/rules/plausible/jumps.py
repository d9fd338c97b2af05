"""Jumps from the last close of a session to the first open of the next, and the splits they look like."""

from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Seconds, from_numpy, from_strings
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.plausible.sound import LARGEST, SMALLEST, Sound
from mohlcv_dagster.bars.rules.reading import NO_TIME
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import as_text
from mohlcv_dagster.model.bar_files import TIME

JUMP: Final = 0.10
NEAR_SPLIT: Final = 0.03
"""How near a ratio must be, as a logarithm: the most at which no jump is near two of `_FORWARD` (5/4 and 4/3 are 0.065
apart), and wide enough for the usual night's move of 1 to 2 % on top of the split."""
_FORWARD: Final = ((5, 4), (4, 3), (3, 2), *((new, 1) for new in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50)))
_REVERSE: Final = tuple((1, old) for old in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 100))
_BASIS: Final = {
    False: "prices are recorded as unadjusted, so that a split shows like this and nothing is wrong",
    True: "prices are recorded as adjusted for splits, so that none should show: fetched before it was known?",
    None: "whether prices are adjusted is not recorded",
}


@dataclass(frozen=True)
class Split:
    """New shares for old ones.

    Attributes:
        new: shares after the split ...
        old: ... for this many before it.
    """

    new: int
    old: int

    def __str__(self) -> str:
        return f"{self.new}-for-{self.old} {'split' if self.new > self.old else 'reverse split'}"


def split_like(before: float, after: float) -> Split | None:
    """The split whose ratio two prices are near, within 3 %; `None` where they are near none.

    Args:
        before: the last price before, above zero.
        after: the first price after, above zero.
    """
    sizes = [Split(new, old) for new, old in (*_FORWARD, *_REVERSE)]
    off = [abs(log(before / after) - log(split.new / split.old)) for split in sizes]
    nearest = min(range(len(sizes)), key=off.__getitem__)
    return sizes[nearest] if off[nearest] <= NEAR_SPLIT else None


def open_jumps(evidence: Evidence) -> Outcome:
    """Judge: no session opens more than 10 % off the last close before it, extended hours included.

    The month's first session is held against the `previous_close` beside it, where that is known.
    Context: `previous_ts_event`, `previous_close`, `jump_percent`, `looks_like`.
    """
    sound = Sound.of(evidence.own)
    days = sound.days()
    at = np.flatnonzero(days[1:] != days[:-1]) + 1
    close, moment = sound.prices["close"][at - 1], sound.starts[at - 1]
    known = evidence.beside.previous_close
    if sound.size and known is not None and SMALLEST <= known <= LARGEST:
        at, close, moment = np.insert(at, 0, 0), np.insert(close, 0, known), np.insert(moment, 0, NO_TIME)
    change = sound.prices["open"][at] / close - 1
    bad = np.abs(change) > JUMP
    if not bad.any():
        return Outcome(of=sound.size)
    bars = sound.bars(at[bad]).append_column("previous_ts_event", _moments(moment[bad]))
    bars = bars.append_column("previous_close", from_numpy(close[bad]))
    bars = bars.append_column("jump_percent", from_numpy(np.round(100 * change[bad], 2)))
    pairs = zip(close[bad].tolist(), sound.prices["open"][at[bad]].tolist(), strict=True)
    likely = [split_like(before, after) for before, after in pairs]
    bars = bars.append_column("looks_like", from_strings([str(split or "") for split in likely]))
    return Outcome(of=sound.size, fault=_told(bars, at.size, evidence), bars=bars)


def _moments(seconds: Seconds) -> Any:  # noqa: ANN401 - the stubs have a type for each kind of array, and none for all
    return from_numpy(seconds, seconds == NO_TIME).cast(TIME_TYPE)


def _told(jumps: pa.Table, looked_at: int, evidence: Evidence) -> str:
    """What is wrong, in words: the first jump, then each that looks like a split."""
    first = jumps.slice(0, 1).to_pylist()[0]
    moment = as_text(jumps[TIME][0])
    before = as_text(jumps["previous_ts_event"][0])
    since = "the previous month" if before == "missing" else before
    told = (
        f"{jumps.num_rows:,} of {looked_at:,} session {'open' if looked_at == 1 else 'opens'} "
        f"{'jumps' if jumps.num_rows == 1 else 'jump'} more than 10 % from the close before; "
        f"first at {moment} (open {first['open']}, close {first['previous_close']} of {since}: "
        f"{first['jump_percent']:+} %)"
    )
    pairs = zip(jumps[TIME], jumps["looks_like"].to_pylist(), strict=True)
    likely = [f"a {split} at {as_text(moment)}" for moment, split in pairs if split]
    if not likely:
        return told
    basis = _BASIS[evidence.recorded.adjusted if evidence.recorded else None]
    return f"{told}. It looks like {'; '.join(likely)}; {basis}"
