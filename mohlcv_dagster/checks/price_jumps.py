"""The rules `open_jumps` and `level_shifts`: no price jumps from one session to the next, or inside a session.

A split does so, another symbol's bars, a bad print at a session's border, and news. In the bar at the border one price
may be on the old level and another on the new one, so each of its prices is looked at.

An hour of another symbol (48, 14, 48) is well formed and its prices are near each other, so `spikes` sees nothing.
A split that only some of a day's bars know shows like this too, or as two levels that alternate. News moves a level
as well, mostly by less than 10 % from one bar to the next, and seldom there and back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from math import log
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Floats, Seconds, from_numpy, from_strings
from mohlcv_dagster.checks import near_levels
from mohlcv_dagster.checks.bad_prints import COMPARE, LARGEST, SMALLEST, Mask, Rows, UsableBars, with_columns
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import NO_TIME, Reading
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import as_text
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import TIME
from mohlcv_dagster.model.exchange_calendar import trading_day_start
from mohlcv_dagster.model.listings import Split

JUMP: Final = 0.10
NEAR_SPLIT: Final = 0.03
"""How near a ratio must be, as a logarithm: the most at which no jump is near two of `_FORWARD` (5/4 and 4/3 are 0.065
apart), and wide enough for the usual overnight move of 1 to 2 % on top of the split."""

_SHARES: Final = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50)
_FORWARD: Final = ((5, 4), (4, 3), (3, 2), (5, 2), *zip(_SHARES, repeat(1)))
_REVERSE: Final = (
    (2, 3),
    (2, 5),
    *zip(repeat(1), (*_SHARES, 12, 40, 60, 75, 100)),
)
_BASIS: Final = {
    False: "prices are recorded as unadjusted, and which splits there were is not known",
    True: "prices are recorded as adjusted for splits, so that none should show: fetched before it was known?",
    None: "whether prices are adjusted is not recorded",
}
_NO_SPLIT: Final = "prices are recorded as unadjusted, and the vendor knows no such split then"
_ON_SPLIT: Final = 0.10
"""How far from the ratio of a known split, as a logarithm, the jump at its day may be: the night moves prices too."""
_LONGEST_BREAK: Final = 5 * 86_400
"""Seconds before a month in which its first session may have begun a new basis: weekend and holiday."""
_PAIRS: Final = (("open", "close"), ("high", "close"), ("low", "close"), ("open", "high"), ("open", "low"))
"""The price of a session's first bar, and that of the bar before, that are compared."""


@dataclass(frozen=True)
class _Borders:
    """The borders between sessions.

    Attributes:
        at: the first bar of each session that is compared, as a position, rising.
        close: the close before, US dollars.
        moment: when that bar started; `NO_TIME` for the month before.
        change: from the last close to the open or, where that is no jump, of the two prices furthest apart; a share.
        pair: the names of these prices, as a position in `_PAIRS`.
    """

    at: Rows
    close: Floats
    moment: Seconds
    change: Floats
    pair: Rows

    def of(self, which: Mask) -> "_Borders":
        """Those of them that are chosen."""
        return _Borders(self.at[which], self.close[which], self.moment[which], self.change[which], self.pair[which])


@rule(
    sentence="Each session opens near the close before it, and no price of the two bars is far off.",
    threshold="10 %",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure="Look for a split, a dividend or news of that day: a real move needs nothing. Else compare {partition} "
    "with another source, report a bad print to the vendor, and delete no bar.",
)
def open_jumps(given: CheckInput) -> RuleOutcome:
    """Look for a session that begins more than 10 % off the last close before it, extended hours included.

    Every price of its first bar is compared with that close, and its open with every price of the bar before. The
    month's first session is compared with the `previous_close` of the month before, where that is known. In unadjusted
    prices the jump of a known split is right. Context: `previous_ts_event`, `previous_close`, `price`, `jump_percent`,
    `looks_like`.
    """
    usable = UsableBars.of(given.own)
    borders = _borders(usable, given.neighbours.previous_close)
    jumps = borders.of(np.abs(borders.change) > JUMP)
    right = _of_known_splits(usable, jumps, given)
    jumps = jumps.of(np.array([at not in right for at in jumps.at.tolist()], dtype=bool))
    told = ", ".join(map(str, right.values()))
    if not jumps.at.size:
        return RuleOutcome(of=usable.size, note=f"{quantity(borders.at.size, 'open')}; split {told}" if told else None)
    ratios = (1 + jumps.change).tolist()
    context = {
        "previous_ts_event": from_numpy(jumps.moment, jumps.moment == NO_TIME).cast(TIME_TYPE),
        "previous_close": from_numpy(jumps.close),
        "price": from_strings([" to ".join(reversed(_PAIRS[at])) for at in jumps.pair]),
        "jump_percent": from_numpy(np.round(100 * jumps.change, 2)),
        "looks_like": from_strings([split_like(1.0, ratio) or "" for ratio in ratios]),
    }
    bars = with_columns(usable.bars(jumps.at), context)
    return RuleOutcome(of=usable.size, fault=_jumps_fault(bars, borders.at.size, given), bars=bars)


