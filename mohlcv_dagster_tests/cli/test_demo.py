"""The first minute of a newcomer, as they have it: a fresh folder, no key, one command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.cli import demo
from mohlcv_dagster.cli.console import FAILED, OK, WARNED
from mohlcv_dagster.cli.runs import EvaluatedCheck, FinishedRun

MOHLCV = Path(sys.executable).with_name("mohlcv")


@pytest.mark.slow
def test_the_demo_does_the_whole_job_with_no_key_apart_from_the_users_files(tmp_path):
    mine = tmp_path / "mine"
    done = subprocess.run(
        [MOHLCV, "demo", "--fault", "bad-bar:symbol=QQQ"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "MOHLCV_DATA_DIR": str(mine),
            "DAGSTER_HOME": str(mine),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "✓ SPY 2024-01  raw_1s           5 of 5 checks passed" in done.stdout
    assert "✓ SPY 2024-01  aggregated/1min  3 of 3 checks passed" in done.stdout
    assert "✗ QQQ 2024-01  raw_1s           4 of 5 checks passed" in done.stdout
    assert "    valid: ohlc_order: 1 of " in done.stdout
    assert "✗ QQQ 2024-01:  nothing is made from raw_1s/QQQ/QQQ_2024_01.csv, which breaks 1 rule. " in done.stdout
    assert "1 of 2 months complete and checked" in done.stdout
    assert "uv run mohlcv up --sandbox" in done.stdout
    assert "http://127.0.0.1:3000/assets/quality/coverage?view=events\n" in done.stdout
    assert (tmp_path / ".mohlcv/sandbox/data/quality/coverage.parquet").exists()  # that page is not empty
    made = tmp_path / ".mohlcv/sandbox/data"
    assert sorted(str(path.relative_to(made)) for path in made.rglob("*.csv")) == [
        "aggregated/15s/SPY_2024_01_15s.csv",
        "aggregated/1min/SPY_2024_01_1min.csv",
        "aggregated/30s/SPY_2024_01_30s.csv",
        "raw_1s/QQQ/QQQ_2024_01.csv",
        "raw_1s/SPY/SPY_2024_01.csv",
    ]
    assert not mine.exists()


@pytest.mark.parametrize(
    ("passed", "error", "mark"), [(True, False, OK), (False, True, FAILED), (False, False, WARNED)]
)
def test_an_error_is_marked_as_one_even_where_it_holds_nothing_back(passed, error, mark):
    outcome = FinishedRun(
        "", succeeded=True, reasons=(), checks=(EvaluatedCheck("raw_1s", "complete", passed, error, ""),)
    )

    assert demo.marks({"SPY": outcome, "QQQ": outcome}, "raw_1s", "complete") == f"{mark} {mark}"
    assert demo.marks({"SPY": outcome}, "aggregated/15s", "complete") == ""


@pytest.mark.slow
def test_as_json_the_demo_is_one_document_and_the_rest_goes_to_standard_error(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    words = [MOHLCV, "demo", "--json", "--fault", "bad-bar:symbol=QQQ"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=110
    )
    told = json.loads(done.stdout)

    assert (done.returncode, told["ok"]) == (1, False)
    assert [(each["symbol"], each["ok"]) for each in told["months"]] == [("SPY", True), ("QQQ", False)]
    assert {"asset": "raw_1s", "check": "valid", "passed": False} in told["months"][1]["checks"]
    assert "1 of 2 months complete and checked" in done.stderr
