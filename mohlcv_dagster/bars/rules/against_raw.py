"""The rules that hold an aggregate against its raw file, by way of the second engine."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import from_numpy, to_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import as_text, plural
from mohlcv_dagster.bars.schema import COLUMNS, TIME, VOLUME


@dataclass(frozen=True)
class _Unlike:
    """What differs between a file's bars and those due.

    Attributes:
        bars: the bars that have no equal with those due beside them (`expected_…`); a bar due and not there has its
            start and nothing else found, one there and not due has nothing expected.
        absent: how many are due and not there.
        extra: how many are there and not due.
    """

    bars: pa.Table
    absent: int
    extra: int


def volume_conserved(evidence: Evidence) -> Outcome:
    """Judge: each bucket, and the whole file, holds exactly the volume of its raw bars. Context: `expected_…`."""
    due = evidence.recomputed
    if isinstance(due, str):
        return _no_second_result(evidence, due)
    unlike = _compare(evidence.own, due, (VOLUME,))
    if not unlike.bars.num_rows:
        return Outcome(of=evidence.own.rows)  # equal in every bucket, hence in total
    total, due_total = _total(evidence.own.present), _total(due)
    fault = f"{_tally(evidence, unlike, (VOLUME,))}; in total it has {total} shares, its raw file {due_total}"
    return Outcome(of=evidence.own.rows, fault=fault, bars=unlike.bars)


def equals_recomputation(evidence: Evidence) -> Outcome:
    """Judge: the rows are those the second engine makes, in order, equal in every field. Context: `expected_…`."""
    due = evidence.recomputed
    if isinstance(due, str):
        return _no_second_result(evidence, due)
    unlike = _compare(evidence.own, due, COLUMNS[1:])
    if not unlike.bars.num_rows:
        return Outcome(of=evidence.own.rows)
    return Outcome(of=evidence.own.rows, fault=_tally(evidence, unlike, COLUMNS[1:]), bars=unlike.bars)


def _no_second_result(evidence: Evidence, why: str) -> Outcome:
    return Outcome(of=evidence.own.rows, fault=f"{evidence.file.path} could not be recomputed: {why}")


def _compare(own: Reading, due: pa.Table, names: tuple[str, ...]) -> _Unlike:
    """Hold the bars against those due; one that repeats an earlier start or goes back in time is extra."""
    if own.present.equals(due):  # the common case, a hundred times as fast
        return _Unlike(_beside(due.slice(0, 0), due.slice(0, 0)), absent=0, extra=0)
    starts, due_starts = own.starts, schema.seconds(due)
    at = np.searchsorted(due_starts, starts)
    known = at < due_starts.size
    known[known] = due_starts[at[known]] == starts[known]
    known[1:] &= starts[1:] > np.maximum.accumulate(starts)[:-1]
    good = known.copy()
    for name in names:
        found, expected = to_numpy(own.present[name]), to_numpy(due[name])
        good[known] &= found[known] == expected[at[known]]
    lost = due.filter(from_numpy(np.isin(due_starts, starts, invert=True)))
    partner: Any = from_numpy(at[~good], missing=~known[~good])
    bars = _beside(own.present.filter(from_numpy(~good)), due.take(partner))
    if lost.num_rows:
        bars = pa.concat_tables([bars, _beside(_nothing_at(lost, own.present.schema), lost)]).sort_by(TIME)
    return _Unlike(bars, absent=lost.num_rows, extra=int((~known).sum()))


def _beside(found: pa.Table, expected: pa.Table) -> pa.Table:
    for name in COLUMNS[1:]:
        found = found.append_column(f"expected_{name}", expected[name])
    return found


def _nothing_at(lost: pa.Table, form: pa.Schema) -> pa.Table:
    columns: list[Any] = [lost[TIME], *(pa.nulls(lost.num_rows, form.field(name).type) for name in COLUMNS[1:])]
    return pa.table(columns, schema=form)


def _total(bars: pa.Table) -> str:
    """The exact sum of the volumes as written, in shares; `an unknown number of` where one is not a number."""
    volume: npt.NDArray[Any] = to_numpy(bars[VOLUME])
    if not np.isfinite(volume).all():
        return "an unknown number of"
    with localcontext(prec=400):  # room for every sum of floats
        return f"{sum(map(Decimal, map(repr, volume.tolist())), Decimal()):,f}"


def _tally(evidence: Evidence, unlike: _Unlike, names: tuple[str, ...]) -> str:
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
