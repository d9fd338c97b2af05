"""What a person sees on a terminal and elsewhere: status lines, colours, reasons, and Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mohlcv_dagster.cli.console import open_console, show_reasons
from mohlcv_dagster.sandbox import Sandbox

pty = pytest.importorskip("pty", reason="a pseudo-terminal is a thing of POSIX")

MOHLCV = Path(sys.executable).with_name("mohlcv")
_ERASED = re.compile(r"[^\r\n]*\r(\n\x1b\[\?25h\r\x1b\[1A)?\x1b\[2K")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")
_CONTROL = re.compile(r"\x1b\[\?25[lh]|\x1b\[2K|\x1b\[\d*A")


def _on_a_terminal(words, folder, environment):
    """All that the command writes to a terminal of 80 columns."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.chdir(folder)
        os.execve(words[0], [str(word) for word in words], environment)  # noqa: S606 - our own words, no shell
    written = b""
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        while True:
            try:
                piece = screen.read(4096)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            written += piece
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


def test_on_a_terminal_the_moving_line_says_what_is_done_and_leaves_no_trace(project, vendor):
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "HOME": str(project)}
    words = [MOHLCV, "fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31"]
    code, written = _on_a_terminal(words, project, environment)

    assert code == 0, written
    assert "ABC 2024-01: checking raw_1s" in written
    assert "expected outputs" not in written  # what Dagster says of a check that gives none
    lines = [_ESCAPE.sub("", line) for line in _ERASED.sub("", written).replace("\r\n", "\n").split("\n")]
    assert [line for line in lines if "bars" in line or "checks" in line] == [
        line for line in lines if line.startswith("✓ ABC 2024-01  raw_1s")
    ]
    assert max(map(len, lines)) <= 80


def test_ctrl_c_ends_the_command_at_once_with_130_and_leaves_no_half_file(project, market):
    words = [MOHLCV, "fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-03-31"]
    with Sandbox(market, latency=0.3) as sandbox:
        environment = {**os.environ, "MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "any"}
        process = subprocess.Popen(words, cwd=project, env=environment, stderr=subprocess.PIPE, text=True)
        while not sandbox.requests:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        asked = len(sandbox.requests)

    assert process.returncode == 130
    assert told.strip() == "Interrupted: finished work is kept; the same command continues from there."
    assert not [path for path in (project / "data").rglob("*") if path.is_file()]
    assert asked < 25  # of the first month, and none of the months after


def test_a_reason_is_shown_in_its_own_words_brackets_and_all(capsys):
    show_reasons(open_console(), "SPY 2024-01", ["the vendor answered 500: '[/no] [red]markup[/]'", "[1, 2]"])

    assert capsys.readouterr().out == (
        "✗ SPY 2024-01:  the vendor answered 500: '[/no] [red]markup[/]'\n✗ SPY 2024-01:  [1, 2]\n"
    )


@pytest.fixture
def coloured(monkeypatch):
    """The environment with these variables set and no other that decides on colours."""

    def put(**variables):
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({}, False),
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_what_is_no_terminal_gets_colours_only_where_they_are_forced(mohlcv, coloured, variables, colours):
    coloured(**variables)
    out = mohlcv("doctor", "--offline").out

    assert bool(_COLOUR.search(out)) is colours
    assert "✗" in out


def test_forced_colours_bring_no_line_that_moves_and_none_that_is_cut(coloured, capsys):
    coloured(FORCE_COLOR="1")
    console = open_console()
    with console.status("working"):
        console.print("x" * 150)

    assert not _CONTROL.search(capsys.readouterr().out)
    assert console.width == 160
    assert not console.is_interactive


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_told_otherwise(coloured, project, variables, colours):
    coloured(**variables)
    words = [MOHLCV, "doctor", "--offline"]
    _, written = _on_a_terminal(words, project, {**os.environ, "TERM": "xterm-256color"})

    assert "✗ " in written or "✗\x1b[0m" in written
    assert bool(_COLOUR.search(written)) is colours
