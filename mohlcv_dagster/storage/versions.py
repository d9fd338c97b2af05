"""The versions of one file: in which order they were stored, which of them can be rebuilt, and from what.

A version is told from the one that followed it (see `history`), whose digest it has. No file is read or written here.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.history_codec import Form, Former, FormerFile
from mohlcv_dagster.errors import FileMissingError
from mohlcv_dagster.model.bar_files import BarFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class Kept:
    """A file of the history.

    Attributes:
        path: relative to the data folder.
        number: of the version, from 1.
        file: what is in it.
    """

    path: PurePosixPath
    number: int
    file: FormerFile


@dataclass(frozen=True)
class Version:
    """A version of a file of bars.

    Attributes:
        sha256, size, rows, stored_at: as in `Former`.
        kept: its file in the history; `None` for the present version.
        is_lost: whether it cannot be rebuilt, since a version that it is told from is missing.
    """

    sha256: str
    size: int
    rows: int
    stored_at: datetime
    kept: Kept | None = None
    is_lost: bool = False

    @property
    def following(self) -> Former | None:
        """What is known of how it was replaced; `None` for the present version."""
        return self.kept.file.version if self.kept else None

    @property
    def superseded_at(self) -> datetime | None:
        """When another version took its place, UTC; `None` for the present one."""
        return self.following.superseded_at if self.following else None


def timeline(kept: "Sequence[Kept]", present: str | None) -> list[Version]:
    """The former versions in the order in which they were stored.

    Args:
        kept: in order of numbers; several of one number are of replacements of which one at most happened.
        present: the digest of the present bytes; `None` where there are none.
    """
    known, found, next_digest = sources(kept, present), list[Version](), present
    for _, group in groupby(reversed(kept), key=lambda each: each.number):
        same = list(group)
        if all(each.file.version.sha256 == next_digest != each.file.version.successor for each in same):
            continue  # the replacement did not happen: these bytes are still there, or were when they were replaced
        followed = (each for each in same if each.file.version.successor == next_digest)
        that = next(followed, None) or max(same, key=lambda each: each.file.version.superseded_at)
        about = that.file.version
        is_lost = about.sha256 not in known
        found.append(Version(about.sha256, about.size, about.rows, about.stored_at, that, is_lost))
        next_digest = about.sha256
    return found[::-1]


def next_number(kept: "Sequence[Kept]", digest: str) -> int:
    """The number of the version with this digest: that of a replacement of it that did not happen, or a new one."""
    last = kept[-1].number if kept else 0
    newest = [each.file.version for each in kept if each.number == last]
    return last if newest and all(each.sha256 == digest != each.successor for each in newest) else last + 1


def sources(kept: "Sequence[Kept]", present: str | None) -> dict[str, Kept | None]:
    """Of each version that can be rebuilt, by digest, the file to begin with; `None` for the present bytes."""
    found: dict[str, Kept | None] = {} if present is None else {present: None}
    for each in kept:
        if each.file.form is not Form.CHANGES:
            found.setdefault(each.file.version.sha256, each)
    grown = True
    while grown:
        grown = False
        for each in reversed(kept):
            about = each.file.version
            if about.successor in found and about.sha256 not in found:
                found[about.sha256] = each
                grown = True
    return found


def rebuild(digest: str, kept: "Sequence[Kept]", present: bytes | None) -> bytes | None:
    """The bytes with a digest, from the present ones and the history; `None` where they cannot be rebuilt."""
    known, steps = sources(kept, None if present is None else hashlib.sha256(present).hexdigest()), list[FormerFile]()
    if digest not in known:
        return None
    while (source := known[digest]) is not None:
        steps.append(source.file)
        if source.file.form is not Form.CHANGES:
            break
        digest = source.file.version.successor
    if not steps:
        return present
    is_alone = steps[-1].form is not Form.CHANGES
    bars: pa.Table | None = None if is_alone or present is None else csv_codec.decode(present)
    for step in reversed(steps[1:]):
        bars = step.bars(bars)
    return steps[0].bytes(bars)


def as_of(file: BarFile, versions: "Sequence[Version]", before: datetime) -> Version:
    """The version that was there just before a moment.

    Args:
        file: which file.
        versions: as `History.versions` gives them.
        before: the moment, exclusive, UTC.

    Raises:
        FileMissingError: there was none, or it was not kept.
    """
    stored = [each for each in versions if each.stored_at < before]
    if not stored:
        first = f"the first version was stored at {versions[0].stored_at:%Y-%m-%d %H:%M:%S}Z" if versions else ""
        raise FileMissingError(f"nothing of {file} was stored by then: {first or 'nothing is stored of it now either'}")
    last = stored[-1]
    if last.superseded_at is not None and last.superseded_at < before:
        raise FileMissingError(
            f"the version of {file} that was there then was not kept: the one before it was replaced at "
            f"{last.superseded_at:%Y-%m-%d %H:%M:%S}Z, while MOHLCV_HISTORY was false or by another program"
        )
    return last


def why_lost(about: Former) -> str:
    """What is lost of a version that cannot be rebuilt, and the cure, in two sentences."""
    return (
        f"the version from {about.stored_at:%Y-%m-%d %H:%M:%S}Z to {about.superseded_at:%Y-%m-%d %H:%M:%S}Z (sha256 "
        f"{about.sha256[:12]}…) is lost: it is told from the one that followed it (sha256 {about.successor[:12]}…), "
        "which is neither in the history nor the present file. Put that one back from a copy, or delete this file."
    )
