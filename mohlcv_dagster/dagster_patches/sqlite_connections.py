"""Dagster's SQLite event log with connections that stay open, few flushes and few statements.

Dagster 1.13 opens the database for each event and compiles each statement again with it. Without this module a year of
quiet months takes nearly twice the CPU, all work on its bars included (docs/performance.md). Dagster also waits for the
disk after each statement, some milliseconds each: its index is in SQLite's write-ahead mode, but each run's own
database is not. Here all are, and with `synchronous=NORMAL` SQLite waits for the disk only when it writes its log back:
a crash of the process loses nothing and none damages a database, but a power cut may lose the events of the last
moments (sqlite.org/pragma.html#pragma_synchronous), as of a run that was cut short.

Half of a month's events in a year's run are the results of checks. Of each, Dagster keeps the event in the database of
its run, the same once more in the index of all runs, and there a row of the check's latest result, which was planned
before. It serializes the event two or three times for that (once more for each partition of the run, when it is
planned) and commits to the index twice. Here the event is serialized once, and what the index has of it is committed as
one.

The files are those of Dagster's own storage, and either class reads what the other wrote: tests compare each row with
what Dagster's own class stores.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool
from watchdog.observers import Observer

if TYPE_CHECKING:
    from sqlite3 import Connection as SQLiteConnection

Row: TypeAlias = dict[str, Any]
"""Columns of the table of events and their values, as Dagster's `_event_to_row` gives them."""

KEPT: Final = 8
"""Databases held open: the index and the latest runs. A webserver meets thousands, each in a file of its own."""
NEEDED: Final = ("_event_to_row", "_initdb", "conn_string_for_shard", "index_connection", "run_connection")
"""What Dagster's class must have."""
_LEFT_TO_DAGSTER: Final = frozenset({*ASSET_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS})
"""Events about assets and about the run itself."""

_planned: Final = AssetCheckExecutionsTable.c
_EVENT: Final = SqlEventLogStorageTable.insert()
_EXECUTION: Final = AssetCheckExecutionsTable.insert()
_EVALUATED: Final = AssetCheckExecutionsTable.update().where(
    _planned.asset_key == bindparam("of_asset_key"),
    _planned.check_name == bindparam("of_check_name"),
    _planned.run_id == bindparam("of_run_id"),
    _planned.partition.is_not_distinct_from(bindparam("of_partition")),
)


def _write_ahead(connection: "SQLiteConnection", _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


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
        self._open: OrderedDict[str, tuple[Engine, Connection]] = OrderedDict()
        self._tables: set[str] = set()
        # Told while a database is opened, which is under a lock: with `python_logs` a run would store the message as an
        # event of its own, and wait for that lock for ever.
        logging.getLogger("alembic.runtime.migration").addFilter(_is_warning)
        super().__init__(base_dir, inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table, which Dagster asks twice a check; one that is there stays.

        Asked before the index was opened, it is opened first: that makes what a first start left unmade that was ended.
        """
        if INDEX_SHARD_NAME not in self._initialized_dbs:
            with self.index_connection():
                pass
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

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event in the database of its run, and what a check says in the index of all runs too."""
        dagster_event = event.dagster_event
        kind = dagster_event.event_type if dagster_event else None
        of_check = kind in ASSET_CHECK_EVENTS
        if kind in _LEFT_TO_DAGSTER or (of_check and not (event.run_id and self.supports_asset_checks)):
            super().store_event(event)
            return
        row = self._event_to_row(event)
        with self.run_connection(event.run_id) as connection:
            _store(connection, row)
        if dagster_event is not None and of_check:
            with self.index_connection() as connection:
                replaced = _store_check_event(connection, dagster_event.event_specific_data, row)
            if replaced > 1:  # kept all the same, as Dagster does
                raise DagsterInvariantViolationError(f"{replaced} rows were planned for one evaluation: {row['event']}")

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # one at a time under the lock, so that all may have the same connection
        with self._db_lock:
            connection = self._connection(shard)
            with connection.begin():
                yield connection

    def _connection(self, shard: str) -> Connection:
        engine, connection = self._open.pop(shard, (None, None))
        if engine is None:
            own = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=QueuePool, connect_args=own)
            listen(engine, "connect", _write_ahead)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        connection = connection or engine.connect()
        self._open[shard] = engine, connection
        if len(self._open) > KEPT:
            self._close(next(iter(self._open)))
        return connection

    def wipe(self) -> None:
        """Delete every event; the databases are files that go too."""
        self._close_all()
        super().wipe()

    def dispose(self) -> None:
        """Close what is open."""
        self._close_all()
        super().dispose()

    def _close_all(self) -> None:
        with self._db_lock:
            for shard in list(self._open):
                self._close(shard)

    def _close(self, shard: str) -> None:
        engine, connection = self._open.pop(shard)
        connection.close()
        engine.dispose()


def _store(connection: Connection, row: Row) -> int:
    """Store an event; its number in this database."""
    return int(connection.execute(_EVENT, row).lastrowid)


def _store_check_event(connection: Connection, data: object, row: Row) -> int:
    """Store in the index an event that is about a check.

    Args:
        connection: to the index, in a transaction.
        data: what is planned or was found.
        row: the event.

    Returns:
        How many rows of what was planned were replaced by what was found.

    Raises:
        sqlalchemy.exc.IntegrityError: this run had planned it already.
    """
    number = _store(connection, row)
    shared = {
        "run_id": row["run_id"],
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": number,
    }
    if isinstance(data, AssetCheckEvaluationPlanned):
        return _plan(connection, data, shared)
    if isinstance(data, dg.AssetCheckEvaluation):
        return _evaluate(connection, data, shared)
    return 0


def _plan(connection: Connection, planned: AssetCheckEvaluationPlanned, shared: Row) -> int:
    """A row for each partition that the run is to evaluate; without partitions one."""
    row = shared | {
        "asset_key": planned.asset_key.to_string(),
        "check_name": planned.check_name,
        "execution_status": Status.PLANNED.value,
    }
    subset = planned.partitions_subset
    partitions = subset.get_partition_keys() if subset else [None]
    connection.execute(_EXECUTION, [{**row, "partition": partition} for partition in partitions])
    return 0


def _evaluate(connection: Connection, evaluation: dg.AssetCheckEvaluation, shared: Row) -> int:
    """What was found in the place of what was planned; where nothing was, in a row of its own."""
    place = {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "run_id": shared["run_id"],
        "partition": evaluation.partition,
    }
    target = evaluation.target_materialization_data
    found = shared | {
        "execution_status": (Status.SUCCEEDED if evaluation.passed else Status.FAILED).value,
        "materialization_event_storage_id": target.storage_id if target else None,
    }
    replaced = connection.execute(_EVALUATED, {**found, **{f"of_{name}": value for name, value in place.items()}})
    if not replaced.rowcount:
        connection.execute(_EXECUTION, {**found, **place})
    return replaced.rowcount
