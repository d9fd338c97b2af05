"""Two processes or hosts that write one partition at the same time: one whole file and one record that matches it.

A file and its manifest entry are two writes, and no lock is shared by all hosts and stores. So each writer looks at
both afterwards. Where the file is of one writer and the entry of the other, the one whose bytes have the larger digest
writes all of its own again, and the other waits for it. A writer that waits in vain, as the other was killed, writes
its own.
"""

import random
import time
from collections.abc import Callable
from typing import Final

from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive, Written

PATIENCE: Final = 5.0
"""Seconds for which the other writer is waited for."""
_MOST_TIMES: Final = 5
"""How often a writer writes its own again before it gives up."""


class OverwrittenError(FileError):
    """Another writer stored other bytes of the same partition at the same moment, and they stay."""


def settle(
    archive: Archive,
    file: BarFile,
    written: Written,
    again: Callable[[], Written],
    *,
    mirrored: bool,
) -> tuple[Written, bool]:
    """Make the file and its manifest entry be of one writer; what this one wrote last, and whether it wrote again.

    Args:
        archive: where the file is.
        file: which file.
        written: what this writer wrote.
        again: writes file, mirror and entry once more.
        mirrored: whether a Parquet mirror was written: it is to match the file too.

    Raises:
        OverwrittenError: the other writer's file and entry are in place.
        FileError: the disk or the store refused, or others write all the time.
    """
    until, times = time.monotonic() + PATIENCE, 0
    while True:
        stored, recorded = _stored_digest(archive, file, written), _recorded_digest(archive, file)
        is_mine = stored == recorded == written.sha256
        if is_mine and not (mirrored and manifest.mirror_digest_if_valid(archive, file) != stored):
            return written, times > 0
        if stored == recorded and not is_mine:
            raise OverwrittenError(
                f"{file}: another process or host stored other bytes at the same moment, and they stay; those of this "
                "run are not stored. Materialize it again to have it checked and recorded here"
            )
        if written.sha256 == max(stored, recorded) or time.monotonic() > until:
            if times == _MOST_TIMES:
                raise FileError(f"{file} could not be stored: another process or host writes it all the time; stop one")
            written, times = again(), times + 1
        else:
            time.sleep(0.02 + 0.08 * random.random())  # noqa: S311 - not for secrets


def _stored_digest(archive: Archive, file: BarFile, written: Written) -> str:
    """The digest of the file in place; that of ours, unread, where it has the stamp that ours had."""
    found = archive.status(file)
    if found is None:
        return ""
    return written.sha256 if found.stamp == written.stamp else manifest.measure(archive.path(file)).sha256


def _recorded_digest(archive: Archive, file: BarFile) -> str:
    entry = manifest.read_if_valid(archive, file)
    return "" if entry is None else entry.sha256
