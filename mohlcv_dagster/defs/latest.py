"""What Dagster remembers of all partitions of an asset at once, in few queries whatever their number.

The event log gives the newest event of every partition in one query and the events themselves a thousand at a time.
Of a check that passes nothing is read but that it does; of one that fails, the evaluation.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeVar

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    # not exported, though methods of the exported DagsterInstance's event log take and give it
    AssetCheckExecutionRecordStatus as Status,
)

from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model.timeframes import RAW

MOST_AT_ONCE: Final = 1000
"""Events a query; Dagster gives no more."""

Item = TypeVar("Item")

_FAILED: Final = Status.FAILED
_JUDGED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})


@dataclass(frozen=True)
class Verdicts:
    """The latest verdict of a check on each partition, as far as it is about the file that is there now.

    Attributes:
        passed: the partitions that pass.
        failed: those that fail.
        open: those without a verdict: the run broke off before it, or the file was written anew since.
        evaluations: the evaluations that were read, by partition.
        at: of those that pass or fail, Dagster's number of the event that said so; later ones are larger.
    """

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    evaluations: dict[str, dg.AssetCheckEvaluation] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)


def materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None = None
) -> Iterator[tuple[str, dg.AssetMaterialization]]:
    """The latest materialization of each partition of an asset, with the partition's key; in no order of use.

    Args:
        instance: whose event log is read.
        key: that of the asset.
        partitions: which partitions; `None` for all.
    """
    for some in _in_batches(sorted(_latest_ids(instance, key, partitions))):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=some)
        for record in instance.fetch_materializations(wanted, limit=MOST_AT_ONCE).records:
            made = record.asset_materialization
            if made is not None and made.partition is not None:
                yield made.partition, made


def _latest_ids(instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None) -> Iterator[int]:
    """The numbers of the events of `materializations`."""
    kind, storage = dg.DagsterEventType.ASSET_MATERIALIZATION, instance.event_log_storage
    if partitions is None:
        yield from storage.get_latest_storage_id_by_partition(key, kind).values()
        return
    for some in _in_batches(sorted(partitions)):
        yield from storage.get_latest_storage_id_by_partition(key, kind, partitions=set(some)).values()


def request_ids(instance: dg.DagsterInstance, numbers: Sequence[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The vendor's request ids that were recorded with raw months.

    Args:
        instance: whose event log is read.
        numbers: of the materializations, as Dagster gave them.
    """
    for some in _in_batches(numbers):
        wanted = dg.AssetRecordsFilter(asset_key=asset_key(RAW), storage_ids=some)
        for record in instance.fetch_materializations(wanted, limit=MOST_AT_ONCE).records:
            if record.asset_materialization is not None:
                facts = {name: value.value for name, value in record.asset_materialization.metadata.items()}
                yield record.storage_id, metadata.request_ids_of(facts)


def verdicts(instance: dg.DagsterInstance, check: dg.AssetCheckKey, *, read_passed: bool = False) -> Verdicts:
    """What a check says of every partition that it was planned for.

    Args:
        instance: whose event log is read.
        check: which check.
        read_passed: whether the evaluations of partitions that pass are read as well, each of them an event.
    """
    found = Verdicts()
    runs: dict[str, str] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info([check]):
        partition, status = info.partition_key, info.latest_execution_status
        if partition is None:
            continue  # the sum over all partitions
        if status not in _JUDGED or not info.is_current:
            found.open.add(partition)
            continue
        (found.failed if status is _FAILED else found.passed).add(partition)
        found.at[partition] = info.latest_check_event_storage_id
        if status is _FAILED or read_passed:
            runs[partition] = info.latest_planned_run_id
    found.evaluations.update(evaluations(instance, check, runs, _JUDGED if read_passed else {_FAILED}))
    return found


def evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, runs: Mapping[str, str], among: AbstractSet[Status]
) -> Iterator[tuple[str, dg.AssetCheckEvaluation]]:
    """The evaluations that runs made of partitions, read from the newest backwards until all are found.

    Args:
        instance: whose event log is read.
        check: which check.
        runs: the run that evaluated each partition last.
        among: the results that are read.
    """
    wanted, cursor = set(runs.items()), None
    while wanted:
        page = instance.event_log_storage.get_asset_check_execution_history(
            check, limit=MOST_AT_ONCE, cursor=cursor, status=among
        )
        for record in page:
            found = record.evaluation
            if found is not None and (found.partition, record.run_id) in wanted:
                wanted.discard((str(found.partition), record.run_id))
                yield str(found.partition), found
        if len(page) < MOST_AT_ONCE:
            return
        cursor = page[-1].id


def _in_batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + MOST_AT_ONCE] for start in range(0, len(items), MOST_AT_ONCE))
