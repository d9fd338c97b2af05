"""Atomic writes to a local disk: a temporary file in the same folder is written, flushed to disk and renamed.

Where a link is in the place of the file, the file it leads to is written. A file that is replaced keeps its mode, and
its owner and group where this user may set them; access control lists, extended attributes and further hard links are
not kept. A new file has the mode that the umask gives.

A writer that is killed leaves its temporary file, whose name identifies the writer: the next writer of the same file
removes it.
"""

import hashlib
import math
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import FileMissingError, FileNameClashError
from mohlcv_dagster.storage.locations import regular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from io import BufferedWriter

    from typing_extensions import Buffer

HOST: Final = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
"""Identifies this machine in the names of temporary files."""
UNFINISHED: Final = ".part"
"""The suffix of temporary files; their names begin with a dot."""
_NAME: Final = re.compile(r".*\.(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]{8}" + re.escape(UNFINISHED))
_WORTH_A_FLUSH: Final = 8 << 20
"""Bytes written since the last flush after which another one begins."""
_LIST_AGAIN: Final = 60.0
"""Seconds between two listings of a folder's leftovers: a folder of 60,000 files takes 40 ms to list."""
_ABANDONED_AFTER: Final = 86_400.0
"""Seconds after which a temporary file counts as abandoned if it is unknown whether its writer still runs."""

_leftovers: Final[dict[Path, tuple[float, tuple[str, ...]]]] = {}
"""For each folder this process wrote into: when it was last listed, and the temporary files that were in it."""


def write(at: Path, content: "Iterable[Buffer]") -> os.stat_result:
    """Write a file atomically; an existing one is replaced, and missing folders are made.

    Args:
        at: the file, which may exist.
        content: its bytes, in pieces.

    Returns:
        The status of the file that was written, taken before the rename: it cannot be that of another writer's file.

    Raises:
        FileNameClashError: on this disk the name belongs to another symbol that differs in case only.
        NotRegularFileError: what is there is not a regular file.
        FileMissingError: a link is there, and the folder that it leads to is not.
        OSError: the disk refused; an existing file stays unchanged.
    """
    at, former = _written_file(at)
    make_folder(at.parent)
    _refuse_case_clash(at)
    _remove_leftovers(at)
    temporary = _temporary(at)
    try:
        with temporary.open("xb") as out:
            _fill(out, content)
            if former is not None:
                _keep_access(out.fileno(), former)
            status = os.fstat(out.fileno())
        temporary.replace(at)
    except BaseException:
        _remove(temporary)
        raise
    fsync_folder(at.parent)
    return status


@contextmanager
def restored_on_error(at: Path) -> Iterator[None]:
    """When the block raises, restore the file at `at` as it is now, or remove it if it is absent now.

    While the block runs, the file has a second name in the same folder. A process that is killed leaves that name, and
    the next writer removes it.

    Raises:
        NotRegularFileError, FileMissingError: as `write`.
        OSError: the disk refused to keep the file.
    """
    at, _ = _written_file(at)
    previous = _second_name(at) if at.exists() else None
    try:
        yield
    except BaseException:
        if previous is not None:
            previous.replace(at)
            _remove(previous)  # if both names are of one file, renaming leaves both
        elif at.exists():  # a parent folder may be a file: then it is absent, and removing it is an error
            at.unlink()
        raise
    else:
        if previous is not None:
            _remove(previous)


def _remove(temporary: Path) -> None:
    """Remove a temporary file; one that the disk does not remove is left for the next writer of the file.

    What was done is done, and what went wrong is the error that is told: this is none.
    """
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def _written_file(at: Path) -> tuple[Path, os.stat_result | None]:
    """The file that is written, behind a link where `at` is one; and its status, `None` where there is none yet."""
    target = Path(os.path.realpath(at)) if at.is_symlink() else at
    try:
        return target, regular(at)
    except (FileNotFoundError, NotADirectoryError):
        if target != at and not target.parent.is_dir():
            raise FileMissingError(
                f"{at} is a link to {target}, and there is no folder {target.parent}: mount it, or remove the link"
            ) from None
        return target, None


def _keep_access(handle: int, former: os.stat_result) -> None:
    """Give a new file the mode of the one that it replaces, and its owner and group where this user may."""
    if os.name == "nt":
        return
    here = os.fstat(handle)
    if (here.st_uid, here.st_gid) != (former.st_uid, former.st_gid):
        with suppress(PermissionError):  # then the file is the writer's, as any other that it writes
            os.fchown(handle, former.st_uid, former.st_gid)
    os.fchmod(handle, stat.S_IMODE(former.st_mode))


def _second_name(at: Path) -> Path:
    """A hard link to the file; a copy on a disk without links."""
    kept = _temporary(at)
    try:
        kept.hardlink_to(at)
    except OSError:
        shutil.copy2(at, kept)
    return kept


def _temporary(at: Path) -> Path:
    """A name in the folder of `at` that identifies this process, so that leftovers of a killed one can be removed."""
    return at.with_name(f".{at.name}.{HOST}-{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}")


def _fill(out: "BufferedWriter", content: "Iterable[Buffer]") -> None:
    """Write all pieces and flush them to disk; the disk is busy already while further pieces are made."""
    flushed: list[Future[None]] = []  # each result is needed: a disk reports a failure once
    waiting = 0
    with ThreadPoolExecutor(1, thread_name_prefix="disk") as disk:
        for piece in content:
            waiting += out.write(piece)
            if waiting >= _WORTH_A_FLUSH and all(flush.done() for flush in flushed):
                out.flush()
                flushed.append(disk.submit(os.fsync, out.fileno()))
                waiting = 0
    for flush in flushed:
        flush.result()
    out.flush()
    os.fsync(out.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing; each new one survives a power cut.

    Raises:
        OSError: the disk refused, or a file is in its place.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)  # another process may just have made it
    fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_case_clash(at: Path) -> None:
    """On a disk that ignores case, refuse a name that exists in another spelling."""
    for place in (at.parent, at):
        other_case = place.with_name(place.name.swapcase())
        ignores_case = place.exists() and other_case.exists() and place.samefile(other_case)
        if ignores_case and all(entry.name != place.name for entry in place.parent.iterdir()):
            raise FileNameClashError(
                f"{at} cannot be written: this disk ignores case and the name belongs to another symbol; "
                "keep such symbols in data folders of their own"
            )


def _remove_leftovers(at: Path) -> None:
    """Remove what killed writers of `at` left, as far as the last listing of its folder found it."""
    now = time.monotonic()
    listed, names = _leftovers.get(at.parent, (-math.inf, ()))
    if now - listed >= _LIST_AGAIN:
        names = tuple(left.name for left in at.parent.glob(f".*{UNFINISHED}"))
        _leftovers[at.parent] = (now, names)
    for left in (at.with_name(name) for name in names if name.startswith(f".{at.name}.")):
        if is_abandoned(left):
            _remove(left)


def is_abandoned(left: Path) -> bool:
    """Whether it is a temporary file whose writer was killed: the next writer of the same file removes it."""
    match = _NAME.fullmatch(left.name)
    return match is not None and _writer_has_ended(left, match["host"], int(match["pid"]))


def _writer_has_ended(left: Path, host: str, pid: int) -> bool:
    # on Windows os.kill(pid, 0) sends Ctrl-C
    if host == HOST and os.name != "nt":
        return not _alive(pid)
    return _age(left) > _ABANDONED_AFTER


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
