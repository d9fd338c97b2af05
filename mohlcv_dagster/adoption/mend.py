"""What a faulty file is to hold instead: the same bars in the contract's form, each in the month it belongs to.

Mended is what can be mended without loss of a bar. Columns that are not the contract's are dropped, rows that repeat
another one exactly too. What contradicts, or may be cut short, is refused with the reason. Nothing is written here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mohlcv_dagster.adoption import survey
from mohlcv_dagster.adoption.survey import Fault
from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import from_numpy, to_numpy
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.errors import CannotMendError


@dataclass(frozen=True)
class Mended:
    """A file's bars as they are to be.

    Attributes:
        bars: those of its own month, rising strictly, volume as the contract types it.
        later: those of the next UTC month, rising strictly.
        said: what was done, a phrase each; empty where the file is as it should be.
    """

    bars: pa.Table
    later: pa.Table
    said: tuple[str, ...]


def mend(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Mended:
    """The bars that `file` is to hold.

    Args:
        file: which file.
        reading: as it stands.
        raw_whole: as `survey.settled` has it.

    Raises:
        CannotMendError: it cannot be mended without loss.
    """
    found = survey.examine(file, reading, raw_whole=raw_whole)
    _refuse(file, reading, {each.fault: each.message for each in found})
    bars, dropped = _straight(file, reading.present)
    starts = schema.seconds(bars)
    end = int(np.searchsorted(starts, file.month.end_second))
    own, later = bars.slice(0, end), bars.slice(end)
    said = [_SAID[each.fault].format(each.message) for each in found if each.fault in _SAID]
    if dropped:
        said.append(f"{dropped:,} rows dropped that repeat another exactly")
    return Mended(survey.settled(file, own, raw_whole=raw_whole), later, tuple(said))


_SAID = {
    Fault.COLUMNS: "columns dropped: {}",
    Fault.ORDER: "columns put in order",
    Fault.CRLF: "line ends made \\n",
    Fault.VOLUME: "volume typed as the contract has it",
    Fault.UNSORTED: "rows sorted",
    Fault.FORM: "written in the contract's form",
}


def join(file: BarFile, bars: pa.Table, incoming: pa.Table, *, raw_whole: bool | None) -> tuple[pa.Table, int]:
    """The bars of `file` with those that were in the file before and belong here, and how many of them are new.

    Args:
        file: where they belong.
        bars: what it holds, rising strictly.
        incoming: rising strictly.
        raw_whole: as `survey.settled` has it.

    Raises:
        CannotMendError: both have a second, and not the same bar.
    """
    kinds = schema.bar_schema(whole_volume=False)
    both = pa.concat_tables([bars.cast(kinds), incoming.cast(kinds)])
    joined, dropped = _straight(file, both)
    return survey.settled(file, joined, raw_whole=raw_whole), incoming.num_rows - dropped


def _refuse(file: BarFile, reading: Reading, found: dict[Fault, str]) -> None:
    again = f"fetch {file.symbol} {file.month} again"
    for fault in (Fault.UNREADABLE, Fault.HALF):
        if fault in found:
            raise CannotMendError(f"{found[fault]}; {again}")
    if Fault.OUTSIDE in found:
        raise CannotMendError(f"{found[Fault.OUTSIDE]}, and not all of the next month; {again}")
    columns: dict[str, Any] = {"open": None, **reading.prices, schema.VOLUME: reading.volume}
    if reading.present[schema.TIME].null_count or not all(np.isfinite(each).all() for each in columns.values()):
        raise CannotMendError(f"it has rows with a value that is missing or infinite; {again}")


def _straight(file: BarFile, bars: pa.Table) -> tuple[pa.Table, int]:
    """The bars rising strictly, and how many were dropped since they repeat another exactly."""
    starts = schema.seconds(bars)
    if (np.diff(starts) > 0).all():
        return bars, 0
    order = np.argsort(starts, kind="stable")
    same = np.concatenate(([False], np.diff(starts[order]) == 0))
    for name in schema.COLUMNS[1:]:
        values = to_numpy(bars[name])[order]
        unlike = same & np.concatenate(([False], values[1:] != values[:-1]))
        if unlike.any():
            at = int(np.argmax(unlike))
            moment = datetime.fromtimestamp(int(starts[order][at]), UTC)
            raise CannotMendError(
                f"{file.path} has two bars at {moment:%Y-%m-%d %H:%M:%S}Z that contradict each other: {name} "
                f"{values[at - 1]} and {values[at]}; fetch {file.symbol} {file.month} again"
            )
    kept = order[~same]
    return bars.take(from_numpy(kept.astype(np.int64))), int(same.sum())
