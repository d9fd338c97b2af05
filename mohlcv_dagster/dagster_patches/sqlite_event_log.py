"""The event log of homes that `mohlcv` makes: Dagster's on SQLite, with connections kept and checks remembered."""

from mohlcv_dagster.dagster_patches.kept_connections import KeptSqliteEventLogStorage
from mohlcv_dagster.dagster_patches.remembering import Remembering


class RememberingSqliteEventLogStorage(Remembering, KeptSqliteEventLogStorage):
    """`SqliteEventLogStorage` that keeps connections (`kept_connections`) and what checks said (`remembering`)."""
