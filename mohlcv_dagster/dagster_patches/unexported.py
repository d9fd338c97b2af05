"""Small parts of Dagster that it does not export, though what it exports takes or gives them.

For the step of bars, which reports its materializations and evaluations itself, one partition after the other (Dagster
1.13 by itself reports a partition only when the step ends, for all partitions of the run at once):

- an evaluation needs a pointer to the materialization that it is about, or the UI shows the check as missing;
- a step that yields no outputs makes Dagster skip the assets of users downstream in the same run. The outputs carry a
  mark which says that their events were reported already; without it every partition would be recorded a second time.
  Where an unknown version of Dagster has no such mark, no outputs are yielded, and assets downstream need a run of
  their own.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.events import StepMaterializationData
from dagster._core.instance.ref import InstanceRef

try:
    from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as _REPORTED
except ImportError:  # an unknown version
    _REPORTED = ""

__all__ = ["AssetJob", "Target", "asset_subset", "is_sensor_on", "materialization_data", "open_home", "outputs"]

AssetJob: TypeAlias = UnresolvedAssetJobDefinition
"""What `dagster.define_asset_job` gives."""
_NO_OUTPUT_FILES: Final = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


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


def open_home(folder: str, *, keep_outputs: bool = False) -> dg.DagsterInstance:
    """The instance of a Dagster home; unless `keep_outputs`, runs in this process leave their output on the terminal.

    Dagster would turn file descriptor 1 into a log file while a run works, where a progress bar finds no terminal and
    stands still; and four processes would copy that file back, which answer Ctrl-C with tracebacks.
    """
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides={} if keep_outputs else _NO_OUTPUT_FILES))
