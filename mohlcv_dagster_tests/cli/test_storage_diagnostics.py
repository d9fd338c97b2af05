"""What `mohlcv doctor` finds of the data folder and of Dagster's home."""

import os

import dagster as dg
import pytest
from dagster_graphql.schema.errors import GraphenePartitionKeysNotFoundError
from fsspec.implementations.memory import MemoryFileSystem

from mohlcv_dagster.cli import storage_diagnostics as storage
from mohlcv_dagster.cli import up
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.cli.diagnostics import Health
from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster_tests.docs.blocks import REPOSITORY


def test_a_full_disk_is_told_before_it_is_full(monkeypatch, tmp_path):
    def left(size):
        monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: type("Usage", (), {"free": size}))
        return storage.free(tmp_path).health

    assert [left(size) for size in (2e9, 5e8, 5e7)] == [Health.FINE, Health.WARNING, Health.WRONG]


def test_a_disk_that_does_not_flush_is_told_and_nothing_is_left_behind(monkeypatch, tmp_path):
    assert storage.writable(tmp_path).health is Health.FINE

    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(storage.os, "fsync", refuse)
    found = storage.writable(tmp_path)
    assert (found.health, found.found) == (Health.WRONG, f"{tmp_path} cannot be written: Input/output error")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_as_the_layout_has_it_is_quiet_and_what_is_not_is_named(tmp_path):
    def put(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()

    host = atomic_writes.HOST
    put("raw_1s/SPY/SPY_2024_01.csv", "aggregated/15s/SPY_2024_01_15s.csv", "quality/coverage.parquet", "README.md")
    put(f"raw_1s/SPY/.SPY_2024_02.csv.{host}-{os.getpid()}-0123abcd.part")  # its writer lives: this process
    assert [(found.health, found.found) for found in storage.contents(tmp_path)] == [
        (Health.FINE, f"2 files of bars in {tmp_path}")
    ]

    put(f"raw_1s/SPY/.SPY_2024_03.csv.{host}-999999999-0123abcd.part")
    put("raw_1s/SPY/SPY-2024-01.csv", "aggregated/1min/SPY_2024_13_1min.csv", "raw_1s/QQQ/SPY_2024_01.csv")
    put("raw_1s/BACPB/BACPB_2024_01.csv", "raw_1s/BACpB/BACpB_2024_01.csv")
    told = [found.found for found in storage.contents(tmp_path) if found.health is Health.WARNING]
    assert [found.partition(" (")[0] for found in told] == ["1 unfinished file", "3 files", "1 pair"]
    assert ".SPY_2024_03.csv" in told[0]
    assert "raw_1s/QQQ/SPY_2024_01.csv" in told[1]
    assert "raw_1s/BACPB/BACPB_2024_01.csv and raw_1s/BACpB/BACpB_2024_01.csv" in told[2]


def test_a_data_folder_that_is_a_file_is_wrong_and_one_that_is_not_there_is_not(tmp_path):
    (tmp_path / "file").touch()

    assert [found.health for found in storage.data_folder(str(tmp_path / "file/data"), offline=False)] == [Health.WRONG]
    found = list(storage.data_folder(str(tmp_path / "absent/data"), offline=False))
    assert [each.health for each in found] == [Health.FINE] * 3
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("url", "offline", "verdict"),
    [
        ("memory://bars", False, Health.FINE),
        ("memory://bars", True, Health.FINE),
        ("nostore://bars", False, Health.WRONG),
    ],
)
def test_a_store_behind_a_url_is_asked_unless_offline(url, offline, verdict):
    assert [found.health for found in storage.data_folder(url, offline=offline)] == [verdict]


def test_a_store_that_does_not_answer_is_told_with_what_it_said(monkeypatch):
    def away(*_, **__):
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(MemoryFileSystem, "exists", away)
    [found] = storage.data_folder("memory://bars", offline=False)

    assert (found.health, found.found) == (
        Health.WRONG,
        "memory://bars does not answer: ConnectionError: nobody is there",
    )
    assert [each.health for each in storage.data_folder("memory://bars", offline=True)] == [Health.FINE]


