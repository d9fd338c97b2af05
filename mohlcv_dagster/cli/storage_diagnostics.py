"""What `mohlcv doctor` checks of the data folder and of Dagster's home."""

import errno
import os
import shlex
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mohlcv_dagster.cli.dagster_home import (
    DAGSTER_HOME,
    Home,
    Paths,
    exists_visibly,
    nearest_existing,
    open_instance,
)
from mohlcv_dagster.cli.diagnostics import Diagnosis, fine, warning, wrong
from mohlcv_dagster.errors import HomeError, InputError, SettingsError, SymbolError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster.storage.atomic_writes import UNFINISHED, fsync_folder, is_abandoned
from mohlcv_dagster.storage.inventory import FileKind, Inventory

_LITTLE: Final = 1_000_000_000
"""Bytes free below which a backfill may not fit: some twenty months of a busy symbol."""

_TOO_LITTLE: Final = 100_000_000
"""Bytes free below which a busy month may not fit."""

_SHOWN: Final = 3

_RENAMED: Final = {
    "mohlcv_dagster.defs.event_log": "mohlcv_dagster.dagster_patches.sqlite_event_log",
    "KeptSqliteEventLogStorage": "RememberingSqliteEventLogStorage",
    "mohlcv_dagster.defs.run_queue": "mohlcv_dagster.dagster_patches.run_queue",
}
"""Names in the `dagster.yaml` of homes of earlier versions, and what they are called now."""


def data_folder(data_dir: str, *, offline: bool) -> Iterator[Diagnosis]:
    """The data folder: its disk, files left by killed writers, names outside the layout or differing in case only.

    Only names are looked at: the contents are checked by the asset checks.

    Args:
        data_dir: an absolute folder or an fsspec URL.
        offline: whether a store behind a URL must not be contacted.
    """
    if "://" in data_dir:
        yield _store(data_dir, offline=offline)
        return
    folder = Path(data_dir)
    existing = nearest_existing(folder)
    if not existing.is_dir():
        cure = "Set MOHLCV_DATA_DIR to a folder, or move the file elsewhere."
        yield wrong("data folder", f"{folder} cannot be made: {existing} is a file", cure)
        return
    yield free(existing)
    yield writable(existing)
    if existing == folder:
        yield from contents(folder)
    else:
        yield fine("data folder", f"{folder} does not exist yet; the first stored month makes it")


def free(folder: Path) -> Diagnosis:
    """How much free space the disk has."""
    left = shutil.disk_usage(folder).free
    found, cure = f"{left / 1e9:,.1f} GB free at {folder}", "Free space, or set MOHLCV_DATA_DIR to a larger disk."
    if left < _TOO_LITTLE:
        return wrong("disk", found, cure)
    return warning("disk", found, cure) if left < _LITTLE else fine("disk", found)


def writable(folder: Path) -> Diagnosis:
    """Whether a file can be written there and flushed to the disk, and the folder too; the file has no name."""
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


def contents(folder: Path) -> Iterator[Diagnosis]:
    """How many files of bars the folder has, and which files are not named as the layout requires."""
    listed = Inventory.of(folder)
    paths = [each.path for each in listed.files]
    unfinished = [path for path in paths if path.endswith(UNFINISHED) and is_abandoned(folder / path)]
    misnamed = [each.path for each in listed.of_kind(FileKind.FOREIGN)]
    yield fine("data folder", f"{quantity(len(listed.bars), 'file')} of bars in {folder}")
    if unfinished:
        cure = "Remove them, or fetch those months again: writing a file removes what an earlier writer left."
        yield warning("data folder", f"{_some(unfinished, 'unfinished file')} of a killed writer", cure)
    if misnamed:
        cure = "Nothing reads them: move them elsewhere, or rename them as data/README.md describes."
        yield warning("data folder", f"{_some(misnamed, 'file')} not named as the layout requires", cure)
    yield from _same_letters(paths)


