"""Whether files can be written, found out before the work that makes them begins. Nothing is made by asking.

A folder behind a URL is not asked: only a write shows what its store allows.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import HISTORY_FOLDER, MIRROR_FOLDER, BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.locations import AnyPath


def require_archive(archive: Archive, files: Iterable[BarFile], *, parquet: bool, history: bool) -> None:
    """Refuse an archive into which files like these cannot be written, with all that belongs to them.

    Args:
        archive: where they would be.
        files: one for each symbol and timeframe; their month does not matter.
        parquet: whether each has a Parquet mirror.
        history: whether former versions of raw files are kept.

    Raises:
        FileError: a folder cannot be written; the message names it.
    """
    folders: dict[Path, None] = {}
    for file in files:
        for at in _folders(archive, file, parquet=parquet, history=history):
            if isinstance(at, Path):
                folders[_nearest(at)] = None
    for folder in folders:
        if why := _refusal(folder):
            raise FileError(f"{folder} cannot be written: {why}; let this user write there, or set another folder")


def _folders(archive: Archive, file: BarFile, *, parquet: bool, history: bool) -> Iterable[AnyPath]:
    at = archive.path(file)
    yield at.parent
    if at != archive.root / str(file.path):  # in a folder elsewhere nothing belongs to a file
        return
    yield (archive.root / str(manifest_entry.path_of(file))).parent
    if parquet:
        yield archive.root / MIRROR_FOLDER
    if history and file.timeframe == RAW:
        yield (archive.root / str(PurePosixPath(HISTORY_FOLDER, file.path.parent))) / file.path.stem


def require_output(option: str, at: Path) -> None:
    """Refuse a file that cannot be written; `option`, such as `--report`, names it.

    Raises:
        InputError: it is a folder, or the one that it would be in cannot be written.
    """
    folder = _nearest(at.absolute().parent)
    why = "it is a folder" if at.is_dir() else _refusal(folder)
    if why:
        raise InputError(f"{option} {at} cannot be written: {why}; name another file")


def _nearest(folder: Path) -> Path:
    """`folder`, or what is nearest above it that exists."""
    return next((at for at in (folder, *folder.parents) if at.exists() or at.is_symlink()), folder)


def _refusal(folder: Path) -> str:
    """Why no file can be made in an existing folder; empty where one can."""
    if not folder.is_dir():
        return f"{folder} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=folder):  # it has no name, so nothing is left of it
            return ""
    except OSError as error:
        return error.strerror or str(error)
