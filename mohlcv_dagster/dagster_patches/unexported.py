"""Parts of Dagster that it does not export, though what it exports takes or gives them; nothing is changed in Dagster.

For the step of bars, which reports its materializations and evaluations itself, one partition after the other (Dagster
1.13 by itself reports a partition only when the step ends, for all partitions of the run at once):

- an evaluation needs a pointer to the materialization that it is about, or the UI shows the check as missing;
- a step that yields no outputs makes Dagster skip the assets of users downstream in the same run. The outputs carry a
  mark which says that their events were reported already; without it every partition would be recorded a second time.
  Where an unknown version of Dagster has no such mark, no outputs are yielded, and assets downstream need a run of
  their own.

For reading the event log, in pages of a thousand: `DagsterInstance` has it, but not exported are the statuses of
evaluations, the summary of a partition, the filter by partition and planned evaluations.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import StepMaterializationData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

try:
    from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as _REPORTED
except ImportError:  # an unknown version
    _REPORTED = ""

Target: TypeAlias = AssetCheckEvaluationTargetMaterializationData
"""A pointer to a materialization, for the evaluations of what it wrote."""
AssetJob: TypeAlias = UnresolvedAssetJobDefinition
"""What `dagster.define_asset_job` gives."""

MOST_AT_ONCE: Final = 1000
"""Events or partitions a query; Dagster gives no more events."""

Item = TypeVar("Item")

_FAILED: Final = frozenset({Status.FAILED})
_EVALUATED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})
_ABOUT_CHECKS: Final = (dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION)


def target_of(record: dg.EventLogRecord) -> Target:
    """The pointer to a materialization, for the evaluations of what it wrote."""
    return Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)


def outputs(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """The outputs of a step that has reported its assets and checks already: they add no event of an asset."""
    if not _REPORTED:
        return
    for key in (spec.key for spec in context.assets_def.specs):  # upstream ones first, as Dagster demands
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata={_REPORTED: True})
    for check in context.assets_def.check_specs:
        if check.key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=check.get_python_identifier())


def materialization_data(made: dg.AssetMaterialization) -> StepMaterializationData:
    """What a `dagster.DagsterEvent` of the type `ASSET_MATERIALIZATION` carries."""
    return StepMaterializationData(made)


def asset_subset(view: Any, key: dg.AssetKey, partitions: Iterable[str]) -> Any:  # noqa: ANN401 - unexported types
    """Partitions of an asset in the form that automation conditions compute with.

    Args:
        view: the `asset_graph_view` of a `dagster.AutomationContext`.
        key: the asset's.
        partitions: their keys.
    """
    return view.get_asset_subset_from_asset_partitions(key, {AssetKeyPartitionKey(key, each) for each in partitions})


def is_sensor_on(instance: dg.DagsterInstance, name: str) -> bool:
    """Whether the sensor of this name is turned on."""
    from dagster._core.scheduler.instigation import (  # noqa: PLC0415 - 20 ms that loading the location does not need
        InstigatorStatus,
        InstigatorType,
    )

    states = instance.all_instigator_state(
        instigator_type=InstigatorType.SENSOR, instigator_statuses={InstigatorStatus.RUNNING}
    )
    return any(state.instigator_name == name for state in states)


# ---- the event log


class CheckSummary(NamedTuple):
    """The latest result of a check on a partition, without the evaluation.

    Attributes:
        check: the check.
        partition: the partition's key.
        run_id: the run that evaluated it last, or was to.
        event: Dagster's number of the event; later ones are larger.
        target: the number of the materialization that it is about.
        passed: `None` where a run was to evaluate it and did not.
        is_current: whether it is about the latest materialization of the partition.
    """

    check: dg.AssetCheckKey
    partition: str
    run_id: str
    event: int
    target: int | None
    passed: bool | None
    is_current: bool


def in_batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """`items` in pieces that a query can hold."""
    return (items[start : start + MOST_AT_ONCE] for start in range(0, len(items), MOST_AT_ONCE))


def check_summaries(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partitions: Sequence[str] | None = None
) -> Iterator[CheckSummary]:
    """The latest result of each check on each partition that it was planned for.

    Args:
        instance: whose event log is read.
        checks: which checks.
        partitions: which partitions; `None` for all, in one query a check.
    """
    read = instance.event_log_storage.get_asset_check_partition_info
    for page in [None] if partitions is None else in_batches(partitions):
        for info in read(checks, partition_keys=page):
            if info.partition_key is None:  # evaluations without a partition
                continue
            status = info.latest_execution_status
            yield CheckSummary(
                check=info.check_key,
                partition=info.partition_key,
                run_id=info.latest_planned_run_id,
                event=info.latest_check_event_storage_id,
                target=info.latest_target_materialization_storage_id,
                passed=status is Status.SUCCEEDED if status in _EVALUATED else None,
                is_current=info.is_current,
            )


def evaluations(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    wanted: Collection[tuple[str, str]],
    *,
    failed_only: bool = False,
) -> Iterator[tuple[str, str, dg.AssetCheckEvaluation]]:
    """The evaluations that runs made of partitions, read from the newest backwards until all are found.

    Args:
        instance: whose event log is read.
        check: which check.
        wanted: partitions, each with the run that evaluated it last.
        failed_only: whether all of them failed, so that nothing else need be read.

    Yields:
        The partition, the run and the evaluation.
    """
    missing, cursor = set(wanted), None
    status = _FAILED if failed_only else _EVALUATED
    while missing:
        page = instance.event_log_storage.get_asset_check_execution_history(
            check, limit=MOST_AT_ONCE, cursor=cursor, status=status
        )
        for record in page:
            found, place = record.evaluation, (str(record.partition), record.run_id)
            if found is not None and place in missing:
                missing.discard(place)
                yield *place, found
        if len(page) < MOST_AT_ONCE:
            return
        cursor = page[-1].id


def latest_failed(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str
) -> dg.AssetCheckEvaluation | None:
    """The newest failed evaluation of a check on a partition; `None` where there is none."""
    newest = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status=_FAILED, partition_filter=PartitionKeyFilter(key=partition)
    )
    return newest[0].evaluation if newest else None


def check_events(instance: dg.DagsterInstance, after: int) -> Iterator[tuple[int, dg.EventLogEntry]]:
    """The events about checks whose numbers are larger than `after`: all planned evaluations, then all evaluations."""
    for kind in _ABOUT_CHECKS:
        cursor = after
        while True:
            page = instance.event_log_storage.get_logs_for_all_runs_by_log_id(cursor, kind, MOST_AT_ONCE)
            yield from page.items()
            if len(page) < MOST_AT_ONCE:
                break
            cursor = max(page)


def partitions_of_check_event(entry: dg.EventLogEntry, assets: AbstractSet[dg.AssetKey]) -> AbstractSet[str]:
    """The partitions that an event about a check of one of `assets` is about; none of another event."""
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    if not isinstance(data, (dg.AssetCheckEvaluation, AssetCheckEvaluationPlanned)) or data.asset_key not in assets:
        return set()
    if isinstance(data, dg.AssetCheckEvaluation):
        return {data.partition} if data.partition is not None else set()
    return set(data.partitions_subset.get_partition_keys()) if data.partitions_subset else set()