def _same_letters(paths: Sequence[str]) -> Iterator[Diagnosis]:
    """Paths that are the same on a disk that ignores case."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        spellings[path.lower()].add(path)
    pairs = [" and ".join(sorted(each)) for each in spellings.values() if len(each) > 1]
    if pairs:
        cure = "Keep such symbols in separate data folders before you copy them to macOS or Windows."
        yield warning("data folder", f"{_some(sorted(pairs), 'pair')} differing in case only", cure)


def _some(each: Sequence[str], what: str) -> str:
    shown = ", ".join(each[:_SHOWN])
    more = f" and {len(each) - _SHOWN:,} more" if len(each) > _SHOWN else ""
    return f"{quantity(len(each), what)} ({shown}{more})"


def _store(url: str, *, offline: bool) -> Diagnosis:
    """Whether the store behind a URL answers."""
    cure = "Check MOHLCV_DATA_DIR, and the store's credentials in its own variables or files."
    try:
        root = Paths(url).archive().root
        if offline:
            return fine("data folder", f"{url}; not contacted: --offline")
        there = root.exists()
    except InputError as error:
        return wrong("data folder", str(error), cure)
    except Exception as error:  # noqa: BLE001 - each store has errors of its own, and all are reported
        return wrong("data folder", f"{url} does not answer: {type(error).__name__}: {error}", cure)
    return fine("data folder", f"{url} answers" + ("" if there else "; nothing is stored there yet"))


def dagster_home(home: Home, *, from_variable: bool) -> Iterator[Diagnosis]:
    """Dagster's home: whether it exists, opens and is in use. Dagster is loaded only where there is one.

    Args:
        home: which one.
        from_variable: whether `DAGSTER_HOME` names it.
    """
    named = f"{home.path}{'  (DAGSTER_HOME)' if from_variable else ''}"
    try:
        home.require_usable_path()
    except SettingsError as error:
        yield wrong("home", str(error).partition(";")[0], "Set DAGSTER_HOME to another folder.")
        return
    yaml = home.path / "dagster.yaml"
    if not exists_visibly(home.path):
        yield fine("home", f"{named} does not exist yet; the first command that stores bars makes it")
        return
    if not exists_visibly(yaml):
        yield warning("home", f"{named} has no dagster.yaml", "The first command that stores bars writes one.")
        return
    unwritable = writable(home.path)
    if unwritable.cure:
        cure = "Free space, or let this user write there, or set DAGSTER_HOME to another folder."
        yield wrong("home", unwritable.found, cure)
        return
    yield from _renamed(yaml)
    yield from _mended(home.path)
    yield from _opened(home.path, named)
    from mohlcv_dagster.dagster_patches.pool_places import is_locked  # noqa: PLC0415 - it takes its time to load

    in_use = is_locked(home.up_lock)
    yield fine("home", "in use: `mohlcv up` is running on it" if in_use else "not in use by `mohlcv up`")


def _renamed(yaml: Path) -> Iterator[Diagnosis]:
    """Correct names of ours in `dagster.yaml` that have changed since it was written."""
    text = yaml.read_bytes()
    found = [name for name in _RENAMED if name.encode() in text]
    for name in found:
        text = text.replace(name.encode(), _RENAMED[name].encode())
    if found:
        atomic_writes.write(yaml, [text])
        yield fine("home", f"{yaml} named {', '.join(found)}, which has moved: corrected")


def _mended(home: Path) -> Iterator[Diagnosis]:
    """Mend databases that two first starts at once left half made."""
    from mohlcv_dagster.dagster_patches import home_databases  # noqa: PLC0415 - it loads Dagster

    for copy in home_databases.mend(home):
        yield fine("home", f"two first starts at once had left a database half made: mended; {copy} is as it was")


def _opened(home: Path, named: str) -> Iterator[Diagnosis]:
    """Whether Dagster opens it and reads what is stored, and which of its symbols can never be fetched."""
    from mohlcv_dagster.defs.partitions import asset_key  # noqa: PLC0415 - as above
    from mohlcv_dagster.model.timeframes import RAW  # noqa: PLC0415 - only where there is something to open

    os.environ[DAGSTER_HOME] = str(home)  # its event log looks there
    try:
        with open_instance(keep_outputs=True) as instance:
            symbols = instance.get_dynamic_partitions("symbol")
            months = len(instance.get_materialized_partitions(asset_key(RAW)))
    except HomeError as error:
        yield wrong("home", error.found, f"{error.cure[0].upper()}{error.cure[1:]}.")
        return
    yield fine("home", f"{named} opens: {quantity(len(symbols), 'symbol')}, {quantity(months, 'month')} recorded")
    yield from _impossible(symbols)


def _impossible(symbols: Iterable[str]) -> Iterator[Diagnosis]:
    """The symbols that are none: the UI takes any text for a partition."""
    for symbol in sorted(symbols):
        try:
            check_symbol(symbol)
        except SymbolError as error:
            cure = f"Run `mohlcv symbols remove {shlex.quote(symbol)}`."
            if "|" in symbol:
                yield wrong("symbols", f"{symbol!r} has a |, and no backfill with it starts, of no symbol", cure)
            else:
                yield warning("symbols", f"each fetch of it fails: {error}", cure)
