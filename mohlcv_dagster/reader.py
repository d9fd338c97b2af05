"""Files of the archive as read and judged: each raw file decoded once and judged once while it stays as it is.

The steps of a run look at a month's raw file one after the other: its checks, each aggregate, each aggregate's checks.
In a run of several months each step goes over all of them, so that raw files are kept until they are too many.
"""

from collections import OrderedDict
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

KEPT: Final = 32 << 20
"""Bytes of the raw files that are kept: of a year of quiet months (2.4 MB each) all, of busy ones (50 MB) none beside
the one that is worked on."""


@dataclass
class _Kept:
    """A raw file as it was read, and what was found of it."""

    mark: str | None
    reading: Reading
    size: int
    recorded: Recorded | None = None
    beside: Beside = NOTHING_BESIDE
    judged: Judged | None = None

    @cached_property
    def folds(self) -> Folds:
        """Its bars, to be folded."""
        return Folds(self.reading.present)


class Reader:
    """Reads and judges the files of an archive; keeps the raw files that were read last.

    Args:
        archive: where the files stand.
        keep: how many bytes of raw files are kept; the last one is, however large.
    """

    def __init__(self, archive: Archive, keep: int = KEPT) -> None:
        self.archive = archive
        self._keep = keep
        self._kept: OrderedDict[BarFile, _Kept] = OrderedDict()
        self._sound: dict[BarFile, tuple[str | None, Recorded | None]] = {}

    def read(self, file: BarFile, *, prove: bool = False) -> Reading:
        """The file as it stands; an absent or unreadable one is a reading that says so.

        Args:
            file: which file.
            prove: whether its form and digest are to be told from the reading, which takes as long again.
        """
        return self._raw(file, prove=prove).reading if file.timeframe == RAW else self._read(file, prove=prove)

    def judge(self, file: BarFile, recorded: Recorded | None, beside: Beside | None = None) -> list[Finding]:
        """What every rule says of the file as it stands that can be judged; see `examine`."""
        return list(self.examine(file, recorded, beside).findings)

    def examine(self, file: BarFile, recorded: Recorded | None, beside: Beside | None = None) -> Judged:
        """What every rule says of the file as it stands, and which were not judged and why.

        Args:
            file: which file.
            recorded: what was recorded when it was written; `None` where nothing was.
            beside: for a raw file, what is known of the months beside it; `None` where it does not matter, since only
                what holds back is looked at: then findings made with any will do.
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
        raw.judged = judged = rules.examine(Evidence(file, raw.reading, raw.reading, recorded, raw.beside))
        if raw.reading.bars is not None and raw.reading.content is not None:
            raw.reading = replace(raw.reading, content=None)  # as large as the bars, and seldom looked at again
        if not any(finding.holds_back for finding in judged.findings):
            self._sound[file] = (raw.mark, recorded)
        return judged

    def examine_against(
        self, file: BarFile, own: Reading, recorded: Recorded | None, minutes: VendorMinutes | None
    ) -> Judged:
        """What the rules say that hold a file of minutes against the vendor's own, and which were not judged and why.

        Args:
            file: which file.
            own: the file as it was read.
            recorded: what was recorded when it was written; `None` where nothing was.
            minutes: what the vendor has; `None` where it was not asked.
        """
        raw = self._raw(file.raw).reading
        return rules.examine(Evidence(file, own, raw, recorded, vendor=minutes), AGAINST_VENDOR)

    def judge_against(
        self, file: BarFile, own: Reading, recorded: Recorded | None, minutes: VendorMinutes | None
    ) -> list[Finding]:
        """The findings of `examine_against`."""
        return list(self.examine_against(file, own, recorded, minutes).findings)

    def require(self, file: BarFile, recorded: Recorded | None) -> pa.Table:
        """The bars of a raw file that something is to be made from.

        A good verdict is remembered without its bars, so that what was judged once is not judged again for each
        aggregate, also in a run of several months.

        Raises:
            FileMissingError: it is not stored.
            BrokenRulesError: it breaks a rule of error severity.
        """
        mark = self.archive.mark(file)
        if mark is None:
            raise FileMissingError(
                f"{file} is not stored: materialize {asset_of(file)} for {file.symbol} {file.month} first"
            )
        if self._sound.get(file) != (mark, recorded):
            rules.require(file, self.judge(file, recorded))
        return self._raw(file).reading.present

    def fold(self, file: BarFile, recorded: Recorded | None) -> pa.Table:
        """The bars of an aggregate, made of its raw file, by way of what was made of that before (see `Folds`).

        Args:
            file: the aggregate.
            recorded: what was recorded when its raw file was written; `None` where nothing was.

        Raises:
            FileMissingError: the raw file is not stored.
            BrokenRulesError: it breaks a rule of error severity.
            BarsError, VolumePrecisionError: a sum does not fit.
        """
        self.require(file.raw, recorded)
        raw = self._raw(file.raw)
        folded = raw.folds.into(file.timeframe)
        self._give_back(raw)
        return folded

    def forget(self) -> None:
        """Let go of a raw file that is too large to keep, before the bars of another month come: two are 200 MB."""
        self._make_room(0)

    def as_recorded(self, file: BarFile, recorded: Recorded) -> pa.Table | None:
        """The bars of a raw file that is the one recorded, if only their values can break a rule; `None` otherwise."""
        names = {finding.rule.name for finding in self.judge(file, recorded) if finding.holds_back}
        return None if names - rules.OF_VALUES else self._raw(file).reading.bars

    def _raw(self, file: BarFile, *, prove: bool = False) -> _Kept:
        mark = self.archive.mark(file)
        kept = self._still_kept(file, mark)
        if kept is None or (prove and not kept.reading.has_form):
            kept = None  # not to stand beside what is read
            self._kept.pop(file, None)
            self.forget()
            kept = self._anew(file, mark, prove=prove)
            self._kept[file] = kept
        return kept

    def _still_kept(self, file: BarFile, mark: str | None) -> _Kept | None:
        """What is kept of a file, where it stands as it was read: that which was looked at last."""
        kept = self._kept.get(file)
        if kept is None or mark is None or kept.mark != mark:
            return None
        self._kept.move_to_end(file)
        return kept

    def _found_before(self, file: BarFile, recorded: Recorded | None, beside: Beside | None) -> Judged | None:
        """What was found of a raw file as it stands while the same was known; `None` where that is to be found out."""
        kept = self._still_kept(file, self.archive.mark(file))
        if kept is None or kept.recorded != recorded or beside not in {None, kept.beside}:
            return None
        return kept.judged

    def _anew(self, file: BarFile, mark: str | None, *, prove: bool) -> _Kept:
        try:
            with self.archive.open(file) as stream:
                kept = _Kept(mark, Reading.of(None), csv_stream.size_of(stream))
                self._make_room(kept.size)
                self._give_back(kept)  # what fetching and writing took is not to stand beside what decoding takes
                kept.reading = Reading.of_stream(stream, prove=prove)
        except FileMissingError:
            return _Kept(mark, Reading.of(None), 0)
        self._give_back(kept)  # nor what decoding took beside what judging takes
        return kept

    def _give_back(self, raw: _Kept) -> None:
        """Hand back what was let go of at work on a busy month: it is not to stand beside what the next step takes."""
        if raw.size > self._keep:
            memory.give_back()

    def _make_room(self, size: int) -> None:
        """Let go of what was read longest ago until a raw file of so many bytes may be kept beside the others."""
        kept = len(self._kept)
        while self._kept and sum(each.size for each in self._kept.values()) + size > self._keep:
            self._kept.popitem(last=False)
        if len(self._kept) < kept:  # else it costs a quiet month more than it saves: pages that are faulted in again
            memory.give_back()

    def _read(self, file: BarFile, *, prove: bool) -> Reading:
        try:
            with self.archive.open(file) as stream:
                return Reading.of_stream(stream, prove=prove)
        except FileMissingError:
            return Reading.of(None)
