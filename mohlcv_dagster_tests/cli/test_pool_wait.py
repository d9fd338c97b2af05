"""A fetch that waits for a place in the pool says who has it, takes those of killed runs and ends at a signal."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.cli.home_creation import configuration
from mohlcv_dagster.dagster_patches import pool_places
from mohlcv_dagster.sandbox import Sandbox

pytestmark = pytest.mark.slow

DAYS = ("--start", "2024-01-01", "--end", "2024-01-31")
POOL = "massive_api"
PLACES = max(4, (os.cpu_count() or 1) + 1)  # as docs/backfill.md has it
TAGS = {"mohlcv/symbol": "QQQ", "mohlcv/month": "2024-01"}
DAGSTER = Path(sys.executable).with_name("dagster")


@pytest.fixture
def take(memory, home, monkeypatch):
    """Take all places by runs of this process, as `dagster asset materialize` does; their ids."""
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    def call():
        with memory.instance() as instance:
            instance.event_log_storage.set_concurrency_slots(POOL, PLACES)
            runs = [str(uuid.uuid4()) for _ in range(PLACES)]
            for run_id in runs:
                instance.add_run(dg.DagsterRun("any", run_id, status=dg.DagsterRunStatus.STARTED, tags=TAGS))
                assert instance.event_log_storage.claim_concurrency_slot(POOL, run_id, "raw_bars").is_claimed
        return runs

    yield call
    for run_id in list(pool_places._held):
        pool_places._release(run_id)


def killed(run_id):
    """What a kill of the process that holds the place leaves."""
    pool_places._held.pop(run_id).release()


def statuses(memory, runs):
    with memory.instance() as instance:
        return [instance.get_run_by_id(run_id).status for run_id in runs]


def holders(memory):
    with memory.instance() as instance:
        return instance.event_log_storage.get_concurrency_info(POOL).active_run_ids


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_fetch_that_waits_for_live_runs_names_them_and_ends_at_a_signal(mohlcv, memory, take, vendor, which):
    runs = take()
    with pool_places.on_wait(lambda *_: os.kill(os.getpid(), which)):
        said = mohlcv("fetch", "--symbol", "ABC", *DAYS)

    assert said.code == 130
    assert f"waiting for a place in the pool {POOL}, which has {PLACES} places" in said.err
    for run_id in runs:
        assert "taken by QQQ 2024-01 since 20" in said.err
        assert f"run {run_id}\n" in said.err
    assert statuses(memory, runs) == [dg.DagsterRunStatus.STARTED] * PLACES
    assert holders(memory) == set(runs)


def test_places_of_runs_that_are_killed_while_a_fetch_waits_are_taken_and_those_of_live_ones_are_left(
    mohlcv, memory, take, vendor
):
    runs = take()
    gone = runs[0]
    with pool_places.on_wait(lambda *_: killed(gone) if gone in pool_places._held else None):
        assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0

    assert statuses(memory, runs) == [dg.DagsterRunStatus.FAILURE, *[dg.DagsterRunStatus.STARTED] * (PLACES - 1)]
    assert holders(memory) == set(runs[1:])


def test_a_run_that_ended_and_kept_its_place_holds_nobody_up(mohlcv, memory, take, vendor):
    runs = take()
    with memory.instance() as instance:
        instance.report_run_canceled(instance.get_run_by_id(runs[0]))
    killed(runs[0])

    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0
    assert holders(memory) == set(runs[1:])


def test_a_run_whose_process_is_not_known_keeps_its_place_and_the_cure_is_told(mohlcv, memory, take, home, vendor):
    runs = take()
    for run_id in runs:
        killed(run_id)
        pool_places.lock_of(home, run_id).unlink()
    with pool_places.on_wait(lambda *_: os.kill(os.getpid(), signal.SIGINT)):
        said = mohlcv("fetch", "--symbol", "ABC", *DAYS)

    assert f"if its process is gone, free the place with `dagster run delete {runs[0]}`" in said.err
    assert holders(memory) == set(runs)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("vendor")
def test_fetch_goes_on_after_as_many_runs_of_dagsters_own_command_as_there_are_places_were_killed(
    mohlcv, memory, home, project, market
):
    (home / "dagster.yaml").write_text(configuration())
    symbols = [f"S{number}" for number in range(PLACES)]
    mohlcv("symbols", "add", *symbols, "--offline")
    with Sandbox(market, latency=600) as slow:
        environment = {**os.environ, "DAGSTER_HOME": str(home), "MASSIVE_BASE_URL": slow.url}
        words = [
            DAGSTER,
            "asset",
            "materialize",
            "-m",
            "mohlcv_dagster.definitions",
            "--select",
            "raw_1s",
            "--partition",
        ]
        started = [
            subprocess.Popen([*words, f"2024-01|{symbol}"], cwd=project, env=environment, stderr=subprocess.DEVNULL)
            for symbol in symbols
        ]
        until = time.monotonic() + 200
        while len(holders(memory)) < PLACES and time.monotonic() < until:
            time.sleep(1)
        for process in started:
            process.kill()
            process.wait()
    runs = sorted(holders(memory))

    assert len(runs) == PLACES
    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0
    assert statuses(memory, runs) == [dg.DagsterRunStatus.FAILURE] * PLACES
    assert holders(memory) == set()
