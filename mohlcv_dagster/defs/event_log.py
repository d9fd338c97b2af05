"""The former place of the event log of homes made by `mohlcv`, which a `dagster.yaml` may still name."""

from typing import Final

from mohlcv_dagster.dagster_patches.sqlite_event_log import RememberingSqliteEventLogStorage

KeptSqliteEventLogStorage: Final = RememberingSqliteEventLogStorage
