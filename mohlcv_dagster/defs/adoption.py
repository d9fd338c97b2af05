"""A tree that stands already, made known to Dagster: the events that runs would have recorded.

A file that can be read is a materialized partition, with what is known of it; its checks say whether it is right, as
after a run. One that cannot be read is no materialization: its partition is missing, so that a backfill of *failed and
missing* fetches it, and its checks are red all the same. What was recorded already is not recorded again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import dagster as dg
import numpy as np

from mohlcv_dagster.checks import registry, runner
from mohlcv_dagster.defs import evaluations, metadata, passports, records
from mohlcv_dagster.defs.known import Known, Standing, partition_of
from mohlcv_dagster.defs.measured import of_coverage, of_file
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key
from mohlcv_dagster.defs.recording import Recording
from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import adoption_survey, parquet_mirror
from mohlcv_dagster.storage.adoption_survey import Deviation, FileFault, raw_volume_is_whole
from mohlcv_dagster.storage.archive import Written
from mohlcv_dagster.storage.manifest import read_if_valid, write
from mohlcv_dagster.storage.reader import BarReader

if TYPE_CHECKING:
    from mohlcv_dagster.checks.reading import Reading
    from mohlcv_dagster.checks.runner import RuleRun
    from mohlcv_dagster.defs.records import Record

ADOPTED: Final = "adopted"
"""Of a materialization: it was not made by a run, the file stood there already."""
_CHANGED: Final = (
    "its bytes are not those that were recorded of it: restore it or materialize it again; --accept-changed takes it "
    "as it is"
)


@dataclass
class Entry:
    """What became of a file.

    Attributes:
        file: which file.
        registered: whether a materialization was recorded now.
        evaluated: how many evaluations of checks were recorded now.
        described: whether its passport or its mirror was written now.
        deviations: in what way it is not as the contract says.
        red: the checks that fail as errors, by name, with what they found.
        readable: whether it has bars.
    """

    file: BarFile
    registered: bool = False
    evaluated: int = 0
    described: bool = False
    deviations: list[Deviation] = field(default_factory=list)
    red: Mapping[str, str] = field(default_factory=dict)
    readable: bool = True

    @property
    def is_news(self) -> bool:
        """Whether anything was recorded or written."""
        return self.registered or self.evaluated > 0 or self.described


@dataclass(frozen=True)
class Adoption:
    """Registers the files of an archive in an instance.

    Attributes:
        standing: what is known of them.
        reader: reads and judges them.
        parquet: whether mirrors are written.
    """

    standing: Standing
    reader: BarReader
    parquet: bool = False

    def look(self, files: Iterable[BarFile]) -> Iterator[Entry]:
        """Examine files, and record none."""
        for file in _by_month(files):
            yield self._look(file)[0]

    def register(self, files: Iterable[BarFile], recording: Recording) -> Iterator[Entry]:
        """Record those that can be read as materialized, raw files before their aggregates; their symbols are kept."""
        instance = self.standing.instance
        for file in _by_month(files):
            if not instance.has_dynamic_partition(SYMBOL, file.symbol):
                instance.add_dynamic_partitions(SYMBOL, [file.symbol])
            entry, reading = self._look(file)
            known = self.standing.knows(file)
            new = known in {Known.NOTHING, Known.VOUCHED} or not self.standing.is_recorded(file)
            if entry.readable and reading is not None and known is not Known.RECORDED and new:
                facts = self._facts(file, reading, known)
                made = dg.AssetMaterialization(asset_key(file.timeframe), partition=partition_of(file), metadata=facts)
                recording.materialized(made)
                entry.registered = True
            yield entry

    def judge(self, entries: Iterable[Entry], recording: Recording) -> Iterator[Entry]:
        """Evaluate what has no evaluation yet, and bring passports and mirrors up to date.

        After `register`, since some rules look at the months beside. An aggregate is judged again once its raw file was
        recorded anew.

        Args:
            entries: what `register` gave, in its order.
            recording: takes the events.
        """
        written = self.standing.raw_written()
        for entry in entries:
            file = entry.file
            entry.described = self._mirrored(entry)
            since = 0 if file.timeframe == RAW else written.get(partition_of(file), 0)
            if not entry.registered and self.standing.is_judged(file, since) and not self._is_changed(file):
                entry.red = self.standing.red(file)
            else:
                self._check(entry, recording, since)
            yield entry

    def _is_changed(self, file: BarFile) -> bool:
        return self.standing.knows(file) is Known.OTHERWISE

    def _look(self, file: BarFile) -> "tuple[Entry, Reading | None]":
        entry = Entry(file)
        if self.standing.is_settled(file):
            return entry, None
        whole = None if file.timeframe == RAW else raw_volume_is_whole(self.reader.read(file.raw))
        reading = self.reader.read(file, prove=True)
        entry.readable = reading.bars is not None
        entry.deviations = adoption_survey.examine(file, reading, raw_whole=whole)
        if self._is_changed(file):
            entry.deviations.append(Deviation(str(file.path), FileFault.CHANGED, _CHANGED))
        return entry, reading

    def _facts(self, file: BarFile, reading: "Reading", known: Known) -> Metadata:
        measured, bars = self.standing.measured[file], reading.present
        facts: dict[str, dg.MetadataValue] = {
            ADOPTED: dg.MetadataValue.bool(True),
            **of_file(bars, Written(self.reader.archive.uri(file), measured.size, measured.sha256, measured.stamp)),
        }
        passport = read_if_valid(self.reader.archive, file)
        if known is not Known.NOTHING:
            facts |= self._inherited(file, passport)
        if known is Known.OTHERWISE and passport is not None:  # told by its passport alone: what that says is recorded
            facts["sha256"] = dg.MetadataValue.text(passport.sha256)
            facts["dagster/partition_row_count"] = dg.MetadataValue.int(passport.rows)
        if file.timeframe == RAW and (np.diff(reading.starts) > 0).all() and not bars[bar_files.TIME].null_count:
            through = metadata.moment_of({name: value.value for name, value in facts.items()}, "complete_through")
            facts |= _covered(reading, file.month, through)
        return facts

    def _inherited(self, file: BarFile, passport: ManifestEntry | None) -> Metadata:
        """Where the bars came from, as far as that was recorded of these bytes, or of those before they were mended."""
        record = records.latest(self.standing.instance, file)
        if passport is not None and (passport.sha256 == self.standing.measured[file].sha256 or record is None):
            return passports.facts_of(passport)
        return record.origin if record else {}

    def _check(self, entry: Entry, recording: Recording, since: int) -> None:
        instance, file = self.standing.instance, entry.file
        record = records.latest(instance, file)
        checks = [check for check in registry.checks_for(file.timeframe) if not check.asks_vendor]
        found = self.reader.examine(file, record, records.beside(instance, file, record))
        answers = runner.check_results(checks, found.results, found.not_checked)
        for evaluation in (evaluations.of_answer(answer, file, record) for answer in answers if answer.is_conclusive):
            if entry.registered or not self.standing.is_told(file, evaluation, since):
                recording.evaluated(evaluation)
                entry.evaluated += 1
        entry.red = {each.rule.name: each.message for each in found.results if RecordedResult.of(each).is_error}
        if record is not None:
            entry.described |= self._describe(file, record, found)

    def _describe(self, file: BarFile, record: "Record", found: "RuleRun") -> bool:
        """Write the passport: of what is recorded, unless one that is there speaks of bytes that nothing else knows."""
        there, recorded = read_if_valid(self.reader.archive, file), passports.of(file, record.facts)
        if there is not None and there.sha256 == record.sha256:
            recorded = there
        elif there is not None and record.sha256 != self.standing.measured[file].sha256:
            return False
        verdicts, not_judged = map(RecordedResult.of, found.results), (rule.name for rule, _ in found.not_checked)
        return write(self.reader.archive, file, recorded.with_results(verdicts, not_judged))

    def _mirrored(self, entry: Entry) -> bool:
        """Write the mirror of a file that lacks one in step, where mirrors are asked for; whether that was done."""
        sha256, archive = self.standing.measured[entry.file].sha256, self.reader.archive
        if not self.parquet or not entry.readable or parquet_mirror.digest_if_valid(archive, entry.file) == sha256:
            return False
        bars = self.reader.read(entry.file).bars
        return bars is not None and parquet_mirror.write(archive, entry.file, bars, sha256)


def _by_month(files: Iterable[BarFile]) -> list[BarFile]:
    """Raw files right before their aggregates, which need them."""
    return sorted(files, key=lambda file: (file.symbol, file.month, file.timeframe))


def _covered(reading: "Reading", month: Month, through: datetime | None) -> Metadata:
    """What is recorded beside the exchange calendar; nothing beyond it, which the checks that need it say."""
    try:
        return of_coverage(reading.present, month, through or month.end)
    except MonthError:
        return {}
