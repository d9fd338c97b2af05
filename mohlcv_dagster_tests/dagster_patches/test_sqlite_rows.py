"""The event log of our homes stores row for row what Dagster's own class stores."""

import sqlite3
import threading

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy.exc import IntegrityError

from mohlcv_dagster.dagster_patches.sqlite_connections import KeptSqliteEventLogStorage
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import execute_checks_alone, location, run
from mohlcv_dagster_tests.defs.test_partition_loop import BROKEN, FIRST, THIRD

pytestmark = pytest.mark.slow

RUN = "a-run"
KEY = dg.AssetKey(["aggregated", "15s"])
OF_THE_DATABASE = {"create_timestamp", "migration_completed"}
"""Columns that SQLite fills with the time of day."""


@pytest.fixture
def storages(tmp_path, instance):
    """Dagster's own class and ours, each on databases of its own."""
    own, ours = SqliteEventLogStorage(str(tmp_path / "own")), KeptSqliteEventLogStorage(str(tmp_path / "ours"))
    for storage in (own, ours):
        storage.register_instance(instance)
    yield own, ours
    ours.dispose()


def rows(folder):
    """Every row of every table of every database in a folder."""
    found = {}
    for file in sorted(folder.glob("*.db")):
        with sqlite3.connect(file) as database:
            database.row_factory = sqlite3.Row
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            for [table] in tables:
                kept = database.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608 - its own tables
                found[file.name, table] = [
                    {name: row[name] is None if name in OF_THE_DATABASE else row[name] for name in row.keys()}  # noqa: SIM118 - a Row is no dict
                    for row in kept
                ]
        database.close()
    return found


def stored_alike(storages, events, tmp_path):
    """The rows that both classes have made of `events`."""
    own, ours = storages
    for event in events:
        own.store_event(event)
        ours.store_event(event)
    found = rows(tmp_path / "ours")
    assert found == rows(tmp_path / "own")
    return found


def told(kind, what, *, at=1.25, run_id=RUN):
    event = dg.DagsterEvent(event_type_value=kind.value, job_name="job", event_specific_data=what, message="told")
    return dg.EventLogEntry(
        error_info=None, level=20, user_message="", run_id=run_id, timestamp=at, job_name="job", dagster_event=event
    )


def planned(*partitions, at=1.25):
    definition = dg.StaticPartitionsDefinition(["2024-01", "2024-02", "2024-03"])
    subset = definition.subset_with_partition_keys(partitions) if partitions else None
    what = AssetCheckEvaluationPlanned(asset_key=KEY, check_name="valid", partitions_subset=subset)
    return told(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, what, at=at)


def evaluated(partition=None, *, passed=True, at=2.5, run_id=RUN):
    what = dg.AssetCheckEvaluation(
        asset_key=KEY, check_name="valid", passed=passed, partition=partition, metadata={"of": 7}, description="ö"
    )
    return told(dg.DagsterEventType.ASSET_CHECK_EVALUATION, what, at=at, run_id=run_id)


def executions(found):
    """What the index has of each partition, in their order: those of an event are a set."""
    kept = [(row["partition"], row["execution_status"]) for row in found["index.db", "asset_check_executions"]]
    return sorted(kept, key=lambda each: each[0] or "")


def test_a_year_with_a_broken_month_and_a_look_at_all_that_is_stored(storages, tmp_path, instance):
    definitions = location(tmp_path / "data", BROKEN)
    year = run(definitions, instance, FIRST, "raw_1s", "aggregated/15s", until=THIRD, expect=False)
    sweep = execute_checks_alone(definitions, instance, "raw_1s", None, "intact", "valid")
    events = [entry for each in (year, sweep) for entry in instance.all_logs(each.run_id)]

    found = stored_alike(storages, events, tmp_path)
    assert len(found["index.db", "event_logs"]) > 40
    assert {status for _, status in executions(found)} == {"PLANNED", "SUCCEEDED", "FAILED"}
    assert {FIRST, None} <= {partition for partition, _ in executions(found)}


def test_lines_of_the_log_with_and_without_a_step(storages, tmp_path):
    line = dg.EventLogEntry(
        error_info=None, level=20, user_message="said", run_id=RUN, timestamp=0.1 + 0.2, job_name="job"
    )
    found = stored_alike(storages, [line, line._replace(step_key="bars", user_message="5 µs")], tmp_path)

    assert [row["step_key"] for row in found[f"{RUN}.db", "event_logs"]] == [None, "bars"]
    assert found["index.db", "event_logs"] == []


