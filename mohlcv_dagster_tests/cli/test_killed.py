"""Each command is ended at several moments, by Ctrl-C and by `kill -9`; the same command again makes the tree whole."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.cli.homes import DAGSTER_HOME
from mohlcv_dagster.defs.standing import verdict
from mohlcv_dagster.sandbox import Replayed, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import recorded

pytestmark = pytest.mark.slow

MOHLCV = Path(sys.executable).with_name("mohlcv")
SPAN = ("--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-02-28")
COMMANDS = {
    "fetch": ("fetch", *SPAN),
    "resample": ("resample", "--symbol", "ABC", "--timeframes", "15s,1min"),
    "validate": ("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s", "--report", "report.html"),
}
MOMENTS = 6
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox(Replayed(recorded(tmp_path_factory.mktemp("recorded"))), latency=0.1) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def environment(sandbox):
    return {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("MASSIVE_", "MOHLCV_", "DAGSTER"))
        },
        "MASSIVE_BASE_URL": sandbox.url,
        "MASSIVE_API_KEY": "any",
    }


def begun(words, folder, environment):
    with (folder / "said.txt").open("wb") as said:
        return subprocess.Popen([MOHLCV, *words], cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)


def tree(folder):
    """Every file of the project but Dagster's and what the command said, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".mohlcv" not in path.parts and path.name != "said.txt"
    }


def without_the_time(files):
    """A report says when it was made."""
    return {
        name: b"".join(line for line in content.splitlines(keepends=True) if not line.startswith(b"<footer>"))
        for name, content in files.items()
    }


@pytest.fixture(scope="module")
def projects(tmp_path_factory, environment):
    """For each command: the project before it, what it makes of that, and how long it takes, in seconds."""
    made, before = {}, tmp_path_factory.mktemp("nothing")
    for name, words in COMMANDS.items():
        after = tmp_path_factory.mktemp(name) / "after"
        shutil.copytree(before, after)
        began = time.monotonic()
        assert begun(words, after, environment).wait(100) == 0, (after / "said.txt").read_text()
        made[name] = (before, tree(after), time.monotonic() - began)
        before = after
    return made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_was_ended_is_completed_by_the_same_command(command, how, projects, environment, tmp_path):
    before, due, seconds = projects[command]
    cut = 0
    for moment in range(MOMENTS):
        folder = tmp_path / str(moment)
        shutil.copytree(before, folder)
        process = begun(COMMANDS[command], folder, environment)
        time.sleep(seconds * (moment + 0.9) / MOMENTS)
        process.send_signal(how)
        cut += process.wait(60) != 0
        if how == signal.SIGINT:
            said = (folder / "said.txt").read_text()
            assert process.returncode in {0, 130}, said
            assert "Traceback" not in said

        assert begun(COMMANDS[command], folder, environment).wait(100) == 0, (folder / "said.txt").read_text()

        assert without_the_time(tree(folder)) == without_the_time(due), (folder / "said.txt").read_text()
        if command != "validate":
            hold_nothing_back(folder, [name for name in due if name.endswith(".csv")])
    assert cut >= MOMENTS // 2  # else it was too late


def hold_nothing_back(folder, files):
    """No run is in progress for ever, no place in a pool is taken, and every file was judged."""
    home = folder / ".mohlcv/home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DAGSTER_HOME, str(home))
        with dg.DagsterInstance.get() as instance:
            assert {run.status for run in instance.get_runs()} <= OVER
            assert instance.event_log_storage.get_concurrency_run_ids() == set()
            for name in files:
                file = BarFile.parse(name.removeprefix("data/"))
                assert verdict(instance, file) == verdict(instance, file).__class__(), name
    assert [lock.name for lock in (home / "commands").iterdir()] == ["all.lock"]
