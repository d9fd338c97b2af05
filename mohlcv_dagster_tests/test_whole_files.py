"""A file that is put back as it was when what belongs to it cannot be written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster import whole_files

KILLED = """
import os, pathlib, signal, sys
from mohlcv_dagster import whole_files
at = pathlib.Path(sys.argv[1])
with whole_files.restored_on_error(at):
    whole_files.replace(at, [b"new"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


class RefusedError(Exception):
    """What went wrong after the file was replaced."""


@pytest.fixture
def at(tmp_path):
    """A file that stands alone in its folder."""
    place = tmp_path / "folder" / "file.csv"
    place.parent.mkdir()
    place.write_bytes(b"former")
    return place


@pytest.fixture
def without_links(monkeypatch):
    """A disk such as exFAT, which has no hard links."""

    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.fixture
def looking_again(monkeypatch):
    """Folders are looked through at each writing."""
    monkeypatch.setattr(whole_files, "_LOOK_AGAIN", 0.0)


def standing_in(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def replace_and_raise(at, error, contents=(b"new",)):
    with whole_files.restored_on_error(at):
        for content in contents:
            whole_files.replace(at, [content])
            assert at.read_bytes() == content
        raise error


def replace_and_fail(at, *contents):
    with pytest.raises(RefusedError):
        replace_and_raise(at, RefusedError, contents or (b"new",))


def test_the_former_file_is_put_back_the_very_same_and_nothing_is_left_next_to_it(at):
    os.utime(at, (1_700_000_000, 1_700_000_000))
    before = at.stat()

    replace_and_fail(at)

    after = at.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    assert standing_in(at.parent) == {"file.csv": b"former"}


def test_a_file_that_was_absent_is_absent_again(at):
    at.unlink()

    replace_and_fail(at)

    assert standing_in(at.parent) == {}


def test_a_file_in_a_folder_that_was_absent_is_absent_again(tmp_path):
    replace_and_fail(tmp_path / "not there" / "file.csv")

    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_where_nothing_fails_the_new_file_stays_and_nothing_is_left_next_to_it(at):
    with whole_files.restored_on_error(at):
        whole_files.replace(at, [b"new"])

    assert standing_in(at.parent) == {"file.csv": b"new"}


def test_a_file_that_was_not_replaced_yet_stays_and_nothing_is_left_next_to_it(at):
    with pytest.raises(RefusedError), whole_files.restored_on_error(at):
        raise RefusedError

    assert standing_in(at.parent) == {"file.csv": b"former"}


def test_ctrl_c_puts_the_former_file_back_too(at):
    with pytest.raises(KeyboardInterrupt):
        replace_and_raise(at, KeyboardInterrupt)

    assert standing_in(at.parent) == {"file.csv": b"former"}


@pytest.mark.usefixtures("without_links")
def test_on_a_disk_without_hard_links_a_copy_is_put_back_with_the_former_time(at):
    os.utime(at, (1_700_000_000, 1_700_000_000))

    replace_and_fail(at)

    assert at.stat().st_mtime == 1_700_000_000
    assert standing_in(at.parent) == {"file.csv": b"former"}


@pytest.mark.usefixtures("without_links")
def test_on_a_disk_without_hard_links_a_new_file_stays_alone_too(at):
    with whole_files.restored_on_error(at):
        whole_files.replace(at, [b"new"])

    assert standing_in(at.parent) == {"file.csv": b"new"}


def test_a_folder_on_the_way_that_is_a_file_hides_not_what_went_wrong(tmp_path):
    (tmp_path / "folder").write_bytes(b"a file where a folder is due")

    with pytest.raises(RefusedError), whole_files.restored_on_error(tmp_path / "folder" / "file.csv"):
        raise RefusedError

    assert standing_in(tmp_path) == {"folder": b"a file where a folder is due"}


@pytest.mark.usefixtures("looking_again")
def test_a_process_that_is_killed_leaves_a_second_name_that_the_next_writer_removes(at):
    subprocess.run([sys.executable, "-c", KILLED, str(at)], check=False)

    [second] = [name for name in standing_in(at.parent) if name != "file.csv"]
    assert standing_in(at.parent) == {"file.csv": b"new", second: b"former"}
    assert whole_files.is_abandoned(at.with_name(second))

    whole_files.replace(at, [b"newer"])
    assert standing_in(at.parent) == {"file.csv": b"newer"}


@pytest.mark.usefixtures("looking_again")
def test_the_second_name_of_a_process_at_work_is_left_by_every_writer(at):
    replace_and_fail(at, b"one", b"two")

    assert standing_in(at.parent) == {"file.csv": b"former"}
