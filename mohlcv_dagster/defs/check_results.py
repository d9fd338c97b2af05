"""Latest materializations and check results of many partitions, in few queries whatever their number.

The event log gives the newest event of every partition in one query and the events themselves a thousand at a time.
Of a check that passes only that is read; of one that fails, the evaluation.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from mohlcv_dagster.checks import registry
from mohlcv_dagster.dagster_patches import event_log_reads
from mohlcv_dagster.dagster_patches.event_log_reads import CheckSummary, in_batches
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.asset_checks import failed_rules
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe

FINALITY: Final = "current"
"""The asset check of a raw month that fails while the month is provisional."""
_ONE_BY_ONE: Final = 20
"""Up to so many evaluations are asked for one by one; more are read a page at a time, from the newest backwards."""


def materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None = None
) -> Iterator[tuple[str, dg.AssetMaterialization]]:
    """The latest materialization of each partition of an asset, with the partition's key; in no order of use.

    Args:
        instance: whose event log is read.
        key: that of the asset.
        partitions: which partitions; `None` for all.
    """
    for record in _records(instance, key, sorted(_latest_events(instance, key, partitions))):
        made = record.asset_materialization
        if made is not None and made.partition is not None:
            yield made.partition, made


def _latest_events(instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None) -> Iterator[int]:
    kind, storage = dg.DagsterEventType.ASSET_MATERIALIZATION, instance.event_log_storage
    if partitions is None:
        yield from storage.get_latest_storage_id_by_partition(key, kind).values()
        return
    for some in in_batches(sorted(partitions)):
        yield from storage.get_latest_storage_id_by_partition(key, kind, partitions=set(some)).values()


def _records(instance: dg.DagsterInstance, key: dg.AssetKey, events: Sequence[int]) -> Iterator[dg.EventLogRecord]:
    for some in in_batches(events):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=some)
        yield from instance.fetch_materializations(wanted, limit=len(some)).records


def request_ids(instance: dg.DagsterInstance, events: Sequence[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The vendor's request ids that were recorded with raw months.

    Args:
        instance: whose event log is read.
        events: Dagster's numbers of the materializations.

    Yields:
        The number and the ids.
    """
    for record in _records(instance, asset_key(RAW), events):
        if record.asset_materialization is not None:
            facts = {name: value.value for name, value in record.asset_materialization.metadata.items()}
            yield record.storage_id, metadata.request_ids(facts)


@dataclass(frozen=True)
class CheckedPartitions:
    """The latest result of a check on each partition, as far as it is about the file that is there now.

    Attributes:
        passed: the partitions that pass.
        failed: those that fail.
        unchecked: those without a result: the run broke off before it, or the file was written again since.
        evaluations: the failed evaluations, by partition.
        at: of those that pass or fail, Dagster's number of the event; later ones are larger.
    """

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unchecked: set[str] = field(default_factory=set)
    evaluations: dict[str, dg.AssetCheckEvaluation] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)


def of_check(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> CheckedPartitions:
    """The results of a check on every partition that it was planned for."""
    found = CheckedPartitions()
    failed: set[tuple[str, str]] = set()
    for summary in event_log_reads.check_summaries(instance, [check]):
        partition = summary.partition
        if summary.passed is None or not summary.is_current:
            found.unchecked.add(partition)
            continue
        (found.passed if summary.passed else found.failed).add(partition)
        found.at[partition] = summary.event
        if not summary.passed:
            failed.add((partition, summary.run_id))
    read = event_log_reads.evaluations(instance, check, failed, failed_only=True)
    found.evaluations.update((partition, evaluation) for partition, _, evaluation in read)
    return found


@dataclass(frozen=True)
class FileChecks:
    """The results of the checks of a file as it was recorded last.

    Attributes:
        errors: the rules of blocking checks that fail as errors.
        unchecked: whether a check has no result of the file as it was recorded last.
    """

    errors: tuple[str, ...] = ()
    unchecked: bool = False


def offline_checks(timeframe: Timeframe) -> dict[str, bool]:
    """The names of the asset checks on a file that can be made without the vendor, and whether each blocks."""
    return {check.name: check.blocking for check in registry.checks_for(timeframe) if not check.asks_vendor}


def of_file(instance: dg.DagsterInstance, file: BarFile) -> FileChecks:
    """The results of the checks of `file`."""
    return of_files(instance, [file])[file]


def of_files(instance: dg.DagsterInstance, files: Collection[BarFile]) -> dict[BarFile, FileChecks]:
    """The results of the checks of `files`: a query for each check and thousand files of a timeframe."""
    found: dict[BarFile, FileChecks] = {}
    for timeframe in {file.timeframe for file in files}:
        own = {partition_key(file.symbol, file.month): file for file in files if file.timeframe == timeframe}
        errors, results = _errors_and_results(instance, timeframe, list(own))
        expected = len(offline_checks(timeframe))
        for partition, file in own.items():
            found[file] = FileChecks(tuple(errors.get(partition, ())), results[partition] < expected)
    return found


def known_final(instance: dg.DagsterInstance, files: Collection[BarFile]) -> set[BarFile]:
    """The raw files that passed the check that they are final, as they were recorded last; no event is read for it."""
    own = {partition_key(file.symbol, file.month): file for file in files}
    check = dg.AssetCheckKey(asset_key(RAW), FINALITY)
    return {own[summary.partition] for summary in _current(instance, [check], list(own)) if summary.passed}


def _errors_and_results(
    instance: dg.DagsterInstance, timeframe: Timeframe, partitions: Sequence[str]
) -> tuple[Mapping[str, list[str]], Counter[str]]:
    """By partition: the blocking rules that fail as errors, and how many checks have a result."""
    blocking = offline_checks(timeframe)
    failed: dict[dg.AssetCheckKey, dict[str, str]] = {}
    results: Counter[str] = Counter()
    checks = [dg.AssetCheckKey(asset_key(timeframe), name) for name in blocking]
    for summary in _current(instance, checks, partitions):
        results[summary.partition] += 1
        if not summary.passed and blocking[summary.check.name]:
            failed.setdefault(summary.check, {})[summary.partition] = summary.run_id
    errors: dict[str, list[str]] = {}
    for check, runs in failed.items():
        for partition, evaluation in _failed_evaluations(instance, check, runs):
            errors.setdefault(partition, []).extend(_failing(evaluation))
    return errors, results


def _current(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partitions: Sequence[str]
) -> Iterator[CheckSummary]:
    """The result of each check on each partition as it was recorded last, where there is one."""
    found = event_log_reads.check_summaries(instance, checks, partitions)
    return (summary for summary in found if summary.is_current and summary.passed is not None)


def _failed_evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, runs: Mapping[str, str]
) -> Iterator[tuple[str, dg.AssetCheckEvaluation | None]]:
    """The failed evaluation of each partition, by the run that made it; `None` where it is not to be found."""
    if len(runs) <= _ONE_BY_ONE:
        yield from ((partition, event_log_reads.latest_failed(instance, check, partition)) for partition in runs)
        return
    read = event_log_reads.evaluations(instance, check, runs.items(), failed_only=True)
    found = {partition: evaluation for partition, _, evaluation in read}
    yield from ((partition, found.get(partition)) for partition in runs)


def _failing(evaluation: dg.AssetCheckEvaluation | None) -> Iterable[str]:
    """The rules that fail as errors in a failed evaluation."""
    if evaluation is None:
        return ["a check whose result is not to be found"]
    return [rule.name for rule in failed_rules(evaluation) if rule.is_error]
