"""What the project's home recorded of the files of a folder, where they are the project's own; else nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mohlcv_dagster.cli.homes import Home
from mohlcv_dagster.cli.places import is_same
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import BarFolder
from mohlcv_dagster.validation.folder_check import FileRecord, RecordLookup

if TYPE_CHECKING:
    import dagster as dg


@contextmanager
def knowledge(home: Home, tree: BarFolder) -> Iterator[RecordLookup]:
    """Give what `home` knows of the files of `tree`; without loading Dagster where it can know none."""
    archive = Archive(home.settings().data_dir)
    own = {file for file, at in tree.files.items() if is_same(archive.path(file), at)}
    if not own or not (home.path / "dagster.yaml").exists():
        yield lambda _: None
        return
    from mohlcv_dagster.cli import runs  # noqa: PLC0415 - it loads Dagster

    os.environ.update(home.environment)
    with runs.instance() as instance:
        yield lambda file: _known(instance, file) if file in own else None


def _known(instance: "dg.DagsterInstance", file: BarFile) -> FileRecord | None:
    from mohlcv_dagster.defs import records  # noqa: PLC0415 - it loads Dagster

    record = records.latest(instance, file)
    if record is None:
        return None
    return FileRecord(record, records.neighbours(instance, file, record) if file.timeframe == RAW else None)
