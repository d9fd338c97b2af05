"""The IO manager: a partition of an asset ⇄ its CSV file. It writes every partition, in every kind of run.

A downstream asset of the user's gets what its annotation asks for::

    def my_asset(raw_1s: pyarrow.Table): ...              # also the default without an annotation
    def my_asset(raw_1s: pandas.DataFrame): ...           # indexed by ts_event
    def my_asset(raw_1s: dict[str, pandas.DataFrame]): ...  # by partition key such as 2024-01|SPY

With several partitions, a table or frame holds them one after the other in order of symbol and month, with a column
`symbol` in front when there are several symbols. Partitions that are not stored are an error, unless the input says
`AssetIn(metadata={"allow_missing_partitions": True})`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args, get_origin

import dagster as dg

from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.failures import as_dagster_failure
from mohlcv_dagster.defs.metadata import file_metadata, origin_of
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.resources import NO_CONFIG, ArchiveResource
from mohlcv_dagster.errors import CsvFormatError, FileMissingError, InputError
from mohlcv_dagster.model.manifest_entry import path_of
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

    from mohlcv_dagster.defs.metadata import Metadata
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.storage.archive import Archive, Written
    from mohlcv_dagster.storage.history import VersionHistory
    from mohlcv_dagster.storage.reader import BarReader

ALLOW_MISSING: Final = "allow_missing_partitions"


@dataclass(frozen=True, eq=False)
class BarsCsvIOManager(dg.IOManager):
    """Bars in the CSV files of `files`."""

    files: ArchiveResource

    def definition(self) -> dg.IOManagerDefinition:
        """This IO manager in every run; as of the resources, a launch with config for it is refused."""
        return dg.IOManagerDefinition(lambda _: self, config_schema=NO_CONFIG)

    def write(
        self,
        file: "BarFile",
        bars: object,
        metadata: "Metadata",
        why: Replacement = Replacement.WRITTEN,
        figures: "pa.Table | None" = None,
    ) -> "Metadata":
        """Write a file of bars and its manifest entry, in every kind of run; what is to be recorded of the file.

        Args:
            file: which file.
            bars: a `pyarrow.Table`, or a `pandas.DataFrame` of a user's own asset.
            metadata: what is recorded of how they were made.
            why: why a raw file that is there is replaced, for its history.
            figures: their trades and average prices (see `bars.trade_figures`); `None` where none are known.

        Raises:
            MohlcvError: they are no bars, or cannot be written; the former file and entry stay as they were.
        """
        archive, history = self.files.open(), self.files.history
        parquet = self.files.parquet
        return store(archive, file, _table(bars), metadata, parquet=parquet, history=history, why=why, figures=figures)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write what a user's own step gave for a partition; a step over several gives a `dict` by partition key."""
        partitions = list(context.asset_partition_keys)
        with as_dagster_failure():
            given = _by_partition(partitions, obj)
            for partition in partitions:
                recorded = self.write(file_of(context.asset_key, partition), given[partition], {})
                if len(partitions) == 1:
                    context.add_output_metadata(recorded)

    def load_input(self, context: dg.InputContext) -> object:
        """The bars of the partitions asked for, in the form of the input's annotation.

        Raises:
            dagster.Failure: one is not stored, and the input does not allow for that; or none is; or one is unreadable.
        """
        from mohlcv_dagster.bars import bar_table  # noqa: PLC0415 - the location loads without arrays

        wanted = context.dagster_type.typing_type
        as_frame = bar_table.is_pandas_frame(get_args(wanted)[-1] if get_args(wanted) else wanted)
        allow_missing = bool((context.definition_metadata or {}).get(ALLOW_MISSING, False))
        with as_dagster_failure():
            files = {key: file_of(context.asset_key, key) for key in context.asset_partition_keys}
            loaded = _load(self.files.reader(), files, allow_missing=allow_missing)
            if dict in (wanted, get_origin(wanted)):
                return {key: bar_table.to_pandas(bars) if as_frame else bars for key, bars in loaded.items()}
            joined = _join({files[key]: bars for key, bars in loaded.items()})
            return bar_table.to_pandas(joined) if as_frame else joined


