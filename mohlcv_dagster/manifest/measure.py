"""A file of bars as it stands: its digest, bars and size, from one reading in pieces. No bar is decoded."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from upath import UPath

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Measured:
    """A file of bars as it stands.

    Attributes:
        sha256: of its bytes, hexadecimal.
        rows: its lines less the header.
        size: bytes.
    """

    sha256: str
    rows: int
    size: int


def measure(at: "UPath | Path") -> Measured:
    """The digest, bars and size of a file, read piece by piece.

    Raises:
        FileError: the disk refused.
    """
    digest, lines, size, last = hashlib.sha256(), 0, 0, b"\n"
    try:
        with at.open("rb") as opened:
            while piece := opened.read(_PIECE):
                digest.update(piece)
                lines += piece.count(b"\n")
                size += len(piece)
                last = piece[-1:]
    except OSError as error:
        raise FileError(f"{at} could not be read: {error}") from error
    return Measured(digest.hexdigest(), max(lines + (last != b"\n") - 1, 0), size)
