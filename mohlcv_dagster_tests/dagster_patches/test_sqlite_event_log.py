"""The event log of our homes holds what Dagster's own would, in the same files."""

import logging
import sqlite3
import threading
import time
from contextlib import closing

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.base import EventLogCursor
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.dagster_patches.sqlite_connections import KEPT, KeptSqliteEventLogStorage
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import location, run

pytestmark = pytest.mark.slow

JANUARY = "2024-01|SPY"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home as the command makes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return Home.real(tmp_path).prepare()


@pytest.fixture
def instance(home):
    with dg.DagsterInstance.get() as instance:
        yield instance


def told(storage, run_id):
    """Every event of a run as a storage reads it."""
    return [dg.serialize_value(record.event_log_entry) for record in storage.get_records_for_run(run_id).records]


def test_a_home_of_ours_keeps_its_connections(instance):
    assert isinstance(instance.event_log_storage, KeptSqliteEventLogStorage)


@pytest.mark.parametrize("shard", ["index", "a-run"])
def test_a_commit_waits_for_the_disk_only_where_the_write_ahead_log_is_folded_in(instance, shard):
    with instance.event_log_storage._connect(shard) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # NORMAL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_page_that_watches_a_run_is_told_of_its_events_while_it_writes(tmp_path):
    reader, writer = (KeptSqliteEventLogStorage(str(tmp_path)) for _ in range(2))
    writer.store_event(said("before"))
    heard, all_of_it = [], threading.Event()

    def hear(event, _):
        heard.append(event.user_message)
        if heard[-1] == "second":
            all_of_it.set()

    reader.watch("a-run", str(EventLogCursor.from_storage_id(1)), hear)
    try:
        for words in ("first", "second", "third"):
            writer.store_event(said(words))
            time.sleep(0.05)
        assert all_of_it.wait(10)
        assert heard[:2] == ["first", "second"]
    finally:
        reader.dispose()
        writer.dispose()


def said(words):
    return dg.EventLogEntry(
        error_info=None, level=20, user_message=words, run_id="a-run", timestamp=time.time(), job_name="job"
    )


def test_dagsters_own_class_reads_every_event_that_was_stored(instance, home, tmp_path):
    result = run(
        location(tmp_path / "data", {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s", "aggregated/15s"
    )
    own = SqliteEventLogStorage(str(home.path / "history" / "runs"))

    ours = told(instance.event_log_storage, result.run_id)
    assert len(ours) > 30
    assert told(own, result.run_id) == ours
    key = dg.AssetKey("raw_1s")
    assert own.get_materialized_partitions(key) == {JANUARY}
    [latest] = own.get_asset_check_execution_history(dg.AssetCheckKey(key, "valid"), limit=9)
    assert latest.partition == JANUARY


def test_what_dagsters_own_class_stored_is_read(instance, home, tmp_path):
    configuration = yaml.safe_load((home.path / "dagster.yaml").read_text())
    del configuration["event_log_storage"]
    (home.path / "dagster.yaml").write_text(yaml.safe_dump(configuration))
    with dg.DagsterInstance.get() as plain:
        assert type(plain.event_log_storage) is SqliteEventLogStorage
        result = run(location(tmp_path / "data", {("SPY", "2024-01"): WHOLE}), plain, JANUARY, "raw_1s")
        stored = told(plain.event_log_storage, result.run_id)

    assert told(instance.event_log_storage, result.run_id) == stored


def test_a_run_that_stores_all_log_messages_opens_the_database_of_another_run(tmp_path):
    storage = KeptSqliteEventLogStorage(str(tmp_path))
    storage.store_event(said("before"))
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: storage.store_event(said(record.getMessage()))
    handler.lock = None  # else a thread that waits for ever would keep the interpreter from ending
    alembic = logging.getLogger("alembic")
    before = alembic.level
    alembic.setLevel(logging.DEBUG)
    alembic.addHandler(handler)
    reading = threading.Thread(target=storage.get_logs_for_run, args=("another-run",), daemon=True)
    try:
        reading.start()
        reading.join(10)
        assert not reading.is_alive()
    finally:
        alembic.removeHandler(handler)
        alembic.setLevel(before)


def test_the_databases_held_open_are_few_however_many_runs_there_are(instance, tmp_path):
    definitions = location(tmp_path / "data", {("SPY", "2024-01"): WHOLE})
    runs = [run(definitions, instance, JANUARY, "raw_1s").run_id for _ in range(KEPT + 2)]

    assert len(instance.event_log_storage._open) == KEPT
    counts = {len(told(instance.event_log_storage, run_id)) for run_id in runs}
    assert len(counts) == 1


def test_what_was_wiped_is_gone_and_new_events_are_stored(instance, tmp_path):
    run_id = run(location(tmp_path / "data", {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s").run_id
    event = instance.event_log_storage.get_records_for_run(run_id).records[0].event_log_entry
    storage = KeptSqliteEventLogStorage(str(tmp_path / "log"))

    storage.store_event(event)
    storage.wipe()
    assert told(storage, run_id) == []
    storage.store_event(event)
    assert told(storage, run_id) == [dg.serialize_value(event)]
    storage.dispose()


def test_a_home_whose_first_start_was_ended_while_tables_were_made_goes_on(tmp_path):
    SqliteEventLogStorage(str(tmp_path)).dispose()
    with closing(sqlite3.connect(tmp_path / "index.db")) as index, index:
        for table in ("dynamic_partitions", "asset_check_executions", "alembic_version"):
            index.execute(f"DROP TABLE {table}")

    storage = KeptSqliteEventLogStorage(str(tmp_path))
    assert not storage.has_dynamic_partition("symbol", "SPY")
    storage.add_dynamic_partitions("symbol", ["SPY"])
    assert storage.get_dynamic_partitions("symbol") == ["SPY"]
    assert storage.supports_asset_checks
    storage.dispose()


def test_without_a_home_the_cure_is_told(home, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME")

    with pytest.raises(SettingsError, match="DAGSTER_HOME is not set"):
        _ = dg.DagsterInstance.from_config(str(home.path)).event_log_storage
