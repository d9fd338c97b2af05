"""Registers existing files in Dagster: records the events that runs would have recorded.

A file that can be read becomes a materialized partition, with what is known of it; its checks say whether it is right,
as after a run. One that cannot be read does not: its partition is missing, so that a backfill of *failed and missing*
fetches it, and its checks fail all the same. What was recorded already is not recorded again.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import dagster as dg
import numpy as np

from mohlcv_dagster.checks import registry, runner
from mohlcv_dagster.dagster_patches.unexported import materialization_data
from mohlcv_dagster.defs import asset_checks, check_runner, month_metadata, records
from mohlcv_dagster.defs.adoption_state import AdoptionState, FileStatus, partition_of
from mohlcv_dagster.defs.metadata import Metadata, convert, file_metadata, origin_metadata
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key
from mohlcv_dagster.errors import FileError, MonthError
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.model.provenance import Origin
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import adoption_survey, manifest
from mohlcv_dagster.storage.adoption_survey import Deviation, FileFault, raw_volume_is_whole
from mohlcv_dagster.storage.archive import Written
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster.storage.manifest import read_if_valid, write
from mohlcv_dagster.storage.reader import BarReader

if TYPE_CHECKING:
    from mohlcv_dagster.checks.reading import Reading
    from mohlcv_dagster.checks.runner import RuleRun
    from mohlcv_dagster.defs.records import Record

ADOPTED: Final = "adopted"
"""Of a materialization: it was not made by a run, the file was there already."""
JOB: Final = "mohlcv_adopt"
"""The job that the run of recorded events is said to be of; no code location has it."""
_CHANGED: Final = (
    "its bytes are not those that were recorded of it: restore it or materialize it again; --accept-changed takes it "
    "as it is"
)
_DAMAGED: Final = (
    "{}; what it said of the vendor, the request and the bytes is lost unless a copy of it is put back; the file is "
    "taken as it is"
)


class AdoptionRun:
    """The run of the recorded events, a context manager. It starts with its first event; without events there is none.

    Not events without a run: of those Dagster 1.13 keeps one evaluation a check and partition, and refuses a second.

    Only one may be open on an instance: what a killed one left is called failed when the next one is begun.

    Args:
        instance: where it is recorded.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._run: dg.DagsterRun | None = None

    def __enter__(self) -> Self:
        left = dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.STARTED])
        for run in self._instance.get_runs(left):
            self._instance.report_run_failed(run, "It was killed; the next one goes on from there.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._run is None:
            return
        if error is None:
            self._report(dg.DagsterEventType.RUN_SUCCESS, None, self._run.run_id)
        elif isinstance(error, KeyboardInterrupt):
            self._instance.report_run_canceled(self._run, "It was interrupted; the next one goes on from there.")
        else:
            self._instance.report_run_failed(self._run, str(error))

    def materialized(self, made: dg.AssetMaterialization) -> None:
        """Record that a partition is materialized."""
        self._report(dg.DagsterEventType.ASSET_MATERIALIZATION, materialization_data(made), self._run_id())

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Record what a check says."""
        self._report(dg.DagsterEventType.ASSET_CHECK_EVALUATION, evaluation, self._run_id())

    def _run_id(self) -> str:
        """The id of the run, which is started if it is not yet."""
        if self._run is None:
            run = dg.DagsterRun(job_name=JOB, run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.NOT_STARTED)
            self._run = self._instance.add_run(run)
            self._report(dg.DagsterEventType.RUN_START, None, run.run_id)
        return self._run.run_id

    def _report(self, kind: dg.DagsterEventType, what: Any, run_id: str) -> None:  # noqa: ANN401 - DagsterEvent's own type
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=JOB, event_specific_data=what)
        self._instance.report_dagster_event(event, run_id=run_id)


@dataclass
class AdoptedFile:
    """What became of a file.

    Attributes:
        file: which file.
        registered: whether a materialization was recorded now.
        evaluated: how many evaluations of checks were recorded now.
        described: whether its manifest entry or its mirror was written now.
        deviations: in what way it is not as the contract says.
        red: the rules that fail as errors, by name, with what they found.
        readable: whether it has bars.
    """

    file: BarFile
    registered: bool = False
    evaluated: int = 0
    described: bool = False
    deviations: list[Deviation] = field(default_factory=list)
    red: Mapping[str, str] = field(default_factory=dict)
    readable: bool = True

    @classmethod
    def unreadable(cls, file: BarFile, why: FileError) -> Self:
        """A file that the disk does not give, or whose raw file it does not."""
        return cls(file, deviations=[Deviation(str(file.path), FileFault.UNREADABLE, str(why))], readable=False)

    @property
    def is_news(self) -> bool:
        """Whether anything was recorded or written."""
        return self.registered or self.evaluated > 0 or self.described


@dataclass(frozen=True)
class Adoption:
    """Registers the files of an archive in an instance.

    Attributes:
        state: what is known of them.
        reader: reads and checks them.
        parquet: whether mirrors are written.
    """

    state: AdoptionState
    reader: BarReader
    parquet: bool = False

    def look(self, files: Iterable[BarFile]) -> Iterator[AdoptedFile]:
        """Examine files, and record none."""
        for file in _by_month(files):
            yield self._look(file)[0]

    def register(self, files: Iterable[BarFile], run: AdoptionRun) -> Iterator[AdoptedFile]:
        """Record those that can be read as materialized, raw files before their aggregates; their symbols are kept."""
        instance = self.state.instance
        for file in _by_month(files):
            if not instance.has_dynamic_partition(SYMBOL, file.symbol):
                instance.add_dynamic_partitions(SYMBOL, [file.symbol])
            entry, reading = self._look(file)
            status = self.state.status(file)
            new = status in {FileStatus.UNKNOWN, FileStatus.MATCHES_MANIFEST} or not self.state.is_recorded(file)
            if entry.readable and reading is not None and status is not FileStatus.RECORDED and new:
                metadata, key = self._metadata(file, reading, status), asset_key(file.timeframe)
                run.materialized(dg.AssetMaterialization(key, partition=partition_of(file), metadata=metadata))
                entry.registered = True
            yield entry

    def check(self, entries: Iterable[AdoptedFile], run: AdoptionRun) -> Iterator[AdoptedFile]:
        """Evaluate what has no evaluation yet, and bring manifest entries and mirrors up to date.

        After `register`, since some rules look at the months before and after. An aggregate is checked again once its
        raw file was recorded again.

        Args:
            entries: what `register` gave, in its order.
            run: takes the events.
        """
        written = self.state.raw_written()
        for entry in entries:
            file = entry.file
            entry.described = self._mirrored(entry)
            since = 0 if file.timeframe == RAW else written.get(partition_of(file), 0)
            if not entry.registered and self.state.is_checked(file, since) and not self._is_changed(file):
                entry.red = self.state.errors(file)
            else:
                self._check(entry, run, since)
            yield entry

    def _is_changed(self, file: BarFile) -> bool:
        return self.state.status(file) is FileStatus.CHANGED

    def _look(self, file: BarFile) -> "tuple[AdoptedFile, Reading | None]":
        entry = AdoptedFile(file)
        if self.state.is_sound(file):
            return entry, None
        try:
            whole = None if file.timeframe == RAW else raw_volume_is_whole(self.reader.read(file.raw))
            reading = self.reader.read(file, verify=True)
        except FileError as error:
            return AdoptedFile.unreadable(file, error), None
        entry.readable = reading.bars is not None
        entry.deviations = adoption_survey.examine(file, reading, raw_whole=whole)
        if self._is_changed(file):
            entry.deviations.append(Deviation(str(file.path), FileFault.CHANGED, _CHANGED))
        if self.state.status(file) is FileStatus.UNKNOWN and (why := manifest.damage(self.reader.archive, file)):
            entry.deviations.append(Deviation(str(file.path), FileFault.ENTRY, _DAMAGED.format(why)))
        return entry, reading

    def _metadata(self, file: BarFile, reading: "Reading", status: FileStatus) -> Metadata:
        """What is recorded of a file: what it is, and where its bars came from as far as that is known."""
        measured, entry = self.state.measured[file], read_if_valid(self.reader.archive, file)
        found = Written(self.reader.archive.uri(file), measured.size, measured.sha256, measured.stamp)
        origin = Origin() if status is FileStatus.UNKNOWN else self._origin(file, entry)
        written = month_metadata.provenance(reading.present, found, Origin())
        if status is FileStatus.CHANGED and entry is not None:  # known by its manifest entry alone, which is recorded
            written = replace(written, sha256=entry.sha256, rows=entry.rows)
        covered = _coverage(file, reading, origin) if file.timeframe == RAW else {}
        former = month_metadata.former_versions(VersionHistory(self.reader.archive).former(file, measured.sha256))
        return {**convert({ADOPTED: True}), **file_metadata(written), **origin_metadata(origin), **covered, **former}

    def _origin(self, file: BarFile, entry: ManifestEntry | None) -> Origin:
        """Where the bars came from, as far as that was recorded of these bytes, or of those before a repair."""
        record = records.latest(self.state.instance, file)
        if entry is not None and (entry.sha256 == self.state.measured[file].sha256 or record is None):
            return entry
        return record.inherited() if record else Origin()

    def _check(self, entry: AdoptedFile, run: AdoptionRun, since: int) -> None:
        instance, file = self.state.instance, entry.file
        record = records.latest(instance, file)
        checks = [check for check in registry.checks_for(file.timeframe) if not check.asks_vendor]
        try:
            found = self.reader.check(file, record, check_runner.neighbours_of(instance, file, record))
        except FileError as error:
            entry.red = {"readable": str(error)}
            return
        answers = runner.check_results(checks, found.results, found.not_checked)
        for evaluation in (asset_checks.evaluation(answer, file, record) for answer in answers if answer.is_conclusive):
            if entry.registered or not self.state.is_evaluated(file, evaluation, since):
                run.evaluated(evaluation)
                entry.evaluated += 1
        entry.red = {each.rule.name: each.message for each in found.results if RecordedResult.of(each).is_error}
        if record is not None:
            entry.described |= self._describe(file, record, found)

    def _describe(self, file: BarFile, record: "Record", found: "RuleRun") -> bool:
        """Write the manifest entry of what is recorded, unless the one there is of bytes that nothing else knows."""
        there = read_if_valid(self.reader.archive, file)
        recorded = records.manifest_entry(file, record)
        if there is not None and there.sha256 == record.sha256:
            recorded = there
        elif there is not None and record.sha256 != self.state.measured[file].sha256:
            return False
        results, not_checked = map(RecordedResult.of, found.results), (rule.name for rule, _ in found.not_checked)
        return write(self.reader.archive, file, recorded.with_results(results, not_checked))

    def _mirrored(self, entry: AdoptedFile) -> bool:
        """Write the mirror of a file that lacks one in step, where mirrors are asked for; whether that was done."""
        sha256, archive = self.state.measured[entry.file].sha256, self.reader.archive
        if not self.parquet or not entry.readable or manifest.mirror_digest_if_valid(archive, entry.file) == sha256:
            return False
        bars = self.reader.read(entry.file).bars
        return bars is not None and manifest.write_mirror(archive, entry.file, bars, sha256)


def _by_month(files: Iterable[BarFile]) -> list[BarFile]:
    """Raw files right before their aggregates, which need them."""
    return sorted(files, key=lambda file: (file.symbol, file.month, file.timeframe))


def _coverage(file: BarFile, reading: "Reading", origin: Origin) -> Metadata:
    """The coverage of a raw month with rising times; nothing beyond the exchange calendar, as its checks say."""
    bars = reading.present
    if not (np.diff(reading.starts) > 0).all() or bars[bar_files.TIME].null_count:
        return {}
    try:
        return month_metadata.coverage_metadata(bars, file.month, origin.complete_through or file.month.end)
    except MonthError:
        return {}
