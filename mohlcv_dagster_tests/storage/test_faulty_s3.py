"""A store that fails, hangs, breaks off or lists late: the right bytes, or an error that says so, in bounded time."""

import logging

import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.defs import io_managers
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.verify import verify
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, WHOLE
from mohlcv_dagster_tests.storage.faulty_s3 import Fault, faulty_s3, timed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
CSV, ENTRY = "SPY_2024_01.csv", "SPY_2024_01.csv.json"


@pytest.fixture(scope="module")
def s3():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with faulty_s3() as (proxy, variables), pytest.MonkeyPatch.context() as patch:
        s3fs = pytest.importorskip("s3fs")
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(s3fs.S3FileSystem, "read_timeout", 0.5)
        s3fs.S3FileSystem.clear_instance_cache()
        yield proxy
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def archive(s3, request):
    """An archive of its own with a file and its entry; the store has no fault yet."""
    s3.fault = None
    archive = Archive(f"s3://bucket/{abs(hash(request.node.name))}")
    io_managers.store(archive, SPY, csv_codec.decode(WHOLE), {}, parquet=False)
    yield archive
    s3.fault = None


def test_a_file_is_one_put_with_a_checksum_and_its_etag_is_that_of_the_answer(s3, archive):
    s3.seen.clear()
    written = archive.write(SPY, FRACTIONAL)
    assert [method for method, _ in s3.seen] == ["PUT"]
    assert written.stamp == archive.status(SPY).stamp
    assert archive.read(SPY) == FRACTIONAL


def test_the_etag_recorded_is_not_that_of_another_writer_who_comes_right_after(s3, archive, monkeypatch):
    answer = s3.answer

    def overtaken(method, path, headers, body):
        given = answer(method, path, headers, body)
        if method == "PUT" and WHOLE not in body:
            monkeypatch.setattr(s3, "answer", answer)
            s3._forwarded(method, path, headers, WHOLE)
        return given

    before = archive.status(SPY).stamp
    monkeypatch.setattr(s3, "answer", overtaken)
    written = archive.write(SPY, FRACTIONAL)
    assert archive.read(SPY) == WHOLE
    assert written.stamp != before == archive.status(SPY).stamp


@pytest.mark.parametrize("kind", ["500", "upload", "hang"])
def test_a_write_that_fails_is_an_error_and_leaves_file_and_entry_as_they_were(s3, archive, kind):
    s3.fault = Fault(kind, "PUT", CSV)
    found, seconds = timed(lambda: io_managers.store(archive, SPY, csv_codec.decode(FRACTIONAL), {}, parquet=False))
    s3.fault = None

    assert isinstance(found, FileError)
    assert seconds < 30
    assert archive.read(SPY) == WHOLE
    assert not verify(archive).differences


@pytest.mark.parametrize("kind", ["500", "upload"])
def test_an_entry_that_cannot_be_written_leaves_file_and_entry_as_they_were(s3, archive, kind):
    s3.fault = Fault(kind, "PUT", ENTRY, times=6)
    found, _ = timed(lambda: io_managers.store(archive, SPY, csv_codec.decode(FRACTIONAL), {}, parquet=False))
    s3.fault = None

    assert isinstance(found, FileError)
    assert archive.read(SPY) == WHOLE
    assert not verify(archive).differences


@pytest.mark.parametrize("times", [1, 1 << 30])
@pytest.mark.parametrize("kind", ["500", "cut", "short", "hang"])
def test_a_read_gives_the_right_bytes_or_an_error(s3, archive, kind, times):
    s3.fault = Fault(kind, "GET", CSV, times)
    found, seconds = timed(lambda: archive.read(SPY))

    assert found == WHOLE if times == 1 else isinstance(found, FileError), found
    assert seconds < 60


@pytest.mark.parametrize("kind", ["500", "cut", "short", "hang"])
def test_verify_does_not_pass_what_it_could_not_read(s3, archive, kind):
    s3.fault = Fault(kind, "GET", f"/raw_1s/SPY/{CSV}")
    found, seconds = timed(lambda: verify(archive))

    assert {each.kind.value for each in found.differences} & {"unreadable", "changed"}
    assert seconds < 60


@pytest.mark.parametrize("kind", ["500", "hang"])
@pytest.mark.parametrize("question", ["exists", "status"])
def test_a_store_that_does_not_say_whether_there_is_a_file_is_no_absence(s3, archive, kind, question):
    s3.fault = Fault(kind, "HEAD", CSV)
    with pytest.raises(FileError, match="could not be looked at"):
        getattr(archive, question)(SPY)


def test_a_list_that_lacks_a_new_file_passes_no_archive_as_verified(s3, archive):
    late = BarFile.parse("raw_1s/SPY/SPY_2024_02.csv")
    s3.fault = Fault("late", "GET")
    before = verify(archive)
    io_managers.store(archive, late, csv_codec.decode(FRACTIONAL), {}, parquet=False)

    assert before.files == 1
    assert archive.exists(late)  # a file is looked at by its name, not in a list
    assert archive.read(late) == FRACTIONAL
    assert manifest.read(archive, late) is not None
    s3.fault = None
    assert verify(archive).files == 2


def test_a_file_that_another_host_replaced_after_it_was_listed_is_seen_as_it_is(s3, archive):
    list((archive.root / "raw_1s/SPY").iterdir())  # remembers what the store listed
    before = archive.status(SPY)
    other = type(archive.root.fs)(skip_instance_cache=True)
    other.pipe_file(str(archive.path(SPY).path), FRACTIONAL)

    assert archive.status(SPY) != before
    assert archive.status(SPY).size == len(FRACTIONAL)
