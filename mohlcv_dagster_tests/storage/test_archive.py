import hashlib
import os
import shutil
import sys
from pathlib import Path, PurePosixPath

import pytest

from mohlcv_dagster.errors import BarsError, DiskFullError, FileError, FileMissingError, InputError, NotRegularFileError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import locations
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import Inventory
from mohlcv_dagster.storage.locations import FileStat

SPY = BarFile("SPY", RAW, Month(2024, 1))
SPY_15S = BarFile("SPY", timeframes.parse("15s"), Month(2024, 1))
COVERAGE = PurePosixPath("quality/coverage.parquet")


@pytest.fixture(params=["folder", "memory"])
def archive(request, tmp_path):
    if request.param == "folder":
        return Archive(tmp_path / "data")
    return Archive(f"memory://{tmp_path.name}-{os.getpid()}")


@pytest.fixture
def objects(tmp_path):
    """An archive in an object store, and the class of that store."""
    archive = Archive(f"memory://{tmp_path.name}-{os.getpid()}")
    return archive, type(archive.root.fs)


def stored(root):
    """Every file under a folder, whatever its name, with its bytes."""
    return {file.path: (root / file.path).read_bytes() for file in Inventory.of(root).files}


def test_what_is_written_is_read_back_and_described(archive):
    written = archive.write(SPY, b"bars\n")

    assert archive.read(SPY) == b"bars\n"
    assert archive.exists(SPY)
    assert written.size == 5
    assert written.sha256 == hashlib.sha256(b"bars\n").hexdigest()
    assert written.uri.endswith("/raw_1s/SPY/SPY_2024_01.csv")
    assert "://" in written.uri


def test_files_are_where_the_contract_says(tmp_path):
    archive = Archive(tmp_path)
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")

    assert stored(tmp_path) == {"aggregated/15s/SPY_2024_01_15s.csv": b"2", "raw_1s/SPY/SPY_2024_01.csv": b"1"}


def test_what_is_written_has_the_stamp_of_its_status_until_it_is_written_again(archive):
    assert archive.status(SPY) is None
    written = archive.write(SPY, b"old\n")
    assert archive.status(SPY) == archive.status(SPY) == FileStat(written.stamp, 4)
    again = archive.write(SPY, b"other\n")

    assert archive.read(SPY) == b"other\n"
    assert archive.status(SPY) == FileStat(again.stamp, 6)
    assert again.stamp != written.stamp


def test_the_stamp_of_an_object_is_its_etag_where_the_store_tells_one(objects, monkeypatch):
    archive, store = objects
    archive.write(SPY, b"bars\n")
    monkeypatch.setattr(store, "info", lambda *_: {"size": 5, "ETag": '"an-etag"'})

    assert archive.status(SPY) == FileStat('"an-etag"', 5)


def test_a_store_that_cannot_be_asked_after_writing_leaves_no_stamp(objects, monkeypatch):
    archive, store = objects
    monkeypatch.setattr(store, "info", lambda *_: (_ for _ in ()).throw(OSError("away")))

    assert not archive.write(SPY, b"bars\n").stamp
    with pytest.raises(FileError, match=r"could not be looked at.*away"):
        archive.status(SPY)


def test_a_file_that_is_absent_is_named(archive):
    with pytest.raises(FileMissingError, match="SPY 2024-01 1s is not stored"):
        archive.read(SPY)
    assert not archive.exists(SPY)


def test_a_file_that_the_disk_does_not_give_is_an_error_that_names_it(tmp_path):
    archive = Archive(tmp_path)
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").mkdir(parents=True)

    with pytest.raises(FileError, match=r"SPY_2024_01\.csv is a folder, not a file: move it away"):
        archive.read(SPY)


def test_a_failed_write_leaves_the_former_file_and_nothing_next_to_it(tmp_path, monkeypatch):
    archive = Archive(tmp_path)
    archive.write(SPY, b"old\n")

    def refuse(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileError, match=r"SPY 2024-01 1s could not be written to .*No space left"):
        archive.write(SPY, b"new\n")

    assert stored(tmp_path) == {"raw_1s/SPY/SPY_2024_01.csv": b"old\n"}


def test_pieces_are_counted_and_hashed_as_they_are_written(archive):
    written = archive.write(SPY, iter([b"bars", b"", b"\n"]))

    assert (written.size, written.sha256) == (5, hashlib.sha256(b"bars\n").hexdigest())
    assert archive.read(SPY) == b"bars\n"


def test_raw_files_may_have_a_folder_of_their_own(tmp_path):
    archive = Archive(tmp_path / "data", tmp_path / "elsewhere")
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")

    assert stored(tmp_path) == {"data/aggregated/15s/SPY_2024_01_15s.csv": b"2", "elsewhere/SPY/SPY_2024_01.csv": b"1"}
    assert list(archive.files()) == [SPY, SPY_15S]


def test_listing_skips_what_is_not_a_file_of_bars(archive):
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")
    for stray in ("raw_1s/SPY/notes.csv", "raw_1s/QQQ/SPY_2024_01.csv", "aggregated/30s/SPY_2024_01_15s.csv"):
        at = archive.root / stray
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(b"?")

    assert list(archive.files()) == [SPY, SPY_15S]


@pytest.mark.parametrize("root", ["foo://bucket/bars", "s3://bucket/bars"])
def test_a_store_that_is_not_known_or_not_installed_is_an_error_with_its_cure(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)

    with pytest.raises(InputError, match=rf"under '{root}'.*uv add s3fs"):
        Archive(root)


def test_an_address_with_a_password_is_refused_without_repeating_it():
    with pytest.raises(InputError) as caught:
        Archive("s3://key:secret@bucket/bars")

    assert str(caught.value) == (
        "the address of a folder holds a password, a query or a fragment, and addresses are recorded: take it out, and "
        "give the store's credentials in its own variables or files"
    )


