"""The IO manager: a partition of an asset ⇄ its CSV file, written whole or not at all.

A downstream asset of the user's gets what its annotation asks for::

    def my_asset(raw_1s: pyarrow.Table): ...              # also the default without an annotation
    def my_asset(raw_1s: pandas.DataFrame): ...           # indexed by ts_event
    def my_asset(raw_1s: dict[str, pandas.DataFrame]): ...  # by partition key such as 2024-01|SPY

With several partitions, a table or frame holds them one after the other in order of symbol and month, with a column
`symbol` in front when there are several symbols. Partitions that are not stored are an error, unless the input says
`AssetIn(metadata={"allow_missing_partitions": True})`.
"""

from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars import frames
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.resources import reader_of
from mohlcv_dagster.defs.storing import ALREADY_STORED, Made, store
from mohlcv_dagster.errors import CsvFormatError, FileMissingError, InputError

if TYPE_CHECKING:
    from mohlcv_dagster.bars.files import BarFile
    from mohlcv_dagster.reader import Reader

ALLOW_MISSING: Final = "allow_missing_partitions"


class BarsCsvIOManager(dg.ConfigurableIOManager):
    """Bars in the archive's CSV files; the attributes are those of `ArchiveResource`.

    (A resource nested in another works too, but makes Dagster 1.13 warn about a call of its own.)
    """

    data_dir: str
    raw_dir: str | None = None
    aggregated_dir: str | None = None
    parquet: bool = False

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write the bars of one partition, a `pyarrow.Table` or a `pandas.DataFrame`, and record what was written."""
        if isinstance(obj, str) and obj == ALREADY_STORED:
            return
        with told_to_dagster():
            file = file_of(context.asset_key, context.partition_key)
            made = obj if isinstance(obj, Made) else Made(obj)
            archive = self._reader().archive
            recorded = store(archive, file, _table(made.bars), made.facts, parquet=self.parquet)
        context.add_output_metadata(recorded)

    def load_input(self, context: dg.InputContext) -> object:
        """The bars of the partitions asked for, in the form of the input's annotation."""
        wanted = context.dagster_type.typing_type
        keyed = dict in (wanted, get_origin(wanted))
        as_frame = _is_frame(get_args(wanted)[-1] if get_args(wanted) else wanted)
        with told_to_dagster():
            files = {key: file_of(context.asset_key, key) for key in context.asset_partition_keys}
            loaded = _load(self._reader(), files, allow_missing=_allow_missing(context))
            if keyed:
                return {key: frames.to_frame(bars) if as_frame else bars for key, bars in loaded.items()}
            joined = _join({files[key]: bars for key, bars in loaded.items()})
            return frames.to_frame(joined) if as_frame else joined

    def _reader(self) -> "Reader":
        return reader_of(self.data_dir, self.raw_dir, self.aggregated_dir)


def _table(obj: object) -> pa.Table:
    if isinstance(obj, pa.Table):
        return obj
    if _is_frame(type(obj)):
        return frames.from_frame(obj)  # type: ignore[arg-type] # it was just shown to be a frame
    raise InputError(f"bars are a pyarrow.Table or a pandas.DataFrame, was {type(obj).__name__}")


def _is_frame(wanted: Any) -> bool:  # noqa: ANN401 - an annotation can be anything
    """Whether `wanted` is pandas.DataFrame, told without importing pandas."""
    name = getattr(wanted, "__name__", "")
    return name == "DataFrame" and getattr(wanted, "__module__", "").split(".")[0] == "pandas"


def _allow_missing(context: dg.InputContext) -> bool:
    return bool((context.definition_metadata or {}).get(ALLOW_MISSING, False))


def _load(reader: "Reader", files: "dict[str, BarFile]", *, allow_missing: bool) -> dict[str, pa.Table]:
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
