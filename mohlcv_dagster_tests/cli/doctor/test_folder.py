"""The data folder and its disk, or the store behind a URL."""

import os

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mohlcv_dagster.cli.examinations import folder
from mohlcv_dagster.cli.examinations.finding import Verdict
from mohlcv_dagster.storage import atomic_writes


def test_a_full_disk_is_told_before_it_is_full(monkeypatch, tmp_path):
    def left(size):
        monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: type("Usage", (), {"free": size}))
        return folder.free(tmp_path).verdict

    assert [left(size) for size in (2e9, 5e8, 5e7)] == [Verdict.FINE, Verdict.WARNING, Verdict.WRONG]


def test_a_disk_that_does_not_flush_is_told_and_nothing_is_left_behind(monkeypatch, tmp_path):
    assert folder.writable(tmp_path).verdict is Verdict.FINE

    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folder.os, "fsync", refuse)
    found = folder.writable(tmp_path)
    assert (found.verdict, found.found) == (Verdict.WRONG, f"{tmp_path} cannot be written: Input/output error")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_as_the_layout_has_it_is_quiet_and_what_is_not_is_named(tmp_path):
    def put(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()

    host = atomic_writes.HOST
    put("raw_1s/SPY/SPY_2024_01.csv", "aggregated/15s/SPY_2024_01_15s.csv", "quality/coverage.parquet", "README.md")
    put(f"raw_1s/SPY/.SPY_2024_02.csv.{host}-{os.getpid()}-0123abcd.part")  # its writer lives: this process
    assert [(found.verdict, found.found) for found in folder.contents(tmp_path)] == [
        (Verdict.FINE, f"2 files of bars in {tmp_path}")
    ]

    put(f"raw_1s/SPY/.SPY_2024_03.csv.{host}-999999999-0123abcd.part")
    put("raw_1s/SPY/SPY-2024-01.csv", "aggregated/1min/SPY_2024_13_1min.csv", "raw_1s/QQQ/SPY_2024_01.csv")
    put("raw_1s/BACPB/BACPB_2024_01.csv", "raw_1s/BACpB/BACpB_2024_01.csv")
    told = [found.found for found in folder.contents(tmp_path) if found.verdict is Verdict.WARNING]
    assert [found.partition(" (")[0] for found in told] == ["1 unfinished file", "3 files", "1 pair"]
    assert ".SPY_2024_03.csv" in told[0]
    assert "raw_1s/QQQ/SPY_2024_01.csv" in told[1]
    assert "raw_1s/BACPB/BACPB_2024_01.csv and raw_1s/BACpB/BACpB_2024_01.csv" in told[2]


def test_a_data_folder_that_is_a_file_is_wrong_and_one_that_is_not_there_is_not(tmp_path):
    (tmp_path / "file").touch()

    assert [found.verdict for found in folder.examine(str(tmp_path / "file/data"), offline=False)] == [Verdict.WRONG]
    found = list(folder.examine(str(tmp_path / "absent/data"), offline=False))
    assert [each.verdict for each in found] == [Verdict.FINE] * 3
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("url", "offline", "verdict"),
    [
        ("memory://bars", False, Verdict.FINE),
        ("memory://bars", True, Verdict.FINE),
        ("nostore://bars", False, Verdict.WRONG),
    ],
)
def test_a_store_behind_a_url_is_asked_unless_offline(url, offline, verdict):
    assert [found.verdict for found in folder.examine(url, offline=offline)] == [verdict]


def test_a_store_that_does_not_answer_is_told_with_what_it_said(monkeypatch):
    def away(*_, **__):
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(MemoryFileSystem, "exists", away)
    [found] = folder.examine("memory://bars", offline=False)

    assert (found.verdict, found.found) == (
        Verdict.WRONG,
        "memory://bars does not answer: ConnectionError: nobody is there",
    )
    assert [each.verdict for each in folder.examine("memory://bars", offline=True)] == [Verdict.FINE]
