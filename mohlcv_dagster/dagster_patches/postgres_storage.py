"""Dagster's storage on PostgreSQL with cached check states, which keeps connections and survives a restart.

Everywhere but in the webserver Dagster opens a connection for each statement: 570 for a month of bars, which take half
of the processor time that the month costs over all hosts. Here each process keeps one for each of the three storages,
as Dagster's webserver does, and more while it needs more.

After a restart of the database each kept connection is dead, and Dagster learns that when it uses one: the first launch
is lost (`server closed the connection unexpectedly`). Here a connection is pinged
when it leaves the pool, as SQLAlchemy's `pool_pre_ping` does, which Dagster has no setting for: one round trip.

Needs the package `dagster-postgres`. Private of it are `_event_log_storage` and its like of the storage, which hold its
three parts, and `_engine` of each part; without them connections are opened, and used unasked, as by Dagster itself.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import get_token_provider_from_config, pg_url_from_config
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError

from mohlcv_dagster.dagster_patches.check_state_storage import CachedCheckStates
from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once
from mohlcv_dagster.dagster_patches.pool_places import HeldPlaces

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider


_NO_TIMEOUT: Final = 0
_POOL_RECYCLE: Final = 3600
_MAX_OVERFLOW: Final = 20
"""Milliseconds, seconds and connections: Dagster's own, but outside the webserver a statement may take its time."""


class _KeepsConnections:
    """Goes before a storage of `dagster-postgres` among the bases of a class."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - those of the storage
        super().__init__(*arguments, **named)
        if obstacle(self, ["_engine"]) is None:
            self.optimize_for_webserver(_NO_TIMEOUT, _POOL_RECYCLE, _MAX_OVERFLOW)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Keep connections as Dagster does in its webserver, and use none that is dead."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)  # type: ignore[misc]
        if reason := obstacle(self, ["_engine"]):
            warn_once("Asking connections to PostgreSQL whether they are alive", reason)
        else:
            listen(vars(self)["_engine"], "checkout", _ping)

    def dispose(self) -> None:
        """Close the connections too: a worker opens an instance for each run."""
        super().dispose()  # type: ignore[misc]
        if obstacle(self, ["_engine"]) is None:
            vars(self)["_engine"].dispose()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that a `dagster.yaml` asks for; Dagster's own method names Dagster's own class."""
        return cls(inst_data=inst_data, **_arguments(config_value))


def _ping(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - a connection of psycopg2
    """Have the pool take another connection in the place of one that is dead (SQLAlchemy's rule for `checkout`)."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # any error of the driver's means the same
        raise DisconnectionError(str(error)) from error


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the options of a `dagster.yaml`, which are those of `dagster-postgres`, are to its classes."""
    return {
        "postgres_url": pg_url_from_config(config),
        "should_autocreate_tables": config.get("should_autocreate_tables", True),
        "token_provider": get_token_provider_from_config(config),
    }


class RememberingPostgresEventLogStorage(CachedCheckStates, HeldPlaces, _KeepsConnections, PostgresEventLogStorage):
    """`PostgresEventLogStorage` with cached check states and held places."""


class RememberingPostgresRunStorage(_KeepsConnections, PostgresRunStorage):
    """Dagster's own, see `_KeepsConnections`."""


class RememberingPostgresScheduleStorage(_KeepsConnections, PostgresScheduleStorage):
    """Dagster's own, see `_KeepsConnections`."""


class RememberingPostgresStorage(DagsterPostgresStorage):
    """All three storages of Dagster on PostgreSQL; named in `dagster.yaml` under `storage`, see docs/stores.md."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,  # noqa: FBT001, FBT002 - Dagster's own signature
        inst_data: ConfigurableClassData | None = None,
        token_provider: "PgTokenProvider | None" = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        own: dict[str, Any] = {"should_autocreate_tables": should_autocreate_tables, "token_provider": token_provider}
        self._event_log_storage = RememberingPostgresEventLogStorage(postgres_url, **own)
        self._run_storage = RememberingPostgresRunStorage(postgres_url, **own)
        self._schedule_storage = RememberingPostgresScheduleStorage(postgres_url, **own)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that a `dagster.yaml` asks for; Dagster's own method names Dagster's own class."""
        return cls(inst_data=inst_data, **_arguments(config_value))
