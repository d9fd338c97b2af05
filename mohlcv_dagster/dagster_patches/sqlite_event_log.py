"""The event log of homes that `mohlcv` makes: Dagster's on SQLite, with open connections and cached check states.

With a Dagster that the patches were not tested with it is Dagster's own, on the same files.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dagster import Field, StringSource
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

from mohlcv_dagster.dagster_patches import quiet_runs
from mohlcv_dagster.dagster_patches.check_state_storage import CachedCheckStates
from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once
from mohlcv_dagster.dagster_patches.pool_places import HeldPlaces
from mohlcv_dagster.errors import SettingsError

quiet_runs.install()  # this module is loaded wherever a run is executed


def _storage() -> type[SqliteEventLogStorage]:
    """Dagster's class, with connections kept where that is known to work."""
    try:
        from mohlcv_dagster.dagster_patches.sqlite_connections import (  # noqa: PLC0415 - its names may be missing
            NEEDED,
            KeptSqliteEventLogStorage,
        )

        reason = obstacle(SqliteEventLogStorage, NEEDED)
    except ImportError as error:
        reason = str(error)
    if reason is None:
        return KeptSqliteEventLogStorage
    warn_once("The SQLite event log with open connections", reason)
    return SqliteEventLogStorage


if TYPE_CHECKING:
    _Storage = SqliteEventLogStorage
else:
    _Storage = _storage()


class RememberingSqliteEventLogStorage(CachedCheckStates, HeldPlaces, _Storage):
    """`SqliteEventLogStorage` with open connections (`sqlite_connections`), cached check states and held places."""

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - what Dagster's own says
        """`base_dir`, the folder of the databases; by default `history/runs` in `DAGSTER_HOME`, as Dagster has it."""
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that a `dagster.yaml` asks for.

        Raises:
            SettingsError: it names no `base_dir`, and there is no `DAGSTER_HOME`.
        """
        home = os.environ.get("DAGSTER_HOME")
        if "base_dir" in config_value:
            return cls(config_value["base_dir"], inst_data)
        if not home:
            raise SettingsError("DAGSTER_HOME is not set: set it to the folder that holds this dagster.yaml")
        return cls(str(Path(home) / "history" / "runs"), inst_data)
