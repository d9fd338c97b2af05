"""Two writers of one partition: one whole file, one record that matches it, and told."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.parquet_codec import path_of
from mohlcv_dagster.defs import io_managers
from mohlcv_dagster.errors import OverwrittenError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.verify import verify
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, WHOLE
from mohlcv_dagster_tests.storage.faulty_s3 import faulty_s3

SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")


@pytest.fixture(params=["folder", "memory"])
def archive(request, tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "PATIENCE", 0.3)
    return Archive(str(tmp_path / "data") if request.param == "folder" else f"memory://{tmp_path.name}")


def store(archive, content):
    return io_managers.store(archive, SPY, csv_codec.decode(content), {}, parquet=True)


@contextmanager
def before(monkeypatch, owner, name, work):
    """Once, do `work` before the function of that name is called."""
    function, waiting = getattr(owner, name), [work]

    def called(*given, **more):
        if waiting:
            waiting.pop()()
        return function(*given, **more)

    monkeypatch.setattr(owner, name, called)
    yield
    assert not waiting


@pytest.mark.parametrize(
    "contents", [(WHOLE, FRACTIONAL), (FRACTIONAL, WHOLE)], ids=["larger digest", "smaller digest"]
)
@pytest.mark.parametrize("step", ["write", "write_mirror"])
def test_another_that_stores_all_between_the_file_and_its_entry_leaves_one_of_both_whole(
    archive, monkeypatch, caplog, contents, step
):
    own, others = contents
    with before(monkeypatch, manifest, step, lambda: store(archive, others)):
        recorded = store(archive, own)

    assert archive.read(SPY) == own
    assert manifest.read(archive, SPY).sha256 == recorded["sha256"].value
    assert manifest.mirror_digest(archive, SPY) == recorded["sha256"].value
    assert recorded["file_stamp"].value == archive.status(SPY).stamp
    assert not [each for each in verify(archive).differences if each.kind.value != "former version"]
    assert "another process or host stored it at the same moment" in caplog.text


def test_one_that_another_overwrote_says_so_and_leaves_the_others_file_and_entry(archive, monkeypatch):
    with (
        before(monkeypatch, manifest, "settle", lambda: store(archive, FRACTIONAL)),
        pytest.raises(OverwrittenError, match="SPY 2024-01 1s: another process or host stored other bytes"),
    ):
        store(archive, WHOLE)

    assert archive.read(SPY) == FRACTIONAL
    assert not [each for each in verify(archive).differences if each.kind.value != "former version"]


def test_the_same_bytes_of_two_are_no_quarrel(archive, monkeypatch):
    with before(monkeypatch, manifest, "write", lambda: store(archive, WHOLE)):
        store(archive, WHOLE)
    assert archive.read(SPY) == WHOLE
    assert archive.read_path(path_of(SPY)) is not None
    assert not verify(archive).differences


def raced(root, environment):
    """What two processes, as of two hosts, say of each of 20 partitions that both store at the same moment."""
    words = [sys.executable, "-m", "mohlcv_dagster_tests.programs.stores_months", root]
    started = [
        subprocess.Popen(
            [*words, each], env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for each in ("whole", "fractional")
    ]
    said = []
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for month in range(1, 21):
        for process in started:
            process.stdin.write(f"{month}\n")
            process.stdin.flush()
        said.append([process.stdout.readline().strip() for process in started])
    for process in started:
        process.communicate(timeout=30)
    return said


@pytest.fixture(params=["folder", "s3"])
def shared(request, tmp_path):
    """A place that two hosts share, and the variables with which they use it."""
    if request.param == "folder":
        yield str(tmp_path), {}
        return
    with faulty_s3() as (_, variables), pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()
        yield "s3://bucket/shared", variables


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_hosts_that_store_the_same_months_leave_each_file_with_the_record_that_matches_it(shared):
    root, environment = shared
    said = raced(root, environment)

    archive = Archive(root)
    assert not [each for each in verify(archive).differences if each.kind.value != "former version"]
    for month, each in enumerate(said, start=1):
        file = BarFile.parse(
            f"raw_1s/SPY/SPY_2024_{month:02}.csv" if month < 13 else f"raw_1s/SPY/SPY_2023_{month - 12:02}.csv"
        )
        winner = "whole" if archive.read(file) == WHOLE else "fractional"
        assert f"stored {winner}" in each, each  # the one whose bytes are there was told that they are
