import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from mohlcv_dagster import whole_files
from mohlcv_dagster.archive import Archive, Seen
from mohlcv_dagster.bars import timeframes
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import (
    BarsError,
    DiskFullError,
    FileError,
    FileMissingError,
    FileNameClashError,
    InputError,
)
from mohlcv_dagster.whole_files import HOST

SPY = BarFile("SPY", RAW, Month(2024, 1))
SPY_15S = BarFile("SPY", timeframes.parse("15s"), Month(2024, 1))


@pytest.fixture(params=["folder", "memory"])
def archive(request, tmp_path):
    if request.param == "folder":
        return Archive(tmp_path / "data")
    return Archive(f"memory://{tmp_path.name}-{os.getpid()}")


@pytest.fixture
def looking_again(monkeypatch):
    """Folders are looked through at each writing."""
    monkeypatch.setattr(whole_files, "_LOOK_AGAIN", 0.0)


def everything_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_written_is_read_back_and_described(archive):
    written = archive.write(SPY, b"bars\n")

    assert archive.read(SPY) == b"bars\n"
    assert archive.exists(SPY)
    assert written.size == 5
    assert written.sha256 == hashlib.sha256(b"bars\n").hexdigest()
    assert written.uri.endswith("/raw_1s/SPY/SPY_2024_01.csv")
    assert "://" in written.uri


def test_files_stand_where_the_contract_says(tmp_path):
    archive = Archive(tmp_path)
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")

    assert everything_under(tmp_path) == ["aggregated/15s/SPY_2024_01_15s.csv", "raw_1s/SPY/SPY_2024_01.csv"]


def test_writing_again_replaces_and_changes_the_mark(archive):
    assert archive.mark(SPY) is None
    archive.write(SPY, b"old\n")
    first = archive.mark(SPY)
    assert archive.mark(SPY) == first
    archive.write(SPY, b"new\n")

    assert archive.read(SPY) == b"new\n"
    assert archive.mark(SPY) != first


def test_what_is_written_has_the_stamp_that_one_look_finds_until_it_is_written_again(archive):
    assert archive.seen(SPY) is None
    written = archive.write(SPY, b"old\n")
    assert archive.seen(SPY) == Seen(written.stamp, 4)
    again = archive.write(SPY, b"other\n")

    assert archive.seen(SPY) == Seen(again.stamp, 6)
    assert again.stamp != written.stamp


@pytest.fixture
def objects(tmp_path):
    """An archive in an object store, and the class of that store."""
    archive = Archive(f"memory://{tmp_path.name}-{os.getpid()}")
    return archive, type(archive.root.fs)


def test_the_stamp_of_an_object_is_its_etag_where_the_store_tells_one(objects, monkeypatch):
    archive, store = objects
    archive.write(SPY, b"bars\n")
    monkeypatch.setattr(store, "info", lambda *_: {"size": 5, "ETag": '"an-etag"'})

    assert archive.seen(SPY) == Seen('"an-etag"', 5)


def test_a_store_that_cannot_be_asked_after_writing_leaves_no_stamp(objects, monkeypatch):
    archive, store = objects
    monkeypatch.setattr(store, "info", lambda *_: (_ for _ in ()).throw(OSError("away")))

    assert not archive.write(SPY, b"bars\n").stamp
    with pytest.raises(FileError, match=r"could not be looked at.*away"):
        archive.seen(SPY)


def test_a_file_that_is_absent_is_named(archive):
    with pytest.raises(FileMissingError, match="SPY 2024-01 1s is not stored"):
        archive.read(SPY)
    assert not archive.exists(SPY)


