"""Stored partitions as the input of a downstream asset, in the form that it asks for; `io_manager` has the forms."""

from typing import TYPE_CHECKING, Final, get_args, get_origin

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.errors import CsvFormatError, FileMissingError

if TYPE_CHECKING:
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.storage.reader import BarReader

ALLOW_MISSING: Final = "allow_missing_partitions"


def load(context: dg.InputContext, reader: "BarReader") -> object:
    """The bars of the partitions asked for, in the form of the input's annotation.

    Raises:
        FileMissingError: one is not stored, and the input does not allow for that; or none is.
        CsvFormatError: one cannot be read.
    """
    wanted = context.dagster_type.typing_type
    keyed = dict in (wanted, get_origin(wanted))
    as_frame = bar_table.is_pandas_frame(get_args(wanted)[-1] if get_args(wanted) else wanted)
    files = {key: file_of(context.asset_key, key) for key in context.asset_partition_keys}
    loaded = _load(reader, files, allow_missing=_allow_missing(context))
    if keyed:
        return {key: bar_table.to_pandas(bars) if as_frame else bars for key, bars in loaded.items()}
    joined = _join({files[key]: bars for key, bars in loaded.items()})
    return bar_table.to_pandas(joined) if as_frame else joined


def _allow_missing(context: dg.InputContext) -> bool:
    return bool((context.definition_metadata or {}).get(ALLOW_MISSING, False))


def _load(reader: "BarReader", files: "dict[str, BarFile]", *, allow_missing: bool) -> dict[str, pa.Table]:
    loaded = {}
    for key in sorted(files, key=lambda key: (files[key].symbol, files[key].month)):
        reading = reader.read(files[key])
        if reading.bars is not None:
            loaded[key] = reading.bars
        elif reading.content is not None:
            raise CsvFormatError(f"{files[key].path}: {reading.problem}; materialize partition {key} again")
        elif not allow_missing:
            raise FileMissingError(f"{files[key]} is not stored; materialize partition {key} first")
    return loaded


def _join(loaded: "dict[BarFile, pa.Table]") -> pa.Table:
    """One table of all; volume becomes float64 when it is in one of them."""
    if len({file.symbol for file in loaded}) > 1:
        named = [bars.add_column(0, "symbol", pa.array([file.symbol] * bars.num_rows)) for file, bars in loaded.items()]
        return pa.concat_tables(named, promote_options="permissive")
    if not loaded:
        raise FileMissingError("none of the partitions asked for is stored; materialize one first")
    return pa.concat_tables(loaded.values(), promote_options="permissive")
