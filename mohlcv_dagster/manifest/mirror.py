"""The Parquet mirror: beside each CSV file, when the user asks for it, the same bars as a Parquet file.

It is never read in the place of the CSV. Its bytes are `bars.parquet_codec`'s.
"""

from typing import TYPE_CHECKING

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.manifest import passports

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from upath import UPath


def place(archive: Archive, file: BarFile) -> "UPath | Path":
    """Where the mirror of `file` stands, whether or not it is there."""
    return archive.root / str(parquet_codec.path_of(file))


def write(archive: Archive, file: BarFile, bars: "pa.Table", csv_sha256: str) -> bool:
    """Put the mirror of `file` in its place, whole or not at all; whether the file has one.

    A raw file that stands in a folder of its own has none: it is not part of the archive.

    Args:
        archive: where it stands.
        file: the CSV file.
        bars: the bars that it holds.
        csv_sha256: its digest.

    Raises:
        FileError: the disk refused.
        VolumePrecisionError: a volume is too large for the mirror's type.
    """
    if not passports.has_place(archive, file):
        return False
    try:
        archive.write_beside(parquet_codec.path_of(file), parquet_codec.encode(bars, csv_sha256))
    except FileError as error:
        raise FileError(
            f"the Parquet mirror of {file.path} could not be written, and the CSV file stays as it was: {error}. "
            "Make room, or set MOHLCV_PARQUET=false to store CSV files alone"
        ) from error
    return True


def digest(archive: Archive, file: BarFile) -> str | None:
    """The digest of the CSV file that the mirror of `file` was written with; `None` where there is no such mirror.

    Raises:
        FileError: what stands there is no Parquet file.
    """
    at = place(archive, file)
    if not at.is_file():
        return None
    with at.open("rb") as opened:
        return parquet_codec.csv_digest(opened)


def digest_if_sound(archive: Archive, file: BarFile) -> str | None:
    """As `digest`; `None` also where what stands there is no Parquet file: it is written anew."""
    try:
        return digest(archive, file)
    except FileError:
        return None
