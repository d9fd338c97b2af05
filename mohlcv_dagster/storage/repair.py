"""Repair faulty files: the bars they should hold, written atomically in an order that never loses a row.

Only what can be mended without loss of a bar is mended. Columns that are not the contract's are dropped, and rows that
repeat another one exactly; rows that contradict, and files that may be cut short, are refused with the reason.

Rows that belong to the next month are first added to that month's file and then removed from this one: if the process
is killed between the two, they are in both, and the next run finds them there. What is written is in a journal until it
is recorded, so that a rewritten file is not taken for one that somebody changed. The former bytes are kept (`history`).
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.bar_table import from_numpy, to_numpy
from mohlcv_dagster.checks.file_form import inexact_number
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.errors import CannotRepairError, FileMissingError, InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import atomic_writes, inventory
from mohlcv_dagster.storage.adoption_survey import FileFault, examine, raw_volume_is_whole, with_contract_volume
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory

_DONE: Final = {
    FileFault.COLUMNS: "columns dropped: {}",
    FileFault.ORDER: "columns put in order",
    FileFault.CRLF: "line ends made \\n",
    FileFault.VOLUME: "volume typed as the contract requires",
    FileFault.UNSORTED: "rows sorted",
    FileFault.FORM: "written in the contract's form",
}


@dataclass(frozen=True)
class Mended:
    """The bars that a file should hold.

    Attributes:
        bars: those of its own month, rising strictly, volume typed as the contract requires.
        later: those of the next UTC month, rising strictly.
        done: what was done, a phrase each; empty if the file is as it should be.
    """

    bars: pa.Table
    later: pa.Table
    done: tuple[str, ...]


def mend(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Mended:
    """Find the bars that `file` should hold.

    Args:
        file: which file.
        reading: the file as read.
        raw_whole: as for `with_contract_volume`.

    Raises:
        CannotRepairError: it cannot be mended without loss.
    """
    found = examine(file, reading, raw_whole=raw_whole)
    _refuse(file, reading, {each.fault: each.message for each in found})
    bars, dropped = _sorted(file, reading.present)
    starts = bar_table.seconds(bars)
    end = int(np.searchsorted(starts, file.month.end_second))
    own, later = bars.slice(0, end), bars.slice(end)
    done = [_DONE[each.fault].format(each.message) for each in found if each.fault in _DONE]
    if dropped:
        done.append(f"{quantity(dropped, 'row')} dropped that repeat another exactly")
    return Mended(with_contract_volume(file, own, raw_whole=raw_whole), later, tuple(done))


def _merged(file: BarFile, bars: pa.Table, incoming: pa.Table, *, raw_whole: bool | None) -> tuple[pa.Table, int]:
    """The bars of `file` with rows from the file of the month before, and how many of these are new.

    Raises:
        CannotRepairError: both have a bar of the same second, and the two differ.
    """
    fractional = bar_table.bar_schema(whole_volume=False)
    both = pa.concat_tables([bars.cast(fractional), incoming.cast(fractional)])
    merged, dropped = _sorted(file, both)
    return with_contract_volume(file, merged, raw_whole=raw_whole), incoming.num_rows - dropped


def _refuse(file: BarFile, reading: Reading, found: dict[FileFault, str]) -> None:
    again = f"fetch {file.symbol} {file.month} again"
    for fault in (FileFault.UNREADABLE, FileFault.HALF):
        if fault in found:
            raise CannotRepairError(f"{found[fault]}; {again}")
    if FileFault.OUTSIDE in found:
        raise CannotRepairError(f"{found[FileFault.OUTSIDE]}, and not all of the next month; {again}")
    columns: dict[str, Any] = {"open": None, **reading.prices, bar_files.VOLUME: reading.volume}
    if reading.present[bar_files.TIME].null_count or not all(np.isfinite(each).all() for each in columns.values()):
        raise CannotRepairError(f"it has rows with a value that is missing or infinite; {again}")
    if not reading.is_exact and (inexact := inexact_number(reading.text)):
        raise CannotRepairError(f"{inexact} is a number that a float does not hold, so writing it changes it; {again}")


def _sorted(file: BarFile, bars: pa.Table) -> tuple[pa.Table, int]:
    """The bars rising strictly, and how many were dropped since they repeat another exactly."""
    starts = bar_table.seconds(bars)
    if (np.diff(starts) > 0).all():
        return bars, 0
    order = np.argsort(starts, kind="stable")
    same = np.concatenate(([False], np.diff(starts[order]) == 0))
    for name in bar_files.COLUMNS[1:]:
        values = to_numpy(bars[name])[order]
        unequal = same & np.concatenate(([False], values[1:] != values[:-1]))
        if unequal.any():
            at = int(np.argmax(unequal))
            moment = datetime.fromtimestamp(int(starts[order][at]), UTC)
            raise CannotRepairError(
                f"{file.path} has two bars at {moment:%Y-%m-%d %H:%M:%S}Z that contradict each other: {name} "
                f"{values[at - 1]} and {values[at]}; fetch {file.symbol} {file.month} again"
            )
    kept = order[~same]
    return bars.take(from_numpy(kept.astype(np.int64))), int(same.sum())


@dataclass(frozen=True)
class Rewritten:
    """What happened to a faulty file.

    Attributes:
        file: which file.
        message: what was done to it, or why nothing was.
        done: whether it was rewritten, or would be without a dry run.
    """

    file: BarFile
    message: str
    done: bool


class RewriteJournal:
    """The digests of files that were rewritten and are not recorded yet, a line each, in the manifest's folder.

    Args:
        archive: in a local folder.

    Raises:
        InputError: the archive is not in a local folder.
    """

    def __init__(self, archive: Archive) -> None:
        at = archive.root / inventory.JOURNAL
        if not isinstance(at, Path):
            raise InputError(f"files under {archive.root} cannot be rewritten in place: copy them into a folder first")
        self._at = at

    def read(self) -> dict[str, str]:
        """The digest of each file that was about to be rewritten, by its path; a truncated line is skipped."""
        if not self._at.exists():
            return {}
        lines = [line.split("  ", 1) for line in self._at.read_text(encoding="utf-8").split("\n")[:-1]]
        return {parts[1]: parts[0] for parts in lines if len(parts) == len(("digest", "path"))}

    def note(self, file: BarFile, sha256: str) -> None:
        """Record that `file` is about to be rewritten with these bytes."""
        atomic_writes.make_folder(self._at.parent)
        is_new = not self._at.exists()
        with self._at.open("a", encoding="utf-8") as journal:
            journal.write(f"{sha256}  {file.path}\n")
            journal.flush()
            os.fsync(journal.fileno())
        if is_new:
            atomic_writes.fsync_folder(self._at.parent)

    def clear(self) -> None:
        """Remove the journal once everything is recorded."""
        self._at.unlink(missing_ok=True)


@dataclass(frozen=True)
class Rewriter:
    """Rewrites the faulty files of an archive.

    Attributes:
        archive: where they are.
        journal: notes each file before it is rewritten; `None` for a dry run, which writes nothing.
        closed: why no rows may be added to a file, as a phrase that follows its name; `None` if
            they may.
        keeps_history: whether the former bytes are kept.
    """

    archive: Archive
    journal: RewriteJournal | None
    closed: Callable[[BarFile], str | None]
    keeps_history: bool = True

    def rewrite(self, files: Iterable[BarFile]) -> Iterator[Rewritten]:
        """Mend files, raw ones first, each symbol's latest month first, and report what happened to each faulty one."""
        ordered = sorted(files, key=lambda file: (file.timeframe, file.symbol))
        for _, chain in groupby(ordered, key=lambda file: (file.timeframe, file.symbol)):
            after: dict[BarFile, bytes] = {}  # in a dry run: what the following month would hold
            for file in sorted(chain, key=lambda file: file.month, reverse=True):
                try:
                    after, results = self._one(file, after)
                except CannotRepairError as error:
                    after, results = {}, [Rewritten(file, str(error), done=False)]
                yield from results

    def _one(self, file: BarFile, after: dict[BarFile, bytes]) -> tuple[dict[BarFile, bytes], list[Rewritten]]:
        reading = self._read(file, {})
        mended = mend(file, reading, raw_whole=self._raw_whole(file))
        results, done = [], list(mended.done)
        if mended.later.num_rows:
            following = BarFile(file.symbol, file.timeframe, file.month.next())
            results += self._move(following, mended.later, after)
            done.append(f"{quantity(mended.later.num_rows, 'row')} of {following.month} moved to {following.path}")
        content = csv_codec.encode(mended.bars)
        if content == reading.content:
            return {file: content}, results
        self._write(file, content)
        return {file: content}, [*results, Rewritten(file, "; ".join(done) or "written again", done=True)]

    def _move(self, file: BarFile, incoming: pa.Table, after: dict[BarFile, bytes]) -> list[Rewritten]:
        """Add rows from the file of the month before to `file`, where they belong."""
        count = f"{quantity(incoming.num_rows, 'row')} of {file.month}"
        reading = self._read(file, after)
        if reading.content is None:
            raise CannotRepairError(
                f"{count} belong into {file.path}, which does not exist, and would not make a month: fetch "
                f"{file.symbol} {file.month}, then run this again"
            )
        raw_whole = self._raw_whole(file)
        try:
            there = mend(file, reading, raw_whole=raw_whole)
        except CannotRepairError as error:
            raise CannotRepairError(f"{count} belong into {file.path}, which must be mended first: {error}") from error
        merged, new = _merged(file, there.bars, incoming, raw_whole=raw_whole)
        if not new:
            return []
        if why := self.closed(file):
            raise CannotRepairError(
                f"{new:,} of {count} are not in {file.path}, which {why}: fetch {file.symbol} "
                f"{file.month.previous()} again, or take them out by hand"
            )
        if there.later.num_rows:
            raise CannotRepairError(f"{count} belong into {file.path}, which must be mended first; see there")
        self._write(file, csv_codec.encode(merged))
        return [Rewritten(file, f"{quantity(new, 'row')} added from the file of {file.month.previous()}", done=True)]

    def _write(self, file: BarFile, content: bytes) -> None:
        if self.journal is not None:
            history = VersionHistory(self.archive, is_on=self.keeps_history)
            self.journal.note(file, hashlib.sha256(content).hexdigest())
            with history.replacing(file, [content], Replacement.REWRITTEN) as kept:
                self.archive.write(file, kept)

    def _raw_whole(self, file: BarFile) -> bool | None:
        return None if file.timeframe == RAW else raw_volume_is_whole(self._read(file.raw, {}))

    def _read(self, file: BarFile, after: dict[BarFile, bytes]) -> Reading:
        if file in after:
            return Reading.of(after[file])
        try:
            return Reading.of(self.archive.read(file))
        except FileMissingError:
            return Reading.of(None)
