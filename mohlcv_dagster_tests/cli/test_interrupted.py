"""A command that is interrupted, or killed, leaves nothing that the next one trips over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy

MOHLCV = Path(sys.executable).with_name("mohlcv")
JANUARY = ("--start", "2024-01-01", "--end", "2024-01-31")
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def hesitant():
    """A vendor that takes its time."""
    with Sandbox(QuietSpy(), latency=5.0) as sandbox:
        yield sandbox


def begun(words, folder, sandbox):
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
    process = begun(words, project, hesitant)
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

    monkeypatch.setattr("mohlcv_dagster.cli.plan.months_touched", importing)
    said = mohlcv("plan", "--symbol", "SPY", *JANUARY)

    assert said.code == ExitCode.INTERRUPTED
    assert "Interrupted: what was finished is kept" in said.err


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
