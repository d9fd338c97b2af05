"""Questions, `symbols`, `adopt --rewrite` and `verify`, ended by Ctrl-C and by `kill -9`: the next command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy
from mohlcv_dagster_tests.storage.old_trees import FAULTY, put, put_tree

MOHLCV = Path(sys.executable).with_name("mohlcv")
JANUARY = ("--start", "2024-01-01", "--end", "2024-01-31")
SLOW = pytest.mark.slow
HALF = FAULTY["half file"]
PATIENCE = 110


@pytest.fixture(scope="module")
def hesitant():
    """A vendor that takes its time."""
    with Sandbox(QuietSpy(), latency=5.0) as sandbox:
        yield sandbox


def waiting_for_vendor(words, folder, sandbox):
    """The command, once it waits for the vendor."""
    sandbox.requests.clear()
    environment = {**os.environ, "MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "a-key-that-no-word-holds"}
    process = subprocess.Popen(
        [MOHLCV, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)  # an answer takes five seconds, and nothing is seen of a request before
    assert process.poll() is None
    return process


@pytest.mark.parametrize(
    ("words", "which"),
    [
        (("plan", "--symbol", "SPY", *JANUARY), signal.SIGINT),
        pytest.param(("plan", "--symbol", "SPY", *JANUARY), signal.SIGKILL, marks=SLOW),
        pytest.param(("doctor",), signal.SIGINT, marks=SLOW),
        pytest.param(("doctor",), signal.SIGKILL, marks=SLOW),
        pytest.param(("doctor", "--json"), signal.SIGINT, marks=SLOW),
    ],
)
def test_a_question_broken_off_leaves_the_project_as_it_was(project, hesitant, words, which):
    process = waiting_for_vendor(words, project, hesitant)
    process.send_signal(which)
    out, err = process.communicate(timeout=30)

    assert process.returncode == (130 if which == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err
    if which == signal.SIGINT:
        told = json.loads(out)["error"] if "--json" in words else err
        assert "Interrupted" in told
    assert list(project.iterdir()) == []


def test_an_interrupt_that_comes_while_a_class_is_made_is_one(mohlcv, monkeypatch):
    class Interrupting:
        def __set_name__(self, *_):
            raise KeyboardInterrupt

    def importing(*_, **__):
        type("Model", (), {"field": Interrupting()})

    monkeypatch.setattr("mohlcv_dagster.cli.plan.chosen_months", importing)
    said = mohlcv("plan", "--symbol", "SPY", *JANUARY)

    assert said.code == ExitCode.INTERRUPTED
    assert "Interrupted: finished work is kept" in said.err


@pytest.mark.slow
def test_symbols_killed_at_any_moment_leave_a_home_that_goes_on(project):
    wanted = [f"A{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for after in (0.5, 1.2, 2.0):
        process = subprocess.Popen([MOHLCV, "symbols", "add", *wanted], cwd=project, stdout=subprocess.DEVNULL)
        time.sleep(after)
        process.kill()
        process.wait()
        listed = subprocess.run([MOHLCV, "symbols", "list", "--json"], cwd=project, capture_output=True, check=False)
        assert listed.returncode == 0, listed.stderr
        assert len(json.loads(listed.stdout)["symbols"]) in {0, len(wanted)}  # one statement adds them all
    done = subprocess.run([MOHLCV, "symbols", "add", *wanted], cwd=project, capture_output=True, check=False)

    assert done.returncode == 0


def contents(project):
    data = project / "data"
    return {str(at.relative_to(data)): at.read_bytes() for at in data.rglob("*.csv")}


def begun(project, *words):
    return subprocess.Popen([MOHLCV, *words], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def journal(project):
    at = project / "data/manifest/rewritten.txt"
    return at.read_text().count("\n") if at.exists() else 0


def entries(project):
    return len(list((project / "data/manifest").rglob("*.json")))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_adopt_that_is_ended_again_and_again_leaves_a_tree_that_the_next_run_completes(project, monkeypatch, how):
    due = put_tree(project / "data")
    before = contents(project)
    moments = [lambda: journal(project) >= 1, lambda: journal(project) >= 4, lambda: entries(project) >= 3]
    for is_time in moments:
        process = begun(project, "adopt", "--rewrite")
        while not is_time() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(how)
        code, _, _ = ended(process)
        assert code in {-signal.SIGKILL, 130, 1}
        now = contents(project)
        assert [path for path in due if now[path] not in {before[path], due[path]}] == []

    code, out, err = ended(begun(project, "adopt", "--rewrite", "--json"))
    assert (code, err) == (1, "")
    assert contents(project) == due | {HALF: before[HALF]}
    told = json.loads(out)
    assert [each["path"] for each in told["files"] if each["failing checks"]] == [HALF]
    _, out, _ = ended(begun(project, "adopt", "--rewrite"))
    assert "Nothing to do" in out
    _, out, _ = ended(begun(project, "verify", "--json"))
    assert [each["path"] for each in json.loads(out)["differences"]] == [HALF]
    monkeypatch.setenv("DAGSTER_HOME", str(project / ".mohlcv/home"))
    with dg.DagsterInstance.from_config(str(project / ".mohlcv/home")) as instance:
        assert {run.status for run in instance.get_runs()} <= {
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        }


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_verify_that_is_ended_changes_nothing_and_the_next_one_proves_the_tree(project, how):
    put_tree(project / "data")
    ended(begun(project, "adopt", "--rewrite"))
    put(project, "data/raw_1s/BIG/BIG_2024_01.csv", b"ts_event,open,high,low,close,volume\n" + b"0" * (1 << 29))
    stood = {at: at.stat().st_mtime_ns for at in (project / "data").rglob("*") if at.is_file()}
    process = begun(project, "verify")
    while process.poll() is None and not _reads(process.pid, "BIG_2024_01.csv"):
        time.sleep(0.002)
    process.send_signal(how)
    code, out, err = ended(process)

    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert out == ""
    assert "Traceback" not in err
    assert {at: at.stat().st_mtime_ns for at in (project / "data").rglob("*") if at.is_file()} == stood
    (project / "data/raw_1s/BIG/BIG_2024_01.csv").unlink()
    code, out, _ = ended(begun(project, "verify", "--json"))
    assert (code, [each["path"] for each in json.loads(out)["differences"]]) == (1, [HALF])


def _reads(pid, name):
    """Whether a process has a file of that name open."""
    try:
        return any(name in str(at.readlink()) for at in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
