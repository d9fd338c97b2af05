"""One table of exit codes, and which command exits with which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.cli import main
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster_tests.cli import exit_codes_page

MOHLCV = Path(sys.executable).with_name("mohlcv")
PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"
pytestmark = pytest.mark.usefixtures("home")
RANGE = ("--start", "2024-01-01", "--end", "2024-01-31")


def test_the_codes_are_these():
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "UNUSABLE": 2,
        "INTERRUPTED": 130,
        "UNREAD": 141,
    }


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == exit_codes_page.page()


def test_the_help_tells_every_code_a_line_each(mohlcv):
    told = mohlcv("--help").out.partition("Exit codes:\n")[2]

    assert [line.split()[0] for line in told.strip().splitlines()] == ["0", "1", "2", "130", "141"]
    assert "130  interrupted with Ctrl-C" in told


@pytest.mark.parametrize(
    ("words", "error", "cure"),
    [
        (("plan", "--json"), "no symbol was given", "see `mohlcv plan --help`"),
        (("plan", "--json", "--symbol", "a/b", *RANGE), "'a/b' is not a US stock symbol", None),
        (("plan", "--json", "--symbol", "A", "--start", "2024-02-01", "--end", "2024-01-01"), "swap them", None),
        (("doctor", "--json", "--no-such"), "No such option", "see `mohlcv doctor --help`"),
        (("symbols", "remove", "QQQ", "--json"), "no such symbol: QQQ; kept are none", None),
        (("fetsch", "--json"), "No such command 'fetsch'", "see `mohlcv --help`"),
    ],
)
def test_an_error_is_a_document_too_and_nothing_else_is_on_standard_output(mohlcv, words, error, cure):
    said = mohlcv(*words)
    told = json.loads(said.out)

    assert (said.code, told["exit_code"], said.err) == (2, 2, "")
    assert error in told["error"]
    assert told.get("cure") == cure


def test_a_fault_of_the_program_itself_is_a_document_and_a_traceback(project, monkeypatch, capsys):
    def fail(**_):
        raise RuntimeError("out of cheese")

    monkeypatch.setattr("mohlcv_dagster.cli.doctor._diagnose", fail)
    monkeypatch.setattr("sys.argv", ["mohlcv", "doctor", "--json"])
    with pytest.raises(RuntimeError, match="out of cheese"):
        main()

    assert json.loads(capsys.readouterr().out) == {"error": "RuntimeError: out of cheese", "exit_code": 1}


def test_without_json_the_same_error_is_on_standard_error_alone(mohlcv):
    said = mohlcv("symbols", "remove", "QQQ")

    assert (said.code, said.out) == (2, "")
    assert said.err == "mohlcv: no such symbol: QQQ; kept are none\n"


def test_a_reader_that_leaves_first_is_no_failure_and_leaves_no_traceback(tmp_path):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [MOHLCV, "doctor", "--offline"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()

    assert process.wait(30) == 141
    assert told == ""
