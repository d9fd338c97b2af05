"""Each command is ended at several moments, by Ctrl-C and by `kill -9`; the same command again makes the tree whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.cli.dagster_home import DAGSTER_HOME
from mohlcv_dagster.defs.records import of_file
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.campaigns.projects import VOLATILE
from mohlcv_dagster_tests.defs.quiet_market import recorded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # each starts a dozen processes, on a busy machine too

MOHLCV = Path(sys.executable).with_name("mohlcv")
SPAN = ("--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-02-28")
COMMANDS = {
    "fetch": ("fetch", *SPAN),
    "resample": ("resample", "--symbol", "ABC", "--timeframes", "15s,1min"),
    "validate": ("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s", "--report", "report.txt"),
}
MOMENTS = 5
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox(ReplayedMarket(recorded(tmp_path_factory.mktemp("recorded"))), latency=0.1) as sandbox:
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
    """Every file of the project but Dagster's and what the command said, hidden ones too, without when and by which
    requests it came about: a report and a manifest entry tell that."""
    return {
        str(path.relative_to(folder)): timeless(path)
        for path in folder.rglob("*")
        if path.is_file() and ".mohlcv" not in path.parts and path.name != "said.txt"
    }


def timeless(path):
    if path.suffix == ".json":
        told = json.loads(path.read_bytes())
        return {name: value for name, value in told.items() if name not in VOLATILE}
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"made "))


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
            # it ends by the signal itself where that comes before the command has begun, or when it is over
            assert process.returncode in {0, 130, -signal.SIGINT}, said
            # Python and SQLAlchemy tell of one that comes while they clear up, with frames of theirs alone
            assert process.returncode < 0 or 'mohlcv_dagster/cli/__init__.py", line' not in said, said

        assert begun(COMMANDS[command], folder, environment).wait(100) == 0, (folder / "said.txt").read_text()

        assert tree(folder) == due, (folder / "said.txt").read_text()
        if command != "validate":
            hold_nothing_back(folder, [name for name in due if name.endswith(".csv")])
    assert cut >= MOMENTS // 2  # else it was too late


def hold_nothing_back(folder, files):
    """No run is in progress for ever, no place in a pool is taken, and every file was checked."""
    home = folder / ".mohlcv/home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DAGSTER_HOME, str(home))
        with dg.DagsterInstance.get() as instance:
            assert {run.status for run in instance.get_runs()} <= OVER
            assert instance.event_log_storage.get_concurrency_run_ids() == set()
            for name in files:
                file = BarFile.parse(name.removeprefix("data/"))
                assert of_file(instance, file) == of_file(instance, file).__class__(), name
    assert [lock.name for lock in (home / "commands").iterdir()] == ["all.lock"]


DIES = {
    "before the file is written": "mohlcv_dagster.storage.archive.Archive.write",
    "between the file and its record": "mohlcv_dagster.defs.month_metadata.provenance",
    "between the record and the checks": "mohlcv_dagster.defs.check_runner.CheckRunner.check",
}
DYING = """
import os, sys, importlib
*path, name = {where!r}.split(".")
owner = importlib.import_module(".".join(path) if path[-1].islower() else ".".join(path[:-1]))
owner = owner if path[-1].islower() else getattr(owner, path[-1])
assert callable(getattr(owner, name)), "no such function to die in"
setattr(owner, name, lambda *_, **__: os._exit(9))
from mohlcv_dagster.cli import main
sys.argv = ["mohlcv", *{words!r}]
main()
"""


def dies(where, words, folder, environment):
    code = DYING.format(where=where, words=words)
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == 9, done.stderr.decode()


@pytest.mark.parametrize("where", DIES.values(), ids=DIES)
@pytest.mark.parametrize("command", ["fetch", "resample"])
def test_what_a_killed_run_left_undone_is_done_by_the_next(command, where, projects, environment, tmp_path):
    before, due, _ = projects[command]
    folder = tmp_path / "project"
    shutil.copytree(before, folder)
    dies(where, COMMANDS[command], folder, environment)
    assert begun(COMMANDS[command], folder, environment).wait(100) == 0, (folder / "said.txt").read_text()

    assert tree(folder) == due
    hold_nothing_back(folder, [name for name in due if name.endswith(".csv")])


def test_runs_that_were_killed_take_no_place_in_the_pool_for_ever(projects, environment, tmp_path):
    before, due, _ = projects["fetch"]
    folder = tmp_path / "project"
    shutil.copytree(before, folder)
    places = max(4, os.cpu_count() or 2)  # as the configuration of a home has it
    for _ in range(places + 1):
        dies(DIES["before the file is written"], COMMANDS["fetch"], folder, environment)
    assert begun(COMMANDS["fetch"], folder, environment).wait(60) == 0

    assert tree(folder) == due
