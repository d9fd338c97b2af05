"""What Dagster remembers of files: the latest materialization, its neighbour months and splits, the results of checks.

Of many partitions, in few queries whatever their number: the event log gives the newest event of every partition in one
query and the events themselves a thousand at a time. Of a check that passes only that is read; of one that fails, the
evaluation.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.checks import registry
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.dagster_patches.unexported import CheckSummary, in_batches
from mohlcv_dagster.defs.asset_checks import failed_rules
from mohlcv_dagster.defs.metadata import origin_of, provenance_of
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model import basis
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import Split, executed_by
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage import manifest

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import FetchedMonth

FINALITY: Final = "current"
"""The asset check of a raw month that fails while the month is provisional."""
_ONE_BY_ONE: Final = 20
"""Up to so many evaluations are asked for one by one; more are read a page at a time, from the newest backwards."""
_FIRST_MONTH: Final = Month(2003, 9)
_NEWEST: Final = (1, 50)
"""Among so many materializations of a symbol its splits are looked for; the newest has them unless it is unadjusted."""
_ALL: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Record(Provenance):
    """The latest materialization of a file.

    Attributes (besides those of `Provenance`):
        materialization: Dagster's pointer to it, for the evaluations of checks on what it wrote.
    """

    materialization: unexported.Target


def latest(instance: dg.DagsterInstance, file: BarFile) -> Record | None:
    """The record of `file`; `None` when this instance never saw it written."""
    wanted = dg.AssetRecordsFilter(
        asset_key=asset_key(file.timeframe), asset_partitions=[partition_key(file.symbol, file.month)]
    )
    event = next(iter(instance.fetch_materializations(wanted, limit=1).records), None)
    made = event.asset_materialization if event else None
    found = provenance_of(made.metadata) if made else None
    if event is None or found is None:
        return None
    if found.adjusted and file.timeframe == RAW:
        found = replace(found, splits_now=executed_splits(instance, file))
    return Record(**vars(found), materialization=unexported.target_of(event))


def stored_months(instance: dg.DagsterInstance, symbol: str) -> list[Month]:
    """The months of which a raw file of the symbol was recorded, rising; no event is read for it."""
    keys = {partition_key(symbol, month): month for month in _FIRST_MONTH.until(Month.of(datetime.now(UTC)))}
    found = instance.event_log_storage.get_latest_storage_id_by_partition(
        asset_key(RAW), dg.DagsterEventType.ASSET_MATERIALIZATION, partitions=set(keys)
    )
    return sorted(keys[key] for key in found)


def manifest_entry(file: BarFile, recorded: Provenance) -> ManifestEntry:
    """The manifest entry of a file that no check has looked at yet."""
    return ManifestEntry.of(file, recorded, manifest.software_version())


def months_before_split(
    instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth"
) -> dict[Month, tuple[Split, ...]]:
    """The other stored months of the symbol, rising, with the splits executed by this fetch that each lacks."""
    known = fetched.splits.splits if fetched.splits else None
    executed = executed_by(known or (), fetched.fetched_at)
    newest: dict[Month, Provenance] = {}
    for month, recorded in _materialized(instance, file, _ALL) if executed else ():
        newest.setdefault(month, recorded)
    lacking = {month: _lacking(month, each, executed) for month, each in newest.items() if month != file.month}
    return {month: lacking[month] for month in sorted(lacking) if lacking[month]}


def _lacking(month: Month, recorded: Provenance, executed: tuple[Split, ...]) -> tuple[Split, ...]:
    return basis.lacking_splits(month, recorded, executed) if recorded.rows else ()


def executed_splits(instance: dg.DagsterInstance, file: BarFile) -> tuple[Split, ...]:
    """The splits of the symbol executed by now, as recorded with whichever adjusted month of it was fetched last."""
    for most in _NEWEST:
        for _, recorded in _materialized(instance, file, most):
            if recorded.splits is not None:
                return executed_by(recorded.splits, datetime.now(UTC))
    return ()


def _materialized(instance: dg.DagsterInstance, file: BarFile, most: int) -> Iterator[tuple[Month, Provenance]]:
    """The months of the symbol and what was recorded of each, the newest materialization first."""
    months = min(_FIRST_MONTH, file.month).until(Month.of(datetime.now(UTC)))
    keys = {partition_key(file.symbol, month): month for month in months}
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(RAW), asset_partitions=list(keys))
    for event in instance.fetch_materializations(wanted, limit=most).records:
        made = event.asset_materialization
        found = provenance_of(made.metadata) if made else None
        if made is not None and found is not None and made.partition in keys:
            yield keys[made.partition], found


# ---- many materializations


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
            yield record.storage_id, origin_of(record.asset_materialization.metadata).request_ids or ()


# ---- results of checks


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
    for summary in unexported.check_summaries(instance, [check]):
        partition = summary.partition
        if summary.passed is None or not summary.is_current:
            found.unchecked.add(partition)
            continue
        (found.passed if summary.passed else found.failed).add(partition)
        found.at[partition] = summary.event
        if not summary.passed:
            failed.add((partition, summary.run_id))
    read = unexported.evaluations(instance, check, failed, failed_only=True)
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


def final_files(instance: dg.DagsterInstance, files: Collection[BarFile]) -> set[BarFile]:
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
    found = unexported.check_summaries(instance, checks, partitions)
    return (summary for summary in found if summary.is_current and summary.passed is not None)


def _failed_evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, runs: Mapping[str, str]
) -> Iterator[tuple[str, dg.AssetCheckEvaluation | None]]:
    """The failed evaluation of each partition, by the run that made it; `None` where it is not to be found."""
    if len(runs) <= _ONE_BY_ONE:
        yield from ((partition, unexported.latest_failed(instance, check, partition)) for partition in runs)
        return
    read = unexported.evaluations(instance, check, runs.items(), failed_only=True)
    found = {partition: evaluation for partition, _, evaluation in read}
    yield from ((partition, found.get(partition)) for partition in runs)


def _failing(evaluation: dg.AssetCheckEvaluation | None) -> Iterable[str]:
    """The rules that fail as errors in a failed evaluation."""
    if evaluation is None:
        return ["a check whose result is not to be found"]
    return [rule.name for rule in failed_rules(evaluation) if rule.is_error]
