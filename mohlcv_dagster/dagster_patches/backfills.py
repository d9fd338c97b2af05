"""Asking Dagster for a backfill from within a run. Its daemon carries it out as it does one that the UI launched.

Dagster exports nothing of this; the UI makes its backfills of the same parts. A step that asks imports this module, the
code location does not.
"""

import time
from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._core.utils import make_new_backfill_id


def failed_and_missing(
    instance: dg.DagsterInstance, key: dg.AssetKey, keys: Sequence[str], partitions: dg.MultiPartitionsDefinition
) -> list[str]:
    """The partitions among `keys` that were never made of the asset, or failed when they were made last."""
    statuses = instance.get_status_by_partition(key, keys, partitions) or {}
    return [each for each in keys if statuses.get(each) in {None, AssetPartitionStatus.FAILED}]


def ask(
    instance: dg.DagsterInstance,
    title: str,
    wanted: Mapping[dg.AssetKey, Sequence[str]],
    partitions: dg.MultiPartitionsDefinition,
    tags: Mapping[str, str],
) -> str | None:
    """Ask for a backfill; its id, or `None` where there is nothing to make.

    Args:
        instance: whose daemon is to carry it out.
        title: as the UI shows it.
        wanted: the partitions to make, by asset.
        partitions: those of all these assets.
        tags: of the runs to come.
    """
    subsets = {key: partitions.empty_subset().with_partition_keys(keys) for key, keys in wanted.items() if keys}
    if not subsets:
        return None
    now = time.time()
    target = AssetGraphSubset(subsets, set())  # type: ignore[call-arg] # its decorator hides its fields
    backfill = PartitionBackfill(
        backfill_id=make_new_backfill_id(),
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags=tags,
        backfill_timestamp=now,
        asset_selection=list(subsets),
        asset_backfill_data=AssetBackfillData.empty(target, now, instance),
        title=title,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id
