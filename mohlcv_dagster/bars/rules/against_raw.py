"""The rules that hold an aggregate against its raw file, by way of the second engine."""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import to_numpy
from mohlcv_dagster.bars.rules.comparison import Comparison, compare
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import as_text, plural
from mohlcv_dagster.model.bar_files import COLUMNS, TIME, VOLUME


def volume_conserved(evidence: Evidence) -> Outcome:
    """Judge: each bucket, and the whole file, holds exactly the volume of its raw bars. Context: `expected_…`."""
    due = evidence.recomputed
    if isinstance(due, str):
        raise ValueError(f"a rule asked for the recomputed bars although {due}")  # noqa: TRY004 - no caller passes it
    unlike = compare(evidence.own, due, (VOLUME,))
    if unlike.is_equal:
        return Outcome(of=evidence.own.rows)  # equal in every bucket, hence in total
    total, due_total = _total(evidence.own.present), _total(due)
    fault = f"{_tally(evidence, unlike, (VOLUME,))}; in total it has {total} shares, its raw file {due_total}"
    return Outcome(of=evidence.own.rows, fault=fault, bars=unlike.bars)


def equals_recomputation(evidence: Evidence) -> Outcome:
    """Judge: the rows are those the second engine makes, in order, equal in every field. Context: `expected_…`."""
    rows, unlike = evidence.own.rows, evidence.comparison
    if isinstance(unlike, str):
        return Outcome(of=rows, fault=f"{evidence.file.path} could not be recomputed: {unlike}")
    if unlike.is_equal:
        return Outcome(of=rows)
    return Outcome(of=rows, fault=_tally(evidence, unlike, COLUMNS[1:]), bars=unlike.bars)


def _total(bars: pa.Table) -> str:
    """The exact sum of the volumes as written, in shares; `an unknown number of` where one is not a number."""
    volume: npt.NDArray[Any] = to_numpy(bars[VOLUME])
    if not np.isfinite(volume).all():
        return "an unknown number of"
    with localcontext(prec=400):  # room for every sum of floats
        return f"{sum(map(Decimal, map(repr, volume.tolist())), Decimal()):,f}"


def _tally(evidence: Evidence, unlike: Comparison, names: tuple[str, ...]) -> str:
    """`FILE does not hold what RAW gives: 1 with other values, 2 absent, of 9 bars due; first at … (open 1, due 2)`."""
    differ = unlike.bars.num_rows - unlike.absent - unlike.extra
    counts = {"with other values": differ, "absent": unlike.absent, "not due": unlike.extra}
    parts = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    due = evidence.own.rows - unlike.extra + unlike.absent
    start = f"{evidence.file.path} does not hold what {evidence.file.raw.path} gives"
    first = unlike.bars.slice(0, 1)
    return (
        f"{start}: {parts}, of {due:,} {plural(due)} due; first at {as_text(first[TIME][0])} ({_unlike(first, names)})"
    )


def _unlike(first: pa.Table, names: tuple[str, ...]) -> str:
    """`volume 15635, due 15634`, or `absent`, or `not due`."""
    missing = [all(first[f"{side}{name}"].null_count for name in COLUMNS[1:]) for side in ("", "expected_")]
    if any(missing):
        return "absent" if missing[0] else "not due"
    return ", ".join(
        f"{name} {as_text(first[name][0])}, due {as_text(first[f'expected_{name}'][0])}"
        for name in names
        if not first[name].equals(first[f"expected_{name}"])
    )
