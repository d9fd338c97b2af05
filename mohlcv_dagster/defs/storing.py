"""Putting bars into the archive, and what is recorded of it; the one place where a partition becomes a file."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import csv_codec, frames
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import measured, passports
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.manifest.passports import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

ALREADY_STORED: Final = "already stored"
"""The output of a step that stored its partitions as it made them: for the IO manager there is nothing left to do."""


@dataclass
class Made:
    """Bars on their way to the IO manager, and what is recorded of how they were made.

    Attributes:
        bars: a `pyarrow.Table`, or a `pandas.DataFrame` of a user's own asset; `None` once they were taken.
        facts: for the file's passport; Dagster is told them by the step.
    """

    bars: object
    facts: Metadata = field(default_factory=dict)

    def take(self) -> object:
        """The bars, let go of here: what a step gave, a run in this process keeps to its end."""
        bars, self.bars = self.bars, None
        return bars


def store(archive: Archive, file: BarFile, bars: pa.Table, facts: Metadata, *, parquet: bool) -> Metadata:
    """Write `bars` in the place of `file`, whole or not at all, and its passport after it; what is to be recorded.

    The mirror comes first: where it cannot be written, the run fails and the CSV file is as it was. A mirror that was
    left behind in silence would give whoever reads it the former month under a green partition.

    Args:
        archive: where it stands.
        file: which file.
        bars: what is in it.
        facts: what is recorded of how they were made.
        parquet: whether the mirror is written too.

    Raises:
        FileError: the disk refused, or the name clashes with another symbol's.
        VolumePrecisionError: a volume is too large for the mirror.
    """
    pieces: Iterable[Buffer] = csv_codec.encode_chunks(bars)
    if parquet:
        from mohlcv_dagster.manifest import mirror  # noqa: PLC0415 - most have none, and Arrow's Parquet takes its time

        pieces = list(pieces)
        mirror.write(archive, file, bars, _sha256(pieces))
    recorded = measured.of_file(bars, archive.write(file, pieces))
    write(archive, file, passports.of(file, {**facts, **recorded}))
    return recorded


def table_of(bars: object) -> pa.Table:
    """The bars that a step gave as a table: a `pyarrow.Table`, or a `pandas.DataFrame` of a user's own asset.

    Raises:
        InputError: they are neither.
        BarsError: the frame has not what a table of bars has.
    """
    if isinstance(bars, pa.Table):
        return bars
    if frames.is_frame(type(bars)):
        return frames.from_frame(bars)  # type: ignore[arg-type] # it was just shown to be a frame
    raise InputError(f"bars are a pyarrow.Table or a pandas.DataFrame, was {type(bars).__name__}")


def _sha256(pieces: "Iterable[Buffer]") -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
