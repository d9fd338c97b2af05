"""Dagster's SQLite event log with connections that are kept and few flushes; the homes that `mohlcv` makes use it.

Dagster 1.13 opens the database anew for each event and compiles each statement anew with it. A month has some hundred
events, most of them the results of checks, so that cost more than all the work on a quiet month. And it waits for the
disk after each statement, some milliseconds each: its index is in SQLite's write-ahead mode, but each run's own
database is not. Here all are, and with `synchronous=NORMAL` SQLite waits for the disk only when it folds its log in: a
crash of the process loses nothing and none damages a database, but a power cut may lose the events of the last moments
(sqlite.org/pragma.html#pragma_synchronous), as of a run that was cut short.

The files are those of Dagster's own storage, and either class reads what the other wrote. Private parts of Dagster are
used here and nowhere else; a test holds what is stored against what Dagster's own class reads.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from dagster import Field, StringSource
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool
from watchdog.observers import Observer

from mohlcv_dagster.errors import SettingsError

if TYPE_CHECKING:
    from sqlite3 import Connection as SQLiteConnection

KEPT: Final = 8
"""Databases held open: the index and the latest runs. A webserver meets thousands, each in a file of its own."""


def _write_ahead(connection: "SQLiteConnection", _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


class _Watchdog(SqliteEventLogStorageWatchdog):
    """Tells a watching page of new events; they come into the write-ahead log first."""

    @property
    def patterns(self) -> list[str]:
        """The files whose changes are looked at."""
        return [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: object) -> None:  # noqa: ARG002 - which of the two files it was does not matter
        """Tell what is new."""
        self._process_log()


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that opens a database once, not once an event."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)

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

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table, which Dagster asks twice a check; one that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def watch(self, run_id: str, cursor: str | None, callback: Callable[[Any, Any], Any]) -> None:
        """Call `callback` with each event of a run from now on, in a thread."""
        observer: Any = self._obs or Observer()
        if not self._obs:
            self._obs = observer
            observer.start()
        watchdog = _Watchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = watchdog, observer.schedule(watchdog, self._base_dir, recursive=True)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None:
            # threads take turns under the lock, so that a connection may go from one to the next
            own = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=QueuePool, connect_args=own)
            listen(engine, "connect", _write_ahead)
        self._engines[shard] = engine
        if len(self._engines) > KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def wipe(self) -> None:
        """Delete every event; the databases are files that go too."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close what is open."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
