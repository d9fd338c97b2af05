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
from mohlcv_dagster.bars import memory, rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.resample import Folds
from mohlcv_dagster.bars.rules import (
    AGAINST_VENDOR,
    NOTHING_BESIDE,
    Beside,
    Evidence,
    Finding,
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
    findings: list[Finding] | None = None

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

    def read(self, file: BarFile) -> Reading:
        """The file as it stands; an absent or unreadable one is a reading that says so."""
        return self._raw(file).reading if file.timeframe == RAW else self._read(file)

    def judge(self, file: BarFile, recorded: Recorded | None, beside: Beside | None = None) -> list[Finding]:
        """What every rule says of the file as it stands.

        Args:
            file: which file.
            recorded: what was recorded when it was written; `None` where nothing was.
            beside: for a raw file, what is known of the months beside it; `None` where it does not matter, since only
                what holds back is looked at: then findings made with any will do.
        """
        if file.timeframe != RAW:
            return rules.judge(Evidence(file, self._read(file), self._raw(file.raw).reading, recorded))
        raw = self._raw(file)
        if raw.findings is None or raw.recorded != recorded or beside not in {None, raw.beside}:
            whole = raw.reading if raw.findings is None else self._read(file)
            raw.recorded, raw.beside = recorded, beside or NOTHING_BESIDE
            raw.findings = rules.judge(Evidence(file, whole, whole, recorded, raw.beside))
            if whole.bars is not None:
                raw.reading = replace(whole, content=None)  # as large as the bars, and nothing will look at it again
            if not any(finding.holds_back for finding in raw.findings):
                self._sound[file] = (raw.mark, recorded)
        return raw.findings

    def judge_against(
        self, file: BarFile, own: Reading, recorded: Recorded | None, minutes: VendorMinutes | None
    ) -> list[Finding]:
        """What the rules say that hold a file of minutes against the vendor's own.

        Args:
            file: which file.
            own: the file as it was read.
            recorded: what was recorded when it was written; `None` where nothing was.
            minutes: what the vendor has; `None` where it was not asked.
        """
        raw = self._raw(file.raw).reading
        return rules.judge(Evidence(file, own, raw, recorded, vendor=minutes), AGAINST_VENDOR)

    def require(self, file: BarFile, recorded: Recorded | None) -> pa.Table:
        """The bars of a raw file that something is to be made from.

        A good verdict is remembered without its bars, so that what was judged once is not judged again for each
        aggregate, also in a run of several months.

        Raises:
            FileMissingError: it is not stored.
            BrokenRulesError: it breaks a rule of error severity.
        """
        raw = self._raw(file)
        if raw.mark is None:
            raise FileMissingError(
                f"{file} is not stored: materialize {asset_of(file)} for {file.symbol} {file.month} first"
            )
        if self._sound.get(file) != (raw.mark, recorded):
            rules.require(file, self.judge(file, recorded))
        return raw.reading.present

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
        return self._raw(file.raw).folds.into(file.timeframe)

    def forget(self) -> None:
        """Let go of a raw file that is too large to keep, before the bars of another month come: two are 200 MB."""
        self._make_room(0)

    def as_recorded(self, file: BarFile, recorded: Recorded) -> pa.Table | None:
        """The bars of a raw file that is the one recorded, if only their values can break a rule; `None` otherwise."""
        names = {finding.rule.name for finding in self.judge(file, recorded) if finding.holds_back}
        return None if names - rules.OF_VALUES else self._raw(file).reading.bars

    def _raw(self, file: BarFile) -> _Kept:
        mark = self.archive.mark(file)
        kept = self._kept.pop(file, None)
        if kept is None or mark is None or kept.mark != mark:
            kept = None
            self.forget()
            content = self._content(file)
            size = len(content or b"")
            self._make_room(size)
            busy = size > self._keep
            if busy:
                memory.give_back()  # what fetching and writing took is not to stand beside what decoding takes
            kept = _Kept(mark, Reading.of(content), size)
            if busy:
                memory.give_back()  # nor what decoding took beside what judging takes
        self._kept[file] = kept
        return kept

    def _make_room(self, size: int) -> None:
        """Let go of what was read longest ago until a raw file of so many bytes may be kept beside the others."""
        kept = len(self._kept)
        while self._kept and sum(each.size for each in self._kept.values()) + size > self._keep:
            self._kept.popitem(last=False)
        if len(self._kept) < kept:  # else it costs a quiet month more than it saves: pages that are faulted in again
            memory.give_back()

    def _read(self, file: BarFile) -> Reading:
        return Reading.of(self._content(file))

    def _content(self, file: BarFile) -> bytes | None:
        try:
            return self.archive.read(file)
        except FileMissingError:
            return None
