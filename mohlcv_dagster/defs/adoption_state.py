"""What is known of the files of a tree before any is adopted: their digests, those recorded, and their checks.

A few queries for the whole tree, whatever its size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.checks import registry
from mohlcv_dagster.checks.registry import Check
from mohlcv_dagster.defs import asset_checks, records
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import read_if_valid

if TYPE_CHECKING:
    from mohlcv_dagster.defs.records import CheckedPartitions
    from mohlcv_dagster.storage.manifest import Measured

_OF_FORM: Final = frozenset({"intact", "valid", "matches_raw"})
"""The checks that fail of every fault that `adoption.survey` names: a file on which none of them did has none."""


class FileStatus(Enum):
    """What is known of a file as it is."""

    UNKNOWN = auto()
    """Neither Dagster nor the manifest knows it."""
    RECORDED = auto()
    """Dagster recorded these bytes."""
    MATCHES_MANIFEST = auto()
    """Its manifest entry, or the journal of what was rewritten, has these bytes."""
    CHANGED = auto()
    """Other bytes were recorded."""


@dataclass(frozen=True)
class AdoptionState:
    """What is known of the files of a tree.

    Attributes:
        instance: whose event log is read.
        archive: where the files are.
        timeframes: those that have assets, the raw one among them.
        measured: the digest, bars and size of every file.
        rewritten: the digests of files that were rewritten and are not recorded yet, by path.
        accept_changed: whether a file that is not as recorded is taken as it is.
    """

    instance: dg.DagsterInstance
    archive: Archive
    timeframes: tuple[Timeframe, ...]
    measured: Mapping[BarFile, "Measured"]
    rewritten: Mapping[str, str]
    accept_changed: bool = False

    @cached_property
    def _digests(self) -> dict[tuple[Timeframe, str], str]:
        return {
            (timeframe, partition): str(made.metadata["sha256"].value)
            for timeframe in self.timeframes
            for partition, made in self._materializations(timeframe)
            if "sha256" in made.metadata
        }

    def _materializations(self, timeframe: Timeframe) -> Iterator[tuple[str, dg.AssetMaterialization]]:
        partitions = [partition_of(file) for file in self.measured if file.timeframe == timeframe]
        return records.materializations(self.instance, asset_key(timeframe), partitions)

    @cached_property
    def _results(self) -> "dict[tuple[Timeframe, str], CheckedPartitions]":
        return {
            (timeframe, check.name): records.of_check(self.instance, dg.AssetCheckKey(asset_key(timeframe), check.name))
            for timeframe in self.timeframes
            for check in _checks(timeframe)
        }

    def is_recorded(self, file: BarFile) -> bool:
        """Whether Dagster recorded its partition, with these bytes or others."""
        return (file.timeframe, partition_of(file)) in self._digests

    def status(self, file: BarFile) -> FileStatus:
        """What is known of `file`."""
        sha256 = self.measured[file].sha256
        recorded = self._digests.get((file.timeframe, partition_of(file)))
        if recorded == sha256:
            return FileStatus.RECORDED
        entry = read_if_valid(self.archive, file)
        if (entry and entry.sha256 == sha256) or self.rewritten.get(str(file.path)) == sha256:
            return FileStatus.MATCHES_MANIFEST
        return FileStatus.UNKNOWN if self.accept_changed or not (recorded or entry) else FileStatus.CHANGED

    def is_sound(self, file: BarFile) -> bool:
        """Whether `file` is recorded as it is, and every check that finds faults of form passed."""
        names = {check.name for check in _checks(file.timeframe)} & _OF_FORM
        passed = (self._results[file.timeframe, name].passed for name in names)
        return self.status(file) is FileStatus.RECORDED and all(partition_of(file) in each for each in passed)

    def may_be_repaired(self, file: BarFile) -> bool:
        """Whether a fault of form may be in `file`, and its repair would not make a foreign change look like ours."""
        return not self.is_sound(file) and self.status(file) is not FileStatus.CHANGED

    def closed(self, file: BarFile) -> str | None:
        """Why no rows of another file may be moved into `file`, where its name says they belong; `None` if they may."""
        record = records.latest(self.instance, file)
        entry = read_if_valid(self.archive, file)
        vendor = (record.vendor if record else None) or (entry.vendor if entry else None)
        if vendor is not None:
            return f"came whole from {vendor}"
        changed = file in self.measured and self.status(file) is FileStatus.CHANGED
        return "is not as it was recorded" if changed else None

    def raw_written(self) -> Mapping[str, int]:
        """The storage id of the event that recorded each raw partition last; read again with each call."""
        return self.instance.event_log_storage.get_latest_storage_id_by_partition(
            asset_key(RAW), dg.DagsterEventType.ASSET_MATERIALIZATION
        )

    def is_checked(self, file: BarFile, since: int) -> bool:
        """Whether every check has an evaluation of the recorded file, and its manifest entry has them too.

        Args:
            file: which file.
            since: of an aggregate, the event after which evaluations are about its raw file as it is now; else 0.
        """
        entry, digest = read_if_valid(self.archive, file), self._digests.get((file.timeframe, partition_of(file)))
        if entry is None or entry.sha256 != digest or not entry.checks:
            return False
        results = (self._results[file.timeframe, check.name] for check in _checks(file.timeframe))
        return all(each.at.get(partition_of(file), -1) > since for each in results)

    def is_evaluated(self, file: BarFile, evaluation: dg.AssetCheckEvaluation, since: int) -> bool:
        """Whether the check's latest evaluation, if it is later than the event `since`, says the same."""
        results, partition = self._results[file.timeframe, evaluation.check_name], partition_of(file)
        if results.at.get(partition, -1) <= since:
            return False
        if evaluation.passed:
            return partition in results.passed
        former = results.evaluations.get(partition)
        return partition in results.failed and former is not None and former.description == evaluation.description

    def errors(self, file: BarFile) -> dict[str, str]:
        """The rules that failed as errors when the file was checked, with what they found."""
        results = (self._results[file.timeframe, check.name] for check in _checks(file.timeframe))
        found = (each.evaluations.get(partition_of(file)) for each in results)
        failed = (rule for each in found if each is not None for rule in asset_checks.failed_rules(each))
        return {rule.name: rule.message for rule in failed if rule.is_error}


def _checks(timeframe: Timeframe) -> list[Check]:
    """The checks that need no network."""
    return [check for check in registry.checks_for(timeframe) if not check.asks_vendor]


def partition_of(file: BarFile) -> str:
    """The partition that `file` holds: `2024-01|SPY`."""
    return partition_key(file.symbol, file.month)