@pytest.mark.parametrize(
    ("events", "stored"),
    [
        pytest.param(
            [planned("2024-01", "2024-02"), evaluated("2024-02", passed=False)],
            [("2024-01", "PLANNED"), ("2024-02", "FAILED")],
            id="planned of partitions and found of one",
        ),
        pytest.param([planned(), evaluated()], [(None, "SUCCEEDED")], id="a check without partitions"),
        pytest.param(
            [planned(), evaluated("2024-01"), evaluated("2024-02", passed=False)],
            [(None, "PLANNED"), ("2024-01", "SUCCEEDED"), ("2024-02", "FAILED")],
            id="an evaluation that nobody planned",
        ),
        pytest.param(
            [
                planned("2024-01"),
                evaluated("2024-01", passed=False),
                evaluated("2024-01", at=3.5),
                evaluated(),
                evaluated(passed=False),
            ],
            [(None, "FAILED"), ("2024-01", "SUCCEEDED")],
            id="a check that is evaluated twice in a run",
        ),
    ],
)
def test_what_was_planned_and_found_is_stored_alike(storages, tmp_path, events, stored):
    assert executions(stored_alike(storages, events, tmp_path)) == stored


def test_an_evaluation_that_carries_what_it_is_about(storages, tmp_path, instance):
    run(location(tmp_path / "data", {("SPY", "2024-01"): WHOLE}), instance, "2024-01|SPY", "raw_1s")
    events = [
        record.event
        for record in instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("raw_1s"), "valid"), limit=1
        )
    ]
    found = stored_alike(storages, events, tmp_path)

    [row] = found["index.db", "asset_check_executions"]
    assert row["materialization_event_storage_id"] > 0


def test_an_evaluation_of_no_run(storages, tmp_path):
    found = stored_alike(storages, [evaluated("2024-01", run_id="")], tmp_path)

    assert executions(found) == [("2024-01", "SUCCEEDED")]
    for storage in storages:
        with pytest.raises(IntegrityError):
            storage.store_event(evaluated("2024-01", passed=False, run_id=""))
    assert rows(tmp_path / "ours") == rows(tmp_path / "own")


def test_an_evaluation_of_what_was_planned_twice_is_an_error_and_is_kept(storages, tmp_path):
    stored_alike(storages, [planned(), planned(at=1.5)], tmp_path)
    for storage in storages:
        with pytest.raises(DagsterInvariantViolationError):
            storage.store_event(evaluated())

    assert executions(rows(tmp_path / "ours")) == [(None, "SUCCEEDED"), (None, "SUCCEEDED")]
    assert rows(tmp_path / "ours") == rows(tmp_path / "own")


def test_of_an_event_that_the_index_refuses_it_has_nothing(storages, tmp_path):
    _, ours = storages
    ours.store_event(planned("2024-01"))
    before = rows(tmp_path / "ours")
    with pytest.raises(IntegrityError):
        ours.store_event(planned("2024-02", "2024-01"))

    after = rows(tmp_path / "ours")
    assert {place for place in after if after[place] != before[place]} == {(f"{RUN}.db", "event_logs")}
    ours.store_event(evaluated("2024-01"))
    assert executions(rows(tmp_path / "ours")) == [("2024-01", "SUCCEEDED")]


def test_runs_side_by_side_lose_no_event(tmp_path):
    """Each has a storage of its own, as a process has."""

    def store(run_id):
        storage = KeptSqliteEventLogStorage(str(tmp_path))
        for number in range(50):
            storage.store_event(evaluated(f"{number}", run_id=run_id))
        storage.dispose()

    KeptSqliteEventLogStorage(str(tmp_path)).dispose()
    threads = [threading.Thread(target=store, args=(name,)) for name in ("a-run", "b-run", "c-run")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = rows(tmp_path)
    assert len(found["index.db", "event_logs"]) == len(found["index.db", "asset_check_executions"]) == 150
    for name in ("a-run", "b-run", "c-run"):
        assert len(found[f"{name}.db", "event_logs"]) == 50
