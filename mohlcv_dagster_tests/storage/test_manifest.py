"""Manifest entries and mirrors as they are written; `test_verify.py` compares archives with them."""

import hashlib
from dataclasses import replace

import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import CLEAN

PATH = "raw_1s/SPY/SPY_2024_01.csv"
FILE, CONTENT = BarFile.parse(PATH), CLEAN[PATH]
ENTRY = ManifestEntry(
    file=PATH, sha256=hashlib.sha256(CONTENT).hexdigest(), rows=6, size=len(CONTENT), software="by hand"
)
SOUND = RecordedResult("ohlc_order", passed=True, severity="error", message="In order.")


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path)


def test_writing_an_entry_says_whether_it_differs_from_the_one_that_was_there(archive):
    assert manifest.write(archive, FILE, ENTRY)
    assert not manifest.write(archive, FILE, ENTRY)
    assert manifest.write(archive, FILE, ENTRY.with_results([SOUND]))
    assert manifest.read(archive, FILE) == ENTRY.with_results([SOUND])


def test_a_file_in_a_folder_elsewhere_has_no_entry_and_no_mirror(tmp_path):
    archive = Archive(tmp_path / "data", raw=tmp_path / "elsewhere")

    assert not manifest.write(archive, FILE, ENTRY)
    assert not manifest.write_mirror(archive, FILE, csv_codec.decode(CONTENT), ENTRY.sha256)
    assert list(tmp_path.iterdir()) == []


def test_the_entry_of_a_file_that_another_home_wrote_is_left_alone(archive):
    manifest.write(archive, FILE, ENTRY)

    assert not manifest.update_checks(archive, FILE, replace(ENTRY, sha256="0" * 64), [SOUND])
    assert manifest.read(archive, FILE) == ENTRY
    assert manifest.update_checks(archive, FILE, ENTRY, [SOUND])
    assert manifest.read(archive, FILE).checks == (SOUND,)
    assert not manifest.update_checks(archive, FILE, None, [SOUND])


def test_where_there_is_no_entry_what_was_recorded_becomes_one_with_its_checks(archive):
    assert not manifest.update_checks(archive, FILE, None, [SOUND])
    assert manifest.update_checks(archive, FILE, ENTRY, [SOUND])
    assert manifest.read(archive, FILE) == ENTRY.with_results([SOUND])


def test_a_mirror_that_cannot_be_written_is_an_error_with_its_cure(archive, monkeypatch):
    monkeypatch.setattr(Archive, "write_path", lambda *_: (_ for _ in ()).throw(FileError("no room")))

    with pytest.raises(FileError) as caught:
        manifest.write_mirror(archive, FILE, csv_codec.decode(CONTENT), ENTRY.sha256)
    assert str(caught.value) == (
        f"the Parquet mirror of {PATH} could not be written, and the CSV file stays as it was: no room. Make room, or "
        "set MOHLCV_PARQUET=false to store CSV files alone"
    )
