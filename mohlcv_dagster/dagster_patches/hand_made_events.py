"""What a step needs that tells Dagster of its materializations and evaluations itself, one partition after the other.

Dagster 1.13 tells of a partition of an asset by itself only for all partitions of a run at once, when the step ends. So
the step yields `dagster.AssetMaterialization` and `dagster.AssetCheckEvaluation`, which are public, and this module has
the two parts that are not:

- an evaluation needs a pointer to the materialization that it is about, or the UI shows the check as missing;
- a step that yields no outputs makes Dagster skip the assets of users downstream in the same run. The outputs carry a
  mark which says that their events were told already. Without it every partition would be recorded a second time.

Where an unknown version of Dagster has no such mark, no outputs are yielded: assets downstream are then made by a run
of their own.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

try:
    from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as _TOLD
except ImportError:  # an unknown version
    _TOLD = ""

__all__ = ["Target", "outputs", "target_of"]


def target_of(record: dg.EventLogRecord) -> Target:
    """The pointer to a materialization, for the evaluations of what it wrote."""
    return Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)


def outputs(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """The outputs of a step that has told of its assets and checks already: they add no event of an asset."""
    if not _TOLD:
        return
    for key in (spec.key for spec in context.assets_def.specs):  # upstream ones first, as Dagster demands
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata={_TOLD: True})
    for check in context.assets_def.check_specs:
        if check.key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=check.get_python_identifier())
