"""Read and check the files of an archive; the raw file read last is kept, so that it is decoded once.

A run completes a month before the next: its raw file is checked, resampled and compared with each aggregate in turn.
Only one raw file is in memory.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import pyarrow as pa

from mohlcv_dagster.bars import csv_stream, runtime
from mohlcv_dagster.bars.resample import Resampler
from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster.checks import registry, runner
from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, CheckInput, NeighbourMonths, VendorMinutes
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.registry import VENDOR_RULES
from mohlcv_dagster.checks.rule import asset_of
from mohlcv_dagster.checks.runner import RuleRun
from mohlcv_dagster.errors import FileMissingError, NotRegularFileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive

_BUSY: Final = 32 << 20
"""Bytes of a raw file from which on memory is released between steps; for a smaller one that costs more time."""


@dataclass
class _RawFile:
    """The raw file read last, and the results of its checks."""

    file: BarFile
    stamp: str | None
    reading: Reading
    size: int
    recorded: Provenance | None = None
    neighbours: NeighbourMonths = NO_NEIGHBOURS
    found: RuleRun | None = None

    @cached_property
    def resampler(self) -> Resampler:
        """Its bars, to be resampled."""
        return Resampler(self.reading.present)


class BarReader:
    """Reads and checks the files of an archive; keeps the raw file that was read last.

    From the first reader on, the process allocates from one heap (see `runtime.use_one_allocator`).

    Args:
        archive: where the files are.
    """

    def __init__(self, archive: Archive) -> None:
        runtime.use_one_allocator()
        self.archive = archive
        self._raw_file: _RawFile | None = None
        self._fetched: tuple[BarFile, str, MinuteTrades | None] | None = None

    def read(self, file: BarFile, *, verify: bool = False) -> Reading:
        """The file as it is; for an absent or unreadable one, a reading with the reason.

        Args:
            file: which file.
            verify: whether its form and digest are determined too, which takes as long again.
        """
        return self._raw(file, verify=verify).reading if file.timeframe == RAW else self._read(file, verify=verify)

    def check(self, file: BarFile, recorded: Provenance | None, neighbours: NeighbourMonths | None = None) -> RuleRun:
        """Check the file as it is against every rule; the result also names the rules that could not be checked.

        Args:
            file: which file.
            recorded: what was recorded when it was written; `None` if nothing was.
            neighbours: for a raw file, what is known of the months before and after it; `None` if only blocking rules
                matter: then earlier results with any neighbours are reused.
        """
        if file.timeframe != RAW:
            raw = self._raw(file.raw)
            self._release_memory(raw)
            return runner.run_rules(CheckInput(file, self._read(file, verify=True), raw.reading, recorded))
        earlier = self._earlier_results(file, recorded, neighbours)
        if earlier is not None:
            return earlier
        raw = self._raw(file, verify=True)
        raw.recorded, raw.neighbours = recorded, neighbours or NO_NEIGHBOURS
        raw.found = found = runner.run_rules(CheckInput(file, raw.reading, raw.reading, recorded, raw.neighbours))
        if raw.reading.bars is not None and raw.reading.content is not None:
            raw.reading = replace(raw.reading, content=None)  # as large as the bars, and seldom needed again
        return found

    def check_against_vendor(
        self, file: BarFile, own: Reading, recorded: Provenance | None, minutes: VendorMinutes | None
    ) -> RuleRun:
        """Check a file of minutes against the rules that compare it with the vendor's own.

        Args:
            file: which file.
            own: the file as it was read.
            recorded: what was recorded when it was written; `None` if nothing was.
            minutes: the vendor's minutes; `None` if it was not asked for them.
        """
        raw = self._raw(file.raw).reading
        trades = self.minute_trades(file.raw) if minutes is not None and minutes.trades is not None else None
        return runner.run_rules(CheckInput(file, own, raw, recorded, vendor=minutes, trades=trades), VENDOR_RULES)

    def keep_trades(self, file: BarFile, sha256: str, trades: MinuteTrades | None) -> None:
        """Keep the trades in each minute of a raw file that was just written, for its checks.

        Args:
            file: which file.
            sha256: the digest of its bytes.
            trades: in each of its minutes; `None` where the vendor gave none.
        """
        self._fetched = (file, sha256, trades)

    def figures(self, file: BarFile) -> pa.Table | str:
        """The trades and average prices stored of the bars of a raw file, or why they are not known."""
        return manifest.stored_figures(self.archive, file, self._raw(file, verify=True).reading.sha256)

    def minute_trades(self, file: BarFile) -> MinuteTrades | str:
        """The number of trades in each minute of a raw file, or why it is not known, without a full stop."""
        reading = self._raw(file, verify=True).reading
        if self._fetched is not None and self._fetched[:2] == (file, reading.sha256):
            found = self._fetched[2]
        else:
            stored = manifest.stored_figures(self.archive, file, reading.sha256)
            if isinstance(stored, str):
                return stored
            found = MinuteTrades.of(reading.present, stored)
        return found or f"the vendor did not count the trades in the seconds of {file.path}"

    def require(self, file: BarFile, recorded: Provenance | None) -> pa.Table:
        """The bars of a raw file that is good enough to resample.

        Raises:
            FileMissingError: it is not stored.
            FailedRulesError: it fails a blocking rule.
        """
        if self.archive.status(file) is None:
            raise FileMissingError(
                f"{file} is not stored: materialize {asset_of(file)} for {file.symbol} {file.month} first"
            )
        runner.require(file, self.check(file, recorded).results)
        return self._raw(file).reading.present

    def resample(self, file: BarFile, recorded: Provenance | None) -> pa.Table:
        """The bars of an aggregate, resampled from its raw file, from shorter timeframes where possible.

        Args:
            file: the aggregate.
            recorded: what was recorded when its raw file was written; `None` if nothing was.

        Raises:
            FileMissingError: the raw file is not stored.
            FailedRulesError: it fails a blocking rule.
            BarsError, VolumePrecisionError: a sum does not fit.
        """
        self.require(file.raw, recorded)
        raw = self._raw(file.raw)
        resampled = raw.resampler.into(file.timeframe)
        self._release_memory(raw)
        return resampled

    def release(self) -> None:
        """Release the raw file, and its trades, before another month is read: two busy months take 200 MB."""
        self._fetched = None
        self._drop()

    def _drop(self) -> None:
        last, self._raw_file = self._raw_file, None
        if last is not None:
            self._release_memory(last)

    def as_recorded(self, file: BarFile, recorded: Provenance) -> pa.Table | None:
        """The bars of a raw file if it is the recorded one and only rules on values block; `None` otherwise."""
        names = {result.rule.name for result in self.check(file, recorded).results if result.blocking}
        return None if names - registry.VALUE_RULES else self._raw(file).reading.bars

    def _raw(self, file: BarFile, *, verify: bool = False) -> _RawFile:
        stamp = self._stamp(file)
        kept = self._unchanged(file, stamp)
        if kept is None or (verify and not kept.reading.has_form):
            kept = None  # not to be in memory together with what is read
            self._drop()
            self._raw_file = kept = self._read_raw(file, stamp, verify=verify)
        return kept

    def _stamp(self, file: BarFile) -> str | None:
        try:
            status = self.archive.status(file)
        except NotRegularFileError:
            return None
        return status.stamp if status else None

    def _unchanged(self, file: BarFile, stamp: str | None) -> _RawFile | None:
        """What is kept of a file, if the file has not changed since."""
        last = self._raw_file
        return None if last is None or last.file != file or stamp is None or last.stamp != stamp else last

    def _earlier_results(
        self, file: BarFile, recorded: Provenance | None, neighbours: NeighbourMonths | None
    ) -> RuleRun | None:
        """Earlier results for an unchanged raw file with the same records; `None` if it must be checked."""
        kept = self._unchanged(file, self._stamp(file))
        if kept is None or kept.recorded != recorded or (neighbours is not None and neighbours != kept.neighbours):
            return None
        return kept.found

    def _read_raw(self, file: BarFile, stamp: str | None, *, verify: bool) -> _RawFile:
        try:
            with self.archive.open(file) as stream:
                kept = _RawFile(file, stamp, Reading.of(None), csv_stream.size_of(stream))
                self._release_memory(kept)  # memory of fetching and writing must not add to that of decoding
                kept.reading = Reading.of_stream(stream, verify=verify)
        except FileMissingError:
            return _RawFile(file, stamp, Reading.of(None), 0)
        except NotRegularFileError as error:
            return _RawFile(file, stamp, Reading.refused(str(error)), 0)
        self._release_memory(kept)  # memory of decoding must not add to that of checking
        return kept

    @staticmethod
    def _release_memory(raw: _RawFile) -> None:
        """Return memory freed by work on a busy month to the system, before the next step takes more."""
        if raw.size > _BUSY:
            runtime.release_memory()

    def _read(self, file: BarFile, *, verify: bool) -> Reading:
        try:
            with self.archive.open(file) as stream:
                return Reading.of_stream(stream, verify=verify)
        except FileMissingError:
            return Reading.of(None)
        except NotRegularFileError as error:
            return Reading.refused(str(error))
