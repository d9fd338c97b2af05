"""Colours where there is a terminal, none where `NO_COLOR` says so, and colours alone where `FORCE_COLOR` does."""

import os
import re
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.cli.console import open_console

MOHLCV = Path(sys.executable).with_name("mohlcv")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")
CONTROL = re.compile(r"\x1b\[\?25[lh]|\x1b\[2K|\x1b\[\d*A")


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

    assert bool(COLOUR.search(out)) is colours
    assert "✗" in out


def test_forced_colours_bring_no_line_that_moves_and_none_that_is_cut(coloured, capsys):
    coloured(FORCE_COLOR="1")
    console = open_console()
    with console.status("working"):
        console.print("x" * 150)

    assert not CONTROL.search(capsys.readouterr().out)
    assert console.width == 160
    assert not console.is_interactive


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_told_otherwise(coloured, project, variables, colours):
    pty = pytest.importorskip("pty", reason="a pseudo-terminal is a thing of POSIX")
    coloured(**variables)
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.environ["TERM"] = "xterm-256color"
        os.execv(MOHLCV, [str(MOHLCV), "doctor", "--offline"])  # noqa: S606 - our own words, no shell
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
    os.waitpid(child, 0)

    assert "✗ " in written.decode() or "✗\x1b[0m" in written.decode()
    assert bool(COLOUR.search(written.decode())) is colours
