"""The rules that look at each bar by itself or beside the one before it: values, order, place in time.

A predicate says what is good, never what is bad: a comparison with NaN is false, so NaN is not good.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, from_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.reading import NO_TIME, Reading
from mohlcv_dagster.bars.rules.rule import Outcome, Severity
from mohlcv_dagster.bars.rules.wording import tally
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME
from mohlcv_dagster.model.listings import EmptyMonthCause

Mask: TypeAlias = npt.NDArray[np.bool_]


def not_empty(evidence: Evidence) -> Outcome:
    """Judge: there is at least one bar, or the month was proven empty and cannot have any.

    A warning where it was proven empty and nobody knows why.
    """
    rows, path = evidence.own.rows, evidence.file.path
    if rows:
        return Outcome(of=rows)
    empty = evidence.recorded.empty if evidence.recorded else None
    if empty is None:
        return Outcome(of=rows, fault=f"{path} has a header and not one bar")
    proven = "no bars: every window of the month was answered whole and empty"
    if empty.cause is EmptyMonthCause.EXPLAINED:
        return Outcome(of=rows, note=f"{proven}, as it must be: {empty.reason}")
    if empty.cause is EmptyMonthCause.UNKNOWN:
        return Outcome(of=rows, fault=f"{path} has {proven}; {empty.reason}", severity=Severity.WARN)
    return Outcome(of=rows, fault=f"{path} has {proven}, yet {empty.reason}")


def no_missing_values(evidence: Evidence) -> Outcome:
    """Judge: every field is there and finite. Context: `columns` that are not."""
    reading = evidence.own
    good = {TIME: reading.starts != NO_TIME, **{name: np.isfinite(reading.prices[name]) for name in PRICES}}
    good[VOLUME] = np.isfinite(reading.volume)
    if all(column.all() for column in good.values()):
        return Outcome(of=reading.rows)
    bad = ~np.logical_and.reduce(list(good.values()))
    names = [", ".join(name for name in COLUMNS if not good[name][row]) for row in np.flatnonzero(bad)]
    bars = reading.present.filter(from_numpy(bad)).append_column("columns", pa.array(names))
    text = "a value that is missing, not a number or infinite"
    fault = tally(bars, reading.rows, text, shown=("columns",), row=int(bad.argmax()))
    return Outcome(of=reading.rows, fault=fault, bars=bars)


def rising_time(evidence: Evidence) -> Outcome:
    """Judge: each bar starts later than the one before it. Context: `previous_ts_event`."""
    starts = evidence.own.starts
    good = starts != NO_TIME
    good[1:] &= starts[1:] > starts[:-1]
    if good.all():
        return Outcome(of=starts.size)
    bad = np.flatnonzero(~good)
    unknown = (bad == 0) | (starts[bad - 1] == NO_TIME)
    previous = from_numpy(np.concatenate([starts[:1], starts[:-1]])[bad], missing=unknown)
    bars = evidence.own.present.take(from_numpy(bad)).append_column("previous_ts_event", previous.cast(TIME_TYPE))
    repeated = int((starts[bad] == starts[bad - 1]).sum())
    text = f"a start not later than the bar before ({repeated:,} the same, {bars.num_rows - repeated:,} earlier)"
    fault = tally(bars, starts.size, text, shown=("previous_ts_event",), row=int(bad[0]))
    return Outcome(of=starts.size, fault=fault, bars=bars)


def inside_month(evidence: Evidence) -> Outcome:
    """Judge: every bar starts in the file's UTC month."""
    month, starts = evidence.file.month, evidence.own.starts
    good = (starts >= month.start_second) & (starts < month.end_second)
    bounds = f"{month.start:%Y-%m-%d %H:%M:%S}Z inclusive to {month.end:%Y-%m-%d %H:%M:%S}Z exclusive"
    return _offenders(evidence.own, good, f"a start outside {month} ({bounds})", shown=())


def aligned(evidence: Evidence) -> Outcome:
    """Judge: every bar starts on a multiple of the timeframe from midnight UTC. Context: `bucket_start`."""
    timeframe, starts = evidence.file.timeframe, evidence.own.starts
    off = starts % timeframe.seconds
    good = off == 0  # never of NO_TIME: no timeframe divides a power of two
    outcome = _offenders(
        evidence.own, good, f"a start that is not a multiple of {timeframe} from midnight UTC", shown=()
    )
    if outcome.bars is None:
        return outcome
    # Only the offending bars; a missing start has no bucket.
    bucket = from_numpy((starts - off)[~good], missing=(starts == NO_TIME)[~good]).cast(TIME_TYPE)
    return Outcome(outcome.of, outcome.fault, outcome.bars.append_column("bucket_start", bucket))


def ohlc_order(evidence: Evidence) -> Outcome:
    """Judge: high is the highest and low the lowest of the four prices, without tolerance."""
    opens, high, low, close = (evidence.own.prices[name] for name in PRICES)
    good = (high >= opens) & (high >= close) & (low <= opens) & (low <= close)
    text = "high below open, low or close, or low above open or close"
    return _offenders(evidence.own, good, text, shown=PRICES)


def positive_prices(evidence: Evidence) -> Outcome:
    """Judge: all four prices are above zero."""
    if all(low > 0 for low, _ in evidence.own.ranges.values()):  # usual; never of NaN
        return Outcome(of=evidence.own.rows)
    good = np.logical_and.reduce([evidence.own.prices[name] > 0 for name in PRICES])
    return _offenders(evidence.own, good, "a price that is not above zero", shown=PRICES)


def non_negative_volume(evidence: Evidence) -> Outcome:
    """Judge: volume is zero or more."""
    return _offenders(evidence.own, evidence.own.volume >= 0, "a volume that is not zero or more", shown=(VOLUME,))


def volume_traded(evidence: Evidence) -> Outcome:
    """Judge: volume is above zero."""
    return _offenders(evidence.own, evidence.own.volume > 0, "a volume that is not above zero", shown=(VOLUME,))


def _offenders(reading: Reading, good: Mask, fault: str, *, shown: tuple[str, ...]) -> Outcome:
    bad: Mask = ~good
    if not bad.any():
        return Outcome(of=reading.rows)
    bars = reading.present.filter(from_numpy(bad))
    return Outcome(
        of=reading.rows, fault=tally(bars, reading.rows, fault, shown=shown, row=int(bad.argmax())), bars=bars
    )