def store(  # noqa: PLR0913 - what, where and how
    archive: "Archive",
    file: "BarFile",
    bars: "pa.Table",
    metadata: "Metadata",
    *,
    parquet: bool,
    history: bool = True,
    why: Replacement = Replacement.WRITTEN,
    figures: "pa.Table | None" = None,
) -> "Metadata":
    """Write a file of bars, its Parquet mirror where there is one, and its manifest entry; what is to be recorded.

    All of them or none: where one cannot be written, the others are put back as they were. What a raw file was is kept.

    Args:
        archive: where they are.
        file: which file.
        bars: what is in it.
        metadata: what is recorded of how they were made.
        parquet: whether the mirror is written.
        history: whether the former version of a raw file is kept.
        why: why it is replaced.
        figures: the trades and average prices of the bars, which the mirror alone has; `None` where none are known.

    Raises:
        FileError: the disk refused, the name clashes with another symbol's, or another process or host stored other
            bytes at the same moment, which stay.
        VolumePrecisionError: a volume is too large for the mirror.
    """
    from mohlcv_dagster.bars import csv_codec  # noqa: PLC0415 - the location loads without arrays
    from mohlcv_dagster.defs import month_metadata  # noqa: PLC0415 - as above

    content: Iterable[Buffer] = csv_codec.encode_chunks(bars)
    former = _history(archive, is_on=history) if file.timeframe == RAW and archive.exists(file) else None
    with ExitStack() as stack:
        if former is not None:  # first, so that it is the last to be undone: the former bytes are always somewhere
            content = stack.enter_context(former.replacing(file, content, why))
        stack.enter_context(archive.restored_on_error(file))
        stack.enter_context(archive.restored_on_error(path_of(file)))
        if parquet:
            from mohlcv_dagster.bars import parquet_codec  # noqa: PLC0415 - Arrow's Parquet takes its time to load

            stack.enter_context(archive.restored_on_error(parquet_codec.path_of(file)))

        def write_all(content: "Iterable[Buffer]") -> "Written":
            written = archive.write(file, content)
            recorded = month_metadata.provenance(bars, written, origin_of(metadata))
            if parquet:
                manifest.write_mirror(archive, file, bars, written.sha256, figures)
            manifest.write(archive, file, records.manifest_entry(file, recorded))
            return written

        written = write_all(content)
    if manifest.in_layout(archive, file):  # after the block, which would put back what another writer has replaced
        written = _settled(archive, file, written, lambda: write_all(csv_codec.encode_chunks(bars)), mirrored=parquet)
    recorded = month_metadata.provenance(bars, written, origin_of(metadata))
    versions = month_metadata.former_versions(former.former(file, written.sha256)) if former is not None else {}
    return {**file_metadata(recorded), **versions}


def _settled(
    archive: "Archive", file: "BarFile", written: "Written", again: "Callable[[], Written]", *, mirrored: bool
) -> "Written":
    """What was written last, once file and entry are of one writer; told in the log where this one wrote again."""
    written, has_written_again = manifest.settle(archive, file, written, again, mirrored=mirrored)
    if has_written_again:
        dg.get_dagster_logger().warning(
            f"{file}: another process or host stored it at the same moment; the bytes of this run replaced its own"
        )
    return written


def _history(archive: "Archive", *, is_on: bool) -> "VersionHistory":
    from mohlcv_dagster.storage.history import VersionHistory  # noqa: PLC0415 - Arrow's Parquet takes its time to load

    return VersionHistory(archive, is_on=is_on)


def _table(bars: object) -> "pa.Table":
    """The bars that a step gave, as a table.

    Raises:
        InputError: they are neither a table nor a frame.
        BarsError: the frame does not have what a table of bars has.
    """
    import pyarrow as pa  # noqa: PLC0415 - the location loads without arrays

    from mohlcv_dagster.bars import bar_table  # noqa: PLC0415 - as above

    if isinstance(bars, pa.Table):
        return bars
    if bar_table.is_pandas_frame(type(bars)):
        return bar_table.from_pandas(bars)  # type: ignore[arg-type] # it was just shown to be a frame
    raise InputError(f"bars are a pyarrow.Table or a pandas.DataFrame, was {type(bars).__name__}")


def _by_partition(partitions: Sequence[str], given: object) -> Mapping[str, object]:
    """The bars of each partition of a run.

    Raises:
        InputError: it is not said which bars belong to which partition, or one has none.
    """
    if not isinstance(given, dict):
        if len(partitions) == 1:
            return {partitions[0]: given}
        raise InputError(
            f"the run is over {len(partitions)} partitions and the step gave a {type(given).__name__}; "
            "give a dict of bars by partition key, or set the asset's backfill_policy to one partition a run"
        )
    if set(given) != set(partitions):
        raise InputError(f"the run is over {sorted(partitions)} and the step gave bars of {sorted(map(str, given))}")
    return given


def _load(reader: "BarReader", files: "dict[str, BarFile]", *, allow_missing: bool) -> "dict[str, pa.Table]":
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


def _join(loaded: "dict[BarFile, pa.Table]") -> "pa.Table":
    """One table of all; volume becomes float64 when it is in one of them."""
    import pyarrow as pa  # noqa: PLC0415 - the location loads without arrays

    if not loaded:
        raise FileMissingError("none of the partitions asked for is stored; materialize one first")
    tables = list(loaded.values())
    if len({file.symbol for file in loaded}) > 1:
        names = (pa.array([file.symbol] * bars.num_rows) for file, bars in loaded.items())
        tables = [bars.add_column(0, "symbol", name) for bars, name in zip(tables, names, strict=True)]
    return pa.concat_tables(tables, promote_options="permissive")
