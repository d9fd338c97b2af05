"""Putting bars into the archive, and what is recorded of it; the one place where a partition becomes a file."""

from typing import Final

import pyarrow as pa

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.metadata import Metadata

ALREADY_STORED: Final = "already stored"
"""The output of a step that stored its partitions as it made them: for the IO manager there is nothing left to do."""


def store(archive: Archive, file: BarFile, bars: pa.Table) -> Metadata:
    """Write `bars` in the place of `file`, whole or not at all; what is to be recorded of it.

    Raises:
        FileError: the disk refused, or the name clashes with another symbol's.
    """
    return metadata.of_file(bars, archive.write(file, csv_codec.encode_chunks(bars)))
