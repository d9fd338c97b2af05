"""A file of bars as it stands: its digest, bars and size, from one reading in pieces. No bar is decoded."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.archive import stamp_of
from mohlcv_dagster.errors import FileError

if TYPE_CHECKING:
    from upath import UPath

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Measured:
    """A file of bars as it stands.

    Attributes:
        sha256: of its bytes, hexadecimal.
        rows: its lines less the header.
        size: bytes.
        stamp: that of the file when it was opened (see `archive.Seen`); empty in an object store.
    """

    sha256: str
    rows: int
    size: int
    stamp: str = field(default="", compare=False)


def measure(at: "UPath | Path") -> Measured:
    """The digest, bars and size of a file, read piece by piece.

    Raises:
        FileError: the disk refused.
    """
    digest, lines, size, last, stamp = hashlib.sha256(), 0, 0, b"\n", ""
    try:
        with at.open("rb") as opened:
            if isinstance(at, Path):
                stamp = stamp_of(os.fstat(opened.fileno()))
            while piece := opened.read(_PIECE):
                digest.update(piece)
                lines += piece.count(b"\n")
                size += len(piece)
                last = piece[-1:]
    except OSError as error:
        raise FileError(f"{at} could not be read: {error}") from error
    return Measured(digest.hexdigest(), max(lines + (last != b"\n") - 1, 0), size, stamp)
