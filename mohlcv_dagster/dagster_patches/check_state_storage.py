"""An event log that answers from a cache which partitions passed a check, for pages that show asset checks.

Dagster 1.13 makes that state again at each question, of all rows and one partition at a time: with 27,900 partitions
and twelve checks the lineage page takes 102 s of CPU at each load. Cached it takes some 2 s, in a process that has
just started as well; docs/performance.md has the figures. The hook that Dagster has for this,
`get_checkpointed_asset_check_state`, gives wrong answers from the first evaluation that replaces another on, since
what it adds to a checkpoint never takes a partition out of its former status.

Private parts of Dagster are the tables, `AssetCheckState`, `SerializableEntitySubset` and, of the storage, the names in
`_NEEDED`. Without them, or with a version that was not tested, the answers are Dagster's own.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dagster as dg
    from dagster._core.storage.asset_check_state import AssetCheckState
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    from mohlcv_dagster.dagster_patches.check_state_cache import CacheLimits, CheckStateCache

    _Base = SqlEventLogStorage
else:
    _Base = object

_NEEDED: Final = (
    "_get_latest_unpartitioned_materialization_storage_ids",
    "get_asset_check_partition_info",
    "get_latest_storage_id_by_partition",
    "index_connection",
)


class CachedCheckStates(_Base):
    """Goes before a SQL event log storage of Dagster's among the bases of a class.

    Attributes:
        check_limits: bounds of the cache; `None` for those of `check_state_cache.CacheLimits`.
    """

    check_limits: "CacheLimits | None" = None

    def get_asset_check_state(
        self, keys: "Sequence[tuple[dg.AssetCheckKey, Any]]"
    ) -> "Mapping[dg.AssetCheckKey, AssetCheckState]":
        """The state of each of these checks: of partitioned ones from the cache, of others as Dagster makes it."""
        cache = self._check_cache
        others = keys if cache is None else [key for key in keys if key[1] is None]
        states = dict(super().get_asset_check_state(others)) if others else {}
        return states if cache is None else states | cache.states(key for key in keys if key[1] is not None)

    @cached_property
    def _check_cache(self) -> "CheckStateCache | None":
        """The cache; `None` where the installed Dagster is not one that it was tested with."""
        reason = obstacle(self, _NEEDED)
        if reason is None:
            try:  # names of Dagster's that moved are found missing here
                from mohlcv_dagster.dagster_patches.check_state_cache import (  # noqa: PLC0415
                    CacheLimits,
                    CheckStateCache,
                )

                return CheckStateCache(self, self.check_limits or CacheLimits())
            except ImportError as error:
                reason = str(error)
        warn_once("The cache of asset check states", reason)
        return None
