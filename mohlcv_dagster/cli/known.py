"""What the project's home recorded of the files of a folder, if it wrote these very files; else nothing is known."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli.homes import Home
from mohlcv_dagster.cli.places import is_same
from mohlcv_dagster.tree import Place, Tree
from mohlcv_dagster.validation.judging import Knowledge, Known

if TYPE_CHECKING:
    import dagster as dg


@contextmanager
def knowledge(home: Home, tree: Tree) -> Iterator[Knowledge]:
    """Give what `home` knows of the files of `tree`; without loading Dagster where it can know none."""
    if not (home.path / "dagster.yaml").exists() or not _is_own(home, tree):
        yield lambda _: None
        return
    from mohlcv_dagster.cli import runs  # noqa: PLC0415 - it loads Dagster

    os.environ.update(home.environment)
    with runs.instance() as instance:
        yield lambda file: _known(instance, file, tree.files[file])


def _is_own(home: Home, tree: Tree) -> bool:
    """Whether the folder lies in the home's data folder."""
    root, data = tree.root, Archive(home.settings().data_dir).root
    if isinstance(root, Path) and isinstance(data, Path):
        return root.resolve().is_relative_to(data.resolve())
    return str(root).startswith(str(data))


def _known(instance: "dg.DagsterInstance", file: BarFile, at: Place) -> Known | None:
    from mohlcv_dagster.defs import records  # noqa: PLC0415 - it loads Dagster

    record = records.latest(instance, file)
    if record is None or record.uri is None or not is_same(_place_of(record.uri), at):
        return None
    return Known(record, records.beside(instance, file, record) if file.timeframe == RAW else None)


def _place_of(uri: str) -> object:
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else uri
