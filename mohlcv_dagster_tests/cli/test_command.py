"""The command itself: its sub-commands, help texts and examples."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mohlcv_dagster.cli import COMMANDS, mohlcv

MOHLCV = Path(sys.executable).with_name("mohlcv")


def test_the_commands_are_these():
    assert set(COMMANDS) == {
        "adopt",
        "chart",
        "completion",
        "demo",
        "doctor",
        "fetch",
        "history",
        "metrics",
        "plan",
        "resample",
        "sandbox",
        "symbols",
        "up",
        "validate",
        "verify",
    }


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS), ("symbols", "add")])
def test_every_command_explains_itself(mohlcv, words):
    said = mohlcv(*words, "--help")

    assert said.code == 0
    assert "Usage: mohlcv" in said.out


def test_the_line_that_tells_each_command_is_not_cut(mohlcv):
    told = mohlcv("--help").out.partition("Start:")[2]

    assert all(f"  {command} " in told for command in COMMANDS)
    assert "..." not in told


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("fetchh",), "No such command 'fetchh'; did you mean `fetch`?"),
        (("symbol",), "did you mean `symbols`?"),
        (("symbols", "lsit"), "No such command 'lsit'; did you mean `list`?"),
        (("xyzzy",), "No such command 'xyzzy'; see the list in --help"),
        (("fetch", "--symbl", "SPY"), "'--symbol'"),
    ],
)
def test_an_unknown_word_is_refused_with_what_was_probably_meant(mohlcv, words, hint):
    said = mohlcv(*words)

    assert said.code == 2
    assert hint in said.err


def test_the_sandbox_serves_until_it_is_interrupted(project):
    words = [MOHLCV, "sandbox", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project)
    try:
        told = process.stdout.readline()
        export = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    finally:
        process.kill()

    assert told.startswith("The sandbox answers at http://127.0.0.1:")
    assert "export MASSIVE_BASE_URL=http://127.0.0.1:" in export
    own = project / ".mohlcv" / "sandbox"  # made-up bars never come among real ones
    assert export.endswith(f" MASSIVE_API_KEY=sandbox MOHLCV_DATA_DIR={own / 'data'} DAGSTER_HOME={own / 'home'}\n")
    assert process.returncode == 0
    assert (rest, errors) == ("\nThe sandbox has ended.\n", "")


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do(mohlcv):
    said = mohlcv("sandbox", "--fault", "gremlins")

    assert said.code == 2
    assert "no fault 'gremlins'; choose from truncated-body" in said.err


def commands(group=mohlcv, before=("mohlcv",)):
    """Every command with its words."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))


def examples():
    """The example lines of every help text, the words behind them and where the output goes left out."""
    for words, command in [(("mohlcv",), mohlcv), *commands()]:
        block = re.split(r"Examples:|First steps:", command.help or "")[1:]
        for line in "".join(block).splitlines():
            text = re.sub(r"\s{3,}\S.*| > \S+$", "", line.strip())
            if text.startswith("mohlcv "):
                yield pytest.param(shlex.split(text)[1:], id=f"{words[-1]}: {text}")


@pytest.mark.parametrize("words", list(examples()))
def test_an_example_is_understood(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watchlist.txt").write_text("SPY\n")
    for named in ("recordings", "data/aggregated/1min", "data/raw_1s"):
        (tmp_path / named).mkdir(parents=True)
    command = mohlcv
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))

    with command.make_context("mohlcv", list(words), **mohlcv.context_settings):
        pass  # what was opened is closed


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_every_command_shows_an_example_of_itself(words, command):
    assert " ".join(words) in (command.help or "").partition("Examples:")[2]


def test_an_example_with_an_option_that_is_not_there_would_be_seen():
    command = mohlcv.get_command(click.Context(mohlcv), "doctor")

    with pytest.raises(click.NoSuchOption):
        command.make_context("mohlcv", ["--onlin"], **mohlcv.context_settings)
