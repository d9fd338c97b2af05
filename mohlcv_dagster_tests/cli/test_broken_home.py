"""A home that cannot be used is one sentence with the cure, in every command, and never a traceback."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy.event import listen

from mohlcv_dagster.dagster_patches import home_errors, sqlite_connections
from mohlcv_dagster.dagster_patches.home_errors import explanation

MOHLCV = Path(sys.executable).with_name("mohlcv")
DAYS = ("--start", "2024-01-01", "--end", "2024-01-31")
DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
COMMANDS = {
    "fetch": ("fetch", "--symbol", "ABC", *DAYS, "--force"),
    "plan": ("plan", "--symbol", "ABC", *DAYS, "--offline"),
    "symbols": ("symbols", "list"),
    "adopt": ("adopt",),
    "validate": ("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s"),
}


def damage(home):
    for name in DATABASES:
        (home / name).write_bytes(b"rubbish" * 5000)


def is_file(home):
    shutil.rmtree(home)
    home.touch()


def configured(text):
    return lambda home: (home / "dagster.yaml").write_text(text)


BROKEN = {
    "damaged": (damage, 1, "a database in it is damaged: restore it from a backup"),
    "file": (is_file, 2, "is not a folder; set DAGSTER_HOME to another folder"),
    "syntax": (configured("telemetry: ["), 1, "look at its dagster.yaml"),
    "class": (configured("run_storage: {module: nowhere, class: X, config: {}}\n"), 1, "look at its dagster.yaml"),
    "type": (configured("concurrency: 5\n"), 1, "look at its dagster.yaml"),
    "bytes": (lambda home: (home / "dagster.yaml").write_bytes(b"\xff\xfe\x00"), 1, "look at its dagster.yaml"),
}


@pytest.fixture
def stored(mohlcv, home, vendor):
    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0


@pytest.mark.parametrize("broken", BROKEN)
def test_each_command_says_in_one_sentence_what_is_wrong_with_a_home_and_what_cures_it(stored, mohlcv, home, broken):
    spoil, code, words = BROKEN[broken]
    spoil(home)
    for name, command in COMMANDS.items():
        said = mohlcv(*command)

        assert (name, said.code, said.err.count("\n")) == (name, code, 1), said.err
        assert str(home) in said.err
        assert words in said.err
    told = mohlcv("doctor", "--offline")
    assert (told.code, told.err) == (1, "")
    assert f"✗ home         Dagster's home {home}" in told.out


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["damaged", "syntax"])
def test_up_says_it_too(home, project, broken):
    spoil, code, words = BROKEN[broken]
    spoil(home)
    ended = subprocess.run(
        [MOHLCV, "up", "--port", "38917"], cwd=project, capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1), ended.stderr
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("pragma", "words"),
    [
        ("max_page_count = 1", "its disk is full: free space there"),  # SQLite raises it to the pages that there are
        ("query_only = 1", "it cannot be written: let this user write there"),
    ],
)
@pytest.mark.usefixtures("stored")
def test_a_disk_that_takes_no_more_in_the_middle_of_a_command_is_told(mohlcv, home, monkeypatch, pragma, words):
    create = sqlite_connections.create_engine

    def limited(*arguments, **named):
        engine = create(*arguments, **named)
        listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
        return engine

    monkeypatch.setattr(sqlite_connections, "create_engine", limited)
    monkeypatch.setattr(sqlite_event_log, "create_engine", limited)
    said = mohlcv("fetch", "--symbol", "ABC", *DAYS, "--force")

    assert said.code == 1
    assert f"mohlcv: Dagster's home {home} cannot be used, since {words}" in said.err
    assert "Traceback" not in said.err


def test_a_lock_that_another_process_keeps_is_told(home):
    with (
        closing(sqlite3.connect(home / DATABASES[0], isolation_level=None)) as keeps,
        closing(sqlite3.connect(home / DATABASES[0], timeout=0)) as waits,
    ):
        keeps.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as refused:
            waits.execute("BEGIN IMMEDIATE")

    assert "wait until that process is done" in str(explanation(refused.value, home))


@pytest.mark.parametrize(("free", "words"), [(0, "its disk is full"), (10**9, "its disk fails")])
def test_a_full_disk_of_which_sqlite_says_that_it_fails_is_told_as_full(tmp_path, monkeypatch, free, words):
    monkeypatch.setattr(home_errors.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))

    assert words in str(explanation(sqlite3.OperationalError("disk I/O error"), tmp_path))


def test_an_error_that_has_nothing_to_do_with_the_home_is_left_as_it_is(tmp_path):
    assert explanation(ValueError("is full"), tmp_path) is None
    assert explanation(FileNotFoundError(2, "No such file", "/elsewhere/file"), tmp_path) is None


@pytest.mark.parametrize("name", ["feature%2Fbars", "a%20b", "q?x=1", "per%cent%(x)s"])
@pytest.mark.parametrize("by", ["project", "DAGSTER_HOME"])
@pytest.mark.usefixtures("vendor")
def test_a_folder_whose_name_a_url_would_change_is_refused_by_each_command_and_nothing_is_written(
    tmp_path, mohlcv, monkeypatch, name, by
):
    folder = tmp_path / "in" / name
    folder.mkdir(parents=True)
    if by == "project":
        monkeypatch.chdir(folder)
    else:
        monkeypatch.setenv("DAGSTER_HOME", str(folder))
    before = sorted(tmp_path.rglob("*"))
    # there is nothing to validate: that needs no home
    for command in [*(COMMANDS[name] for name in COMMANDS if name != "validate"), ("up",)]:
        said = mohlcv(*command)

        assert (command[0], said.code, said.err.count("\n")) == (command[0], 2, 1), said.err
        assert "in its path, under which Dagster cannot open its databases; set DAGSTER_HOME" in said.err
    assert "✗ home         Dagster's home" in mohlcv("doctor", "--offline").out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["feature%2Fbars", "a%20b", "q?x=1#y", "per%cent%(x)s", "[0-9] *;'&"])
@pytest.mark.usefixtures("home", "vendor")
def test_a_data_folder_may_have_any_name(project, mohlcv, monkeypatch, name):
    monkeypatch.setenv("MOHLCV_DATA_DIR", str(project / name / "data"))
    first, second = (mohlcv("fetch", "--symbol", "ABC", *DAYS) for _ in range(2))

    assert (first.code, second.code) == (0, 0), first.err
    assert "0 downloaded, 1 skipped" in second.out
    assert (project / name / "data/raw_1s/ABC/ABC_2024_01.csv").exists()
    assert sorted(path.name for path in project.iterdir()) == sorted([".mohlcv", name])
