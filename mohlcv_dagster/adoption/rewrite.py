"""Putting mended bars in the place of faulty files: whole or not at all, in an order in which nothing is ever lost.

Rows that belong to the next month are first put into that month's file and then taken from this one: killed between the
two, they are in both, and the next run finds them there. What was written stands in a journal until it is recorded, so
that a file of our own making is not taken for one that somebody changed.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa

from mohlcv_dagster.adoption import mend
from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import csv_codec, passport, schema
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import CannotMendError, FileMissingError, InputError
from mohlcv_dagster.manifest.verify import REWRITTEN

JOURNAL: Final = f"{passport.FOLDER}/{REWRITTEN}"


@dataclass(frozen=True)
class Rewritten:
    """What became of a faulty file.

    Attributes:
        file: which file.
        said: what was done to it, or why nothing was.
        done: whether it was rewritten, or would be in a dry run.
    """

    file: BarFile
    said: str
    done: bool


class Journal:
    """The digests of files that were rewritten and are not recorded yet, a line each, in the manifest's folder.

    Args:
        archive: in a local folder.

    Raises:
        InputError: the archive is not in a local folder.
    """

    def __init__(self, archive: Archive) -> None:
        at = archive.root / JOURNAL
        if not isinstance(at, Path):
            raise InputError(f"files under {archive.root} cannot be rewritten in place: copy them into a folder first")
        self._at = at

    def read(self) -> dict[str, str]:
        """The digest of each file that was about to be rewritten, by its path; a line that was cut is passed over."""
        if not self._at.exists():
            return {}
        lines = [line.split("  ", 1) for line in self._at.read_text(encoding="utf-8").split("\n")[:-1]]
        return {parts[1]: parts[0] for parts in lines if len(parts) == len(("digest", "path"))}

    def note(self, file: BarFile, sha256: str) -> None:
        """Say that `file` is about to be rewritten with these bytes."""
        self._at.parent.mkdir(parents=True, exist_ok=True)
        with self._at.open("a", encoding="utf-8") as journal:
            journal.write(f"{sha256}  {file.path}\n")
            journal.flush()
            os.fsync(journal.fileno())

    def clear(self) -> None:
        """Everything is recorded."""
        self._at.unlink(missing_ok=True)


@dataclass(frozen=True)
class Rewriter:
    """Rewrites the faulty files of an archive.

    Attributes:
        archive: where they stand.
        journal: told before each is; `None` for a dry run, which writes nothing.
        closed: why no rows may be put into a file, to follow its name, such as `came whole from Massive.com`; `None`
            where they may.
    """

    archive: Archive
    journal: Journal | None
    closed: Callable[[BarFile], str | None]

    def rewrite(self, files: Iterable[BarFile]) -> Iterator[Rewritten]:
        """Mend these files, raw ones first, of each symbol the latest month first; what became of each faulty one."""
        ordered = sorted(files, key=lambda file: (file.timeframe, file.symbol))
        for _, chain in groupby(ordered, key=lambda file: (file.timeframe, file.symbol)):
            after: dict[BarFile, bytes] = {}  # in a dry run: what the following month would hold
            for file in sorted(chain, key=lambda file: file.month, reverse=True):
                try:
                    after, told = self._one(file, after)
                except CannotMendError as error:
                    after, told = {}, [Rewritten(file, str(error), done=False)]
                yield from told

    def _one(self, file: BarFile, after: dict[BarFile, bytes]) -> tuple[dict[BarFile, bytes], list[Rewritten]]:
        reading = self._read(file, {})
        whole = self._raw_whole(file)
        mended = mend.mend(file, reading, raw_whole=whole)
        told, said = [], list(mended.said)
        if mended.later.num_rows:
            following = BarFile(file.symbol, file.timeframe, file.month.next())
            told += self._move(following, mended.later, after)
            said.append(f"{mended.later.num_rows:,} rows of {following.month} taken out, which are in {following.path}")
        content = csv_codec.encode(mended.bars)
        if content == reading.content:
            return {file: content}, told
        self._write(file, content)
        return {file: content}, [*told, Rewritten(file, "; ".join(said) or "written anew", done=True)]

    def _move(self, file: BarFile, incoming: pa.Table, after: dict[BarFile, bytes]) -> list[Rewritten]:
        """Put rows of the month before into `file`, where they belong."""
        count = f"{incoming.num_rows:,} rows of {file.month}"
        reading = self._read(file, after)
        if reading.content is None:
            raise CannotMendError(
                f"{count} belong into {file.path}, which is not there, and would not make a month: fetch "
                f"{file.symbol} {file.month}, then run this again"
            )
        whole = self._raw_whole(file)
        try:
            there = mend.mend(file, reading, raw_whole=whole)
        except CannotMendError as error:
            raise CannotMendError(f"{count} belong into {file.path}, which must be mended first: {error}") from error
        joined, new = mend.join(file, there.bars, incoming, raw_whole=whole)
        if not new:
            return []
        if why := self.closed(file):
            raise CannotMendError(
                f"{new:,} of {count} are not in {file.path}, which {why}: fetch {file.symbol} "
                f"{file.month.previous()} anew, or take them out by hand"
            )
        if there.later.num_rows:
            raise CannotMendError(f"{count} belong into {file.path}, which must be mended first; see there")
        self._write(file, csv_codec.encode(joined))
        return [Rewritten(file, f"{new:,} rows put in that were in the file of {file.month.previous()}", done=True)]

    def _write(self, file: BarFile, content: bytes) -> None:
        if self.journal is not None:
            self.journal.note(file, hashlib.sha256(content).hexdigest())
            self.archive.write(file, content)

    def _raw_whole(self, file: BarFile) -> bool | None:
        return None if file.timeframe == RAW else raw_is_whole(self._read(file.raw, {}))

    def _read(self, file: BarFile, after: dict[BarFile, bytes]) -> Reading:
        if file in after:
            return Reading.of(after[file])
        try:
            return Reading.of(self.archive.read(file))
        except FileMissingError:
            return Reading.of(None)


def raw_is_whole(raw: Reading) -> bool | None:
    """Whether every volume of a raw file is whole; `None` where there is none that can be read."""
    return None if raw.bars is None else schema.has_whole_volume(schema.settle_volume(raw.bars))
