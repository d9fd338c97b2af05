"""The rules on each bar: its values, and its place in the order of the file and in the month.

A comparison with NaN is false, so each rule selects the good bars, never the bad ones.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, from_numpy
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import NO_TIME, Reading
from mohlcv_dagster.checks.rule import RuleOutcome, Severity, rule
from mohlcv_dagster.checks.wording import offending
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME

Mask: TypeAlias = npt.NDArray[np.bool_]

_NONE: Final = "0 bars"


@rule(sentence="No field is empty, NaN or infinite.", threshold=_NONE)
def no_missing_values(given: CheckInput) -> RuleOutcome:
    """Context: `columns` that have such a field."""
    own = given.own
    good = {TIME: own.starts != NO_TIME, **{name: np.isfinite(own.prices[name]) for name in PRICES}}
    good[VOLUME] = np.isfinite(own.volume)
    if all(column.all() for column in good.values()):
        return RuleOutcome(of=own.rows)
    bad = ~np.logical_and.reduce(list(good.values()))
    names = [", ".join(name for name in COLUMNS if not good[name][row]) for row in np.flatnonzero(bad)]
    bars = own.present.filter(from_numpy(bad)).append_column("columns", pa.array(names))
    text = "a value that is missing, not a number or infinite"
    fault = offending(bars, own.rows, text, shown=("columns",), row=int(bad.argmax()))
    return RuleOutcome(of=own.rows, fault=fault, bars=bars)


@rule(sentence="Each bar starts later than the one before it; none is repeated.", threshold=_NONE)
def rising_time(given: CheckInput) -> RuleOutcome:
    """Context: `previous_ts_event`."""
    starts = given.own.starts
    good = starts != NO_TIME
    good[1:] &= starts[1:] > starts[:-1]
    if good.all():
        return RuleOutcome(of=starts.size)
    bad = np.flatnonzero(~good)
    unknown = (bad == 0) | (starts[bad - 1] == NO_TIME)
    previous = from_numpy(np.concatenate([starts[:1], starts[:-1]])[bad], missing=unknown)
    bars = given.own.present.take(from_numpy(bad)).append_column("previous_ts_event", previous.cast(TIME_TYPE))
    repeated = int((starts[bad] == starts[bad - 1]).sum())
    text = f"a start not later than the bar before ({repeated:,} the same, {bars.num_rows - repeated:,} earlier)"
    fault = offending(bars, starts.size, text, shown=("previous_ts_event",), row=int(bad[0]))
    return RuleOutcome(of=starts.size, fault=fault, bars=bars)


@rule(
    sentence="Every bar starts in the file's UTC month: first second inclusive, next month's exclusive.",
    threshold=_NONE,
)
def inside_month(given: CheckInput) -> RuleOutcome:
    """A missing start fails, too."""
    month, starts = given.file.month, given.own.starts
    good = (starts >= month.start_second) & (starts < month.end_second)
    bounds = f"{month.start:%Y-%m-%d %H:%M:%S}Z inclusive to {month.end:%Y-%m-%d %H:%M:%S}Z exclusive"
    return outcome(given.own, good, f"a start outside {month} ({bounds})")


@rule(
    sentence="High is the highest and low the lowest of open, high, low and close.",
    threshold="0 bars, no tolerance",
)
def ohlc_order(given: CheckInput) -> RuleOutcome:
    """A missing price fails, too."""
    opens, high, low, close = (given.own.prices[name] for name in PRICES)
    good = (high >= opens) & (high >= close) & (low <= opens) & (low <= close)
    return outcome(given.own, good, "high below open, low or close, or low above open or close", shown=PRICES)


@rule(sentence="Open, high, low and close are above zero.", threshold=_NONE)
def positive_prices(given: CheckInput) -> RuleOutcome:
    """A missing price fails, too."""
    if all(low > 0 for low, _ in given.own.ranges.values()):  # as in most files; never of NaN
        return RuleOutcome(of=given.own.rows)
    good = np.logical_and.reduce([given.own.prices[name] > 0 for name in PRICES])
    return outcome(given.own, good, "a price that is not above zero", shown=PRICES)


@rule(sentence="Volume is zero or more.", threshold=_NONE)
def non_negative_volume(given: CheckInput) -> RuleOutcome:
    """A missing volume fails, too."""
    return outcome(given.own, given.own.volume >= 0, "a volume that is not zero or more", shown=(VOLUME,))


@rule(sentence="Volume is above zero: a bar has at least one trade.", threshold=_NONE, severity=Severity.WARN)
def volume_traded(given: CheckInput) -> RuleOutcome:
    """A missing volume fails, too."""
    return outcome(given.own, given.own.volume > 0, "a volume that is not above zero", shown=(VOLUME,))


def outcome(own: Reading, good: Mask, fault: str, *, shown: tuple[str, ...] = ()) -> RuleOutcome:
    """The outcome of a rule that separates good bars from bad ones.

    Args:
        own: the file's bars.
        good: which of them are good, shape (rows,).
        fault: what the others have; see `wording.offending`.
        shown: the columns given of the first.
    """
    bad: Mask = ~good
    if not bad.any():
        return RuleOutcome(of=own.rows)
    bars = own.present.filter(from_numpy(bad))
    message = offending(bars, own.rows, fault, shown=shown, row=int(bad.argmax()))
    return RuleOutcome(of=own.rows, fault=message, bars=bars)
