"""The assets of bars and their checks: `raw_1s` from the vendor, and one aggregate for each timeframe from `raw_1s`.

They are one `multi_asset`, whose step takes each month through all steps before the next one (see `partition_loop`): a
month is fetched, written, checked, resampled and compared while its bars are in memory, and each event is recorded as
it happens. Any of the assets and checks can be launched alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.checks import registry
from mohlcv_dagster.defs import asset_checks, automation
from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
from mohlcv_dagster.model.bar_files import BOUNDS, BOUNDS_BETWEEN, COLUMNS, MEANINGS, PRICES, TIME, UNITS, VOLUME
from mohlcv_dagster.model.timeframes import RAW, Timeframe

OP: Final = "bars"
"""The step that makes and checks all of them."""
IO_MANAGER: Final = "bars_csv"
POOL: Final = "massive_api"
OWNERS: Final = ["team:market-data"]
BACKFILL: Final = dg.BackfillPolicy.multi_run(max_partitions_per_run=12)
"""Up to twelve months a run: a run is a process, which takes seconds to start."""

RETRY_WHEN_UNAVAILABLE: Final = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For vendors that are away longer than a fetch retries by itself."""


def bars_assets(
    partitions: dg.MultiPartitionsDefinition,
    timeframes: Sequence[Timeframe],
    retry: dg.RetryPolicy = RETRY_WHEN_UNAVAILABLE,
) -> dg.AssetsDefinition:
    """All assets of bars, with their checks.

    Args:
        partitions: month × symbol.
        timeframes: those of the aggregates.
        retry: how often, and after what time, a vendor that was away is asked again.
    """

    @dg.multi_asset(
        name=OP,
        specs=[_raw_spec(partitions), *(_aggregate_spec(each, partitions) for each in timeframes)],
        check_specs=[
            asset_checks.spec(check, each, partitions)
            for each in (RAW, *timeframes)
            for check in registry.checks_for(each)
        ],
        can_subset=True,
        backfill_policy=BACKFILL,
        pool=POOL,
    )
    def bars(
        context: dg.AssetExecutionContext,
        massive: ProviderResource,
        archive: ArchiveResource,
        bars_csv: dg.ResourceParam[BarsCsvIOManager],
    ) -> Iterator[Any]:
        from mohlcv_dagster.defs import partition_loop  # noqa: PLC0415 - the location loads without arrays

        yield from partition_loop.run(context, massive, archive, bars_csv, retry)

    return bars


def _raw_spec(partitions: dg.MultiPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(RAW),
        partitions_def=partitions,
        group_name="raw",
        kinds={"massive", "csv"},
        owners=OWNERS,
        tags={"timeframe": RAW.name},
        automation_condition=automation.raw_condition(),
        metadata={"dagster/column_schema": column_schema()},
        description=(
            "1-second OHLCV bars of one symbol in one UTC month.\n\n"
            "Downloaded from Massive.com. Each page of the answer is verified before a bar of it is used; a month that "
            "cannot be verified whole fails and leaves the stored file as it was. A second without trades has no bar. "
            "A month verified to be empty is a file with its header only, and the reason is recorded and checked by "
            "the rule not_empty.\n\n"
            "Materialize a month that is stored again: a provisional one (too young for the vendor to have finished "
            "it) is completed, a final one is downloaded again and compared before it is replaced. The tag "
            "`mohlcv/force = true` downloads a provisional one whole. To resume a backfill, tick *Backfill only failed "
            "and missing partitions within selection*."
        ),
    ).with_io_manager_key(IO_MANAGER)


def _aggregate_spec(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(timeframe),
        partitions_def=partitions,
        deps=[asset_key(RAW)],
        group_name="aggregated",
        kinds={"arrow", "csv"},
        owners=OWNERS,
        tags={"timeframe": timeframe.name},
        automation_condition=automation.aggregate_condition(),
        metadata={"dagster/column_schema": column_schema()},
        description=(
            f"{timeframe} bars of one symbol in one UTC month, resampled from raw_1s.\n\n"
            "Made of the raw file as it is on disk. Buckets start at midnight UTC and are labelled by their start "
            "(inclusive); first, highest, lowest and last price, exact sum of volume. A bucket without trades has no "
            "bar."
        ),
    ).with_io_manager_key(IO_MANAGER)


def column_schema() -> dg.TableSchema:
    """The columns of every file with types, units and meanings; which type volume has is recorded with each file."""
    types = {TIME: "timestamp[s, UTC]", **dict.fromkeys(PRICES, "float64")}
    types[VOLUME] = "int64 or float64"
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=types[name],
                description=MEANINGS[name],
                constraints=dg.TableColumnConstraints(nullable=False, unique=name == TIME, other=list(BOUNDS[name])),
                tags={"unit": UNITS[name]},
            )
            for name in COLUMNS
        ],
        constraints=dg.TableConstraints(other=list(BOUNDS_BETWEEN)),
    )
