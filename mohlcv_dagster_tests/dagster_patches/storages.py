"""Event logs for a `dagster.yaml` of a test, each with bounds that bring out another way of caching."""

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from mohlcv_dagster.dagster_patches.check_state_cache import CacheLimits
from mohlcv_dagster.dagster_patches.check_state_storage import CachedCheckStates
from mohlcv_dagster.dagster_patches.sqlite_event_log import RememberingSqliteEventLogStorage

AT_ONCE = CacheLimits(commit_seconds=0, look_back=0, save_every=0)
"""Each event is read once; any that the next question misses is missed for good."""
LOOKING_BACK = CacheLimits(commit_seconds=1e9, look_back=30, save_every=1e9)
"""The last events are read at every question."""
FORGETTING = CacheLimits(commit_seconds=0, look_back=0, save_every=0, most=1)
"""One asset is held; the others are loaded from what was stored."""


class AtOnce(RememberingSqliteEventLogStorage):
    check_limits = AT_ONCE


class LookingBack(RememberingSqliteEventLogStorage):
    check_limits = LOOKING_BACK


class Forgetting(RememberingSqliteEventLogStorage):
    check_limits = FORGETTING


class OverDagsters(CachedCheckStates, SqliteEventLogStorage):
    """Over Dagster's own class, with no connection kept."""

    check_limits = AT_ONCE

    @classmethod
    def from_config_value(cls, inst_data, config_value):
        return cls(inst_data=inst_data, **config_value)


SQLITE = [AtOnce, LookingBack, Forgetting, OverDagsters]
