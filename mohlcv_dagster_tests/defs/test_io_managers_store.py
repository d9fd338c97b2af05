"""A file of bars, its mirror and its manifest entry: all of them are written, or none."""

import errno
import hashlib
import io
import json
import os
import re

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.defs import io_managers
from mohlcv_dagster.errors import DiskFullError, FileError, InputError, VolumePrecisionError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import Inventory
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, WHOLE
from mohlcv_dagster_tests.defs.location import failure_of, location, run

SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
CSV = "raw_1s/SPY/SPY_2024_01.csv"
MIRROR = "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"
ENTRY = "manifest/raw_1s/SPY/SPY_2024_01.csv.json"
FACTS = {"vendor": dg.MetadataValue.text("Massive.com"), "state": dg.MetadataValue.text("settled")}
BARS, OTHER = csv_codec.decode(WHOLE), csv_codec.decode(FRACTIONAL)
TOO_LARGE = csv_codec.decode(WHOLE.replace(b",15234\n", b",9007199254740992\n"))
"""With a volume of 2**53 shares: above that, the float64 of a mirror does not hold every whole number."""


@pytest.fixture(params=["folder", "memory"])
def root(request, tmp_path):
    return str(tmp_path / "data") if request.param == "folder" else f"memory://{tmp_path.name}"


@pytest.fixture
def archive(root):
    return Archive(root)


def standing(archive):
    """Every file under the root, hidden ones too, with its bytes."""
    files = [file.path for file in Inventory.of(archive.root).files]
    return {path: (archive.root / path).read_bytes() for path in files if (archive.root / path).is_file()}


@pytest.fixture
def refusing(monkeypatch):
    """A disk that takes no file in a folder of the root any more, once that is named."""
    folders, write = set(), Archive.write_path

    def written(self, path, content):
        if path.parts[0] in folders:
            raise DiskFullError(f"{path} could not be written: [Errno 28] No space left on device")
        return write(self, path, content)

    monkeypatch.setattr(Archive, "write_path", written)
    return folders.add


@pytest.mark.parametrize("folder", ["raw_1s", "manifest", "parquet", "history"])
def test_a_disk_that_refuses_once_a_file_is_in_place_leaves_all_of_them_as_they_were(tmp_path, monkeypatch, folder):
    archive, flush = Archive(tmp_path), atomic_writes.fsync_folder
    io_managers.store(archive, SPY, BARS, FACTS, parquet=True)
    before = standing(archive)

    def refused(at):
        if at.relative_to(tmp_path).parts[:1] == (folder,):
            raise OSError(errno.EIO, "Input/output error")
        flush(at)

    monkeypatch.setattr(atomic_writes, "fsync_folder", refused)
    with pytest.raises(FileError, match="Input/output error"):
        io_managers.store(archive, SPY, OTHER, FACTS, parquet=True)

    assert standing(archive) == before


@pytest.mark.parametrize("parquet", [True, False])
def test_a_file_is_stored_with_its_manifest_entry_and_its_mirror_where_there_is_one(archive, parquet):
    recorded = io_managers.store(archive, SPY, BARS, FACTS, parquet=parquet)

    files = standing(archive)
    assert files.keys() == ({CSV, MIRROR, ENTRY} if parquet else {CSV, ENTRY})
    assert files[CSV] == WHOLE
    digest = hashlib.sha256(WHOLE).hexdigest()
    entry = json.loads(files[ENTRY])
    assert (entry["sha256"], entry["rows"], entry["vendor"], entry["checks"]) == (digest, 6, "Massive.com", [])
    assert recorded["sha256"].value == digest
    if parquet:
        assert pq.read_schema(io.BytesIO(files[MIRROR])).metadata[b"mohlcv:csv_sha256"].decode() == digest


