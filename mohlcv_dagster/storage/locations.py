"""Folders and files on a disk or under an fsspec URL: how names are resolved, their status, their errors."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias, Union

from mohlcv_dagster.errors import DiskFullError, FileError, InputError, NotRegularFileError
from mohlcv_dagster.formatting import has_credentials
from mohlcv_dagster.storage import objects

if TYPE_CHECKING:
    from upath import UPath

AnyPath: TypeAlias = Union[Path, "UPath"]
"""A folder or file on a disk or under an fsspec URL."""

_LOCAL: Final = frozenset({"", "file", "local"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors of a disk that takes no more bytes of any file."""
_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_NOT_WAITING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""What a file is opened with besides: a pipe that appears there at this moment is not waited for."""


@dataclass(frozen=True)
class FileStat:
    """The status of a file, known without reading it.

    Attributes:
        stamp: changes whenever the file is written: inode, size and time, or an object store's ETag.
        size: bytes.
    """

    stamp: str
    size: int


def resolve_path(text: str | os.PathLike[str]) -> AnyPath:
    """The folder or file with that name (a relative one against the working folder, at once) or fsspec URL.

    Raises:
        InputError: it is a URL of a store that is unknown or not installed, or one that holds credentials, as addresses
            are recorded and shown.
    """
    if "://" not in os.fspath(text):
        return Path(text).absolute()
    if has_credentials(os.fspath(text)):
        raise InputError(
            "the address of a folder holds a password, a query or a fragment, and addresses are recorded: take it out, "
            "and give the store's credentials in its own variables or files"
        )
    try:
        at = objects.opened(os.fspath(text))
        _ = at if at.protocol in _LOCAL else at.fs  # loads the store's package
    except (ValueError, ImportError) as error:
        raise InputError(
            f"no files can be kept under {os.fspath(text)!r}: {error}. Write a folder or an fsspec URL such as "
            "s3://bucket/bars, and add the package of its store (`uv add s3fs`)"
        ) from error
    return Path(at.path).absolute() if at.protocol in _LOCAL else at


def uri_of(at: AnyPath) -> str:
    """`at` as a URI, such as `file:///srv/data/raw_1s/SPY/SPY_2024_01.csv`."""
    return at.as_uri() if isinstance(at, Path) else str(at)


def stamp_of(status: os.stat_result) -> str:
    """The stamp (see `FileStat`) of a file on a disk."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def status_of(at: AnyPath) -> FileStat:
    """The status of a file, from one `stat` or one request to an object store.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: it is not there, or the disk or the store refused.
    """
    if isinstance(at, Path):
        status = regular(at)
        return FileStat(stamp_of(status), status.st_size)
    return FileStat(*objects.stamp_and_size(at))


def regular(at: Path) -> os.stat_result:
    """The status of a regular file, links followed.

    Raises:
        NotRegularFileError: it is anything else, such as a named pipe.
        OSError: it is not there, or the disk refused.
    """
    try:
        return _regular(at, at.stat())
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotRegularFileError(f"{at} is a link that leads back to itself, not a file: move it away") from None


def _regular(at: Path, status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        linked = "a link to " if at.is_symlink() else ""
        raise NotRegularFileError(f"{at} is {linked}{kind}, not a file: move it away")
    return status


def open_file(at: Path) -> BinaryIO:
    """Open a regular file for reading. Nothing else is opened, since a pipe or a device may be waited for without end.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: it is not there, or the disk refused.
    """
    regular(at)
    handle = os.open(at, os.O_RDONLY | _NOT_WAITING)
    try:
        _regular(at, os.fstat(handle))
    except NotRegularFileError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(at: AnyPath) -> bytes:
    """All bytes of a file.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: it is not there, or the disk or the store refused.
    """
    if not isinstance(at, Path):
        return objects.get(at)
    with open_file(at) as opened:
        return opened.read()


def file_error(what: str, error: OSError) -> FileError:
    """Our error for an `OSError`; a disk that takes no more bytes has a type of its own."""
    kind = DiskFullError if error.errno in _FULL else FileError
    return kind(f"{what}: {error}")
