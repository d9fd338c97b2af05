"""The rule `level_shifts`: prices inside a session stay on one level, or move to another by trading.

An hour of another symbol (48, 14, 48) is well formed and its prices are near each other, so `spikes` sees nothing.
A split that only some of a day's bars know shows like this too, or as two levels that alternate. News moves a level
as well, mostly by less than 10 % from one bar to the next, and seldom there and back.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import Floats, from_numpy, from_strings
from mohlcv_dagster.checks.bad_prints import COMPARE, Mask, Rows, UsableBars, with_columns
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.price_jumps import likely_splits, split_like
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import as_text
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import TIME

SHIFT: Final = 0.10
THERE_AND_BACK: Final = 0.03
AROUND: Final = 5
"""Closes on either side of a step that must be beyond all those of the other side."""
FEWEST: Final = 4
"""With fewer on a side, where the file begins or ends, a step is left to `spikes`, which sees up to three bars."""
MIXED: Final = 6
"""From so many steps in a session on, two levels may alternate; fewer are told one by one, or are spikes."""

_FLAT: Final = 0.5
"""How far the closes on one side may be apart, as a share of the step."""
_BACK_WITHIN: Final = 0.25
"""How much the step back may differ from the step, as a share of it."""
_SHARE: Final = 0.05
"""Of the bars between the first and the last step, what each of two mixed levels has at least."""
_SIDES: Final = (np.arange(-AROUND, 0), np.arange(AROUND))


@dataclass(frozen=True)
class _LevelSteps:
    """Bars whose close is on another level than the closes before it.

    Attributes:
        at: positions, rising.
        size: logarithm of the level after to the level before, the medians of up to 5 closes.
        apart: logarithm of the nearest two closes of both sides; below zero where they overlap.
    """

    at: Rows
    size: Floats
    apart: Floats

    def of(self, which: Mask) -> "_LevelSteps":
        """Those of them that are chosen."""
        return _LevelSteps(self.at[which], self.size[which], self.apart[which])


@rule(
    sentence="Inside a session no price changes its level from one bar to the next.",
    threshold="10 %; 3 % where it is back on the same day",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure=COMPARE,
)
def level_shifts(given: CheckInput) -> RuleOutcome:
    """Look for a bar from which on the closes are on another level, and for sessions in which two levels alternate.

    Rows: the first bar on each new level; of alternating levels, each bar on another level than the bar before.
    Context: `previous_close`, `shift_percent` from it, `looks_like`.
    """
    usable = UsableBars.of(given.own)
    close = usable.prices["close"]
    at = _candidates(usable)
    if not at.size:
        return RuleOutcome(of=usable.size)
    steps, mixed = _clean(close, at), _mixed(usable, at)
    found = np.abs(steps.apart) > np.log1p(SHIFT)
    found |= _there_and_back(steps, usable)
    every = np.union1d(steps.at[found], mixed)
    if not every.size:
        return RuleOutcome(of=usable.size)
    before = close[every - 1]
    pairs = zip(before.tolist(), close[every].tolist(), strict=True)
    context = {
        "previous_close": from_numpy(before),
        "shift_percent": from_numpy(np.round(100 * (close[every] / before - 1), 2)),
        "looks_like": from_strings([split_like(*pair) or "" for pair in pairs]),
    }
    bars = with_columns(usable.bars(every), context)
    return RuleOutcome(of=usable.size, fault=_fault(bars, usable, given, is_mixed=bool(mixed.size)), bars=bars)


def _candidates(usable: UsableBars) -> Rows:
    """Bars whose close is more than 3 % off the one before, on the same day."""
    close = usable.prices["close"]
    ratio = close[1:] / close[:-1]
    at = np.flatnonzero((ratio > 1 + THERE_AND_BACK) | (ratio < 1 / (1 + THERE_AND_BACK))) + 1
    same_day: Rows = at[usable.days(at) == usable.days(at - 1)]
    return same_day


def _clean(close: Floats, at: Rows) -> _LevelSteps:
    """The steps between two flat levels that do not overlap."""
    before, after = (_logs(close, at[:, None] + side) for side in _SIDES)
    enough = np.minimum(*(np.count_nonzero(~np.isnan(side), axis=1) for side in (before, after))) >= FEWEST
    at, before, after = at[enough], before[enough], after[enough]
    size = np.nanmedian(after, axis=1) - np.nanmedian(before, axis=1)
    up, down = (np.nanmin(one, axis=1) - np.nanmax(other, axis=1) for one, other in ((after, before), (before, after)))
    flat = np.maximum(*(np.nanmax(side, axis=1) - np.nanmin(side, axis=1) for side in (before, after)))
    apart = np.where(size > 0, up, -down)
    clean = (apart * np.sign(size) > np.log1p(THERE_AND_BACK)) & (flat < _FLAT * np.abs(size))
    return _LevelSteps(at, size, apart).of(clean)


def _logs(close: Floats, positions: Rows) -> Floats:
    """Logarithms of closes, shape of `positions`; NaN beyond the file's ends."""
    inside = (positions >= 0) & (positions < close.size)
    return np.where(inside, np.log(close[np.where(inside, positions, 0)]), np.nan)


def _there_and_back(steps: _LevelSteps, usable: UsableBars) -> Mask:
    """Which steps have their opposite next to them, on the same day."""
    back = np.abs(steps.size[1:] + steps.size[:-1]) <= _BACK_WITHIN * np.abs(steps.size[:-1])
    back &= usable.days(steps.at[1:]) == usable.days(steps.at[:-1])
    found = np.zeros(steps.at.size, dtype=bool)
    found[1:] |= back
    found[:-1] |= back
    return found


def _mixed(usable: UsableBars, at: Rows) -> Rows:
    """The steps of more than 10 % on days on which two levels alternate."""
    close = usable.prices["close"]
    large = at[np.abs(np.log(close[at] / close[at - 1])) > np.log1p(SHIFT)]
    days = usable.days(large)
    found = [large[days == day] for day in np.unique(days)]
    return np.concatenate([np.empty(0, np.intp), *(each for each in found if _alternates(close, each))])


def _alternates(close: Floats, steps: Rows) -> bool:
    """Whether, between the first and the last of these steps of a day, both levels have many bars."""
    if steps.size < MIXED:
        return False
    span = close[steps[0] - 1 : steps[-1] + 1]
    high = np.count_nonzero(span > np.sqrt(span.min() * span.max()))
    return bool(min(high, span.size - high) > max(FEWEST - 1, _SHARE * span.size))


def _fault(bars: pa.Table, usable: UsableBars, given: CheckInput, *, is_mixed: bool) -> str:
    first = bars.slice(0, 1).to_pylist()[0]
    verb = "is" if bars.num_rows == 1 else "are"
    mixed = "; on one day or more two levels alternate" if is_mixed else ""
    return (
        f"{bars.num_rows:,} of {quantity(usable.size, 'bar')} {verb} on another level than the bar before, "
        f"inside a session{mixed}; first at {as_text(bars[TIME][0])} "
        f"(close {first['close']} after {first['previous_close']}: {first['shift_percent']:+} %)"
        f"{likely_splits(bars, given)}"
    )
