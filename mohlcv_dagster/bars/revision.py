"""The same month fetched twice: which bars changed, came or went. What a month may lose is in `revision_counts`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import from_numpy, to_numpy
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.revision_counts import Counts
from mohlcv_dagster.bars.schema import COLUMNS, TIME, Seconds
from mohlcv_dagster.errors import BarsLostError

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

    counts: Counts
    rows: pa.Table


def compare(old: pa.Table, new: pa.Table, settled_through: datetime) -> Revision:
    """What became of the bars that start before `settled_through`.

    Args:
        old: bars, rising strictly, without nulls.
        new: the same.
        settled_through: exclusive, UTC; later bars are not looked at.
    """
    old, new = (schema.between(bars, None, settled_through) for bars in (old, new))
    before, after = schema.seconds(old), schema.seconds(new)
    kept, place = _found(before, after)
    added = ~_found(after, before)[0]
    at_old, at_new = np.flatnonzero(kept), place[kept]
    changed = np.zeros(len(at_old), dtype=bool)
    for name in COLUMNS[1:]:
        changed |= to_numpy(old[name])[at_old] != to_numpy(new[name])[at_new]
    counts = Counts(len(before), int(changed.sum()), int(added.sum()), int((~kept).sum()))
    starts = np.sort(np.concatenate([before[at_old[changed]], after[added], before[~kept]]))
    return Revision(counts, _side_by_side(starts, old, new))


def require_kept(file: BarFile, revision: Revision) -> None:
    """Let settled bars be replaced only when few of them are lost.

    Raises:
        BarsLostError: more are lost than `Counts.allowed_loss`.
    """
    counts = revision.counts
    if counts.lost <= counts.allowed_loss:
        return
    first = revision.rows.filter(revision.rows["new_close"].is_null()).slice(0, 1).to_pylist()[0]
    raise BarsLostError(
        f"{counts.lost:,} of the {counts.compared:,} settled bars stored of {file} are missing from what the vendor "
        f"gives now (at most {counts.allowed_loss:,} may be), the first at {first[TIME]:%Y-%m-%d %H:%M:%S}Z (close "
        f"{first['old_close']}, volume {first['old_volume']}). The stored file stays as it was. Fetch again later; if "
        f"it stays so, ask the vendor's support. {HOW_TO_ACCEPT}"
    )


def _found(wanted: Seconds, among: Seconds) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Which of `wanted` are there, and where; both rising strictly."""
    if np.array_equal(wanted, among):  # as nearly always
        return np.ones(len(wanted), dtype=bool), np.arange(len(wanted))
    place = np.searchsorted(among, wanted)
    there = np.zeros(len(wanted), dtype=bool)
    inside = place < len(among)
    there[inside] = among[place[inside]] == wanted[inside]
    return there, place


def _side_by_side(starts: Seconds, old: pa.Table, new: pa.Table) -> pa.Table:
    rows = pa.table({TIME: from_numpy(starts).cast(schema.TIME_TYPE)})
    for side, bars in (("old", old), ("new", new)):
        there, place = _found(starts, schema.seconds(bars))
        taken = bars.take(from_numpy(place.astype(np.int64), ~there))
        for name in COLUMNS[1:]:
            rows = rows.append_column(f"{side}_{name}", taken[name])
    return rows
