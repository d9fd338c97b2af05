"""The rules on aggregates: labels on the grid of the timeframe, and equality with what the raw file gives."""

from decimal import Decimal, localcontext
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, from_numpy, to_numpy
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import NO_TIME
from mohlcv_dagster.checks.recompute import BarDifferences, compare
from mohlcv_dagster.checks.rule import AFTER_RAW, Requires, RuleOutcome, Scope, rule
from mohlcv_dagster.checks.values import outcome
from mohlcv_dagster.checks.wording import as_text
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import COLUMNS, TIME, VOLUME

_MISPLACED: Final = "repeated or out of order"


@rule(
    sentence="Every bar starts on a multiple of the timeframe, counted from midnight UTC.",
    threshold="0 bars",
    scope=Scope.AGGREGATE,
    aggregate_cure=AFTER_RAW,
)
def aligned(given: CheckInput) -> RuleOutcome:
    """Context: `bucket_start`."""
    timeframe, starts = given.file.timeframe, given.own.starts
    off = starts % timeframe.seconds
    good = off == 0  # never of NO_TIME: no timeframe divides a power of two
    found = outcome(given.own, good, f"a start that is not a multiple of {timeframe} from midnight UTC")
    if found.bars is None:
        return found
    bucket = from_numpy((starts - off)[~good], missing=(starts == NO_TIME)[~good]).cast(TIME_TYPE)
    return RuleOutcome(found.of, found.fault, found.bars.append_column("bucket_start", bucket))


@rule(
    sentence="Each bucket, and the file in total, has exactly the volume of its raw bars.",
    threshold="0 shares",
    scope=Scope.AGGREGATE,
    requires=Requires.RECOMPUTED,
    aggregate_cure=AFTER_RAW,
)
def volume_conserved(given: CheckInput) -> RuleOutcome:
    """Context: `expected_…`."""
    expected = given.recomputed
    if isinstance(expected, str):
        raise ValueError(f"a rule asked for the recomputed bars although {expected}")  # noqa: TRY004 - no caller passes it
    found = compare(given.own.present, given.own.starts, expected, (VOLUME,))
    if found.is_equal:
        return RuleOutcome(of=given.own.rows)  # equal in every bucket, so equal in total
    total, expected_total = _total(given.own.present), _total(expected)
    fault = f"{_fault(given, found, (VOLUME,))}; in total it has {total} shares, its raw file {expected_total}"
    return RuleOutcome(of=given.own.rows, fault=fault, bars=found.bars)


@rule(
    sentence="The aggregate equals, bar for bar, what a second engine makes from the raw file.",
    threshold="0 bars",
    scope=Scope.AGGREGATE,
    requires=Requires.RAW,
    aggregate_cure=AFTER_RAW,
)
def equals_recomputation(given: CheckInput) -> RuleOutcome:
    """The same rows in the same order, equal in every field. Context: `expected_…`."""
    rows, found = given.own.rows, given.differences
    if isinstance(found, str):
        return RuleOutcome(of=rows, fault=f"{given.file.path} could not be recomputed: {found}")
    if found.is_equal:
        return RuleOutcome(of=rows)
    return RuleOutcome(of=rows, fault=_fault(given, found, COLUMNS[1:]), bars=found.bars)


def _total(bars: pa.Table) -> str:
    """The exact sum of the volumes as written, in shares; `an unknown number of` where one is not a number."""
    volume: npt.NDArray[Any] = to_numpy(bars[VOLUME])
    if not np.isfinite(volume).all():
        return "an unknown number of"
    with localcontext(prec=400):  # enough digits for every sum of floats
        return f"{sum(map(Decimal, map(repr, volume.tolist())), Decimal()):,f}"


def _fault(given: CheckInput, found: BarDifferences, names: tuple[str, ...]) -> str:
    """`FILE does not equal what RAW gives: 2 absent, of 9 bars expected; first at … (open 1, expected 2)`."""
    differ = found.bars.num_rows - found.absent - found.extra - found.misplaced
    counts = {
        "with other values": differ,
        "absent": found.absent,
        "not expected": found.extra,
        _MISPLACED: found.misplaced,
    }
    parts = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    expected = quantity(found.expected, "bar")
    first = found.bars.slice(0, 1)
    return (
        f"{given.file.path} does not equal what {given.file.raw.path} gives: {parts}, of {expected} expected; "
        f"first at {as_text(first[TIME][0])} ({_difference(first, names)})"
    )


def _difference(first: pa.Table, names: tuple[str, ...]) -> str:
    """`volume 15635, expected 15634`, or `absent`, `not expected`, `repeated or out of order`."""
    missing = [all(first[f"{side}{name}"].null_count for name in COLUMNS[1:]) for side in ("", "expected_")]
    if any(missing):
        return "absent" if missing[0] else "not expected"
    values = ", ".join(
        f"{name} {as_text(first[name][0])}, expected {as_text(first[f'expected_{name}'][0])}"
        for name in names
        if not first[name].equals(first[f"expected_{name}"])
    )
    return values or _MISPLACED
