"""The IO manager: a partition of an asset ⇄ its CSV file. It writes every partition, in every kind of run.

A downstream asset of the user's gets what its annotation asks for::

    def my_asset(raw_1s: pyarrow.Table): ...              # also the default without an annotation
    def my_asset(raw_1s: pandas.DataFrame): ...           # indexed by ts_event
    def my_asset(raw_1s: dict[str, pandas.DataFrame]): ...  # by partition key such as 2024-01|SPY

With several partitions, a table or frame holds them one after the other in order of symbol and month, with a column
`symbol` in front when there are several symbols. Partitions that are not stored are an error, unless the input says
`AssetIn(metadata={"allow_missing_partitions": True})`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.resources import NO_CONFIG, reader_of
from mohlcv_dagster.errors import InputError

if TYPE_CHECKING:
    from mohlcv_dagster.defs.metadata import Metadata
    from mohlcv_dagster.model.bar_files import BarFile


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

    def write(self, file: "BarFile", bars: object, facts: "Metadata") -> "Metadata":
        """Write a file of bars and its manifest entry, in every kind of run; what is to be recorded of the file.

        Args:
            file: which file.
            bars: a `pyarrow.Table`, or a `pandas.DataFrame` of a user's own asset.
            facts: what is recorded of how they were made.

        Raises:
            MohlcvError: they are no bars, or cannot be written; the former file and entry stay as they were.
        """
        from mohlcv_dagster.defs import storing  # noqa: PLC0415 - see the first lines of this package

        archive = reader_of(self.data_dir, self.raw_dir, self.aggregated_dir).archive
        return storing.store(archive, file, storing.table_of(bars), facts, parquet=self.parquet)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write what a user's own step gave for a partition; a step over several gives a `dict` by partition key."""
        partitions = list(context.asset_partition_keys)
        with told_to_dagster():
            given = _by_partition(partitions, obj)
            for partition in partitions:
                recorded = self.write(file_of(context.asset_key, partition), given[partition], {})
                if len(partitions) == 1:
                    context.add_output_metadata(recorded)

    def load_input(self, context: dg.InputContext) -> object:
        """The bars of the partitions asked for, in the form of the input's annotation."""
        from mohlcv_dagster.defs import loading  # noqa: PLC0415 - as above

        with told_to_dagster():
            return loading.load(context, reader_of(self.data_dir, self.raw_dir, self.aggregated_dir))


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
