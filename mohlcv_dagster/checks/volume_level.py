"""The rule `volume_level`: the volume of a bar is in shares, in each hour, on each day and in the whole month.

A volume that is a hundred times too high or too low is well formed. An hour or a day is judged by the month: the
average logarithm of its bars' volumes in dollars, so that a split changes nothing, beside that of the same hour on the
other days. Where much more is traded than usual, as after news, there are many more bars as well; such an hour is not
judged. A whole month shows a factor by its digits alone: lots of a hundred and nothing else, or too few decimals.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, log
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Floats, from_numpy
from mohlcv_dagster.bars.medians import median
from mohlcv_dagster.checks.bad_prints import Mask, UsableBars
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.model.bar_files import TIME

Volumes: TypeAlias = npt.NDArray[Any]

FACTOR: Final = 25.0
"""By how much the average bar of an hour or a day may be above or below the month's usual, beyond chance."""
MORE_BARS: Final = 3.0
"""With more than so many times the usual bars, much may have been traded rightly, or seconds were filled in."""
FEWEST: Final = 20
"""Bars; with fewer in an hour or on a day, nothing is said of it."""
FEWEST_OF_LOTS: Final = 1_000
"""Bars of a month whose volumes cannot all be multiples of 100 by chance."""
FEWEST_FRACTIONS: Final = 100
"""Bars with a fraction of a share that cannot all have few decimals by chance."""
_SAMPLED: Final = 100_000
_CHANCE: Final = 4.0
"""Standard deviations of the average that are allowed on top of `FACTOR`."""
_DAYS: Final = 5
"""With fewer days nothing is known of the others."""
_HOUR: Final = 3_600
_DAY: Final = 86_400
_TURN: Final = 5 * _HOUR
_LOT: Final = 100
_NAMED: Final = 3
_NEAR_WHOLE: Final = 1e-6
_DECIMALS: Final = ((2, "divided by"), (4, "multiplied by"))
"""Of six decimals, those that are left at most after a volume was divided or multiplied by 100."""


@dataclass(frozen=True)
class _Off:
    """A day, or an hour, whose volumes are on another level.

    Attributes:
        start: Unix seconds, UTC.
        seconds: how long it is.
        factor: the average bar's volume in dollars over the usual one.
    """

    start: int
    seconds: int
    factor: float

    def __str__(self) -> str:
        """Such as `2024-01-17` or `2024-01-17 15:00 to 16:00Z`."""
        begin = datetime.fromtimestamp(self.start, UTC)
        if self.seconds == _DAY:
            return f"{begin:%Y-%m-%d}"
        return f"{begin:%Y-%m-%d %H:%M} to {begin + timedelta(seconds=self.seconds):%H:%M}Z"


@rule(
    sentence="The volumes of each hour and day are on the month's level, and in shares.",
    threshold="25 times, beyond chance, with at most 3 times as many bars as usual",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure="Compare the volumes of {partition} with another source, such as the vendor's daily volume: news needs "
    "nothing; a wrong unit is cured by re-materializing {asset}, or reported to the vendor.",
    counts="stretches",
)
def volume_level(given: CheckInput) -> RuleOutcome:
    """Rows: the days and hours that are off, `ts_event` their start; `until`, `times` the usual, `volume`, `usual`.

    `volume` is the median of its bars, `usual` that of the other bars of the month. Of a whole month: its first bar.
    """
    usable = UsableBars.of(given.own)
    volume = usable.volume
    off = _off(usable, given)
    if off:
        return _told(off, usable)
    digits = _digits_fault(volume, given)
    if digits is None:
        return RuleOutcome(of=usable.size)
    first = usable.bars(np.flatnonzero(volume % 1 != 0)[:1] if (volume % 1).any() else np.arange(1))
    return RuleOutcome(of=usable.size, fault=f"{given.file.path} {digits}", bars=first)


def _digits_fault(volume: Volumes, given: CheckInput) -> str | None:
    """What the digits of a whole month's volumes say, and how many there are of them; `None` where nothing."""
    if given.adjusted or volume.size < FEWEST_FRACTIONS:
        return None
    few = volume[:FEWEST_OF_LOTS]
    if not (few % _LOT).any():  # quick; as in few months
        if volume.size < FEWEST_OF_LOTS or (volume % _LOT).any() or not volume.any():
            return None
        return (
            f"has not one volume of an odd lot: all {volume.size:,} are multiples of 100, as if multiplied by 100 "
            f"or rounded (the smallest is {int(volume.min()):,})"
        )
    if volume.dtype.kind != "f":
        return None
    fractions = volume[volume % 1 != 0]
    for decimals, verb in _DECIMALS:
        scaled = fractions * 10.0**decimals
        if fractions.size >= FEWEST_FRACTIONS and bool((np.abs(scaled - np.rint(scaled)) < _NEAR_WHOLE).all()):
            return (
                f"has volumes of at most {decimals} decimals in all {fractions.size:,} bars with a fraction of a "
                f"share, where the market has up to six, as if {verb} 100 (the first is {fractions[0]:g})"
            )
    return None


