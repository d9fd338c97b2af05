"""Folders and files on a disk or under an fsspec URL: how names are resolved, their status, their errors."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, Union

from mohlcv_dagster.errors import DiskFullError, FileError, InputError
from mohlcv_dagster.formatting import has_credentials

if TYPE_CHECKING:
    from upath import UPath

AnyPath: TypeAlias = Union[Path, "UPath"]
"""A folder or file on a disk or under an fsspec URL."""

_LOCAL: Final = frozenset({"", "file", "local"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors of a disk that takes no more bytes of any file."""
_ETAGS: Final = ("ETag", "etag")
"""Keys under which the fsspec stores of S3, Azure and Google report an object's ETag."""


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
        from upath import UPath  # noqa: PLC0415 - stores take a while to load, and a folder needs none

        at = UPath(text)
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
        OSError: it is not there, or the disk or the store refused.
    """
    if isinstance(at, Path):
        status = at.stat()
        return FileStat(stamp_of(status), status.st_size)
    info = at.fs.info(at.path)
    tag = next((info[name] for name in _ETAGS if info.get(name)), None)
    return FileStat(str(at.fs.ukey(at.path) if tag is None else tag), int(info["size"]))


def file_error(what: str, error: OSError) -> FileError:
    """Our error for an `OSError`; a disk that takes no more bytes has a type of its own."""
    kind = DiskFullError if error.errno in _FULL else FileError
    return kind(f"{what}: {error}")
