"""The examples in the help texts can be typed: each is a command line that the command understands."""

import re
import shlex

import click
import pytest

from mohlcv_dagster.cli import mohlcv


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
    while isinstance(command, click.Group):
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
