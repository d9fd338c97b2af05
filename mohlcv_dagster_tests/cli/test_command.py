import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.cli import COMMANDS

MOHLCV = Path(sys.executable).with_name("mohlcv")


def test_the_commands_are_these():
    assert COMMANDS == (
        "demo",
        "up",
        "sandbox",
        "fetch",
        "resample",
        "validate",
        "plan",
        "symbols",
        "adopt",
        "verify",
        "doctor",
        "completion",
    )


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS), ("symbols", "add")])
def test_every_command_explains_itself(mohlcv, words):
    said = mohlcv(*words, "--help")

    assert said.code == 0
    assert "Usage: mohlcv" in said.out


def test_the_line_that_tells_each_command_is_not_cut(mohlcv):
    told = mohlcv("--help").out.partition("Commands:")[2]

    assert all(f"  {command} " in told for command in COMMANDS)
    assert "..." not in told


def test_an_unknown_command_is_refused(mohlcv):
    said = mohlcv("fetsch")

    assert said.code == 2
    assert "fetsch" in said.err


def test_the_sandbox_serves_until_it_is_interrupted(project):
    process = subprocess.Popen([MOHLCV, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=project)
    try:
        told = process.stdout.readline()
        export = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()

    assert told.startswith("The sandbox answers at http://127.0.0.1:")
    assert "export MASSIVE_BASE_URL=http://127.0.0.1:" in export
    assert process.returncode in {0, 130}
    assert rest == ""


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do(mohlcv):
    said = mohlcv("sandbox", "--fault", "gremlins")

    assert said.code == 2
    assert "no fault 'gremlins'; choose from truncated-body" in said.err
