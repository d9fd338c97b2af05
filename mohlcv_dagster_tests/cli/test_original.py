"""The original's command lines, nothing but the script's name replaced, give the files and exit codes that it gave.

The files due are those that pandas writes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli import original

MOHLCV = Path(sys.executable).with_name("mohlcv")


def test_a_month_by_the_originals_words_is_what_pandas_writes_and_a_file_that_was_tampered_with_leaves_with_1(
    mohlcv, project, tmp_path_factory, monkeypatch
):
    market, due = original.market(tmp_path_factory.mktemp("market"), {"QQQ": ["2024-06"]})
    with Sandbox(market) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "any")
        lines = original.MONTH.splitlines()
        said = [mohlcv(*original.words(line)) for line in lines]

        assert [each.code for each in said] == [0, 0, 0], said
        assert original.stored(project) == due
        # --output_dir names the project's own folder, so that what was fetched is recorded
        assert json.loads(mohlcv("symbols", "--json").out)["symbols"][0]["partitions"]

        sandbox.inject("not-found:symbol=NOPE")
        assert mohlcv(*original.words(lines[0].replace("QQQ", "NOPE"))).code == 1
    minutes = project / "data/aggregated/1min/QQQ_2024_06_1min.csv"
    *whole, last, end = minutes.read_bytes()
    minutes.write_bytes(bytes([*whole, last ^ 1, end]))  # the last digit of a volume: 4 for 5, or 5 for 4
    assert mohlcv(*original.words(lines[2])).code == 1
    raw = project / "data/raw_1s/QQQ/QQQ_2024_06.csv"
    raw.write_bytes(raw.read_bytes()[:-9])
    assert mohlcv(*original.words(lines[1])).code == 1
    assert mohlcv("validate", "--input_dir", "data", "--timeframe", "1min").code == 1


@pytest.mark.slow
def test_a_year_by_the_originals_words_is_what_pandas_writes(project, tmp_path_factory):
    year = [f"2024-{month:02d}" for month in range(1, 13)]
    market, due = original.market(tmp_path_factory.mktemp("market"), {"SPY": year, "QQQ": ["2024-06"]})
    with Sandbox(market) as sandbox:
        environment = {**os.environ, "MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "any"}
        for line in original.YEAR.splitlines():
            words = [MOHLCV, *original.words(line)]
            done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stdout, done.stderr)

    assert original.stored(project) == due
