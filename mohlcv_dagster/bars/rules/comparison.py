"""An aggregate's bars compared with those that are due: which differ, which are absent, which are not due. No rule."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import from_numpy, to_numpy
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.model.bar_files import COLUMNS, TIME


@dataclass(frozen=True)
class Comparison:
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

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return self.bars.num_rows == 0


def compare(own: Reading, due: pa.Table, names: tuple[str, ...]) -> Comparison:
    """Hold the bars against those due; one that repeats an earlier start or goes back in time is extra."""
    if own.present.equals(due):  # the common case, a hundred times as fast
        return Comparison(_beside(due.slice(0, 0), due.slice(0, 0)), absent=0, extra=0)
    starts, due_starts = own.starts, bar_table.seconds(due)
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
    return Comparison(bars, absent=lost.num_rows, extra=int((~known).sum()))


def _beside(found: pa.Table, expected: pa.Table) -> pa.Table:
    for name in COLUMNS[1:]:
        found = found.append_column(f"expected_{name}", expected[name])
    return found


def _nothing_at(lost: pa.Table, form: pa.Schema) -> pa.Table:
    columns: list[Any] = [lost[TIME], *(pa.nulls(lost.num_rows, form.field(name).type) for name in COLUMNS[1:])]
    return pa.table(columns, schema=form)
