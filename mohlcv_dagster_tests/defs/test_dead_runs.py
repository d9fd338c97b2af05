"""Runs whose process is gone are marked failed and their places freed; no run that may be alive is."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from unittest import mock

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from mohlcv_dagster.cli.home_creation import configuration
from mohlcv_dagster.dagster_patches import pool_places, run_beats
from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs import dead_runs

POOL, PLACES = "massive_api", 1
STARTED, FAILED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
HOLDER = """
import socket, sys, time
host, run_id = sys.argv[1:]
if host:
    socket.gethostname = lambda: host
import dagster as dg
with dg.DagsterInstance.get() as instance:
    instance.add_run(dg.DagsterRun("any", run_id, status=dg.DagsterRunStatus.STARTED))
    assert instance.event_log_storage.claim_concurrency_slot("massive_api", run_id, "raw_bars").is_claimed
    print("has a place", flush=True)
    time.sleep(100)
"""


@pytest.fixture(scope="module")
def _new_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("new") / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(configuration())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.event_log_storage.set_concurrency_slots(POOL, PLACES)
    return home


@pytest.fixture
def home(_new_home, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return shutil.copytree(_new_home, tmp_path / "home")


@pytest.fixture
def instance(home):
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        yield instance
    for run_id in list(pool_places._held):
        pool_places._release(run_id)


@pytest.fixture
def look(instance):
    """Look once with the sensor, so many seconds after the first look; each look goes on from the one before."""
    began, cursors = time.time(), [None]

    def call(seconds=0.0):
        context = dg.build_sensor_context(instance=instance, cursor=cursors[-1])
        with mock.patch.object(time, "time", return_value=began + seconds):
            result = dead_runs.sensor().evaluate_tick(context)
        cursors.append(result.cursor)
        assert not result.run_requests
        return result.skip_message

    return call


@pytest.fixture
def begun(instance):
    """Add a run in progress with these tags."""

    def call(status=STARTED, **tags):
        run_id = str(uuid.uuid4())
        instance.add_run(dg.DagsterRun("any", run_id, status=status, tags={f"mohlcv/{k}": v for k, v in tags.items()}))
        return run_id

    return call


def status(instance, run_id):
    return instance.get_run_by_id(run_id).status


def holders(instance):
    return instance.event_log_storage.get_concurrency_info(POOL).active_run_ids


def killed_process(home, host=""):
    """The run of a process that took a place and was killed."""
    run_id = str(uuid.uuid4())
    words = [sys.executable, "-c", HOLDER, host, run_id]
    with subprocess.Popen(words, env={**os.environ, "DAGSTER_HOME": str(home)}, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"has a place\n"
        process.kill()
    return run_id


def test_it_is_on_where_nobody_turned_it_off():
    [sensor] = [each for each in defs.sensors if each.name == "fail_dead_runs"]

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_run_of_a_killed_process_of_this_host_is_failed_at_once_and_the_next_run_has_its_place(
    instance, home, look, begun
):
    gone, following = killed_process(home), begun()
    assert not instance.event_log_storage.claim_concurrency_slot(POOL, following, "raw_bars").is_claimed

    assert look() == "1 dead run marked as failed; no run is needed."

    assert status(instance, gone) is FAILED
    assert instance.event_log_storage.claim_concurrency_slot(POOL, following, "raw_bars").is_claimed
    assert holders(instance) == {following}
    [why] = [each.message for each in instance.all_logs(gone, of_type=dg.DagsterEventType.RUN_FAILURE)]
    assert "was killed" in why
    assert "only failed and missing" in why


@pytest.mark.slow
def test_the_run_of_a_killed_process_of_another_host_is_failed_after_ten_minutes_of_silence(instance, home, look):
    gone = killed_process(home, "worker-2")
    for seconds in range(0, 600, 60):
        assert look(seconds) == "No run is dead."
        assert status(instance, gone) is STARTED

    assert look(600) == "1 dead run marked as failed; no run is needed."

    assert status(instance, gone) is FAILED
    assert holders(instance) == set()
    [why] = [each.message for each in instance.all_logs(gone, of_type=dg.DagsterEventType.RUN_FAILURE)]
    assert "on the host worker-2 has written nothing since 20" in why
    assert look(660) == "No run is dead."


def test_a_quiet_run_of_another_host_that_is_alive_is_left_alone(instance, look, begun):
    alive = begun(host="worker-2", alive="2024-01-01T00:00:00Z")
    for seconds in range(0, 3600, 60):
        if seconds % 540 == 0:  # nine minutes of ten without a word
            run_beats.set_tags(instance, alive, {run_beats.ALIVE: str(seconds)})
        assert look(seconds) == "No run is dead."

    assert status(instance, alive) is STARTED


def test_a_run_of_this_host_whose_process_is_stopped_is_left_alone(instance, look, begun):
    stopped = begun()
    instance.event_log_storage.claim_concurrency_slot(POOL, stopped, "raw_bars")
    for seconds in range(0, 1800, 60):
        assert look(seconds) == "No run is dead."

    assert status(instance, stopped) is STARTED
    assert holders(instance) == {stopped}


def test_silence_is_measured_anew_when_the_sensor_could_not_look(instance, look, begun):
    run = begun(host="worker-2", alive="2024-01-01T00:00:00Z")
    look(0)
    for seconds in range(3600, 4200, 60):
        assert look(seconds) == "No run is dead."

    assert look(4200) != "No run is dead."
    assert status(instance, run) is FAILED


@pytest.mark.parametrize("state", [STARTED, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_tells_nothing_of_its_process_is_left_alone(instance, look, begun, state):
    run = begun(state, host="worker-2")
    for seconds in range(0, 1200, 60):
        assert look(seconds) == "No run is dead."

    assert status(instance, run) is state


def test_a_command_of_another_host_with_a_home_of_its_own_is_left_alone(instance, home, look, begun):
    run = begun(command="0" * 32, host="worker-2")
    pool_places.lock_of(home, "any").parent.mkdir(exist_ok=True)
    (home / "commands" / "of-a-killed-one.lock").touch()

    assert look() == "No run is dead."
    assert status(instance, run) is STARTED


def test_a_run_that_ended_while_it_was_judged_stays_as_it_ended(instance, home, begun):
    run = begun()
    lock = pool_places.lock_of(home, run)
    lock.parent.mkdir()
    lock.touch()

    def ends_now(found):
        instance.report_run_canceled(instance.get_run_by_id(run))
        return False

    with mock.patch.object(dead_runs, "is_locked", ends_now):
        assert dead_runs.mark_killed(instance, home) == 0
    assert status(instance, run) is dg.DagsterRunStatus.CANCELED


def test_a_process_writes_into_its_run_for_as_long_as_the_run_is_under_way(instance, begun):
    run = begun()
    run_beats.begin(instance, run)
    first = instance.get_run_record_by_id(run).update_timestamp
    assert instance.get_run_by_id(run).tags["mohlcv/host"] == socket.gethostname()
    assert "run-beats" in {thread.name for thread in threading.enumerate()}

    run_beats.beat()
    second = instance.get_run_record_by_id(run).update_timestamp
    assert second > first

    instance.report_run_canceled(instance.get_run_by_id(run))
    ended = instance.get_run_record_by_id(run).update_timestamp
    run_beats.beat()
    assert instance.get_run_record_by_id(run).update_timestamp == ended


def test_the_cursor_is_small_and_forgets_runs_that_ended(instance, look, begun):
    begun(host="a", alive="x")
    look()
    silence = dead_runs.Silence.parse(json.dumps({"looked": 0.0, "runs": {"gone": [1.0, 1.0]}}))

    assert silence.after({}, 60.0).runs == {}
