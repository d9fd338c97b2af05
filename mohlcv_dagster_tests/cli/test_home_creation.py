"""A home is made once, by one process, and complete before anything uses it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from mohlcv_dagster.cli import home_creation
from mohlcv_dagster.cli.dagster_home import Home

pytestmark = pytest.mark.slow

MOHLCV = Path(sys.executable).with_name("mohlcv")
DAYS = ("--start", "2024-01-01", "--end", "2024-01-31")
DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
FORMER = "5771160a95ad"
AT_ONCE = (
    ("fetch", "--symbol", "ABC", *DAYS),
    ("fetch", "--symbol", "ABC", *DAYS),
    ("symbols", "add", "QQQ", "--offline"),
    ("symbols", "list"),
    ("adopt",),
    ("doctor", "--offline"),
    ("plan", "--symbol", "ABC", *DAYS, "--offline"),
    ("demo",),
)


def versions(database):
    with closing(sqlite3.connect(database)) as connection:
        return [version for (version,) in connection.execute("SELECT version_num FROM alembic_version")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_eight_commands_at_once_on_a_home_that_does_not_exist_all_succeed(project, vendor):
    adopted = project / "data/raw_1s/XYZ/XYZ_2024_01.csv"
    adopted.parent.mkdir(parents=True)
    adopted.write_text("ts_event,open,high,low,close,volume\n2024-01-02 15:00:00,1.0,1.0,1.0,1.0,1\n")
    started = [
        subprocess.Popen([MOHLCV, *words], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for words in AT_ONCE
    ]
    said = [process.communicate(timeout=250)[0] for process in started]

    codes = {words: process.returncode for words, process in zip(AT_ONCE, started, strict=True)}
    assert codes.pop(("adopt",)) in {0, 1}, said  # a month of one bar is not complete
    assert set(codes.values()) == {0}, said
    assert not [each for each in said if "Traceback" in each]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_first_start_that_is_killed_at_any_moment_leaves_a_home_that_the_next_one_completes(project, mohlcv):
    words = [MOHLCV, "symbols", "add", "ABC", "--offline"]
    began = time.monotonic()
    subprocess.run(words, cwd=project, check=True, env={**os.environ, "DAGSTER_HOME": str(project / "whole")})
    whole = time.monotonic() - began
    for part in (0.5, 0.6, 0.7, 0.8, 0.9):
        process = subprocess.Popen(words, cwd=project)
        time.sleep(whole * part)
        process.send_signal(signal.SIGKILL)
        process.wait(20)

        assert mohlcv("symbols", "add", "ABC", "--offline").code == 0
        for left in sorted((project / ".mohlcv").rglob("*"), reverse=True):
            left.rmdir() if left.is_dir() else left.unlink()


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_home_whose_making_ended_between_two_renames_is_completed(tmp_path, monkeypatch, done):
    home, renamed, rename = tmp_path / "home", [], Path.rename

    def end(path, target):
        if len(renamed) == done:
            raise KeyboardInterrupt
        renamed.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", end)
    monkeypatch.setattr(home_creation, "configuration", _ended)
    with pytest.raises(KeyboardInterrupt):
        home_creation.create(home)
    assert not (home / "dagster.yaml").exists()
    monkeypatch.undo()
    (home / ".new-killed").mkdir()
    home_creation.create(home)

    assert sorted(path.name for path in home.iterdir() if path.suffix != ".lock") == [
        "dagster.yaml",
        "history",
        "schedules",
    ]
    assert len({tuple(versions(home / name)) for name in DATABASES}) == 1


def _ended():
    raise KeyboardInterrupt


def test_plain_dagster_finds_every_database_made_where_it_finds_a_dagster_yaml(project):
    home = Home.real(project).prepare().path

    assert [len(versions(home / name)) for name in DATABASES] == [1, 1, 1]
    assert list(home.rglob("*-wal")) == []


def test_databases_that_were_there_without_a_dagster_yaml_are_kept(mohlcv, home):
    mohlcv("symbols", "add", "ABC", "--offline")
    (home / "dagster.yaml").unlink()

    assert "ABC" in mohlcv("symbols", "list").out


def test_doctor_mends_databases_that_two_first_starts_at_once_left_with_two_versions(mohlcv, home):
    mohlcv("symbols", "add", "ABC", "--offline")
    before = [versions(home / name) for name in DATABASES]
    for name in DATABASES:
        with closing(sqlite3.connect(home / name)) as connection, connection:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (FORMER,))
    refused = mohlcv("symbols", "list")
    told = mohlcv("doctor", "--offline")

    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "`mohlcv doctor`" in refused.err
    assert told.out.count("had left a database half made: mended") == len(DATABASES)
    assert [versions(home / name) for name in DATABASES] == before
    assert "ABC" in mohlcv("symbols", "list").out
    for name in DATABASES:
        assert set(versions((home / name).with_suffix(".before-mending"))) == {*versions(home / name), FORMER}
