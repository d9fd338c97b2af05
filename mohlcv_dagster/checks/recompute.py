"""The second engine: recomputes an aggregate from raw bars, and compares a stored one with it.

It shares no code with `bars/resample.py`, so that a mistake there shows. That one cuts sorted arrays into slices and
reduces each; here every bar is added to the slot of its bucket. Never used to write a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, from_numpy, to_numpy
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME
from mohlcv_dagster.model.timeframes import Timeframe

_SCALES: Final = (10**6, 10**7, 10**8, 10**9)
_EXACT: Final = 2.0**53
"""Integers below it are exact in a float64, and so is their quotient by a scale, rounded once."""
_SAFE_SUM: Final = 2.0**62
_TOO_LARGE: Final = "the volumes of the raw file are too large to be summed exactly"
_BLOCK_SIZE: Final = 1 << 15
Slots: TypeAlias = npt.NDArray[np.intp]
"""For each bar of a block, the number of its bucket in it."""
Columns: TypeAlias = tuple[npt.NDArray[Any], ...]


def recompute(raw: pa.Table, timeframe: Timeframe) -> pa.Table:
    """The bars of `timeframe` made from raw bars, in the type of the raw volume.

    Buckets are `[start, start + timeframe)` from midnight UTC, labelled by their start; one without bars has no row.

    Raises:
        UnsortedBarsError: the raw bars do not rise strictly, so first and last are unknown.
        VolumePrecisionError: a volume cannot be summed exactly.
        BarsError: the raw bars have missing values.
    """
    _require_order(raw)
    starts, prices = to_numpy(raw[TIME].cast(pa.int64())), [to_numpy(raw[name]) for name in PRICES]
    is_whole = bar_table.has_whole_volume(raw)
    units, scale = (to_numpy(raw[VOLUME]), 1) if is_whole else _as_units(to_numpy(raw[VOLUME]))
    _require_safe_sums(units)
    if not starts.size:
        return bar_table.empty(whole_volume=is_whole)
    made = [
        _resampled(starts[rows] // timeframe.seconds, [price[rows] for price in prices], units[rows])
        for rows in _blocks(starts, timeframe.seconds)
    ]
    label, opens, high, low, close, sums = (np.concatenate(column) for column in zip(*made, strict=True))
    if not is_whole and not np.all(np.abs(sums) < _EXACT):
        raise VolumePrecisionError(_TOO_LARGE)
    return bar_table.from_arrays(
        label * timeframe.seconds,
        dict(zip(PRICES, (opens, high, low, close), strict=True)),
        sums if is_whole else sums / scale,
    )


def _blocks(starts: Seconds, seconds: int) -> Iterator[slice]:
    """The bars some thousands at a time, each block up to the end of a bucket, so that one fits into a CPU cache."""
    begin = 0
    while begin < starts.size:
        last = int(starts[min(begin + _BLOCK_SIZE, starts.size) - 1])
        end = int(np.searchsorted(starts, (last // seconds + 1) * seconds))
        yield slice(begin, end)
        begin = end


def _resampled(label: Seconds, prices: list[Floats], units: npt.NDArray[np.int64]) -> Columns:
    """Join the bars of a block by bucket: label, open, high, low, close and units of each bucket.

    Args:
        label: the number of each bar's bucket, never falling.
        prices: open, high, low and close of each bar.
        units: the volume of each bar.
    """
    opens, high, low, close = prices
    slot = np.cumsum(np.diff(label, prepend=label[:1]) != 0)
    size = int(slot[-1]) + 1
    highest, lowest, sums = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size, np.int64)
    np.maximum.at(highest, slot, high)
    np.minimum.at(lowest, slot, low)
    np.add.at(sums, slot, units)
    first = _last(slot[::-1], opens[::-1], size)
    return _last(slot, label, size), first, highest, lowest, _last(slot, close, size), sums


def _last(slot: Slots, values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The last value of each slot."""
    last = np.empty(size, values.dtype)
    last[slot] = values  # NumPy keeps the last of those assigned to one index
    return last


