"""An archive of bars: reading and writing its files in a local folder or under an fsspec URL.

A file is complete or absent: in a folder it is written atomically, in an object store by a single PUT. The content is
encoded and decoded by `bars`; bytes go in and out here.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from mohlcv_dagster.errors import FileError, FileMissingError
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage import atomic_writes, inventory, objects
from mohlcv_dagster.storage.locations import (
    AnyPath,
    FileStat,
    file_error,
    open_file,
    read_file,
    resolve_path,
    stamp_of,
    status_of,
    uri_of,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer
    from upath import UPath


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Attributes:
        uri: where it is, such as `file:///srv/data/raw_1s/SPY/SPY_2024_01.csv`.
        size: bytes.
        sha256: of its bytes, hexadecimal.
        stamp: as `FileStat.stamp`; empty if the store did not report it.
    """

    uri: str
    size: int
    sha256: str
    stamp: str = ""


class Archive:
    """The files of bars under one root.

    Args:
        root: a folder (relative ones against the working folder, at once) or an fsspec URL such as `s3://bucket/bars`.
        raw: the same for the folder of raw files, if it is not `raw_1s` under `root`.
        aggregated: the same for the folder of the timeframes' folders, if it is not `aggregated` under `root`.

    Raises:
        InputError: a root is a URL of a store that is unknown or not installed.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        raw: str | os.PathLike[str] | None = None,
        aggregated: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = resolve_path(root)
        self.raw = resolve_path(raw) if raw else self.root / RAW_FOLDER
        self.aggregated = resolve_path(aggregated) if aggregated else self.root / AGGREGATED_FOLDER

    def path(self, file: BarFile) -> AnyPath:
        """Where `file` is, whether or not it exists."""
        if file.timeframe == RAW:
            return self.raw / str(file.path.relative_to(RAW_FOLDER))
        return self.aggregated / str(file.path.relative_to(AGGREGATED_FOLDER))

    def uri(self, file: BarFile) -> str:
        """`path` as a URI."""
        return uri_of(self.path(file))

    def exists(self, file: BarFile) -> bool:
        """Whether `file` exists.

        Raises:
            FileError: the disk or the store refused.
        """
        at = self.path(file)
        try:
            return at.is_file() if isinstance(at, Path) else objects.exists(at)
        except OSError as error:
            raise FileError(f"{file} could not be looked at: {self.uri(file)}: {error}") from error

    @contextmanager
    def open(self, file: BarFile) -> Iterator[BinaryIO]:
        """The current bytes of `file`, seekable; they stay the same if it is replaced meanwhile.

        Raises:
            FileMissingError: it does not exist.
            NotRegularFileError: it is not a regular file.
            FileError: the disk refused, here or where they are read.
        """
        at = self.path(file)
        try:
            # from an object store, all in one request
            with open_file(at) if isinstance(at, Path) else BytesIO(objects.get(at)) as stream:
                yield stream
        except FileNotFoundError:
            raise self._missing(file) from None
        except OSError as error:
            raise FileError(f"{file} could not be read from {self.uri(file)}: {error}") from error

    def read(self, file: BarFile) -> bytes:
        """The bytes of `file`.

        Raises:
            FileMissingError, NotRegularFileError, FileError: as `open`.
        """
        with self.open(file) as stream:
            return stream.read()

    def status(self, file: BarFile) -> FileStat | None:
        """The status of `file`, from one `stat` or one request to an object store; `None` if it does not exist.

        Raises:
            NotRegularFileError: it is not a regular file.
            FileError: the disk or the store refused.
        """
        try:
            return status_of(self.path(file))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FileError(f"{file} could not be looked at: {self.uri(file)}: {error}") from error

    def written_at(self, file: BarFile) -> datetime:
        """When `file` was written, UTC, as the disk or the store reports.

        Raises:
            FileMissingError: it does not exist.
        """
        try:
            return datetime.fromtimestamp(self.path(file).stat().st_mtime, UTC)
        except FileNotFoundError:
            raise self._missing(file) from None

    def write(self, file: BarFile, content: "bytes | Iterable[Buffer]") -> Written:
        """Write `file` atomically; an existing file is replaced.

        Args:
            file: which file.
            content: its bytes, or pieces of them in order, which are never all in memory.

        Raises:
            FileNameClashError: on this disk the name belongs to another symbol that differs in case only.
            FileError: the disk refused.
        """
        return _write(self.path(file), str(file), [content] if isinstance(content, bytes) else content)

    def write_path(self, path: PurePosixPath, content: bytes) -> Written:
        """Write another file than one of bars, such as a manifest entry, atomically to `path` under the root.

        Raises:
            FileError: the disk refused.
        """
        return _write(self.root / str(path), str(path), [content])

    def read_path(self, path: PurePosixPath) -> bytes | None:
        """The bytes of another file than one of bars, at `path` under the root; `None` if it does not exist.

        Raises:
            FileError: the disk refused.
        """
        at = self.root / str(path)
        try:
            return read_file(at)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError(f"{path} could not be read from {uri_of(at)}: {error}") from error

    def remove_path(self, path: PurePosixPath) -> None:
        """Remove another file than one of bars, at `path` under the root; nothing where it does not exist.

        Raises:
            FileError: the disk refused.
        """
        at = self.root / str(path)
        try:
            at.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"{path} could not be removed from {uri_of(at)}: {error}") from error

    @contextmanager
    def restored_on_error(self, path: PurePosixPath | BarFile) -> Iterator[None]:
        """When the block raises, restore a file as it is now, or remove it if it is absent now.

        Args:
            path: a file of bars, or a path relative to the root.

        Raises:
            FileError: the disk refused.
        """
        at = self.path(path) if isinstance(path, BarFile) else self.root / str(path)
        try:
            guard = atomic_writes.restored_on_error(at) if isinstance(at, Path) else _object_restored_on_error(at)
            with guard:
                yield
        except OSError as error:
            raise file_error(f"{path} could not be kept as it was in {uri_of(at)}", error) from error

    def files(self) -> Iterator[BarFile]:
        """Every file of bars that is at its own path, raw files first; others are skipped."""
        return inventory.bar_files(self.raw, self.aggregated)

    def months(self, symbol: str, timeframe: Timeframe) -> frozenset[Month]:
        """The months of a symbol that are stored at a timeframe.

        Raises:
            SymbolError: it is not a symbol.
        """
        return inventory.months_beside(self.path(BarFile(symbol, timeframe, Month(1970, 1))), symbol, timeframe)

    def _missing(self, file: BarFile) -> FileMissingError:
        return FileMissingError(f"{file} is not stored: there is no file {self.uri(file)}")


def _write(at: AnyPath, what: str, content: "Iterable[Buffer]") -> Written:
    hashed = _Hashed(content)
    try:
        if isinstance(at, Path):
            stamp = stamp_of(atomic_writes.write(at, hashed))
        else:
            whole = b"".join(hashed)
            stamp = objects.put(at, whole, hashed.sha256.digest())
    except OSError as error:
        raise file_error(f"{what} could not be written to {uri_of(at)}", error) from error
    return Written(uri_of(at), hashed.size, hashed.sha256.hexdigest(), stamp)


@contextmanager
def _object_restored_on_error(at: "UPath") -> Iterator[None]:
    """As `atomic_writes.restored_on_error`, for an object, whose current bytes are read first."""
    previous = objects.get(at) if objects.exists(at) else None
    try:
        yield
    except BaseException:
        if previous is not None:
            objects.put(at, previous, hashlib.sha256(previous).digest())
        elif objects.exists(at):
            at.unlink()
        raise


class _Hashed:
    """Pieces of bytes, counted and hashed as they are iterated over."""

    def __init__(self, pieces: "Iterable[Buffer]") -> None:
        self._pieces = pieces
        self.size = 0
        self.sha256 = hashlib.sha256()

    def __iter__(self) -> "Iterator[Buffer]":
        for piece in self._pieces:
            self.size += memoryview(piece).nbytes
            self.sha256.update(piece)
            yield piece
