"""What Dagster's instance remembers, kept in lists: as much of it as the fetch of a month asks, twenty times as fast.

A test lives one life with this and one with a real, ephemeral instance: both must be the same to the last byte.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo

from mohlcv_dagster_tests.campaigns.life_disk import Moment

_KINDS = dg.DagsterEventType
_ENDS = {_KINDS.RUN_SUCCESS.value: "SUCCESS", _KINDS.RUN_FAILURE.value: "FAILURE"}


class Records:
    """Stands in for an instance and its event log.

    Args:
        moment: when what is reported is reported.
    """

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._last = 0
        self._made: dict[tuple[dg.AssetKey, str], list[Any]] = defaultdict(list)
        self._planned: dict[tuple[dg.AssetKey, str], list[Any]] = defaultdict(list)
        self._evaluated: dict[tuple[dg.AssetCheckKey, str], list[Any]] = defaultdict(list)
        self._runs: dict[str, Any] = {}
        self._symbols: set[str] = set()
        self.event_log_storage = self

    # ---- runs and partitions

    def add_run(self, run: dg.DagsterRun) -> dg.DagsterRun:
        self._runs[run.run_id] = SimpleNamespace(dagster_run=run, start_time=None, status="NOT_STARTED")
        return run

    def get_run_records(self, wanted: dg.RunsFilter) -> list[Any]:
        return [self._runs[run_id] for run_id in wanted.run_ids or () if run_id in self._runs]

    def get_runs(self, wanted: dg.RunsFilter) -> list[dg.DagsterRun]:
        statuses = {status.value for status in wanted.statuses or ()}
        found = (each for each in self._runs.values() if each.dagster_run.job_name == wanted.job_name)
        return [each.dagster_run for each in found if each.status in statuses]

    def report_run_failed(self, run: dg.DagsterRun, _: str) -> None:
        self._runs[run.run_id].status = "FAILURE"

    def has_dynamic_partition(self, _: str, symbol: str) -> bool:
        return symbol in self._symbols

    def add_dynamic_partitions(self, _: str, symbols: Sequence[str]) -> None:
        self._symbols |= set(symbols)

    def get_dynamic_partitions(self, _: str) -> list[str]:
        return sorted(self._symbols)

    # ---- what is reported

    def report_dagster_event(self, event: dg.DagsterEvent, run_id: str) -> None:
        self._last += 1
        kind, what = event.event_type_value, event.event_specific_data
        record = SimpleNamespace(
            storage_id=self._last, run_id=run_id, timestamp=self._moment.seconds(), asset_materialization=None
        )
        if kind == _KINDS.ASSET_MATERIALIZATION.value:
            made = what.materialization  # type: ignore[union-attr]
            record.asset_materialization, record.partition_key = made, made.partition
            self._made[made.asset_key, made.partition].append(record)
        elif kind == _KINDS.ASSET_MATERIALIZATION_PLANNED.value:
            record.partition_key = what.partition  # type: ignore[union-attr]
            self._planned[what.asset_key, what.partition].append(record)  # type: ignore[union-attr]
        elif kind == _KINDS.ASSET_CHECK_EVALUATION.value:
            record.evaluation, record.partition = what, what.partition  # type: ignore[union-attr]
            self._evaluated[what.asset_check_key, what.partition].append(record)  # type: ignore[union-attr]
        elif kind == _KINDS.RUN_START.value:
            self._runs[run_id].start_time, self._runs[run_id].status = self._moment.seconds(), "STARTED"
        else:
            self._runs[run_id].status = _ENDS[kind]

    # ---- materializations

    def fetch_materializations(self, wanted: dg.AssetRecordsFilter, limit: int) -> Any:
        key, ids = wanted.asset_key, set(wanted.storage_ids or ())
        if ids:
            found = [
                each for (own, _), some in self._made.items() if own == key for each in some if each.storage_id in ids
            ]
        else:
            found = [each for name in wanted.asset_partitions or () for each in self._made.get((key, name), ())]
        return SimpleNamespace(records=sorted(found, key=lambda each: -each.storage_id)[:limit])

    def get_latest_storage_id_by_partition(
        self, key: dg.AssetKey, _: dg.DagsterEventType, partitions: Collection[str] | None = None
    ) -> dict[str, int]:
        return {
            name: some[-1].storage_id
            for (own, name), some in self._made.items()
            if own == key and (partitions is None or name in partitions)
        }

    def get_event_records(self, wanted: dg.EventRecordsFilter) -> list[Any]:
        names = wanted.asset_partitions or ()
        return [each for name in names for each in self._planned.get((wanted.asset_key, name), ())]  # type: ignore[arg-type]

    # ---- checks

    def get_asset_check_partition_info(
        self, checks: Sequence[dg.AssetCheckKey], partition_keys: Collection[str] | None = None
    ) -> list[AssetCheckPartitionInfo]:
        return [
            self._info(check, name, some[-1])
            for (check, name), some in self._evaluated.items()
            if check in checks and (partition_keys is None or name in partition_keys)
        ]

    def _info(self, check: dg.AssetCheckKey, name: str, newest: Any) -> AssetCheckPartitionInfo:
        made, target = self._made.get((check.asset_key, name)), newest.evaluation.target_materialization_data
        return AssetCheckPartitionInfo(
            check_key=check,
            partition_key=name,
            latest_execution_status=Status.SUCCEEDED if newest.evaluation.passed else Status.FAILED,
            latest_planned_run_id=newest.run_id,
            latest_check_event_storage_id=newest.storage_id,
            latest_materialization_storage_id=made[-1].storage_id if made else None,
            latest_target_materialization_storage_id=target.storage_id if target else None,
        )

    def get_asset_check_execution_history(
        self,
        check: dg.AssetCheckKey,
        limit: int,
        cursor: int | None = None,
        status: Any = None,
        partition_filter: Any = None,
    ) -> list[Any]:
        found = [
            each
            for (own, name), some in self._evaluated.items()
            if own == check and (partition_filter is None or name == partition_filter.key)
            for each in some
            if (Status.SUCCEEDED if each.evaluation.passed else Status.FAILED) in status
        ]
        return sorted(found, key=lambda each: -each.storage_id)[:limit]