def test_a_home_that_is_not_there_or_new_is_told_and_not_made(tmp_path):
    assert [found.health for found in of_home(tmp_path / "absent")] == [Health.FINE]
    assert not (tmp_path / "absent").exists()
    assert [found.health for found in of_home(tmp_path)] == [Health.WARNING]
    assert list(tmp_path.iterdir()) == []


def of_home(path):
    return list(storage.dagster_home(Home(path, {}), from_variable=False))


def test_a_home_opens_and_who_holds_it_is_told(home):
    assert [found.found.partition(" opens: ")[2] or found.found for found in of_home(home)] == [
        "0 symbols, 0 months recorded",
        "not in use by `mohlcv up`",
    ]
    with up._locked(Home(home, {})):
        assert of_home(home)[-1].found == "in use: `mohlcv up` is running on it"


def test_a_symbol_that_is_none_is_named_with_the_command_that_removes_it(home):
    added = ["SPY", "BRK.B|x", "BRK/B", " spy", "it's"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.add_dynamic_partitions("symbol", added)
    told = {each.found: (each.health, each.cure) for each in of_home(home) if each.topic == "symbols"}

    assert told.pop("'BRK.B|x' has a |, and no backfill with it starts, of no symbol") == (
        Health.WRONG,
        "Run `mohlcv symbols remove 'BRK.B|x'`.",
    )
    assert [found.split(" is not")[0] for found in told] == [
        f"each fetch of it fails: {each!r}" for each in (" spy", "BRK/B", "it's")
    ]
    assert {cure for _, cure in told.values()} == {
        "Run `mohlcv symbols remove ' spy'`.",
        "Run `mohlcv symbols remove BRK/B`.",
        """Run `mohlcv symbols remove 'it'"'"'s'`.""",
    }
    assert {health for health, _ in told.values()} == {Health.WARNING}


def test_the_command_that_is_named_removes_it(home, mohlcv):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.add_dynamic_partitions("symbol", ["BRK.B|x"])

    assert mohlcv("doctor", "--offline").out.count("mohlcv symbols remove 'BRK.B|x'") == 1
    assert mohlcv("symbols", "remove", "BRK.B|x").code == 0
    assert "BRK.B|x" not in mohlcv("doctor", "--offline").out


def test_troubleshooting_has_the_words_of_the_ui_about_such_a_symbol():
    words = GraphenePartitionKeysNotFoundError({"2024-04|BRK.B|x"}).message
    page = (REPOSITORY / "docs/troubleshooting.md").read_text(encoding="utf-8")

    assert f"## {words.removesuffix('.')}\n".replace("`", "") in page.replace("`", "")


FORMER = """\
# mine
event_log_storage:
  module: mohlcv_dagster.defs.event_log
  class: KeptSqliteEventLogStorage
  config: {}
run_coordinator:
  module: mohlcv_dagster.defs.run_queue
  class: PromptRunCoordinator
"""


def test_names_that_have_moved_are_corrected_and_nothing_else_and_a_home_that_has_them_opens_without(home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    file = home / "dagster.yaml"
    file.write_text(FORMER)
    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__name__ == "RememberingSqliteEventLogStorage"

    corrected, opened, _ = of_home(home)

    assert (corrected.health, opened.health) == (Health.FINE, Health.FINE)
    assert "which has moved: corrected" in corrected.found
    assert file.read_text() == (
        FORMER.replace("mohlcv_dagster.defs.event_log", "mohlcv_dagster.dagster_patches.sqlite_event_log")
        .replace("KeptSqlite", "RememberingSqlite")
        .replace("mohlcv_dagster.defs.run_queue", "mohlcv_dagster.dagster_patches.run_queue")
    )
    assert len(of_home(home)) == 2


@pytest.mark.parametrize("broken", ["telemetry: [", "run_storage: {module: nowhere, class: None, config: {}}\n"])
def test_a_home_that_does_not_open_is_wrong_with_its_cure(home, broken):
    (home / "dagster.yaml").write_text(broken)
    found = of_home(home)[0]

    assert (found.health, "does not open" in found.found) == (Health.WRONG, True)
    assert "dagster.yaml" in found.cure


def test_a_home_whose_database_is_rubbish_is_wrong(home):
    for database in home.rglob("*.db"):
        database.write_bytes(b"rubbish" * 1000)

    assert of_home(home)[0].health is Health.WRONG
