"""Writing bars into the archive with what stands next to the file, and what is recorded of it."""

from typing import TYPE_CHECKING

from mohlcv_dagster.bars import bar_table, csv_codec, parquet_codec
from mohlcv_dagster.defs import measured, passports
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.storage.manifest import write

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.defs.metadata import Metadata
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.storage.archive import Archive


def store(archive: "Archive", file: "BarFile", bars: "pa.Table", facts: "Metadata", *, parquet: bool) -> "Metadata":
    """Write a file of bars, its Parquet mirror where there is one, and its manifest entry; what is to be recorded.

    All of them or none: where one cannot be written, the others are put back as they were.

    Args:
        archive: where they stand.
        file: which file.
        bars: what is in it.
        facts: what is recorded of how they were made.
        parquet: whether the mirror is written.

    Raises:
        FileError: the disk refused, or the name clashes with another symbol's.
        VolumePrecisionError: a volume is too large for the mirror.
    """
    with archive.restored_on_error(file):
        recorded = measured.of_file(bars, archive.write(file, csv_codec.encode_chunks(bars)))
        entry = passports.of(file, {**facts, **recorded})
        if not parquet:
            write(archive, file, entry)
            return recorded
        from mohlcv_dagster.storage import parquet_mirror  # noqa: PLC0415 - most have none, and Arrow's Parquet takes its time

        with archive.restored_on_error(parquet_codec.path_of(file)):
            parquet_mirror.write(archive, file, bars, entry.sha256)
            write(archive, file, entry)
    return recorded


def table_of(bars: object) -> "pa.Table":
    """The bars that a step gave as a table: a `pyarrow.Table`, or a `pandas.DataFrame` of a user's own asset.

    Raises:
        InputError: they are neither.
        BarsError: the frame has not what a table of bars has.
    """
    import pyarrow as pa  # noqa: PLC0415 - the location loads without arrays

    if isinstance(bars, pa.Table):
        return bars
    if bar_table.is_pandas_frame(type(bars)):
        return bar_table.from_pandas(bars)  # type: ignore[arg-type] # it was just shown to be a frame
    raise InputError(f"bars are a pyarrow.Table or a pandas.DataFrame, was {type(bars).__name__}")