@dataclass(frozen=True)
class _Hours:
    """The hours of the month's days, from 05:00 UTC on, when nothing trades; shape (days, 24).

    Attributes:
        first: where they begin, Unix seconds.
        counts: bars looked at.
        level: the average logarithm of their volumes in dollars; 0 where there are none.
        spread: the standard deviation of that of a bar, over the month.
    """

    first: int
    counts: Floats
    level: Floats
    spread: float

    def far(self, level: Floats, counts: Floats) -> Mask:
        """Which are off by more than `FACTOR` and chance, with not too many bars.

        Args:
            level: how far each is above the usual, a logarithm; shape (days, any).
            counts: the bars of each, in the same shape.
        """
        allowed = log(FACTOR) + _CHANCE * self.spread / np.sqrt(np.maximum(counts, 1))
        usual_bars = counts <= MORE_BARS * _median_of_days(counts, counts > 0)
        far: Mask = (counts >= FEWEST) & (np.abs(level) > allowed) & usual_bars
        return far


def _hours(usable: UsableBars, given: CheckInput) -> _Hours | None:
    """What is known of a sample of the month's bars; `None` where they are too few."""
    step = max(1, usable.size // _SAMPLED)
    starts, shares = usable.starts[::step], usable.volume[::step].astype(np.float64)
    dollars = usable.prices["close"][::step] * shares
    if not shares.min(initial=1.0) > 0:  # never of NaN; as in few months
        starts, dollars = starts[shares > 0], dollars[shares > 0]
    if starts.size < FEWEST * _DAYS:
        return None
    month = given.file.month
    first = month.start_second - _DAY + _TURN
    bounds = np.searchsorted(starts, np.arange(first, month.end_second + _TURN + 1, _HOUR))
    levels = np.log(dollars)
    sums = np.diff(np.concatenate([[0.0], np.cumsum(levels)])[bounds]).reshape(-1, 24)
    counts = np.diff(bounds).reshape(-1, 24).astype(np.float64)
    return _Hours(first, counts, sums / np.maximum(counts, 1), float(levels.std()))


def _off(usable: UsableBars, given: CheckInput) -> list[_Off]:
    """The days whose volumes are on another level, and the hours of other days, rising."""
    hours = _hours(usable, given)
    if hours is None:
        return []
    there = hours.counts > 0
    level = np.where(there, hours.level - _median_of_days(hours.level, there), 0.0)
    if np.abs(level).max() <= log(FACTOR):  # no day either; as in most months
        return []
    bars = hours.counts.sum(axis=1, keepdims=True)
    of_day = (level * hours.counts).sum(axis=1, keepdims=True) / np.maximum(bars, 1)
    days, single = hours.far(of_day, bars), hours.far(level, hours.counts)
    off = [_Off(hours.first + _DAY * int(at), _DAY, exp(of_day[at, 0])) for at in np.flatnonzero(days)]
    for day, hour in np.argwhere(single & ~days):
        start = hours.first + _DAY * int(day) + _HOUR * int(hour)
        off.append(_Off(start, _HOUR, exp(level[day, hour])))
    return sorted(off, key=lambda each: each.start)


def _median_of_days(values: Floats, known: Mask) -> Floats:
    """The median of each column over the days for which it is known; of all, where they are fewer than five."""
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    counts = np.count_nonzero(known, axis=0)
    median = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[None, :] // 2, axis=0)[0]
    every = np.sort(values[known])
    common = every[(every.size - 1) // 2] if every.size else 0.0
    found: Floats = np.where(counts >= _DAYS, median, common)
    return found


def _told(off: list[_Off], usable: UsableBars) -> RuleOutcome:
    inside, volume = np.zeros(usable.size, dtype=bool), usable.volume
    spans = [slice(*np.searchsorted(usable.starts, [each.start, each.start + each.seconds])) for each in off]
    for span in spans:
        inside[span] = True
    usual = float(median(volume[~inside])) if not inside.all() else float("nan")
    own = [float(median(volume[span])) for span in spans]
    first = off[0]
    named = ", ".join(map(str, off[:_NAMED])) + (f" and {len(off) - _NAMED} more" if len(off) > _NAMED else "")
    fault = (
        f"the volume of {named} is on another level: on {first} about {_times(first.factor)} the month's usual "
        f"(the median bar has {own[0]:,.6g}, the other bars {usual:,.6g})"
    )
    table = pa.table(
        {
            TIME: from_numpy(np.array([each.start for each in off])).cast(TIME_TYPE),
            "until": from_numpy(np.array([each.start + each.seconds for each in off])).cast(TIME_TYPE),
            "times": [float(f"{each.factor:.3g}") for each in off],
            "volume": own,
            "usual": [usual] * len(off),
        }
    )
    return RuleOutcome(of=usable.size, fault=fault, bars=table)


def _times(factor: float) -> str:
    """`100 times`, `1/100 of`, to two digits."""
    return f"{float(f'{factor:.2g}'):g} times" if factor >= 1 else f"1/{float(f'{1 / factor:.2g}'):g} of"