def jumps_between_sessions(bars: pa.Table, previous_close: float | None) -> bool:
    """Whether any price at a border between two sessions is more than 10 % off, as at a split.

    Args:
        bars: seconds of a month, rising.
        previous_close: the last close before them, US dollars; `None` where it is not known.
    """
    return bool((np.abs(_borders(UsableBars.of(Reading(b"", bars, None)), previous_close).change) > JUMP).any())


def _borders(usable: UsableBars, known: float | None) -> _Borders:
    days = usable.days()
    at = np.flatnonzero(days[1:] != days[:-1]) + 1
    before, moment = {name: price[at - 1] for name, price in usable.prices.items()}, usable.starts[at - 1]
    if usable.size and known is not None and SMALLEST <= known <= LARGEST:
        at, moment = np.insert(at, 0, 0), np.insert(moment, 0, NO_TIME)
        before = {name: np.insert(price, 0, known) for name, price in before.items()}
    changes = np.stack([usable.prices[after][at] / before[name] - 1 for after, name in _PAIRS])
    size = np.abs(np.log1p(changes))
    size[0, np.abs(changes[0]) > JUMP] = np.inf  # open and close alone say it
    pair = size.argmax(axis=0)
    return _Borders(at, before["close"], moment, changes[pair, np.arange(at.size)], pair)


def _of_known_splits(usable: UsableBars, jumps: _Borders, given: CheckInput) -> dict[int, Split]:
    """The jumps, by position, of unadjusted prices that a split known to be executed between the two bars explains."""
    recorded = given.provenance
    if recorded is None or recorded.adjusted is not False:
        return {}
    known, found = recorded.splits or recorded.splits_now, {}
    for at, moment, change in zip(jumps.at.tolist(), jumps.moment.tolist(), jumps.change.tolist(), strict=True):
        start = moment if moment != NO_TIME else given.file.month.start_second - _LONGEST_BREAK
        for split in _executed(known, start, int(usable.starts[at])):
            if abs(log((1 + change) * split.after / split.before)) <= _ON_SPLIT:
                found[at] = split
    return found


def _executed(splits: Iterable[Split], after: int, until: int) -> Iterable[Split]:
    return (split for split in splits if after < trading_day_start(split.executed).timestamp() <= until)


def _jumps_fault(jumps: pa.Table, looked_at: int, given: CheckInput) -> str:
    """What is wrong, in words: the first jump, then each that looks like a split."""
    first = jumps.slice(0, 1).to_pylist()[0]
    before = as_text(jumps["previous_ts_event"][0])
    known = given.neighbours.before
    since = before if before != "missing" else str(known.month) if known else "the previous month"
    prices = f"open {first['open']}, close {first['previous_close']} of {since}"
    if first["price"] != "close to open":
        prices += f", high {first['high']}, low {first['low']}; {first['price']}"
    fault = (
        f"{jumps.num_rows:,} of {quantity(looked_at, 'session open')} "
        f"{'jumps' if jumps.num_rows == 1 else 'jump'} more than 10 % from the close before; "
        f"first at {as_text(jumps[TIME][0])} ({prices}: {first['jump_percent']:+} %)"
    )
    return fault + likely_splits(jumps, given)


def likely_splits(bars: pa.Table, given: CheckInput) -> str:
    """Which of them look like a split, and on which basis prices are recorded; empty where none does."""
    pairs = zip(bars[TIME], bars["looks_like"].to_pylist(), strict=True)
    likely = [f"a {split} at {as_text(moment)}" for moment, split in pairs if split]
    if not likely:
        return ""
    known = given.provenance.splits if given.provenance else None
    basis = _BASIS[given.adjusted] if given.adjusted is not False or known is None else _NO_SPLIT
    return f". It looks like {'; '.join(likely)}; {basis}"


def split_like(before: float, after: float) -> str | None:
    """The split whose ratio two prices are near, within 3 %, such as `4-for-1 split`; `None` where they are near none.

    Args:
        before: the last price before, above zero.
        after: the first price after, above zero.
    """
    ratio = log(before / after)
    off, new, old = min((abs(ratio - log(new / old)), new, old) for new, old in (*_FORWARD, *_REVERSE))
    return f"{new}-for-{old} {'split' if new > old else 'reverse split'}" if off <= NEAR_SPLIT else None


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
    threshold="10 %; 3 % where it is back on the same day; 0.5 % between flat stretches, back minutes later",
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
    step = close[1:] / close[:-1]
    near = _same_day(usable, step, near_levels.NEAR)
    if not near.size:  # as in most months
        return RuleOutcome(of=usable.size)
    at = _same_day(usable, step, THERE_AND_BACK)
    steps, mixed = _clean(close, at), _mixed(usable, at)
    found = np.abs(steps.apart) > np.log1p(SHIFT)
    found |= _there_and_back(steps, usable)
    every = np.union1d(np.union1d(steps.at[found], mixed), near_levels.stretches(usable, step, near))
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


def _same_day(usable: UsableBars, step: Floats, beyond: float) -> Rows:
    """Bars whose close is further off the one before than this share, on the same day."""
    at = np.flatnonzero((step > 1 + beyond) | (step < 1 / (1 + beyond))) + 1
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
