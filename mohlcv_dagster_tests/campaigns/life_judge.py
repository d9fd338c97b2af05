"""What must hold of the files of a life, whatever happened; and what is the vendor's last word."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mohlcv_dagster.defs import records
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import Timeframe
from mohlcv_dagster.storage import manifest, verify
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.campaigns.life_disk import Moment
from mohlcv_dagster_tests.campaigns.life_vendor import Bar, Vendor, bars_of, csv_of, resampled


class Wrong(AssertionError):  # noqa: N818 - what a life is ended by
    """Something did not hold."""


@dataclass
class Judge:
    """Judges files against the vendor's vintages.

    Attributes:
        folder: the data folder.
        vendor: whose bars they are.
        moment: what time it is.
        timeframes: the aggregates.
        adjusted: whether bars are adjusted for splits.
        instance: knows what was recorded of them.
        known: the raw files as they were last judged.
    """

    folder: Path
    vendor: Vendor
    moment: Moment
    timeframes: tuple[Timeframe, ...]
    adjusted: bool
    instance: Any = None
    known: dict[BarFile, bytes] = field(default_factory=dict)

    def look(self, raw: BarFile, *, done: bool) -> None:
        """Judge a month: its raw file, and the files that are made of it; `done` where it was just made whole."""
        content = self.content(raw)
        if content is None:
            self.require(raw not in self.known, f"{raw} is lost")
            return
        bars, whole = bars_of(content)
        if content != self.known.get(raw):
            self._judge_bars(raw, bars)
            self.known[raw] = content
        self.require(whole == all(bar.volume == int(bar.volume) for bar in bars), f"{raw} has volumes of two types")
        for timeframe in self.timeframes:
            file = BarFile(raw.symbol, timeframe, raw.month)
            made = self.content(file)
            if made is not None:
                bars_of(made)
            is_right = made == csv_of(resampled(bars, timeframe.seconds), whole=whole)
            if done:
                self.require(is_right, f"{file} is not what its raw file makes")
            if not is_right and made is not None:
                self.require(
                    not self._is_green(file, made, content), f"{file} is green, and not what its raw file makes"
                )

    def _judge_bars(self, raw: BarFile, bars: list[Bar]) -> None:
        """Each bar is one of the vendor, as it is now or, where it was corrected meanwhile, was before."""
        record = records.latest(self.instance, raw)
        moments = [self.moment.now] + ([record.fetched_at] if record and record.fetched_at else [])
        vintages = [
            self.vendor.bars(raw.symbol, raw.month.start, raw.month.end, at, adjusted=self.adjusted) for at in moments
        ]
        faults = [self._unlike(raw.symbol, bars, vintage) for vintage in vintages]
        before = self.known.get(raw)
        if all(faults) and before is not None and bars == bars_of(before)[0]:
            return
        self.require(not all(faults), f"{raw} has bars of no vintage: {faults}")

    def _unlike(self, symbol: str, bars: list[Bar], vintage: list[Bar]) -> str:
        """How bars differ from a vintage by more than corrections; empty where they do not."""
        differing = set(bars) ^ set(vintage)
        for bar in sorted(differing):
            if not self.vendor.corrected(symbol, datetime.fromtimestamp(bar.start, UTC)):
                return f"{datetime.fromtimestamp(bar.start, UTC)}: {bar} is in one of them alone"
        return ""

    def _is_green(self, file: BarFile, content: bytes, raw: bytes) -> bool:
        """Whether the records say of these bytes, and of the raw file that they were made of, that all is well."""
        record = records.latest(self.instance, file)
        if record is None or record.sha256 != hashlib.sha256(content).hexdigest():
            return False
        if record.raw_sha256 != hashlib.sha256(raw).hexdigest():
            return False
        checks = records.of_file(self.instance, file)
        return not checks.errors and not checks.unchecked

    def content(self, file: BarFile) -> bytes | None:
        """The bytes of a file."""
        path = self.folder / str(file.path)
        return path.read_bytes() if path.exists() else None

    def require(self, condition: object, otherwise: str) -> None:
        """End the life where something does not hold."""
        if not condition:
            raise Wrong(otherwise)

    def last_word(self, file: BarFile) -> bytes:
        """A raw file as the vendor has it now."""
        month = file.month
        return csv_of(self.vendor.bars(file.symbol, month.start, month.end, self.moment.now, adjusted=self.adjusted))

    def is_red(self, raw: BarFile) -> bool:
        """Whether a check of a month fails as an error, or has no result."""
        files = [raw, *(BarFile(raw.symbol, timeframe, raw.month) for timeframe in self.timeframes)]
        entries = [manifest.read(Archive(self.folder), file) for file in files]
        checks = records.of_files(self.instance, files).values()
        failed = any(entry is None or entry.failed_errors for entry in entries)
        return failed or any(each.errors or each.unchecked for each in checks)

    def may_differ(self, file: BarFile) -> bool:
        """Whether a day of the month was corrected after it was final, or restated for a split."""
        company = self.vendor.companies[file.symbol]
        first, last = file.month.start.date() - timedelta(days=1), file.month.end.date()
        corrected = any(first <= day <= last for day in company.corrections)
        return corrected or (self.adjusted and company.split is not None and first < company.split.executed)

    def is_aggregated(self, raw: BarFile) -> bool:
        """Whether a month has all aggregates, made of its raw file and green."""
        content = self.content(raw)
        for timeframe in self.timeframes:
            file = BarFile(raw.symbol, timeframe, raw.month)
            made = self.content(file)
            if content is None or made is None or not self._is_green(file, made, content):
                return False
        return True

    def verify(self, *, judged: bool) -> None:
        """What `mohlcv verify` finds; before months are fetched again, checks may fail over splits and corrections."""
        try:
            found = verify.verify(Archive(self.folder)).differences
        except InputError as error:
            raise Wrong(f"nothing is stored: {error}") from error
        kinds = verify.DiscrepancyKind
        allowed = {kinds.LEFTOVER} if judged else {kinds.LEFTOVER, kinds.FAILED_CHECKS}
        left = [each for each in found if each.kind not in allowed]
        self.require(not left, f"verify finds {left[:3]}")