def _as_units(volume: Floats) -> tuple[npt.NDArray[np.int64], int]:
    """Shares as whole units of 1/scale share, and the scale: the coarsest from 10**6 to 10**9 that holds each exactly.

    Raises:
        VolumePrecisionError: none does.
    """
    for scale in _SCALES:
        with np.errstate(over="ignore"):
            units = np.rint(volume * scale)
        if np.all((units / scale == volume) & (np.abs(units) < _EXACT)):
            return units.astype(np.int64), scale
    raise VolumePrecisionError(f"no unit from 10^-6 to 10^-9 share holds all {volume.size:,} volumes exactly")


def _require_order(raw: pa.Table) -> None:
    if any(raw[name].null_count for name in COLUMNS):
        raise BarsError("the raw file has missing values (no_missing_values)")
    starts = to_numpy(raw[TIME].cast(pa.int64()))
    if not np.all(starts[1:] > starts[:-1]):
        raise UnsortedBarsError("the raw file's bars do not rise strictly in time (rising_time)")


def _require_safe_sums(units: npt.NDArray[np.int64]) -> None:
    """Require that no bucket's sum can overflow 64 bits; in most months the largest volume shows it."""
    if max(-int(units.min(initial=0)), int(units.max(initial=0))) * units.size < _SAFE_SUM:
        return
    if np.abs(units.astype(np.float64)).sum() >= _SAFE_SUM:
        raise VolumePrecisionError(_TOO_LARGE)


@dataclass(frozen=True)
class BarDifferences:
    """How a file's bars differ from the expected ones.

    Attributes:
        bars: the bars that have no equal, with the expected ones next to them (`expected_…`). A bar that is expected
            and absent has only its start; one that is not expected has nothing in those columns.
        expected: how many are expected.
        absent: how many of them are absent.
        extra: how many are present and not expected.
        misplaced: how many are expected, and repeat an earlier start or go back in time.
    """

    bars: pa.Table
    expected: int
    absent: int = 0
    extra: int = 0
    misplaced: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return self.bars.num_rows == 0


def compare(found: pa.Table, starts: Seconds, expected: pa.Table, names: tuple[str, ...]) -> BarDifferences:
    """Compare bars with the expected ones.

    Args:
        found: the bars. One that repeats an earlier start or goes back in time has no equal.
        starts: theirs, Unix seconds; the smallest integer where one is missing.
        expected: the bars that are expected.
        names: the columns to compare.
    """
    if found.equals(expected):  # the common case, a hundred times as fast
        return BarDifferences(_side_by_side(expected.slice(0, 0), expected.slice(0, 0)), expected.num_rows)
    expected_starts = bar_table.seconds(expected)
    at = np.searchsorted(expected_starts, starts)
    known = at < expected_starts.size
    known[known] = expected_starts[at[known]] == starts[known]
    misplaced = known.copy()
    misplaced[:1] = False
    misplaced[1:] &= starts[1:] <= np.maximum.accumulate(starts)[:-1]
    good = known & ~misplaced
    for name in names:
        good[known] &= to_numpy(found[name])[known] == to_numpy(expected[name])[at[known]]
    lost = expected.filter(from_numpy(np.isin(expected_starts, starts, invert=True)))
    partner: Any = from_numpy(at[~good], missing=~known[~good])
    bars = _side_by_side(found.filter(from_numpy(~good)), expected.take(partner))
    if lost.num_rows:
        bars = pa.concat_tables([bars, _side_by_side(_starts_only(lost, found.schema), lost)]).sort_by(TIME)
    return BarDifferences(bars, expected.num_rows, lost.num_rows, int((~known).sum()), int(misplaced.sum()))


def _side_by_side(found: pa.Table, expected: pa.Table) -> pa.Table:
    for name in COLUMNS[1:]:
        found = found.append_column(f"expected_{name}", expected[name])
    return found


def _starts_only(lost: pa.Table, form: pa.Schema) -> pa.Table:
    columns: list[Any] = [lost[TIME], *(pa.nulls(lost.num_rows, form.field(name).type) for name in COLUMNS[1:])]
    return pa.table(columns, schema=form)
