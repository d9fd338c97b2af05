"""The passports of an archive: read, written, brought up to date. What is in one is in `bars.passport`."""

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import passport
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.passport import Passport, Verdict
from mohlcv_dagster.bars.rules import AGAINST_VENDOR, for_timeframe
from mohlcv_dagster.errors import FileError, PassportError

if TYPE_CHECKING:
    from pathlib import Path

    from upath import UPath

_DISTRIBUTION: Final = "mohlcv-dagster"


@cache
def software() -> str:
    """What writes passports here, such as `mohlcv-dagster 0.1.0`."""
    return f"{_DISTRIBUTION} {metadata.version(_DISTRIBUTION)}"


def has_place(archive: Archive, file: BarFile) -> bool:
    """Whether `file` stands in the layout under the archive's root; a folder elsewhere is not described there."""
    return archive.path(file) == archive.root / str(file.path)


def place(archive: Archive, file: BarFile) -> "UPath | Path":
    """Where the passport of `file` stands, whether or not it is there."""
    return archive.root / str(passport.path_of(file))


def read(archive: Archive, file: BarFile) -> Passport | None:
    """The passport of `file`; `None` where there is none.

    Raises:
        PassportError: what stands there is no passport of this file.
        FileError: the disk refused.
    """
    at = place(archive, file)
    try:
        found = Passport.decode(at.read_bytes())
    except FileNotFoundError:
        return None
    except PassportError as error:
        raise PassportError(f"{at}: {error}") from error
    except OSError as error:
        raise FileError(f"the passport {at} could not be read: {error}") from error
    if found.file != str(file.path):
        raise PassportError(f"{at}: it is the passport of {found.file}")
    return found


def read_if_sound(archive: Archive, file: BarFile) -> Passport | None:
    """The passport of `file`; `None` also where what stands there is none: what is recorded elsewhere replaces it."""
    try:
        return read(archive, file)
    except PassportError:
        return None


def write(archive: Archive, file: BarFile, told: Passport) -> bool:
    """Put a passport in its place, whole or not at all; whether it differs from the one that was there.

    Raises:
        FileError: the disk refused.
    """
    if not has_place(archive, file) or told == read_if_sound(archive, file):
        return False
    archive.write_beside(passport.path_of(file), told.encode())
    return True


def judged(
    archive: Archive,
    file: BarFile,
    recorded: Passport | None,
    verdicts: Iterable[Verdict],
    not_judged: Iterable[str] = (),
) -> bool:
    """Bring the manifest entry of `file` up to date after rules were put to it; whether that changed it.

    Verdicts of rules that are no longer put to such files go too.

    Args:
        archive: where it stands.
        file: which file.
        recorded: what was recorded when the file was written, in the place of a passport that is not there; `None`
            where nothing was. One that is there and speaks of other bytes is left alone: another home wrote it.
        verdicts: what the rules said that were judged.
        not_judged: names of the rules that were not, whose former verdicts are no longer true.

    Raises:
        FileError: the disk refused.
    """
    told = read_if_sound(archive, file) or recorded
    if told is None or (recorded is not None and told.sha256 != recorded.sha256):
        return False
    rules = (*for_timeframe(file.timeframe), *for_timeframe(file.timeframe, AGAINST_VENDOR))
    gone = {check.name for check in told.checks} - {rule.name for rule in rules}
    return write(archive, file, told.judged(verdicts, gone | set(not_judged)))