def test_a_failed_write_leaves_the_former_file_and_nothing_beside_it(tmp_path, monkeypatch):
    archive = Archive(tmp_path)
    archive.write(SPY, b"old\n")

    def refuse(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileError, match=r"SPY 2024-01 1s could not be written to .*No space left"):
        archive.write(SPY, b"new\n")

    assert archive.read(SPY) == b"old\n"
    assert everything_under(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_a_failure_that_the_disk_told_of_in_the_middle_of_a_file_and_never_again_is_not_missed(tmp_path, monkeypatch):
    archive = Archive(tmp_path)
    archive.write(SPY, b"old\n")
    flush, calls = os.fsync, []

    def refuse_once(handle):
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        flush(handle)

    monkeypatch.setattr(os, "fsync", refuse_once)
    with pytest.raises(FileError, match="Input/output error"):
        archive.write(SPY, iter([b"x" * (9 << 20), b"y" * 100]))

    assert archive.read(SPY) == b"old\n"
    assert everything_under(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_a_file_of_many_pieces_is_these_one_after_the_other(tmp_path):
    pieces = [bytes([number]) * (3 << 20) for number in range(10)]
    written = Archive(tmp_path).write(SPY, iter(pieces))

    assert written.size == 30 << 20
    assert Archive(tmp_path).read(SPY) == b"".join(pieces)


def test_a_writer_killed_in_the_middle_leaves_the_former_file_and_the_next_write_sweeps_up(tmp_path, looking_again):
    archive = Archive(tmp_path)
    archive.write(SPY, b"old\n")
    killed_while_flushing = (
        "import os, signal, sys\n"
        "from mohlcv_dagster.archive import Archive\n"
        "from mohlcv_dagster.bars.files import BarFile\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Archive(sys.argv[1]).write(BarFile.parse('raw_1s/SPY/SPY_2024_01.csv'), b'new but cut sh')\n"
    )
    subprocess.run([sys.executable, "-c", killed_while_flushing, str(tmp_path)], check=False)

    assert archive.read(SPY) == b"old\n"
    assert len(everything_under(tmp_path)) == 2
    assert list(archive.files()) == [SPY]

    archive.write(SPY, b"new\n")
    assert everything_under(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_a_folder_is_looked_through_once_a_minute_by_a_process_and_at_once_by_the_next(tmp_path):
    archive = Archive(tmp_path)
    archive.write(SPY, b"1")
    left, other = (
        archive.path(SPY).with_name(f".{name}.csv.{HOST}-99999999-00000000.part") for name in ("SPY_2024_01", "SPY")
    )
    left.write_bytes(b"never finished")
    other.write_bytes(b"in the place of another")
    archive.write(SPY, b"2")
    assert left.exists()

    write = (
        "from mohlcv_dagster.archive import *; import sys; Archive(sys.argv[1]).write(BarFile.parse(sys.argv[2]), b'3')"
    )
    subprocess.run([sys.executable, "-c", write, str(tmp_path), str(SPY.path)], check=True)
    assert everything_under(tmp_path) == [f"raw_1s/SPY/{other.name}", "raw_1s/SPY/SPY_2024_01.csv"]


def test_another_machines_unfinished_file_is_left_until_it_is_a_day_old(tmp_path, looking_again):
    archive = Archive(tmp_path)
    archive.write(SPY, b"1")
    other = archive.path(SPY).with_name(".SPY_2024_01.csv.0badcafe-1-00000000.part")
    other.write_bytes(b"in the making")
    archive.write(SPY, b"2")
    assert other.exists()

    os.utime(other, (0, 0))
    archive.write(SPY, b"3")
    assert not other.exists()


def test_a_name_that_another_symbol_has_on_a_disk_that_ignores_case_is_refused(tmp_path):
    archive = Archive(tmp_path)
    archive.write(BarFile("BACpB", RAW, Month(2024, 1)), b"1")
    # what a disk that ignores case does: the other spelling leads to the same folder, and is not in the listing
    listing = Path.iterdir
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "raw_1s" / "BACPB").symlink_to(tmp_path / "raw_1s" / "BACpB")
        (tmp_path / "raw_1s" / "bacpb").symlink_to(tmp_path / "raw_1s" / "BACpB")
        patch.setattr(Path, "iterdir", lambda at: (e for e in listing(at) if e.name not in {"BACPB", "bacpb"}))
        with pytest.raises(FileNameClashError, match="ignores case"):
            archive.write(BarFile("BACPB", RAW, Month(2024, 1)), b"2")

    assert archive.read(BarFile("BACpB", RAW, Month(2024, 1))) == b"1"


def test_symbols_that_differ_in_case_are_kept_apart_on_a_disk_that_minds_case(tmp_path):
    archive = Archive(tmp_path)
    archive.write(BarFile("abc", RAW, Month(2024, 1)), b"1")
    archive.write(BarFile("ABC", RAW, Month(2024, 1)), b"2")

    assert archive.read(BarFile("abc", RAW, Month(2024, 1))) == b"1"


def test_raw_files_may_have_a_folder_of_their_own(tmp_path):
    archive = Archive(tmp_path / "data", tmp_path / "elsewhere")
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")

    assert everything_under(tmp_path) == ["data/aggregated/15s/SPY_2024_01_15s.csv", "elsewhere/SPY/SPY_2024_01.csv"]
    assert list(archive.files()) == [SPY, SPY_15S]


def test_listing_passes_over_what_is_not_a_file_of_bars(archive):
    archive.write(SPY, b"1")
    archive.write(SPY_15S, b"2")
    for stray in ("raw_1s/SPY/notes.csv", "raw_1s/QQQ/SPY_2024_01.csv", "aggregated/30s/SPY_2024_01_15s.csv"):
        at = archive.root / stray
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(b"?")

    assert list(archive.files()) == [SPY, SPY_15S]


@pytest.mark.parametrize("root", ["foo://bucket/bars", "s3://bucket/bars"])
def test_a_store_that_is_not_known_or_not_installed_is_told_with_its_cure(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)

    with pytest.raises(InputError, match=rf"under '{root}'.*uv add s3fs"):
        Archive(root)


def test_a_file_that_the_disk_does_not_give_is_an_error_that_names_it(tmp_path):
    archive = Archive(tmp_path)
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").mkdir(parents=True)

    with pytest.raises(FileError, match="SPY 2024-01 1s could not be read from file://"):
        archive.read(SPY)


def test_an_unfinished_file_that_is_none_of_ours_is_left_alone(tmp_path, looking_again):
    archive = Archive(tmp_path)
    archive.write(SPY, b"1")
    stray = archive.path(SPY).with_name(".SPY_2024_01.csv.rsync.part")
    stray.write_bytes(b"?")
    archive.write(SPY, b"2")

    assert stray.exists()


def test_a_table_about_the_files_stands_beside_them_and_is_none_of_them(archive):
    written = archive.write_beside(PurePosixPath("quality/coverage.parquet"), b"a table")
    archive.write(SPY, b"bars\n")

    assert (archive.root / "quality" / "coverage.parquet").read_bytes() == b"a table"
    assert (written.size, written.sha256) == (7, hashlib.sha256(b"a table").hexdigest())
    assert written.uri.endswith("/quality/coverage.parquet")
    assert list(archive.files()) == [SPY]


def test_a_table_that_cannot_be_written_says_which_and_where(tmp_path):
    (tmp_path / "quality").write_text("a file in the way")

    with pytest.raises(
        FileError, match=r"quality/coverage\.parquet could not be written to file://.*/quality/coverage"
    ):
        Archive(tmp_path).write_beside(PurePosixPath("quality/coverage.parquet"), b"a table")


COVERAGE = PurePosixPath("quality/coverage.parquet")


@pytest.mark.parametrize("what", [SPY, COVERAGE], ids=["bars", "a path"])
def test_what_stood_there_is_put_back_when_what_belongs_to_it_fails(archive, what):
    put(archive, what, b"former")
    replace_and_fail(archive, what)

    assert stored(archive) == {name_of(what): b"former"}


@pytest.mark.parametrize("what", [SPY, COVERAGE], ids=["bars", "a path"])
def test_what_was_absent_is_absent_again_when_what_belongs_to_it_fails(archive, what):
    replace_and_fail(archive, what)

    assert stored(archive) == {}


@pytest.mark.parametrize("former", [b"former", None])
def test_what_was_written_stays_where_nothing_fails(archive, former):
    if former is not None:
        archive.write(SPY, former)
    with archive.restored_on_error(SPY):
        archive.write(SPY, b"new")

    assert stored(archive) == {"raw_1s/SPY/SPY_2024_01.csv": b"new"}


def test_raw_files_in_a_folder_of_their_own_are_put_back_there(tmp_path):
    archive = Archive(tmp_path / "data", tmp_path / "elsewhere")
    archive.write(SPY, b"former")
    replace_and_fail(archive, SPY)

    assert archive.read(SPY) == b"former"
    assert everything_under(tmp_path) == ["elsewhere/SPY/SPY_2024_01.csv"]


def test_a_disk_that_refuses_to_keep_the_former_file_is_told_before_anything_is_written(tmp_path, monkeypatch):
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

    assert stored(archive) == {"raw_1s/SPY/SPY_2024_01.csv": b"former"}


def replace_and_fail(archive, what):
    """Write a file, then fail at what belongs to it; that is told as it is."""
    with pytest.raises(BarsError, match="the manifest cannot be written"):
        _replace_and_raise(archive, what)


def _replace_and_raise(archive, what):
    with archive.restored_on_error(what):
        put(archive, what, b"new")
        raise BarsError("the manifest cannot be written")


def put(archive, what, content):
    _ = archive.write(what, content) if isinstance(what, BarFile) else archive.write_beside(what, content)


def name_of(what):
    return str(what.path if isinstance(what, BarFile) else what)


def stored(archive):
    """Every file under the root, whatever its name."""
    files = (path for path in archive.paths() if (archive.root / str(path)).is_file())
    return {str(path): (archive.root / str(path)).read_bytes() for path in files}
