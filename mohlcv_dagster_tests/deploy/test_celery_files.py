"""Dagster and Celery take the files of `deploy/celery` as they are."""

from pathlib import Path

import pytest
import yaml

pytest.importorskip("dagster_celery", reason="the packages of the hosts are not installed: uv sync --group hosts")

from celery.app.defaults import NAMESPACES, flatten
from dagster._config import validate_config
from dagster._core.instance import InstanceRef
from dagster_celery.cli import get_validated_config
from dagster_celery.launcher import CeleryRunLauncher

from mohlcv_dagster.dagster_patches.postgres_storage import RememberingPostgresStorage
from mohlcv_dagster.dagster_patches.run_queue import PromptRunCoordinator

FILES = Path(__file__).parents[2] / "deploy/celery"
HOME = yaml.safe_load((FILES / "dagster.yaml").read_text())
KNOWN = {name for name, _ in flatten(NAMESPACES)}
"""The settings that Celery has."""


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """What Dagster makes of a home with this file."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(name, "redis://127.0.0.1:6379/0")
    (tmp_path / "dagster.yaml").write_text((FILES / "dagster.yaml").read_text())
    return InstanceRef.from_dir(str(tmp_path))


@pytest.fixture
def worker(monkeypatch):
    """What `dagster-celery` makes of the worker's file."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(name, "redis://127.0.0.1:6379/0")
    return get_validated_config(str(FILES / "worker.yaml"))


def test_dagster_takes_the_home(reference):
    assert isinstance(reference.run_coordinator, PromptRunCoordinator)
    assert reference.settings["concurrency"]["pools"] == {"granularity": "op", "default_limit": 8}
    told = HOME["storage"]["custom"]
    assert told["class"] == RememberingPostgresStorage.__name__
    assert validate_config(RememberingPostgresStorage.config_type(), told["config"]).success


def test_runs_go_to_celery_and_their_states_come_back(reference):
    launcher = reference.run_launcher
    assert isinstance(launcher, CeleryRunLauncher)
    assert (launcher.celery.conf.broker_url, launcher.celery.conf.result_backend) == (2 * ("redis://127.0.0.1:6379/0",))


def test_a_run_is_failed_after_an_hour_and_never_continued_beside_itself():
    told = HOME["run_monitoring"]
    assert (told["enabled"], told["max_runtime_seconds"], told["max_resume_run_attempts"]) == (True, 3600, 0)


def test_no_message_is_sent_again_while_its_run_may_go_on(worker):
    longest = HOME["run_monitoring"]["max_runtime_seconds"]
    for settings in (HOME["run_launcher"]["config"]["config_source"], worker["config_source"]):
        assert settings["broker_transport_options"]["visibility_timeout"] > longest
        assert settings["result_expires"] > longest


def test_celery_knows_every_setting(worker):
    assert {*worker["config_source"], *HOME["run_launcher"]["config"]["config_source"]} <= KNOWN


def test_a_worker_takes_one_run_at_a_time_and_no_other_beforehand(worker):
    told = worker["config_source"]
    assert (told["worker_concurrency"], told["worker_prefetch_multiplier"]) == (1, 1)
    assert told["worker_disable_prefetch"]
    assert not told["task_acks_late"]
    assert worker["broker"] == worker["backend"] == "redis://127.0.0.1:6379/0"
