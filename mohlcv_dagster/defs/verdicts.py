"""How a stored file stands before it is made again: what its checks say, and whether its run was cut short."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter  # not exported either
from dagster._core.storage.asset_check_execution_record import (
    # not exported, though methods of the exported DagsterInstance's event log take and give it
    AssetCheckExecutionRecordStatus as Status,
)

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs.partitions import asset_key, partition_key

if TYPE_CHECKING:
    from mohlcv_dagster.archive import Archive

CUT_SHORT: Final = "mohlcv/cut_short"
"""The tag of a run whose process was killed; the next command finds it out."""

_JUDGED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})


@dataclass(frozen=True)
class Verdict:
    """What the checks of a file as it was recorded last say.

    Attributes:
        errors: the checks that fail as errors and hold back what is downstream.
        unjudged: whether a run was to judge the file and did not come to it.
    """

    errors: tuple[str, ...] = ()
    unjudged: bool = False


def verdict(instance: dg.DagsterInstance, file: BarFile) -> Verdict:
    """What this instance knows of the checks of `file`."""
    chosen = {check.name: check for check in rules.checks_for(file.timeframe) if not check.asks_vendor}
    key, partition = asset_key(file.timeframe), partition_key(file.symbol, file.month)
    infos = instance.event_log_storage.get_asset_check_partition_info(
        [dg.AssetCheckKey(key, name) for name in chosen], partition_keys=[partition]
    )
    failed = [
        info.check_key.name
        for info in infos
        if info.is_current and info.latest_execution_status is Status.FAILED and chosen[info.check_key.name].blocking
    ]
    errors = tuple(name for name in failed if _is_error(instance, dg.AssetCheckKey(key, name), partition))
    unjudged = any(not info.is_current or info.latest_execution_status not in _JUDGED for info in infos)
    return Verdict(errors, unjudged)


def cut_short(instance: dg.DagsterInstance, archive: "Archive", file: BarFile) -> bool:
    """Whether `file` was written by a run that was killed before it could record that it was."""
    planned = instance.event_log_storage.get_latest_planned_materialization_info(
        asset_key(file.timeframe), partition_key(file.symbol, file.month)
    )
    record = instance.get_run_record_by_id(planned.run_id) if planned else None
    if record is None or CUT_SHORT not in record.dagster_run.tags or record.start_time is None:
        return False
    # a file that somebody put there before is none of that run's
    return archive.path(file).stat().st_mtime >= record.start_time


def _is_error(instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str) -> bool:
    latest = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status={Status.FAILED}, partition_filter=PartitionKeyFilter(key=partition)
    )
    found = latest[0].evaluation if latest else None
    return found is None or found.severity is dg.AssetCheckSeverity.ERROR
