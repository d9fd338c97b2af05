"""What is wrong with a home, from the errors of SQLite, of Dagster's migrations and of the disk.

Dagster passes them on as they are, wrapped two or three times, with a hundred lines of traceback.
"""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mohlcv_dagster.errors import HomeError, MohlcvError

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_ELSEWHERE: Final = "set DAGSTER_HOME to another folder"
_FULL: Final = "its disk is full", f"free space there, or {_ELSEWHERE} on another disk"
_READ_ONLY: Final = "it cannot be written", f"let this user write there, or {_ELSEWHERE}"
_DAMAGED: Final = (
    "a database in it is damaged",
    "restore it from a backup, or move the folder away: files of bars do not depend on it, and are recorded again",
)
_OTHER_DAGSTER: Final = (
    "it is of another version of Dagster",
    "run `dagster instance migrate` if it is of an older one; if it is of a newer one, install that",
)
_TWO_STARTS: Final = "two first starts at once left it half made", "run `mohlcv doctor`, which mends it"
_LOCKED: Final = (
    "another process has held a lock on a database in it for half a minute",
    "wait until that process is done, or end it, and run the same command again",
)
_FAILS: Final = "its disk fails", f"check the disk, or {_ELSEWHERE} on another one"
_LITTLE: Final = 1_000_000
"""Bytes free below which an error of the disk is taken for a full one, of which SQLite does not always say so."""
_BY_WORDS: Final = {
    "is full": _FULL,
    "readonly database": _READ_ONLY,
    "unable to open": _READ_ONLY,
    "is locked": _LOCKED,
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "disk i/o error": _FAILS,
    "no such table": _OTHER_DAGSTER,
    "no such column": _OTHER_DAGSTER,
    "can't locate revision": _OTHER_DAGSTER,
    "more than one head": _TWO_STARTS,
}
"""What is wrong and the cure, by words in the message of SQLite or of Alembic."""


@contextmanager
def explained(home: Path) -> Iterator[None]:
    """Turn an error of the home's databases or folder that leaves the block into a sentence; others pass through.

    Raises:
        HomeError: such an error.
    """
    try:
        yield
    except MohlcvError:
        raise
    except Exception as error:
        if known := explanation(error, home):
            raise known from error
        raise


def explanation(error: BaseException, home: Path) -> HomeError | None:
    """The sentence for an error that has its cause in a home; `None` for any other."""
    cause: BaseException | None = error
    while cause is not None:
        if known := _known(cause, home):
            found, cure = known
            return HomeError(f"Dagster's home {home} cannot be used, since {found}", cure)
        cause = cause.__cause__ or cause.__context__
    return None


def _known(error: BaseException, home: Path) -> tuple[str, str] | None:
    from alembic.util import CommandError  # noqa: PLC0415 - only once something failed

    if isinstance(error, OSError):
        return _of_folder(error, home)
    if not isinstance(error, (sqlite3.Error, CommandError)):
        return None
    text = str(error).lower()
    found = next((known for words, known in _BY_WORDS.items() if words in text), None)
    if found is _FAILS and shutil.disk_usage(home).free < _LITTLE:
        return _FULL
    return _DAMAGED if found is None and type(error) is sqlite3.DatabaseError else found


def _of_folder(error: OSError, home: Path) -> tuple[str, str] | None:
    """Of an error that names a file in the home."""
    name = error.filename
    if not isinstance(name, str) or not Path(name).absolute().is_relative_to(home):
        return None
    if error.errno in _NO_SPACE:
        return _FULL
    return f"{name} cannot be opened ({error.strerror})", _READ_ONLY[1]
