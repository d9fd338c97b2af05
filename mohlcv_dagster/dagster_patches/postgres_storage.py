"""Dagster's storage on PostgreSQL with cached check states, which survives a restart of the database.

The webserver keeps its connections. After a restart of the database each is dead, and Dagster learns that when it uses
one: the first launch is lost (`server closed the connection unexpectedly`). Here a connection is pinged
when it leaves the pool, as SQLAlchemy's `pool_pre_ping` does, which Dagster has no setting for: one round trip.

Needs the package `dagster-postgres`. Private of it are `_event_log_storage` and its like of the storage, which hold its
three parts, and `_engine` of each part; without them connections are used unasked, as by Dagster itself.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

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


class _PingsConnections:
    """Goes before a storage of `dagster-postgres` among the bases of a class."""

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Keep connections as Dagster does, and use none that is dead."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)  # type: ignore[misc]
        if reason := obstacle(self, ["_engine"]):
            warn_once("Asking connections to PostgreSQL whether they are alive", reason)
        else:
            listen(vars(self)["_engine"], "checkout", _ping)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that a `dagster.yaml` asks for; Dagster's own method names Dagster's own class."""
        return cls(inst_data=inst_data, **_arguments(config_value))  # type: ignore[call-arg] # a storage's


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


class RememberingPostgresEventLogStorage(CachedCheckStates, HeldPlaces, _PingsConnections, PostgresEventLogStorage):
    """`PostgresEventLogStorage` with cached check states and held places."""


class RememberingPostgresRunStorage(_PingsConnections, PostgresRunStorage):
    """Dagster's own, see `_PingsConnections`."""


class RememberingPostgresScheduleStorage(_PingsConnections, PostgresScheduleStorage):
    """Dagster's own, see `_PingsConnections`."""


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
