"""What a shell is told of words begun, and a real bash that asks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mohlcv_dagster.cli import COMMANDS, arguments, completion, mohlcv

BIN = Path(sys.executable).parent
BASH, FISH, ZSH = (shutil.which(shell) for shell in ("bash", "fish", "zsh"))

IN_BASH = """
eval "$(mohlcv completion bash)"
complete_words() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    local how; how=$(complete -p mohlcv); how=${how#*-F }
    "${how%% *}" mohlcv "${COMP_WORDS[COMP_CWORD]}" ""
    echo "${COMPREPLY[@]}"
}
complete_words mohlcv pl
complete_words mohlcv fetch --sym
complete_words mohlcv plan --symbol s
complete_words mohlcv symbols add B
complete_words mohlcv plan --plan d
"""


@pytest.fixture
def stored(project):
    for path in ("raw_1s/SPY/SPY_2024_01.csv", "raw_1s/BRK.B/BRK.B_2024_01.csv", "raw_1s/not a symbol/x", "raw_1s/.x"):
        (project / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (project / "data" / path).touch()
    return project


def given(parameter_type, begun):
    command = click.Command("any", params=[click.Option(["--any"], type=parameter_type)])
    items = parameter_type.shell_complete(click.Context(command), command.params[0], begun)
    return [item.value for item in items]


def test_symbols_are_those_of_the_data_folder_in_any_case_typed(stored):
    assert given(arguments.Symbol(), "") == ["BRK.B", "SPY"]
    assert given(arguments.Symbol(), "sp") == ["SPY"]
    assert given(arguments.Symbol(), "Q") == []
    assert given(arguments.Symbol(), "SPY,") == ["SPY,BRK.B"]


def test_symbols_of_a_tree_of_aggregates_alone_are_found_as_well(project):
    (project / "data/aggregated/15s").mkdir(parents=True)
    (project / "data/aggregated/15s/QQQ_2024_01_15s.csv").touch()

    assert given(arguments.Symbol(), "") == ["QQQ"]


def test_where_nothing_can_be_known_nothing_is_offered_and_nothing_is_said(project, monkeypatch, capsys):
    assert given(arguments.Symbol(), "") == []
    monkeypatch.setenv("MOHLCV_DATA_DIR", "memory://bars")
    assert given(arguments.Symbol(), "") == []
    monkeypatch.delenv("MOHLCV_DATA_DIR")
    (project / ".env").write_text("MASSIVE_API_KEY=a\n", encoding="utf-16")
    assert given(arguments.Symbol(), "") == []
    assert capsys.readouterr() == ("", "")


def test_the_last_timeframe_of_a_list_is_completed_with_those_not_in_it():
    assert given(arguments.Timeframes(), "3") == ["30s", "30min"]
    assert given(arguments.Timeframes(), "30s,3") == ["30s,30min"]
    assert given(arguments.Timeframes(), "15s,1m") == ["15s,1min"]


def test_every_option_and_argument_that_takes_symbols_or_timeframes_as_text_completes_them():
    wanted = {"--symbol": arguments.Symbol, "symbols": arguments.Symbol, "symbol": arguments.Symbol}
    wanted |= dict.fromkeys(("--timeframe", "--timeframes"), arguments.Timeframes)
    found = set()
    names = [name for name in COMMANDS if name != "symbols"]
    commands = [mohlcv.get_command(click.Context(mohlcv), name) for name in names]
    commands += mohlcv.get_command(click.Context(mohlcv), "symbols").commands.values()
    for command in commands:
        for parameter in command.params:
            for name in {*parameter.opts, parameter.name} & wanted.keys():
                if not isinstance(parameter, click.Option) or name in parameter.opts:
                    assert isinstance(parameter.type, wanted[name]), (command.name, name)
                    found.add((command.name, name))

    assert found >= {("fetch", "--symbol"), ("plan", "--symbol"), ("add", "symbols"), ("remove", "symbols")}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_it_is_installed_and_calls_the_command(mohlcv, shell):
    said = mohlcv("completion", shell)

    assert said.code == 0
    assert f"mohlcv completion {shell}" in said.out
    assert f"_MOHLCV_COMPLETE={shell}_complete" in said.out


def test_the_script_for_zsh_begins_with_the_mark_that_zsh_looks_for():
    assert completion.script("zsh").startswith("#compdef mohlcv\n# Completion of mohlcv for zsh.")


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_a_real_bash_completes_commands_options_symbols_and_choices(stored):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "--norc", "--noprofile", "-c", IN_BASH],
        cwd=stored,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout.splitlines() == ["plan", "--symbol --symbols-from", "SPY", "BRK.B", "developer"], done.stderr


@pytest.mark.skipif(FISH is None, reason="there is no fish")
def test_a_real_fish_completes_commands_and_symbols(stored):
    asked = 'mohlcv completion fish | source; complete -C "mohlcv pl"; complete -C "mohlcv plan --symbol s"'
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(stored)}
    done = subprocess.run(
        [FISH, "--no-config", "-c", asked], cwd=stored, env=environment, capture_output=True, text=True, check=False
    )

    assert [line.partition("\t")[0] for line in done.stdout.splitlines() if line] == ["plan", "SPY"], done.stderr


@pytest.mark.skipif(ZSH is None, reason="there is no zsh")
def test_a_real_zsh_takes_the_script_without_complaint(tmp_path):
    (tmp_path / "_mohlcv").write_text(completion.script("zsh"), encoding="utf-8")
    done = subprocess.run([ZSH, "-n", tmp_path / "_mohlcv"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


QUICK = """
import json, sys
from mohlcv_dagster.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(set(sys.modules) & {"dagster", "pyarrow", "numpy", "massive", "pandas", "urllib3", "uvicorn"})))
"""


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--help"], {}),
        (["plan", "--help"], {}),
        (
            [],
            {"_MOHLCV_COMPLETE": "bash_complete", "COMP_WORDS": "mohlcv plan --symbol S", "COMP_CWORD": "3"},
        ),
    ],
    ids=["help", "help of a command", "a symbol to complete"],
)
def test_help_and_completion_load_none_of_the_heavy_libraries(stored, words, asked):
    environment = {**os.environ, **asked}
    code = QUICK if words else QUICK.replace("main()", "sys.argv[0] = 'mohlcv'; main()", 1)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=stored, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip()
    assert json.loads(done.stdout.splitlines()[-1]) == []
