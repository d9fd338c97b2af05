"""The IO manager: a partition of an asset ⇄ its CSV file, written whole or not at all.

A downstream asset of the user's gets what its annotation asks for::

    def my_asset(raw_1s: pyarrow.Table): ...              # also the default without an annotation
    def my_asset(raw_1s: pandas.DataFrame): ...           # indexed by ts_event
    def my_asset(raw_1s: dict[str, pandas.DataFrame]): ...  # by partition key such as 2024-01|SPY

With several partitions, a table or frame holds them one after the other in order of symbol and month, with a column
`symbol` in front when there are several symbols. Partitions that are not stored are an error, unless the input says
`AssetIn(metadata={"allow_missing_partitions": True})`.
"""

from dataclasses import dataclass

import dagster as dg

from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.resources import NO_CONFIG, reader_of


@dataclass(frozen=True)
class BarsCsvIOManager(dg.IOManager):
    """Bars in the archive's CSV files; the attributes are those of `ArchiveResource`."""

    data_dir: str
    raw_dir: str | None = None
    aggregated_dir: str | None = None
    parquet: bool = False

    def definition(self) -> dg.IOManagerDefinition:
        """This IO manager in every run; as of the resources, a launch with config for it is refused."""
        return dg.IOManagerDefinition(lambda _: self, config_schema=NO_CONFIG)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write the bars of one partition, a `pyarrow.Table` or a `pandas.DataFrame`, and record what was written."""
        from mohlcv_dagster.defs.storing import ALREADY_STORED, Made, store, table_of  # noqa: PLC0415 - see the first lines of this package

        if isinstance(obj, str) and obj == ALREADY_STORED:
            return
        with told_to_dagster():
            file = file_of(context.asset_key, context.partition_key)
            made = obj if isinstance(obj, Made) else Made(obj)
            archive = reader_of(self.data_dir, self.raw_dir, self.aggregated_dir).archive
            recorded = store(archive, file, table_of(made.take()), made.facts, parquet=self.parquet)
        context.add_output_metadata(recorded)

    def load_input(self, context: dg.InputContext) -> object:
        """The bars of the partitions asked for, in the form of the input's annotation."""
        from mohlcv_dagster.defs import loading  # noqa: PLC0415 - as above

        with told_to_dagster():
            return loading.load(context, reader_of(self.data_dir, self.raw_dir, self.aggregated_dir))
