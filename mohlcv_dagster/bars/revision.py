"""The same month fetched twice: which bars changed, came or went; and stored bars joined with newly fetched ones."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Seconds, from_numpy, to_numpy
from mohlcv_dagster.errors import BarsLostError
from mohlcv_dagster.model.bar_files import COLUMNS, TIME, BarFile
from mohlcv_dagster.model.finality import RevisionCounts

HOW_TO_ACCEPT: Final = (
    "To take what it gives now all the same, run with the tag mohlcv/accept_loss=true, or mohlcv fetch --force "
    "--accept-loss"
)


@dataclass(frozen=True)
class Revision:
    """What is different between two fetches.

    Attributes:
        counts: how many bars.
        rows: each of them, rising: `ts_event`, then `old_open` to `old_volume` (null where gained), then `new_open` to
            `new_volume` (null where lost).
    """

    counts: RevisionCounts
    rows: pa.Table


def compare(old: pa.Table, new: pa.Table, final_through: datetime) -> Revision:
    """How the bars that start before `final_through` differ.

    Args:
        old: bars, rising strictly, without nulls.
        new: the same.
        final_through: exclusive, UTC; later bars are ignored.
    """
    old, new = (bar_table.between(bars, None, final_through) for bars in (old, new))
    before, after = bar_table.seconds(old), bar_table.seconds(new)
    kept, position = _find(before, after)
    added = ~_find(after, before)[0]
    at_old, at_new = np.flatnonzero(kept), position[kept]
    changed = np.zeros(len(at_old), dtype=bool)
    for name in COLUMNS[1:]:
        changed |= to_numpy(old[name])[at_old] != to_numpy(new[name])[at_new]
    counts = RevisionCounts(len(before), int(changed.sum()), int(added.sum()), int((~kept).sum()))
    starts = np.sort(np.concatenate([before[at_old[changed]], after[added], before[~kept]]))
    return Revision(counts, _side_by_side(starts, old, new))


def require_small_loss(file: BarFile, revision: Revision) -> None:
    """Let final bars be replaced only when few of them are lost.

    Raises:
        BarsLostError: more are lost than `RevisionCounts.allowed_loss`.
    """
    counts = revision.counts
    if counts.lost <= counts.allowed_loss:
        return
    first = revision.rows.filter(revision.rows["new_close"].is_null()).slice(0, 1).to_pylist()[0]
    raise BarsLostError(
        f"{counts.lost:,} of the {counts.compared:,} final bars stored of {file} are missing from what the vendor "
        f"gives now (at most {counts.allowed_loss:,} may be), the first at {first[TIME]:%Y-%m-%d %H:%M:%S}Z (close "
        f"{first['old_close']}, volume {first['old_volume']}). The stored file stays as it was. Fetch again later; if "
        f"it stays so, ask the vendor's support. {HOW_TO_ACCEPT}"
    )


def join(stored: pa.Table, fetched: pa.Table, since: datetime) -> pa.Table:
    """The complete month after an incremental refresh: stored bars before `since`, then all that was fetched.

    Args:
        stored: bars, rising.
        fetched: bars from `since` on, rising.
        since: where the fetched ones begin, inclusive.
    """
    kinds = bar_table.bar_schema(whole_volume=False)
    halves = (bar_table.between(stored, None, since), fetched)
    return bar_table.normalize_volume_dtype(pa.concat_tables([half.cast(kinds) for half in halves]))


def _find(searched: Seconds, among: Seconds) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Which of `searched` are there, and where; both rising strictly."""
    if np.array_equal(searched, among):  # as nearly always
        return np.ones(len(searched), dtype=bool), np.arange(len(searched))
    position = np.searchsorted(among, searched)
    there = np.zeros(len(searched), dtype=bool)
    inside = position < len(among)
    there[inside] = among[position[inside]] == searched[inside]
    return there, position


def _side_by_side(starts: Seconds, old: pa.Table, new: pa.Table) -> pa.Table:
    rows = pa.table({TIME: from_numpy(starts).cast(bar_table.TIME_TYPE)})
    for side, bars in (("old", old), ("new", new)):
        there, position = _find(starts, bar_table.seconds(bars))
        taken = bars.take(from_numpy(position.astype(np.int64), ~there))
        for name in COLUMNS[1:]:
            rows = rows.append_column(f"{side}_{name}", taken[name])
    return rows