@pytest.mark.parametrize("folder", ["manifest", "parquet", "history"])
def test_where_one_of_the_three_cannot_be_written_the_former_ones_stay_byte_for_byte(archive, refusing, folder):
    io_managers.store(archive, SPY, BARS, FACTS, parquet=True)
    before = standing(archive)
    refusing(folder)

    with pytest.raises(FileError, match="No space left on device"):
        io_managers.store(archive, SPY, OTHER, FACTS, parquet=True)

    assert standing(archive) == before


@pytest.mark.parametrize("folder", ["manifest", "parquet"])
def test_where_one_of_the_three_cannot_be_written_and_none_was_there_none_is_left(archive, refusing, folder):
    refusing(folder)

    with pytest.raises(FileError, match="No space left on device"):
        io_managers.store(archive, SPY, BARS, FACTS, parquet=True)

    assert standing(archive) == {}


def test_without_a_mirror_the_former_csv_and_entry_stay_where_the_new_entry_cannot_be_written(archive, refusing):
    io_managers.store(archive, SPY, BARS, FACTS, parquet=False)
    before = standing(archive)
    refusing("manifest")

    with pytest.raises(DiskFullError):
        io_managers.store(archive, SPY, OTHER, FACTS, parquet=False)

    assert standing(archive) == before


def test_bars_that_the_mirror_cannot_hold_leave_all_three_as_they_were(archive):
    io_managers.store(archive, SPY, BARS, FACTS, parquet=True)
    before = standing(archive)

    with pytest.raises(VolumePrecisionError, match=r"2\^53 shares or more"):
        io_managers.store(archive, SPY, TOO_LARGE, FACTS, parquet=True)

    assert standing(archive) == before


def test_a_csv_that_the_disk_does_not_take_leaves_all_three_as_they_were(tmp_path, monkeypatch):
    archive = Archive(tmp_path)
    io_managers.store(archive, SPY, BARS, FACTS, parquet=True)
    before = standing(archive)

    def refuse(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskFullError, match=r"SPY_2024_01.* could not be written to .*No space left"):
        io_managers.store(archive, SPY, OTHER, FACTS, parquet=True)

    assert standing(archive) == before


def test_an_entry_whose_place_is_taken_leaves_no_csv_and_no_mirror(tmp_path):
    archive = Archive(tmp_path)
    (tmp_path / ENTRY).mkdir(parents=True)

    with pytest.raises(FileError, match=r"SPY_2024_01\.csv\.json"):
        io_managers.store(archive, SPY, BARS, FACTS, parquet=True)

    assert standing(archive) == {}


def test_a_run_that_cannot_write_the_manifest_keeps_what_was_stored_and_says_why(tmp_path, instance):
    stored = location(tmp_path, {("SPY", "2024-01"): WHOLE}, parquet=True)
    run(stored, instance, "2024-01|SPY", "raw_1s")
    (tmp_path / ENTRY).unlink()
    (tmp_path / ENTRY).mkdir()
    before = standing(Archive(tmp_path))
    revised = location(tmp_path, {("SPY", "2024-01"): WHOLE.replace(b",15234\n", b",15235\n")}, parquet=True)

    result = run(revised, instance, "2024-01|SPY", "raw_1s", expect=False)

    assert "SPY_2024_01.csv.json" in failure_of(result).description
    assert standing(Archive(tmp_path)) == before
    assert result.get_asset_materialization_events() == []


def test_a_frame_and_a_table_of_the_same_bars_are_the_same():
    frame = pd.read_csv(io.BytesIO(WHOLE), index_col="ts_event", parse_dates=True)

    assert io_managers._table(frame).equals(BARS)
    assert io_managers._table(BARS) is BARS


@pytest.mark.parametrize("given", [[1, 2], {"open": 1.0}, None, "bars"])
def test_what_is_neither_table_nor_frame_is_refused_by_its_type(given):
    told = f"bars are a pyarrow.Table or a pandas.DataFrame, was {type(given).__name__}"
    with pytest.raises(InputError, match=re.escape(told)):
        io_managers._table(given)