def test_a_pipe_that_takes_the_place_of_a_file_at_this_moment_is_not_waited_for_and_is_closed(tmp_path, monkeypatch):
    archive, closed, close = Archive(tmp_path), [], os.close
    archive.path(SPY).parent.mkdir(parents=True)
    os.mkfifo(archive.path(SPY))
    monkeypatch.setattr(locations, "regular", lambda _: None)  # it was a file when it was looked at
    monkeypatch.setattr(os, "close", lambda handle: (closed.append(handle), close(handle)))

    with pytest.raises(NotRegularFileError, match="is a named pipe, not a file: move it away"):
        archive.read(SPY)
    assert len(closed) == 1


def test_a_table_about_the_files_is_next_to_them_and_none_of_them(archive):
    written = archive.write_path(COVERAGE, b"a table")
    archive.write(SPY, b"bars\n")

    assert archive.read_path(COVERAGE) == b"a table"
    assert (written.size, written.sha256) == (7, hashlib.sha256(b"a table").hexdigest())
    assert written.uri.endswith("/quality/coverage.parquet")
    assert list(archive.files()) == [SPY]


def test_a_table_that_cannot_be_written_says_which_and_where(tmp_path):
    (tmp_path / "quality").write_text("a file in the way")

    with pytest.raises(
        FileError, match=r"quality/coverage\.parquet could not be written to file://.*/quality/coverage"
    ):
        Archive(tmp_path).write_path(COVERAGE, b"a table")


def put(archive, what, content):
    _ = archive.write(what, content) if isinstance(what, BarFile) else archive.write_path(what, content)


def _replace_and_raise(archive, what):
    with archive.restored_on_error(what):
        put(archive, what, b"new")
        raise BarsError("the manifest cannot be written")


def replace_and_fail(archive, what):
    """Write a file, then fail at what belongs to it; that error is raised as it is."""
    with pytest.raises(BarsError, match="the manifest cannot be written"):
        _replace_and_raise(archive, what)


@pytest.mark.parametrize("former", [b"former", None])
@pytest.mark.parametrize("what", [SPY, COVERAGE], ids=["bars", "a path"])
def test_a_file_is_put_back_or_absent_again_when_what_belongs_to_it_fails(archive, what, former):
    if former is not None:
        put(archive, what, former)
    replace_and_fail(archive, what)

    name = str(what.path if isinstance(what, BarFile) else what)
    assert stored(archive.root) == ({name: former} if former is not None else {})


@pytest.mark.parametrize("former", [b"former", None])
def test_what_was_written_stays_where_nothing_fails(archive, former):
    if former is not None:
        archive.write(SPY, former)
    with archive.restored_on_error(SPY):
        archive.write(SPY, b"new")

    assert stored(archive.root) == {"raw_1s/SPY/SPY_2024_01.csv": b"new"}


def test_raw_files_in_a_folder_of_their_own_are_put_back_there(tmp_path):
    archive = Archive(tmp_path / "data", tmp_path / "elsewhere")
    archive.write(SPY, b"former")
    replace_and_fail(archive, SPY)

    assert stored(tmp_path) == {"elsewhere/SPY/SPY_2024_01.csv": b"former"}


def test_a_disk_that_refuses_to_keep_the_former_file_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    archive = Archive(tmp_path)
    archive.write(SPY, b"former")

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(shutil, "copy2", refuse)
    with (
        pytest.raises(DiskFullError, match=r"SPY 2024-01 1s could not be kept as it was in file://.*No space left"),
        archive.restored_on_error(SPY),
    ):
        archive.write(SPY, b"new")

    assert stored(tmp_path) == {"raw_1s/SPY/SPY_2024_01.csv": b"former"}


@pytest.fixture
def kept_temporaries(monkeypatch):
    """A disk that removes no temporary file; the names of those that it was asked to remove."""
    unlink, asked = Path.unlink, []

    def refuse(self, missing_ok=False):  # noqa: FBT002 - as pathlib has it
        if self.name.endswith(".part"):
            asked.append(self.name)
            raise OSError(5, "Input/output error")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    return asked


def without_temporaries(root):
    return {path: content for path, content in stored(root).items() if not path.endswith(".part")}


def test_files_that_belong_together_are_both_new_where_a_temporary_file_cannot_be_removed(tmp_path, kept_temporaries):
    archive = Archive(tmp_path)
    for what in (SPY, COVERAGE):
        put(archive, what, b"former")
    with archive.restored_on_error(SPY), archive.restored_on_error(COVERAGE):
        for what in (SPY, COVERAGE):
            put(archive, what, b"new")

    assert kept_temporaries
    assert without_temporaries(archive.root) == {str(SPY.path): b"new", str(COVERAGE): b"new"}


def test_what_went_wrong_is_told_where_a_temporary_file_cannot_be_removed(tmp_path, kept_temporaries):
    archive = Archive(tmp_path)
    put(archive, SPY, b"former")
    replace_and_fail(archive, SPY)

    assert kept_temporaries
    assert without_temporaries(archive.root) == {str(SPY.path): b"former"}


def test_when_a_file_was_written_is_told_in_utc_and_one_that_is_absent_is_named(tmp_path):
    archive = Archive(tmp_path)
    with pytest.raises(FileMissingError, match=r"SPY 2024-01 1s is not stored: there is no file file://"):
        archive.written_at(SPY)
    archive.write(SPY, b"bars\n")
    os.utime(archive.path(SPY), (0, 1_704_205_800))

    assert archive.written_at(SPY).isoformat() == "2024-01-02T14:30:00+00:00"
