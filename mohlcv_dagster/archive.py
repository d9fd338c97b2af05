"""WHERE bars stay: whole files in a local folder or under an fsspec URL.

A file is whole or absent: in a folder by the way of `whole_files`, on an object store by one PUT. What is inside a file
is the business of `bars`; this module moves bytes.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from mohlcv_dagster import whole_files
from mohlcv_dagster.bars.files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import DiskFullError, FileError, FileMissingError, InputError

if TYPE_CHECKING:
    from typing_extensions import Buffer
    from upath import UPath

_LOCAL: Final = frozenset({"", "file", "local"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What a disk says that takes no more bytes of any file."""
_ETAGS: Final = ("ETag", "etag")
"""Where the fsspec stores of S3, of Azure and of Google tell an object's ETag."""


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Attributes:
        uri: where it stands, such as `file:///srv/data/raw_1s/SPY/SPY_2024_01.csv`.
        size: bytes.
        sha256: of its bytes, hexadecimal.
        stamp: as `Seen.stamp`; empty where the store did not tell.
    """

    uri: str
    size: int
    sha256: str
    stamp: str = ""


@dataclass(frozen=True)
class Seen:
    """A file as one look finds it, without reading it.

    Attributes:
        stamp: a text that changes whenever the file is written: inode, size and time, or an object store's ETag.
        size: bytes.
    """

    stamp: str
    size: int


class Archive:
    """The files of bars under one root.

    Args:
        root: a folder (relative ones against the working folder, at once) or an fsspec URL such as `s3://bucket/bars`.
        raw: the same for the folder of raw files, where it is not `raw_1s` under `root`.
        aggregated: the same for the folder of the timeframes' folders, where it is not `aggregated` under `root`.

    Raises:
        InputError: a root is a URL of no store that is known or installed.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        raw: str | os.PathLike[str] | None = None,
        aggregated: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = place(root)
        self.raw = place(raw) if raw else self.root / RAW_FOLDER
        self.aggregated = place(aggregated) if aggregated else self.root / AGGREGATED_FOLDER

    def path(self, file: BarFile) -> "UPath | Path":
        """Where `file` stands, whether or not it is there."""
        if file.timeframe == RAW:
            return self.raw / str(file.path.relative_to(RAW_FOLDER))
        return self.aggregated / str(file.path.relative_to(AGGREGATED_FOLDER))

    def uri(self, file: BarFile) -> str:
        """`path` as a URI."""
        return _uri(self.path(file))

    def exists(self, file: BarFile) -> bool:
        """Whether `file` is there."""
        return bool(self.path(file).is_file())

    @contextmanager
    def open(self, file: BarFile) -> Iterator[BinaryIO]:
        """The bytes of `file`, to be read and sought in; those of now, also when it is replaced meanwhile.

        Raises:
            FileMissingError: it is not there.
            FileError: the disk refused, here or where they are read.
        """
        at = self.path(file)
        try:
            # of an object store, all in one request
            with at.open("rb") if isinstance(at, Path) else BytesIO(at.read_bytes()) as stream:
                yield stream
        except FileNotFoundError:
            raise FileMissingError(f"{file} is not stored: there is no file {self.uri(file)}") from None
        except OSError as error:
            raise FileError(f"{file} could not be read from {self.uri(file)}: {error}") from error

    def read(self, file: BarFile) -> bytes:
        """The bytes of `file`.

        Raises:
            FileMissingError, FileError: as `open`.
        """
        with self.open(file) as stream:
            return stream.read()

    def mark(self, file: BarFile) -> str | None:
        """The stamp of `file` (see `Seen`); `None` while it is not there."""
        seen = self.seen(file)
        return seen.stamp if seen else None

    def seen(self, file: BarFile) -> Seen | None:
        """`file` as one `stat`, or one request to an object store, finds it; `None` while it is not there.

        Raises:
            FileError: the disk or the store refused.
        """
        try:
            return _seen(self.path(file))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FileError(f"{file} could not be looked at: {self.uri(file)}: {error}") from error

    def written_at(self, file: BarFile) -> datetime:
        """When `file` was written, UTC, as the disk or the store says.

        Raises:
            FileMissingError: it is not there.
        """
        try:
            return datetime.fromtimestamp(self.path(file).stat().st_mtime, UTC)
        except FileNotFoundError:
            raise FileMissingError(f"{file} is not stored: there is no file {self.uri(file)}") from None

    def write(self, file: BarFile, content: "bytes | Iterable[Buffer]") -> Written:
        """Put `content` in the place of `file`, whole or not at all; a file that was there is replaced.

        Args:
            file: which file.
            content: its bytes, or pieces of them one after the other, which never stand in memory together.

        Raises:
            FileNameClashError: on this disk the name belongs to another symbol, different in case only.
            FileError: the disk refused.
        """
        return _write(self.path(file), str(file), [content] if isinstance(content, bytes) else content)

    def write_beside(self, path: PurePosixPath, content: bytes) -> Written:
        """Put what is no file of bars, such as a table about them, at `path` under the root, whole or not at all.

        Raises:
            FileError: the disk refused.
        """
        return _write(self.root / str(path), str(path), [content])

    def read_beside(self, path: PurePosixPath) -> bytes | None:
        """The bytes of what is no file of bars and stands at `path` under the root; `None` where nothing does.

        Raises:
            FileError: the disk refused.
        """
        at = self.root / str(path)
        try:
            return bytes(at.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError(f"{path} could not be read from {_uri(at)}: {error}") from error

    @contextmanager
    def restored_on_error(self, path: PurePosixPath | BarFile) -> Iterator[None]:
        """Put a file back as it is now, or remove it if it is absent now, when the block raises.

        Args:
            path: a file of bars, or a path relative to the root.

        Raises:
            FileError: the disk refused.
        """
        at = self.path(path) if isinstance(path, BarFile) else self.root / str(path)
        try:
            guard = whole_files.restored_on_error(at) if isinstance(at, Path) else _restored_in_store(at)
            with guard:
                yield
        except OSError as error:
            raise file_error(f"{path} could not be kept as it was in {_uri(at)}", error) from error

    def paths(self, pattern: str = "*") -> list[PurePosixPath]:
        """Everything under the root whose name is like `pattern`, folders too, relative to it and in order."""
        root = str(self.root).rstrip("/\\")
        found = (str(each).removeprefix(root).replace("\\", "/").lstrip("/") for each in self.root.rglob(pattern))
        return [PurePosixPath(path) for path in sorted(found)]

    def files(self) -> Iterator[BarFile]:
        """Every file of the archive that stands at its own path; others are passed over."""
        for under, folder in ((self.raw, RAW_FOLDER), (self.aggregated, AGGREGATED_FOLDER)):
            for at in sorted(str(found) for found in under.glob("*/*.csv")):
                try:
                    yield BarFile.parse("/".join((folder, *at.replace(os.sep, "/").split("/")[-2:])))
                except FileError:
                    continue


def place(text: str | os.PathLike[str]) -> "UPath | Path":
    """The folder or file of that name (relative ones against the working folder, at once) or fsspec URL.

    Raises:
        InputError: it is a URL of no store that is known or installed.
    """
    if "://" not in os.fspath(text):
        return Path(text).absolute()
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


def _uri(at: "UPath | Path") -> str:
    return at.as_uri() if isinstance(at, Path) else str(at)


def _write(at: "UPath | Path", what: str, content: "Iterable[Buffer]") -> Written:
    tally = _Tally(content)
    try:
        if isinstance(at, Path):
            stamp = stamp_of(whole_files.replace(at, tally))
        else:
            at.fs.pipe_file(at.path, b"".join(tally))
            stamp = _stamp_if_told(at)
    except OSError as error:
        raise file_error(f"{what} could not be written to {_uri(at)}", error) from error
    return Written(_uri(at), tally.size, tally.sha256.hexdigest(), stamp)


def stamp_of(status: os.stat_result) -> str:
    """The stamp (see `Seen`) of a file on a disk."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _seen(at: "UPath | Path") -> Seen:
    if isinstance(at, Path):
        status = at.stat()
        return Seen(stamp_of(status), status.st_size)
    told = at.fs.info(at.path)
    tag = next((told[name] for name in _ETAGS if told.get(name)), None)
    return Seen(str(at.fs.ukey(at.path) if tag is None else tag), int(told["size"]))


def _stamp_if_told(at: "UPath") -> str:
    """The stamp of an object that was just written; empty where the store cannot be asked now: the object is whole."""
    try:
        return _seen(at).stamp
    except OSError:
        return ""


def file_error(what: str, error: OSError) -> FileError:
    """The error of ours for one of the disk's; a disk that takes no more bytes is a type of its own."""
    kind = DiskFullError if error.errno in _FULL else FileError
    return kind(f"{what}: {error}")


@contextmanager
def _restored_in_store(at: "UPath") -> Iterator[None]:
    """As `whole_files.restored_on_error`, for an object, whose former bytes are read first."""
    former = at.read_bytes() if at.is_file() else None
    try:
        yield
    except BaseException:
        if former is not None:
            at.fs.pipe_file(at.path, former)
        elif at.is_file():
            at.unlink()
        raise


class _Tally:
    """Pieces of bytes, measured as they go by."""

    def __init__(self, pieces: "Iterable[Buffer]") -> None:
        self._pieces = pieces
        self.size = 0
        self.sha256 = hashlib.sha256()

    def __iter__(self) -> "Iterator[Buffer]":
        for piece in self._pieces:
            self.size += memoryview(piece).nbytes
            self.sha256.update(piece)
            yield piece
