"""Files are replaced as a whole or not at all, and put back when what belongs to them cannot be written."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster.errors import FileMissingError, FileNameClashError, NotRegularFileError
from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster.storage.atomic_writes import HOST

KILLED_BEFORE_THE_RENAME = """
import os, pathlib, signal, sys
from mohlcv_dagster.storage import atomic_writes
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
atomic_writes.write(pathlib.Path(sys.argv[1]), [b"new but cut sh"])
"""
KILLED_AFTER_THE_RENAME = """
import os, pathlib, signal, sys
from mohlcv_dagster.storage import atomic_writes
at = pathlib.Path(sys.argv[1])
with atomic_writes.restored_on_error(at):
    atomic_writes.write(at, [b"new"])
    os.kill(os.getpid(), signal.SIGKILL)
"""
ANOTHER_PROCESS = """
import pathlib, sys
from mohlcv_dagster.storage import atomic_writes
atomic_writes.write(pathlib.Path(sys.argv[1]), [b"3"])
"""


class RefusedError(Exception):
    """What went wrong after the file was replaced."""


@pytest.fixture
def at(tmp_path):
    """A file that is alone in its folder."""
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
def listing_again(monkeypatch):
    """Folders are listed at each writing."""
    monkeypatch.setattr(atomic_writes, "_LIST_AGAIN", 0.0)


def files_in(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def leave(at, name):
    """A temporary file next to `at`."""
    left = at.with_name(name)
    left.write_bytes(b"never finished")
    return left


def replace_and_raise(at, error, contents=(b"new",)):
    with atomic_writes.restored_on_error(at):
        for content in contents:
            atomic_writes.write(at, [content])
            assert at.read_bytes() == content
        raise error


def replace_and_fail(at, *contents):
    with pytest.raises(RefusedError):
        replace_and_raise(at, RefusedError, contents or (b"new",))


def test_a_failure_that_the_disk_reports_in_the_middle_of_a_file_and_never_again_is_not_missed(at, monkeypatch):
    flush, calls = os.fsync, []

    def refuse_once(handle):
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        flush(handle)

    monkeypatch.setattr(os, "fsync", refuse_once)
    with pytest.raises(OSError, match="Input/output error"):
        atomic_writes.write(at, iter([b"x" * (9 << 20), b"y" * 100]))

    assert files_in(at.parent) == {"file.csv": b"former"}


def test_a_file_of_many_pieces_is_these_one_after_the_other(at):
    pieces = [bytes([number]) * (3 << 20) for number in range(10)]
    status = atomic_writes.write(at, iter(pieces))

    assert status.st_size == 30 << 20
    assert at.read_bytes() == b"".join(pieces)


@pytest.mark.usefixtures("listing_again")
def test_a_writer_killed_in_the_middle_leaves_the_former_file_and_the_next_write_removes_the_rest(at):
    subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_RENAME, str(at)], check=False)

    assert at.read_bytes() == b"former"
    assert len(files_in(at.parent)) == 2

    atomic_writes.write(at, [b"new"])
    assert files_in(at.parent) == {"file.csv": b"new"}


def test_a_folder_is_listed_once_a_minute_by_a_process_and_at_once_by_the_next(at):
    atomic_writes.write(at, [b"1"])
    left = leave(at, f".file.csv.{HOST}-99999999-00000000.part")
    other = leave(at, f".other.csv.{HOST}-99999999-00000000.part")
    atomic_writes.write(at, [b"2"])
    assert left.exists()

    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, str(at)], check=True)
    assert files_in(at.parent) == {other.name: b"never finished", "file.csv": b"3"}


@pytest.mark.usefixtures("listing_again")
def test_another_machines_unfinished_file_is_left_until_it_is_a_day_old(at):
    other = leave(at, ".file.csv.0badcafe-1-00000000.part")
    atomic_writes.write(at, [b"2"])
    assert other.exists()

    os.utime(other, (0, 0))
    atomic_writes.write(at, [b"3"])
    assert not other.exists()


@pytest.mark.usefixtures("listing_again")
def test_an_unfinished_file_that_is_none_of_ours_is_left_alone(at):
    stray = leave(at, ".file.csv.rsync.part")
    atomic_writes.write(at, [b"2"])

    assert stray.exists()


def test_a_name_that_another_symbol_has_on_a_disk_that_ignores_case_is_refused(tmp_path, monkeypatch):
    atomic_writes.write(tmp_path / "BACpB" / "file.csv", [b"1"])
    # what a disk that ignores case does: the other spelling leads to the same folder, and is not in the listing
    listing = Path.iterdir
    for spelling in ("BACPB", "bacpb"):
        (tmp_path / spelling).symlink_to(tmp_path / "BACpB")
    monkeypatch.setattr(Path, "iterdir", lambda at: (e for e in listing(at) if e.name not in {"BACPB", "bacpb"}))
    with pytest.raises(FileNameClashError, match="ignores case"):
        atomic_writes.write(tmp_path / "BACPB" / "file.csv", [b"2"])

    assert (tmp_path / "BACpB" / "file.csv").read_bytes() == b"1"


def test_symbols_that_differ_in_case_are_kept_apart_on_a_disk_that_minds_case(tmp_path):
    atomic_writes.write(tmp_path / "abc" / "file.csv", [b"1"])
    atomic_writes.write(tmp_path / "ABC" / "file.csv", [b"2"])

    assert (tmp_path / "abc" / "file.csv").read_bytes() == b"1"


def test_the_former_file_is_put_back_the_very_same_and_nothing_is_left_next_to_it(at):
    os.utime(at, (1_700_000_000, 1_700_000_000))
    before = at.stat()

    replace_and_fail(at)

    after = at.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    assert files_in(at.parent) == {"file.csv": b"former"}


def test_a_file_that_was_absent_is_absent_again(at):
    at.unlink()

    replace_and_fail(at)

    assert files_in(at.parent) == {}


def test_a_file_in_a_folder_that_was_absent_is_absent_again(tmp_path):
    replace_and_fail(tmp_path / "not there" / "file.csv")

    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


@pytest.mark.parametrize("disk", ["with links", "without_links"])
def test_where_nothing_fails_the_new_file_stays_and_nothing_is_left_next_to_it(at, disk, request):
    if disk == "without_links":
        request.getfixturevalue(disk)
    with atomic_writes.restored_on_error(at):
        atomic_writes.write(at, [b"new"])

    assert files_in(at.parent) == {"file.csv": b"new"}


def test_a_file_that_was_not_replaced_yet_stays_and_nothing_is_left_next_to_it(at):
    with pytest.raises(RefusedError), atomic_writes.restored_on_error(at):
        raise RefusedError

    assert files_in(at.parent) == {"file.csv": b"former"}


def test_ctrl_c_puts_the_former_file_back_too(at):
    with pytest.raises(KeyboardInterrupt):
        replace_and_raise(at, KeyboardInterrupt)

    assert files_in(at.parent) == {"file.csv": b"former"}


@pytest.mark.usefixtures("without_links")
def test_on_a_disk_without_hard_links_a_copy_is_put_back_with_the_former_time(at):
    os.utime(at, (1_700_000_000, 1_700_000_000))

    replace_and_fail(at)

    assert at.stat().st_mtime == 1_700_000_000
    assert files_in(at.parent) == {"file.csv": b"former"}


def test_a_parent_folder_that_is_a_file_does_not_hide_what_went_wrong(tmp_path):
    (tmp_path / "folder").write_bytes(b"a file where a folder should be")

    with pytest.raises(RefusedError), atomic_writes.restored_on_error(tmp_path / "folder" / "file.csv"):
        raise RefusedError

    assert files_in(tmp_path) == {"folder": b"a file where a folder should be"}


@pytest.mark.usefixtures("listing_again")
def test_a_process_that_is_killed_leaves_a_second_name_that_the_next_writer_removes(at):
    subprocess.run([sys.executable, "-c", KILLED_AFTER_THE_RENAME, str(at)], check=False)

    [second] = [name for name in files_in(at.parent) if name != "file.csv"]
    assert files_in(at.parent) == {"file.csv": b"new", second: b"former"}
    assert atomic_writes.is_abandoned(at.with_name(second))

    atomic_writes.write(at, [b"newer"])
    assert files_in(at.parent) == {"file.csv": b"newer"}


@pytest.mark.usefixtures("listing_again")
def test_the_second_name_of_a_process_at_work_is_left_by_every_writer(at):
    replace_and_fail(at, b"one", b"two")

    assert files_in(at.parent) == {"file.csv": b"former"}


@pytest.fixture
def umask_022():
    former = os.umask(0o022)
    yield
    os.umask(former)


def mode(at):
    return stat.S_IMODE(at.stat().st_mode)


@pytest.mark.usefixtures("umask_022")
def test_a_new_file_has_the_mode_of_the_umask_and_one_that_is_replaced_keeps_its_own(at):
    new = at.with_name("new.csv")
    atomic_writes.write(new, [b"new"])
    assert mode(new) == 0o644
    for kept in (0o640, 0o600, 0o444, 0o666):
        at.chmod(kept)
        atomic_writes.write(at, [b"new"])
        assert (mode(at), at.read_bytes()) == (kept, b"new")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_is_replaced_keeps_its_owner_and_group_where_this_user_may_set_them(at, monkeypatch):
    os.chown(at, 1234, 4321)
    at.chmod(0o640)
    atomic_writes.write(at, [b"new"])
    assert (at.stat().st_uid, at.stat().st_gid, mode(at)) == (1234, 4321, 0o640)

    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    atomic_writes.write(at, [b"newer"])
    assert (at.read_bytes(), at.stat().st_uid, mode(at)) == (b"newer", 0, 0o640)


@pytest.mark.parametrize("relative", [True, False])
def test_a_write_through_a_link_writes_the_file_behind_it_and_keeps_link_and_mode(at, tmp_path, relative):
    at.chmod(0o640)
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.symlink_to(at.relative_to(tmp_path) if relative else at)
    second.symlink_to(first)

    atomic_writes.write(second, [b"new"])
    with pytest.raises(RefusedError):
        replace_and_raise(second, RefusedError())

    assert (first.is_symlink(), second.is_symlink()) == (True, True)
    assert (at.read_bytes(), mode(at)) == (b"new", 0o640)
    assert [each.name for each in at.parent.iterdir()] == [at.name]


def test_a_link_to_a_file_that_is_not_there_makes_it_where_its_folder_is(at, tmp_path):
    at.unlink()
    link = tmp_path / "link.csv"
    link.symlink_to(at)
    with pytest.raises(RefusedError):
        replace_and_raise(link, RefusedError())
    assert not at.exists()
    atomic_writes.write(link, [b"new"])
    assert (link.is_symlink(), at.read_bytes()) == (True, b"new")

    link.unlink()
    link.symlink_to(tmp_path / "not mounted" / "file.csv")
    with pytest.raises(FileMissingError, match="not mounted: mount it, or remove the link"):
        atomic_writes.write(link, [b"new"])
    assert link.is_symlink()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/null"),
        lambda path: path.symlink_to(path.name),
    ],
    ids=["pipe", "folder", "device", "loop"],
)
def test_what_is_no_file_is_not_replaced(tmp_path, make):
    at = tmp_path / "file.csv"
    make(at)
    before = at.lstat()

    with pytest.raises(NotRegularFileError, match="not a file: move it away"):
        atomic_writes.write(at, [b"new"])

    assert (at.lstat().st_ino, at.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert list(tmp_path.iterdir()) == [at]


def test_every_module_that_writes_a_file_of_the_project_does_it_atomically():
    """Besides atomic writes: a journal, which is appended to, a temporary file for a process, whole folders renamed."""
    package = Path(atomic_writes.__file__).parents[1]
    writes = re.compile(
        r"(?<!def )write_text|write_bytes|open\(\s*[\"'][wax]|\.open\([\"'][wax]|os\.replace|\.rename\("
    )
    found = {
        str(at.relative_to(package)): writes.findall(at.read_text(encoding="utf-8")) for at in package.rglob("*.py")
    }

    assert {name: calls for name, calls in found.items() if calls} == {
        "storage/atomic_writes.py": ['.open("x'],
        "storage/repair.py": ['.open("a'],
        "dagster_patches/services.py": ["write_text"],
        "cli/home_creation.py": [".rename("],
    }
