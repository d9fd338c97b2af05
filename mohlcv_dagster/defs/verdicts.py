"""What the checks of stored files say, of one file or of many in few queries."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter  # not exported either
from dagster._core.storage.asset_check_execution_record import (
    # not exported, though methods of the exported DagsterInstance's event log take and give it
    AssetCheckExecutionRecordStatus as Status,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo  # as above

from mohlcv_dagster.checks import registry
from mohlcv_dagster.defs import evaluations, latest
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe

FINALITY: Final = "current"
"""The asset check of a raw month that fails while the month is provisional."""

_ONE_BY_ONE: Final = 20
"""Up to so many evaluations are asked for one by one; more are read a page at a time, from the newest backwards."""
_JUDGED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})


@dataclass(frozen=True)
class Verdict:
    """What the checks of a file as it was recorded last say.

    Attributes:
        errors: the rules of checks that hold back what is downstream, and that fail as errors.
        unjudged: whether a check has no result of the file as it was recorded last.
    """

    errors: tuple[str, ...] = ()
    unjudged: bool = False


def checks_of(timeframe: Timeframe) -> dict[str, bool]:
    """The names of the asset checks on a file that can be made without the vendor, and whether each holds back."""
    return {check.name: check.blocking for check in registry.checks_for(timeframe) if not check.asks_vendor}


def verdict(instance: dg.DagsterInstance, file: BarFile) -> Verdict:
    """What this instance knows of the checks of `file`."""
    return verdicts(instance, [file])[file]


def verdicts(instance: dg.DagsterInstance, files: Collection[BarFile]) -> dict[BarFile, Verdict]:
    """What this instance knows of the checks of `files`: a query for each check and thousand files of a timeframe."""
    found: dict[BarFile, Verdict] = {}
    for timeframe in {file.timeframe for file in files}:
        own = {partition_key(file.symbol, file.month): file for file in files if file.timeframe == timeframe}
        errors, results = _errors_and_results(instance, timeframe, list(own))
        due = len(checks_of(timeframe))
        for partition, file in own.items():
            found[file] = Verdict(tuple(errors.get(partition, ())), results[partition] < due)
    return found


def known_final(instance: dg.DagsterInstance, files: Collection[BarFile]) -> set[BarFile]:
    """The raw files that passed the check that they are final, as they were recorded last; no event is read for it."""
    own = {partition_key(file.symbol, file.month): file for file in files}
    check = dg.AssetCheckKey(asset_key(RAW), FINALITY)
    return {
        own[str(info.partition_key)]
        for info in _results(instance, [check], list(own))
        if info.latest_execution_status is Status.SUCCEEDED
    }


def _errors_and_results(
    instance: dg.DagsterInstance, timeframe: Timeframe, partitions: Sequence[str]
) -> tuple[Mapping[str, list[str]], Counter[str]]:
    """By partition: the blocking rules that fail as errors, and how many checks have a result."""
    blocking = checks_of(timeframe)
    failed: dict[dg.AssetCheckKey, dict[str, str]] = {}
    results: Counter[str] = Counter()
    for info in _results(instance, [dg.AssetCheckKey(asset_key(timeframe), name) for name in blocking], partitions):
        partition = str(info.partition_key)
        results[partition] += 1
        if info.latest_execution_status is Status.FAILED and blocking[info.check_key.name]:
            failed.setdefault(info.check_key, {})[partition] = info.latest_planned_run_id
    errors: dict[str, list[str]] = {}
    for check, runs in failed.items():
        for partition, evaluation in _evaluations(instance, check, runs):
            errors.setdefault(partition, []).extend(_failing(evaluation))
    return errors, results


def _results(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partitions: Sequence[str]
) -> Iterator[AssetCheckPartitionInfo]:
    """The result of each check on each partition as it was recorded last, where there is one."""
    for start in range(0, len(partitions), latest.MOST_AT_ONCE):
        infos = instance.event_log_storage.get_asset_check_partition_info(
            checks, partition_keys=partitions[start : start + latest.MOST_AT_ONCE]
        )
        yield from (info for info in infos if info.is_current and info.latest_execution_status in _JUDGED)


def _evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, runs: Mapping[str, str]
) -> Iterator[tuple[str, dg.AssetCheckEvaluation | None]]:
    """The failed evaluation of each partition, by the run that made it; `None` where it is not to be found."""
    if len(runs) <= _ONE_BY_ONE:
        yield from ((partition, _latest_failed(instance, check, partition)) for partition in runs)
        return
    found = dict(latest.evaluations(instance, check, runs, {Status.FAILED}))
    yield from ((partition, found.get(partition)) for partition in runs)


def _latest_failed(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str
) -> dg.AssetCheckEvaluation | None:
    newest = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status={Status.FAILED}, partition_filter=PartitionKeyFilter(key=partition)
    )
    return newest[0].evaluation if newest else None


def _failing(evaluation: dg.AssetCheckEvaluation | None) -> Iterable[str]:
    """The rules that fail as errors in a failed evaluation."""
    if evaluation is None:
        return ["a check whose result is not to be found"]
    return [rule.name for rule in evaluations.failed_rules(evaluation) if rule.is_error]
