"""The Parquet mirror: for each CSV file, if the user asks for it, a Parquet file with the same bars.

It is never read in place of the CSV file. Its columns and types are in `bars.parquet_codec`.
"""

import pyarrow as pa

from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive


def write(archive: Archive, file: BarFile, bars: pa.Table, csv_sha256: str) -> bool:
    """Write the mirror of `file` atomically; returns whether it has one.

    A raw file in a folder of its own has none: it is not part of the archive.

    Args:
        archive: where the CSV file is.
        file: the CSV file.
        bars: the bars in it.
        csv_sha256: its digest.

    Raises:
        FileError: the disk refused.
        VolumePrecisionError: a volume is too large for the mirror's type.
    """
    if not manifest.in_layout(archive, file):
        return False
    try:
        archive.write_path(parquet_codec.path_of(file), parquet_codec.encode(bars, csv_sha256))
    except FileError as error:
        raise FileError(
            f"the Parquet mirror of {file.path} could not be written, and the CSV file stays as it was: {error}. "
            "Make room, or set MOHLCV_PARQUET=false to store CSV files alone"
        ) from error
    return True


def digest(archive: Archive, file: BarFile) -> str | None:
    """The digest of the CSV file that the mirror of `file` was written with; `None` if there is no mirror.

    Raises:
        FileError: what is there is no Parquet file.
    """
    at = archive.root / str(parquet_codec.path_of(file))
    if not at.is_file():
        return None
    with at.open("rb") as opened:
        return parquet_codec.csv_digest(opened)


def digest_if_valid(archive: Archive, file: BarFile) -> str | None:
    """As `digest`; `None` also if what is there is no Parquet file: it can be replaced."""
    try:
        return digest(archive, file)
    except FileError:
        return None
