"""Runs whose processes are forked, held against those that Dagster starts by itself: what they record, how they end."""

import re
import runpy
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._grpc import server

from mohlcv_dagster.cli import home_creation
from mohlcv_dagster.dagster_patches import run_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux alone"),
]

LOCATION = """
import multiprocessing, os, pathlib, signal, time
import dagster as dg

@dg.asset
def quick(context):
    context.log.info("a line")
    parent = pathlib.Path(f"/proc/{os.getppid()}/cmdline").read_text()
    spawned = multiprocessing.get_context("spawn").Process
    own = spawned is multiprocessing.context.SpawnProcess
    context.add_output_metadata({"forked": "forkserver" in parent, "spawns what it spawns": own})

@dg.asset
def failing():
    raise ValueError("it fails")

@dg.asset
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

@dg.asset
def lasting(context):
    context.log.info("begun")
    time.sleep(100)

defs = dg.Definitions(assets=[quick, failing, killed, lasting], executor=dg.in_process_executor)
"""
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


class Served:
    """A code server with the location above, and what its runs record."""

    def __init__(self, instance, workspace, location):
        self.instance, self.workspace, self.location = instance, workspace, location

    def launch(self, asset):
        context = self.workspace.create_request_context()
        [location] = context.code_locations
        job = next(iter(location.get_repositories().values())).get_full_job("__ASSET_JOB")
        definition = self.location.resolve_implicit_global_asset_job_def()
        run = self.instance.create_run_for_job(
            definition.get_subset(asset_selection={dg.AssetKey(asset)}),
            asset_selection=frozenset({dg.AssetKey(asset)}),
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
        )
        self.instance.launch_run(run.run_id, context)
        return run.run_id

    def ended(self, run_id, last="exited"):
        self.until(lambda: self.instance.get_run_by_id(run_id).status in OVER)
        self.until(lambda: last in self.instance.all_logs(run_id)[-1].message)
        return self.instance.get_run_by_id(run_id).status, [
            self.told(event) for event in self.instance.all_logs(run_id)
        ]

    @staticmethod
    def told(event):
        return event.dagster_event_type, event.step_key, re.split(r" \(pid| in |/", event.message)[0]

    @staticmethod
    def until(found):
        over = time.monotonic() + 60
        while not found():
            assert time.monotonic() < over
            time.sleep(0.05)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same location twice: whose runs Dagster starts, and whose runs are forked."""
    with ExitStack() as stack:
        served = {}
        for name, how in {"dagster": nullcontext, "ours": run_processes.forking_code_servers}.items():
            folder = tmp_path_factory.mktemp(name)
            storage = f"config: {{base_dir: {folder / 'history'}}}"
            (folder / "dagster.yaml").write_text(home_creation.configuration().replace("config: {}", storage))
            (folder / "location.py").write_text(LOCATION)
            names = runpy.run_path(str(folder / "location.py"))
            instance = stack.enter_context(dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))))
            target = PythonFileTarget(str(folder / "location.py"), None, str(folder), None)
            with how():
                workspace = stack.enter_context(WorkspaceProcessContext(instance, target))
            served[name] = Served(instance, workspace, names["defs"])
        yield served


@pytest.mark.parametrize("asset", ["quick", "failing"])
def test_a_run_that_is_forked_records_what_one_records_that_dagster_starts(both, asset):
    found = {name: served.ended(served.launch(asset)) for name, served in both.items()}
    assert found["ours"] == found["dagster"]
    if asset == "quick":
        made = {
            name: each.instance.get_latest_materialization_event(dg.AssetKey("quick")) for name, each in both.items()
        }
        facts = {name: event.asset_materialization.metadata for name, event in made.items()}
        assert {name: each["forked"].value for name, each in facts.items()} == {"dagster": False, "ours": True}
        assert all(each["spawns what it spawns"].value for each in facts.values())


def test_a_forked_run_is_ended_as_one_is_that_dagster_starts(both):
    found = {}
    for name, served in both.items():
        run_id = served.launch("lasting")
        served.until(lambda: any("begun" in event.message for event in served.instance.all_logs(run_id)))  # noqa: B023
        assert served.instance.run_launcher.terminate(run_id)
        found[name] = served.ended(run_id)
    assert found["ours"] == found["dagster"]
    assert found["ours"][0] is dg.DagsterRunStatus.CANCELED


def test_a_forked_run_that_is_killed_is_missed_as_one_is_that_dagster_starts(both):
    launched = {name: served.launch("killed") for name, served in both.items()}
    found = {name: served.ended(launched[name], last="") for name, served in both.items()}
    told = {name: str(events).replace(launched[name], "") for name, (_, events) in found.items()}
    assert told["ours"] == told["dagster"]
    assert {status for status, _ in found.values()} == {dg.DagsterRunStatus.FAILURE}


def test_outside_the_block_dagster_starts_its_own_code_servers():
    own = server.get_python_environment_entry_point
    with run_processes.forking_code_servers():
        assert server.get_python_environment_entry_point is not own
    assert server.get_python_environment_entry_point is own


def test_importing_the_code_location_leaves_multiprocessing_as_it_is():
    code = (
        "import sys, multiprocessing\n"
        "sys.argv[1:] = ['api', 'grpc']\n"
        "before = multiprocessing.get_context('spawn').Process\n"
        "import mohlcv_dagster.definitions\n"
        "assert multiprocessing.get_context('spawn').Process is before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_runs_begin_with_has_one_thread():
    code = (
        "import importlib, pathlib\n"
        "from mohlcv_dagster.dagster_patches.run_processes import PRELOADED\n"
        "for each in PRELOADED: importlib.import_module(each)\n"
        "print(len(list(pathlib.Path('/proc/self/task').iterdir())))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "1\n"
