"""How soon a backfill is begun and seen to be over."""

from unittest.mock import ANY

import dagster as dg
import pytest
from dagster._daemon import backfill, controller

from mohlcv_dagster.cli import home_creation
from mohlcv_dagster.dagster_patches.run_queue import PromptRunCoordinator


class OneRound:
    """The daemon's stop signal, which writes down how long it was waited for."""

    def __init__(self):
        self.waited = []

    def wait(self, seconds):
        self.waited.append(seconds)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", controller.DEFAULT_DAEMON_INTERVAL_SECONDS)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path / "dagster.yaml"


def between_two_looks(monkeypatch):
    """Seconds that the daemon of the home in force waits between two looks for backfills."""
    monkeypatch.setattr(backfill, "execute_backfill_iteration", lambda *_, **__: iter(()))
    with dg.DagsterInstance.get() as instance:
        assert len(list(controller.create_daemons_from_instance(instance))) > 3
    clock = OneRound()
    for _ in backfill.execute_backfill_iteration_loop(None, None, clock):
        if clock.waited:
            return clock.waited[0]
    return None


def test_in_a_home_of_ours_the_daemon_looks_for_backfills_every_two_seconds(home, monkeypatch):
    home.write_text(home_creation.configuration())
    assert between_two_looks(monkeypatch) == pytest.approx(2, abs=0.5)


def test_a_home_may_say_another_interval_and_nothing_of_the_queue_is_lost(home, monkeypatch):
    text = home_creation.configuration().replace("backfill_interval_seconds: 2", "backfill_interval_seconds: 20")
    home.write_text(text)
    assert between_two_looks(monkeypatch) == pytest.approx(20, abs=0.5)

    with dg.DagsterInstance.get() as instance:
        queue = instance.run_coordinator
        assert isinstance(queue, PromptRunCoordinator)
        assert (queue.dequeue_interval_seconds, queue.dequeue_use_threads, queue.dequeue_num_workers) == (1, True, ANY)
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs >= 2


def test_a_run_that_leaves_the_queue_while_the_code_server_is_away_is_tried_again_for_half_a_minute(home):
    home.write_text(home_creation.configuration())
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue.max_user_code_failure_retries * queue.user_code_failure_retry_delay >= 30


def test_without_it_dagster_looks_every_thirty_seconds(home, monkeypatch):
    home.write_text("telemetry: {enabled: false}\n")
    assert between_two_looks(monkeypatch) == pytest.approx(30, abs=0.5)
