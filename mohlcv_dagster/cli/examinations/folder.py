"""The data folder: its disk, what killed writers left, what is not the layout's, names that differ in case only.

Only names are looked at, never the bytes of a file: that is the business of the checks.
"""

import errno
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mohlcv_dagster.cli.examinations.finding import Finding, fine, warning, wrong
from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.atomic_writes import UNFINISHED, fsync_folder, is_abandoned

LITTLE: Final = 1_000_000_000
"""Bytes free below which a backfill may not fit: some twenty months of a busy symbol."""

TOO_LITTLE: Final = 100_000_000
"""Bytes free below which a busy month may not fit."""

_SHOWN: Final = 3


def examine(data_dir: str, *, offline: bool) -> Iterator[Finding]:
    """What is found of the data folder.

    Args:
        data_dir: an absolute folder or an fsspec URL.
        offline: whether a store behind a URL must not be asked.
    """
    if "://" in data_dir:
        yield _store(data_dir, offline=offline)
        return
    folder = Path(data_dir)
    there = nearest(folder)
    if not there.is_dir():
        cure = "Set MOHLCV_DATA_DIR to a folder, or move the file away."
        yield wrong("data folder", f"{folder} cannot be made: {there} is a file", cure)
        return
    yield free(there)
    yield writable(there)
    if there == folder:
        yield from contents(folder)
    else:
        yield fine("data folder", f"{folder} is not there yet; the first month makes it")


def is_there(path: Path) -> bool:
    """Whether `path` is there, as far as this user may know."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a folder above it must not be looked into


def nearest(folder: Path) -> Path:
    """`folder`, or what is there of the folders above it."""
    return next(at for at in (folder, *folder.parents) if is_there(at))


def free(folder: Path) -> Finding:
    """How much room the disk has."""
    left = shutil.disk_usage(folder).free
    found, cure = f"{left / 1e9:,.1f} GB free at {folder}", "Make room, or set MOHLCV_DATA_DIR to a larger disk."
    if left < TOO_LITTLE:
        return wrong("disk", found, cure)
    return warning("disk", found, cure) if left < LITTLE else fine("disk", found)


def writable(folder: Path) -> Finding:
    """Whether a file can be written there and flushed to the disk, and its folder too; the file has no name."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 65536)
            file.flush()
            os.fsync(file.fileno())
        fsync_folder(folder)
    except OSError as error:
        who = "; it belongs to another user" if error.errno in {errno.EACCES, errno.EPERM} else ""
        cure = "Let this user write there, or set MOHLCV_DATA_DIR to a folder that can be written."
        return wrong("disk", f"{folder} cannot be written: {error.strerror}{who}", cure)
    return fine("disk", f"written and flushed in {(time.monotonic() - began) * 1000:.0f} ms")


def contents(folder: Path) -> Iterator[Finding]:
    """What stands in the folder: how many files of bars, and what is not as the layout has it."""
    files = list(_files(folder))
    unfinished = [at for at in files if at.endswith(UNFINISHED) and is_abandoned(folder / at)]
    strange: list[str] = []
    ours = 0
    for at in files:
        if at.partition("/")[0] not in {RAW_FOLDER, AGGREGATED_FOLDER} or at.endswith(UNFINISHED):
            continue  # what stands beside the bars is anybody's
        if _is_of_bars(at):
            ours += 1
        else:
            strange.append(at)
    yield fine("data folder", f"{ours:,} files of bars in {folder}")
    if unfinished:
        cure = "Remove them, or fetch those months again: writing a file removes what was left beside it."
        yield warning("data folder", f"{_some(unfinished, 'unfinished file')} of a writer that was killed", cure)
    if strange:
        cure = "Nothing reads them: move them away, or to the names of data/README.md."
        yield warning("data folder", f"{_some(strange, 'file')} not named as the layout has it", cure)
    yield from _twins(files)


def _twins(files: Sequence[str]) -> Iterator[Finding]:
    """Paths that are one on a disk that ignores case."""
    spelt: dict[str, set[str]] = defaultdict(set)
    for at in files:
        spelt[at.lower()].add(at)
    twins = [" and ".join(sorted(spellings)) for spellings in spelt.values() if len(spellings) > 1]
    if twins:
        cure = "Keep such symbols in data folders of their own before you copy them to macOS or Windows."
        yield warning("data folder", f"{_some(sorted(twins), 'pair')} differing in case only", cure)


def _files(folder: Path) -> Iterator[str]:
    """Every file under `folder`, relative, with `/`; what cannot be read is passed over."""
    for place, _, names in os.walk(folder):
        under = os.path.relpath(place, folder).replace(os.sep, "/")
        yield from (name if under == "." else f"{under}/{name}" for name in names)


def _is_of_bars(path: str) -> bool:
    try:
        BarFile.parse(path)
    except FileError:
        return False
    return True


def _some(each: Sequence[str], what: str) -> str:
    shown = ", ".join(each[:_SHOWN])
    more = f" and {len(each) - _SHOWN:,} more" if len(each) > _SHOWN else ""
    return f"{len(each):,} {what}{'' if len(each) == 1 else 's'} ({shown}{more})"


def _store(url: str, *, offline: bool) -> Finding:
    """Whether the store behind a URL can be asked."""
    cure = "Check MOHLCV_DATA_DIR, and the store's credentials in its own variables or files."
    try:
        root = Archive(url).root
        if offline:
            return fine("data folder", f"{url}; not asked: --offline")
        there = root.exists()
    except InputError as error:
        return wrong("data folder", str(error), cure)
    except Exception as error:  # noqa: BLE001 - each store has errors of its own, and a doctor tells them all
        return wrong("data folder", f"{url} does not answer: {type(error).__name__}: {error}", cure)
    return fine("data folder", f"{url} answers" + ("" if there else "; nothing stands there yet"))
