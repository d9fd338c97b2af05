"""What is known of the files of a tree before any is looked at: their digests beside those recorded, and the checks.

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
from mohlcv_dagster.defs import check_results, evaluations, records
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import read_if_valid

if TYPE_CHECKING:
    from mohlcv_dagster.defs.check_results import CheckedPartitions
    from mohlcv_dagster.storage.manifest import Measured

_OF_FORM: Final = frozenset({"intact", "valid", "matches_raw"})
"""The checks that fail of every fault that `adoption.survey` names: a file on which none of them did has none."""


class Known(Enum):
    """What is known of a file as it stands."""

    NOTHING = auto()
    """Neither Dagster nor a passport knows it."""
    RECORDED = auto()
    """Dagster recorded these very bytes."""
    VOUCHED = auto()
    """Its passport, or the journal of what was rewritten, has these very bytes."""
    OTHERWISE = auto()
    """Other bytes were recorded."""


@dataclass(frozen=True)
class Standing:
    """How the files of a tree stand beside what is recorded of them.

    Attributes:
        instance: whose event log is read.
        archive: where the files stand.
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
        return check_results.materializations(self.instance, asset_key(timeframe), partitions)

    @cached_property
    def _verdicts(self) -> "dict[tuple[Timeframe, str], CheckedPartitions]":
        return {
            (timeframe, check.name): check_results.of_check(
                self.instance, dg.AssetCheckKey(asset_key(timeframe), check.name)
            )
            for timeframe in self.timeframes
            for check in _checks(timeframe)
        }

    def is_recorded(self, file: BarFile) -> bool:
        """Whether Dagster recorded its partition, with these bytes or others."""
        return (file.timeframe, partition_of(file)) in self._digests

    def knows(self, file: BarFile) -> Known:
        """What is known of `file`."""
        sha256 = self.measured[file].sha256
        recorded = self._digests.get((file.timeframe, partition_of(file)))
        if recorded == sha256:
            return Known.RECORDED
        passport = read_if_valid(self.archive, file)
        if (passport and passport.sha256 == sha256) or self.rewritten.get(str(file.path)) == sha256:
            return Known.VOUCHED
        return Known.NOTHING if self.accept_changed or not (recorded or passport) else Known.OTHERWISE

    def is_settled(self, file: BarFile) -> bool:
        """Whether `file` is recorded as it stands, and every check that finds faults of form passed."""
        names = {check.name for check in _checks(file.timeframe)} & _OF_FORM
        passed = (self._verdicts[file.timeframe, name].passed for name in names)
        return self.knows(file) is Known.RECORDED and all(partition_of(file) in each for each in passed)

    def may_be_mended(self, file: BarFile) -> bool:
        """Whether a fault of form may be in `file`, and mending it would not make a change look like our own work."""
        return not self.is_settled(file) and self.knows(file) is not Known.OTHERWISE

    def closed(self, file: BarFile) -> str | None:
        """Why no rows of another file may be put into `file`, to follow its name; `None` where they may."""
        record = records.latest(self.instance, file)
        told = record.origin.get("vendor") if record else None
        passport = read_if_valid(self.archive, file)
        vendor = str(told.value) if told else passport.vendor if passport else None
        if vendor is not None:
            return f"came whole from {vendor}"
        changed = file in self.measured and self.knows(file) is Known.OTHERWISE
        return "is not as it was recorded" if changed else None

    def raw_written(self) -> Mapping[str, int]:
        """Dagster's number of the event that recorded each raw partition last; asked for anew with each call."""
        return self.instance.event_log_storage.get_latest_storage_id_by_partition(
            asset_key(RAW), dg.DagsterEventType.ASSET_MATERIALIZATION
        )

    def is_judged(self, file: BarFile, since: int) -> bool:
        """Whether every check has an evaluation of the file that is recorded, and its passport has them too.

        Args:
            file: which file.
            since: of an aggregate, the event after which evaluations are about its raw file as it is now; else 0.
        """
        passport, digest = read_if_valid(self.archive, file), self._digests.get((file.timeframe, partition_of(file)))
        if passport is None or passport.sha256 != digest or not passport.checks:
            return False
        said = (self._verdicts[file.timeframe, check.name] for check in _checks(file.timeframe))
        return all(each.at.get(partition_of(file), -1) > since for each in said)

    def is_told(self, file: BarFile, evaluation: dg.AssetCheckEvaluation, since: int) -> bool:
        """Whether the check's latest evaluation, if it is later than the event `since`, says the same."""
        said, partition = self._verdicts[file.timeframe, evaluation.check_name], partition_of(file)
        if said.at.get(partition, -1) <= since:
            return False
        if evaluation.passed:
            return partition in said.passed
        told = said.evaluations.get(partition)
        return partition in said.failed and told is not None and told.description == evaluation.description

    def red(self, file: BarFile) -> dict[str, str]:
        """The rules that failed as errors when they were put to the file, with what they found."""
        said = (self._verdicts[file.timeframe, check.name] for check in _checks(file.timeframe))
        told = (each.evaluations.get(partition_of(file)) for each in said)
        failed = (rule for each in told if each is not None for rule in evaluations.failed_rules(each))
        return {rule.name: rule.message for rule in failed if rule.is_error}


def _checks(timeframe: Timeframe) -> list[Check]:
    """The checks that need no network."""
    return [check for check in registry.checks_for(timeframe) if not check.asks_vendor]


def partition_of(file: BarFile) -> str:
    """The partition that `file` holds: `2024-01|SPY`."""
    return partition_key(file.symbol, file.month)
