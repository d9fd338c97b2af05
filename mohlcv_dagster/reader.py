"""Files of the archive as read and checked; the raw file that was read last is kept, decoded once for all that need it.

A month goes its whole way before the next: its raw file is checked, resampled, and compared with each aggregate, one
after the other. Only one raw file stands in memory.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import pyarrow as pa

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import csv_stream, memory, rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.resample import Folds
from mohlcv_dagster.bars.rules import (
    AGAINST_VENDOR,
    NOTHING_BESIDE,
    Beside,
    Evidence,
    Finding,
    Judged,
    Reading,
    Recorded,
    VendorMinutes,
)
from mohlcv_dagster.bars.rules.rule import asset_of
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import FileMissingError

_BUSY: Final = 32 << 20
"""Bytes of a raw file from which on memory is handed back between steps; for a smaller one that costs more."""


@dataclass
class _Kept:
    """The raw file that was read last, and what was found of it."""

    file: BarFile
    mark: str | None
    reading: Reading
    size: int
    recorded: Recorded | None = None
    beside: Beside = NOTHING_BESIDE
    found: Judged | None = None

    @cached_property
    def folds(self) -> Folds:
        """Its bars, to be resampled."""
        return Folds(self.reading.present)


class Reader:
    """Reads and checks the files of an archive; keeps the raw file that was read last.

    From the first reader on, all of the process takes its memory from one heap (see `memory.share`).

    Args:
        archive: where the files stand.
    """

    def __init__(self, archive: Archive) -> None:
        memory.share()
        self.archive = archive
        self._last: _Kept | None = None

    def read(self, file: BarFile, *, prove: bool = False) -> Reading:
        """The file as it stands; an absent or unreadable one is a reading that says so.

        Args:
            file: which file.
            prove: whether its form and digest are to be told from the reading, which takes as long again.
        """
        return self._raw(file, prove=prove).reading if file.timeframe == RAW else self._read(file, prove=prove)

    def examine(self, file: BarFile, recorded: Recorded | None, beside: Beside | None = None) -> Judged:
        """What every rule says of the file as it stands, and which could not be judged.

        Args:
            file: which file.
            recorded: what was recorded when it was written; `None` where nothing was.
            beside: for a raw file, what is known of the months before and after it; `None` where it does not matter,
                since only what holds back is looked at: then what was found with any will do.
        """
        if file.timeframe != RAW:
            raw = self._raw(file.raw)
            self._give_back(raw)
            return rules.examine(Evidence(file, self._read(file, prove=True), raw.reading, recorded))
        known = self._found_before(file, recorded, beside)
        if known is not None:
            return known
        raw = self._raw(file, prove=True)
        raw.recorded, raw.beside = recorded, beside or NOTHING_BESIDE
        raw.found = found = rules.examine(Evidence(file, raw.reading, raw.reading, recorded, raw.beside))
        if raw.reading.bars is not None and raw.reading.content is not None:
            raw.reading = replace(raw.reading, content=None)  # as large as the bars, and seldom looked at again
        return found

    def judge(self, file: BarFile, recorded: Recorded | None, beside: Beside | None = None) -> list[Finding]:
        """The findings of `examine`."""
        return list(self.examine(file, recorded, beside).findings)

    def examine_against(
        self, file: BarFile, own: Reading, recorded: Recorded | None, minutes: VendorMinutes | None
    ) -> Judged:
        """What the rules say that compare a file of minutes with the vendor's own.

        Args:
            file: which file.
            own: the file as it was read.
            recorded: what was recorded when it was written; `None` where nothing was.
            minutes: what the vendor has; `None` where it was not asked.
        """
        raw = self._raw(file.raw).reading
        return rules.examine(Evidence(file, own, raw, recorded, vendor=minutes), AGAINST_VENDOR)

    def require(self, file: BarFile, recorded: Recorded | None) -> pa.Table:
        """The bars of a raw file that something is to be made from.

        Raises:
            FileMissingError: it is not stored.
            BrokenRulesError: it breaks a rule that blocks.
        """
        if self.archive.mark(file) is None:
            raise FileMissingError(
                f"{file} is not stored: materialize {asset_of(file)} for {file.symbol} {file.month} first"
            )
        rules.require(file, self.judge(file, recorded))
        return self._raw(file).reading.present

    def fold(self, file: BarFile, recorded: Recorded | None) -> pa.Table:
        """The bars of an aggregate, made of its raw file, by way of what was made of that before (see `Folds`).

        Args:
            file: the aggregate.
            recorded: what was recorded when its raw file was written; `None` where nothing was.

        Raises:
            FileMissingError: the raw file is not stored.
            BrokenRulesError: it breaks a rule that blocks.
            BarsError, VolumePrecisionError: a sum does not fit.
        """
        self.require(file.raw, recorded)
        raw = self._raw(file.raw)
        folded = raw.folds.into(file.timeframe)
        self._give_back(raw)
        return folded

    def forget(self) -> None:
        """Let go of the raw file, before the bars of another month come: two busy ones are 200 MB."""
        last, self._last = self._last, None
        if last is not None:
            self._give_back(last)

    def as_recorded(self, file: BarFile, recorded: Recorded) -> pa.Table | None:
        """The bars of a raw file that is the one recorded, if only their values can break a rule; `None` otherwise."""
        names = {finding.rule.name for finding in self.judge(file, recorded) if finding.holds_back}
        return None if names - rules.OF_VALUES else self._raw(file).reading.bars

    def _raw(self, file: BarFile, *, prove: bool = False) -> _Kept:
        mark = self.archive.mark(file)
        kept = self._still_kept(file, mark)
        if kept is None or (prove and not kept.reading.has_form):
            kept = None  # not to stand in memory with what is read
            self.forget()
            self._last = kept = self._read_raw(file, mark, prove=prove)
        return kept

    def _still_kept(self, file: BarFile, mark: str | None) -> _Kept | None:
        """What is kept of a file, where it stands as it was read."""
        last = self._last
        return None if last is None or last.file != file or mark is None or last.mark != mark else last

    def _found_before(self, file: BarFile, recorded: Recorded | None, beside: Beside | None) -> Judged | None:
        """What was found of a raw file as it stands while the same was known; `None` where that is to be found out."""
        kept = self._still_kept(file, self.archive.mark(file))
        if kept is None or kept.recorded != recorded or beside not in {None, kept.beside}:
            return None
        return kept.found

    def _read_raw(self, file: BarFile, mark: str | None, *, prove: bool) -> _Kept:
        try:
            with self.archive.open(file) as stream:
                kept = _Kept(file, mark, Reading.of(None), csv_stream.size_of(stream))
                self._give_back(kept)  # what fetching and writing took is not to add to what decoding takes
                kept.reading = Reading.of_stream(stream, prove=prove)
        except FileMissingError:
            return _Kept(file, mark, Reading.of(None), 0)
        self._give_back(kept)  # nor what decoding took to what checking takes
        return kept

    @staticmethod
    def _give_back(raw: _Kept) -> None:
        """Hand back memory that work on a busy month has released: it is not to add to what the next step takes."""
        if raw.size > _BUSY:
            memory.give_back()

    def _read(self, file: BarFile, *, prove: bool) -> Reading:
        try:
            with self.archive.open(file) as stream:
                return Reading.of_stream(stream, prove=prove)
        except FileMissingError:
            return Reading.of(None)
