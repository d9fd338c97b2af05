"""On PostgreSQL too the answers are Dagster's own, late commits are seen, and a restart of it loses nothing."""

import logging
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import dagster as dg
import pytest
import sqlalchemy as db
import yaml

from mohlcv_dagster.dagster_patches.check_state_cache import CacheLimits, CheckStateCache
from mohlcv_dagster_tests.dagster_patches.compared import SYMBOLS, Run, answers, make, on_postgres
from mohlcv_dagster_tests.dagster_patches.situations import IN_TURN
from mohlcv_dagster_tests.postgres import Postgres, free_port, require

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    logging.disable(logging.ERROR)  # runs that are told to fail say so
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def server():
    require()
    # not in pytest's own folder, which it closes to others each time it makes a new one in it
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres", urlsplit(f"//dagster@127.0.0.1:{free_port()}"))
        server.make()
        server.start()
        yield server
        server.stop(immediately=True)


@pytest.fixture(scope="module")
def database(server):
    """Makes a database, and gives its URL."""

    def make_database(name):
        server.create(name)
        return f"postgresql+psycopg2://dagster@127.0.0.1:{server.at[-1]}/{name}"

    return make_database


@pytest.fixture(scope="module")
def instances(tmp_path_factory, database):
    from mohlcv_dagster_tests.dagster_patches.postgres_storages import POSTGRES  # noqa: PLC0415 - where it is installed

    instances = on_postgres(tmp_path_factory.mktemp("compared"), database("compared"), POSTGRES)
    yield instances
    instances.dispose()


@pytest.mark.parametrize("situation", IN_TURN, ids=lambda situation: situation.__name__)
def test_the_answers_are_dagsters_own_after(situation, instances):
    situation(instances)
    assert not instances.differences()


def test_an_event_committed_after_one_with_a_higher_number_is_seen(instances):
    ours, clock = instances.ours["AtOnce"], SimpleNamespace(now=0.0)
    storage = ours.event_log_storage
    storage._check_cache = CheckStateCache(storage, CacheLimits(look_back=0), lambda: clock.now)
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS)
    make(instances.stock, "2024-09|SA")
    for clock.now in (0.0, 100.0):
        assert answers(ours) == answers(instances.stock)
    engine = db.create_engine(instances.stock.event_log_storage.postgres_url)
    with engine.connect() as connection, connection.begin():
        copied = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
        newest = "dagster_event_type = 'ASSET_MATERIALIZATION' ORDER BY id DESC LIMIT 1"
        late = f"INSERT INTO event_logs ({copied}) SELECT {copied} FROM event_logs WHERE {newest} RETURNING id"  # noqa: S608
        number = connection.execute(db.text(late)).scalar_one()
        make(instances.stock, "2024-09|SB")
        assert answers(ours) == answers(instances.stock)
        assert storage.get_maximum_record_id() > number
    clock.now = 159.0
    assert answers(ours) == answers(instances.stock)
    engine.dispose()


def test_a_check_evaluated_in_a_transaction_that_ends_late_is_seen(instances):
    ours, clock = instances.ours["AtOnce"], SimpleNamespace(now=0.0)
    storage = ours.event_log_storage
    storage._check_cache = CheckStateCache(storage, CacheLimits(look_back=0), lambda: clock.now)
    run = Run(instances.stock, "2024-10|SA").plan().materialize()
    for clock.now in (0.0, 100.0):
        assert answers(ours) == answers(instances.stock)
    engine = db.create_engine(instances.stock.event_log_storage.postgres_url)
    with engine.connect() as connection, connection.begin():
        values = {"run": run.id, "kind": "ASSET_CHECK_EVALUATION"}
        event = "INSERT INTO event_logs (run_id, event, dagster_event_type) VALUES (:run, '', :kind) RETURNING id"
        values["number"] = connection.execute(db.text(event), values).scalar_one()
        row = "UPDATE asset_check_executions SET execution_status = 'FAILED', evaluation_event_storage_id = :number"
        connection.execute(db.text(f"{row} WHERE run_id = :run AND check_name = 'valid'"), values)
        make(instances.stock, "2024-10|SB")
        assert answers(ours) == answers(instances.stock)
    clock.now = 159.0
    assert answers(ours) == answers(instances.stock)
    engine.dispose()


@pytest.mark.parametrize(
    ("storage", "lost"),
    [
        (
            {
                "custom": {
                    "module": "mohlcv_dagster.dagster_patches.postgres_storage",
                    "class": "RememberingPostgresStorage",
                }
            },
            False,
        ),
        ({"postgres": {}}, True),
    ],
    ids=["ours", "Dagster's own"],
)
def test_a_webserver_goes_on_after_a_restart_of_the_database(storage, lost, server, database, tmp_path):
    url = {"postgres_url": database("lost" if lost else "kept")}
    [kind] = storage
    config = {kind: {**storage[kind], "config": url} if kind == "custom" else url}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": config, "telemetry": {"enabled": False}}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.optimize_for_webserver(statement_timeout=15000, pool_recycle=3600, max_overflow=20)
        uses = [
            lambda: instance.add_run(dg.DagsterRun("job")),
            lambda: instance.get_dynamic_partitions("symbol"),
            instance.all_instigator_state,
        ]
        for use in uses:
            use()
        server.stop(immediately=True)
        server.start()
        failed = 0
        for use in uses:
            try:
                use()
            except db.exc.OperationalError:
                failed += 1
        assert bool(failed) == lost
        for part in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
            part._engine.dispose()


def test_the_storage_of_a_dagster_yaml_remembers(database, tmp_path):
    storage = {"module": "mohlcv_dagster.dagster_patches.postgres_storage", "class": "RememberingPostgresStorage"}
    url = {"postgres_url": database("named")}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"custom": {**storage, "config": url}}}))

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.event_log_storage._check_cache is not None
        with dg.DagsterInstance.from_ref(instance.get_ref()) as of_a_run:
            assert of_a_run.event_log_storage._check_cache is not None


def test_a_run_that_takes_a_place_says_on_which_host_it_is_and_that_it_is_alive(database, tmp_path, monkeypatch):
    storage = {"module": "mohlcv_dagster.dagster_patches.postgres_storage", "class": "RememberingPostgresStorage"}
    url = {"postgres_url": database("alive")}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"custom": {**storage, "config": url}}}))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots("massive_api", 1)
        run = dg.DagsterRun("any", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        assert instance.event_log_storage.claim_concurrency_slot("massive_api", run.run_id, "raw_bars").is_claimed
        tags = instance.get_run_by_id(run.run_id).tags
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)

    assert tags["mohlcv/host"] == socket.gethostname()
    assert tags["mohlcv/alive"]


def test_a_process_keeps_its_connections(database, tmp_path):
    storage = {"module": "mohlcv_dagster.dagster_patches.postgres_storage", "class": "RememberingPostgresStorage"}
    url = {"postgres_url": database("connections")}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"custom": {**storage, "config": url}}}))

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for part in (instance.run_storage, instance.schedule_storage):
            assert len({session_of(part.connect) for _ in range(5)}) == 1
        assert len({session_of(instance.event_log_storage._connect) for _ in range(5)}) == 1


def session_of(connect):
    """The process of the database that serves a connection."""
    with connect() as connection:
        return connection.execute(db.text("SELECT pg_backend_pid()")).scalar_one()
