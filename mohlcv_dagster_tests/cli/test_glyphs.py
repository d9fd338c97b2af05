"""Output that is not UTF-8 costs a glyph and no verdict: every command, in each encoding, ends as it does in UTF-8."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.cli import COMMANDS, console
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.docs.conftest import Project, QuietMarket

pytestmark = pytest.mark.slow

MOHLCV = Path(sys.executable).with_name("mohlcv")
JANUARY = ["--symbol", "SPY", "--start", "2024-01-01", "--end", "2024-01-31"]
CALLS = {
    "fetch": ["--force", *JANUARY],
    "resample": ["--force", "--symbol", "SPY", "--timeframes", "1min"],
    "validate": ["--input-dir", "data/raw_1s", "--timeframe", "1s"],
    "plan": JANUARY,
    "symbols": ["list"],
    "adopt": ["--dry-run"],
    "verify": [],
    "history": ["SPY", "2024-01"],
    "chart": ["SPY", "2024-01"],
    "doctor": ["--offline"],
    "completion": ["bash"],
}
"""Commands that end by themselves, in an order in which each has what it needs."""
SERVING = {"sandbox": ["--port", "0"]}
SLOW = {"demo": []}
FAILING = {
    "metrics": ["--host", "hôst→"],
    "fetch": ["--symbol", "SPÝ→", *JANUARY[2:]],
    "verify": ["nowhere→"],
    "symbols": ["add", "SPÝ…"],
    "up": ["--host", "hôst→"],
}
"""Calls whose messages are errors."""
ENCODINGS = ["ascii", "latin-1"]


def call(project, words, encoding):
    """Exit code, standard output and standard error of a command whose streams have this encoding."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors) for errors in ("strict", "backslashreplace")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", streams[0])
        patch.setattr("sys.stderr", streams[1])
        code = project.call(["mohlcv", *words])
        for stream in streams:
            stream.flush()
    return code, *(stream.buffer.getvalue() for stream in streams)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with Sandbox(QuietMarket()) as sandbox:
        variables = {"MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "sandbox"}
        made = Project(tmp_path_factory.mktemp("project"), variables)
        assert made.call(["mohlcv", "fetch", *JANUARY]) == 0
        yield made


@pytest.fixture(scope="module")
def in_utf8(project):
    """What each call says in UTF-8."""
    return {command: call(project, [command, *words], "utf-8") for command, words in CALLS.items()}


def test_every_command_is_tried():
    assert {*CALLS, *SERVING, *SLOW, *FAILING} == set(COMMANDS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", CALLS)
def test_a_command_ends_and_says_as_much_as_in_utf8(command, encoding, project, in_utf8):
    code, out, err = call(project, [command, *CALLS[command]], encoding)
    expected, plain, _ = in_utf8[command]

    assert code == expected
    assert len(out.decode(encoding).splitlines()) == len(plain.decode().splitlines())
    assert b"Error" not in err
    assert b"Traceback" not in err


def test_the_marks_of_results_are_told_apart(project, in_utf8):
    assert {command for command, (_, out, _) in in_utf8.items() if not out.isascii()} >= {"fetch", "resample", "doctor"}

    _, out, _ = call(project, ["fetch", *CALLS["fetch"]], "ascii")
    assert "✓ SPY 2024-01" in in_utf8["fetch"][1].decode()
    assert "+ SPY 2024-01" in out.decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", FAILING)
def test_a_failure_has_its_own_code_and_message(command, encoding, project):
    words = [command, *FAILING[command]]
    code, *said = call(project, words, encoding)
    expected, *plain = call(project, words, "utf-8")

    assert code == expected != 0
    assert [len(each.decode(encoding).splitlines()) for each in said] == [
        len(each.decode().splitlines()) for each in plain
    ]
    assert b"Traceback" not in said[1]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_json_document_loses_no_character(encoding, project):
    words = ["verify", "nowhere→é", "--json"]
    _, out, _ = call(project, words, encoding)
    _, plain, _ = call(project, words, "utf-8")

    assert json.loads(out.decode(encoding)) == json.loads(plain.decode())
    assert "→é" in plain.decode()


def test_a_name_that_is_not_utf8_is_printed_with_a_question_mark(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    console.replace_unwritable()
    stream.write("✓ SPY_\udcff.csv\n")
    stream.flush()

    assert stream.buffer.getvalue().decode() == "✓ SPY_?.csv\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", [*SLOW, *SERVING])
def test_a_command_of_its_own_process_ends_as_in_utf8(command, project):
    words = [MOHLCV, command, *{**SLOW, **SERVING}[command]]
    environment = {**os.environ, **project.variables, "PYTHONIOENCODING": "ascii"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=project.folder, env=environment, **pipes) as process:
        if command in SERVING:
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)

    assert process.returncode == 0, err
    assert b"UnicodeEncodeError" not in err
    assert out.isascii()
