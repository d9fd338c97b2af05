"""The assets: `raw_1s` from the vendor, and one aggregate for each timeframe from `raw_1s`."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import automation, columns
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import ArchiveResource, MassiveResource

IO_MANAGER: Final = "bars_csv"
POOL: Final = "massive_api"
OWNERS: Final = ["team:market-data"]
BACKFILL: Final = dg.BackfillPolicy.multi_run(max_partitions_per_run=12)
"""A run a symbol and year: a run is a process, which takes seconds."""

RETRY_WHEN_UNAVAILABLE: Final = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For vendors that were away longer than a fetch outlasts by itself; other failures say `allow_retries=False`."""


def raw_asset(
    partitions: dg.MultiPartitionsDefinition, retry: dg.RetryPolicy = RETRY_WHEN_UNAVAILABLE
) -> dg.AssetsDefinition:
    """`raw_1s`: a symbol's month of 1-second bars, as the vendor has them.

    Args:
        partitions: month × symbol.
        retry: when Dagster starts a fetch again that the vendor was away for.
    """

    @dg.asset(
        key=asset_key(RAW),
        partitions_def=partitions,
        io_manager_key=IO_MANAGER,
        pool=POOL,
        group_name="raw",
        kinds={"massive", "csv"},
        owners=OWNERS,
        tags={"timeframe": RAW.name},
        automation_condition=automation.raw_condition(),
        metadata={"dagster/column_schema": columns.schema_of_bars()},
        description=(
            "1-second OHLCV bars of one symbol in one UTC month.\n\n"
            "Downloaded from Massive.com. Each page of the answer is proven before a bar of it is believed; a month "
            "that cannot be proven whole fails and leaves the stored file as it was. A second without trades has no "
            "bar. A month proven empty is a file with its header only, and the reason is recorded and judged by "
            "not_empty.\n\n"
            "Materialize a month that is stored again: a provisional one (too young for the vendor to have finished "
            "it) is completed, a settled one is downloaded anew and compared before it is replaced. The tag "
            "`mohlcv/force = true` downloads a provisional one whole. To resume a backfill, tick *Backfill only failed "
            "and missing partitions within selection*.\n\n"
            f"{columns.meanings(columns.schema_of_bars())}"
        ),
    )
    def raw_1s(context: dg.AssetExecutionContext, massive: MassiveResource, archive: ArchiveResource) -> Iterator[Any]:
        from mohlcv_dagster.defs import making  # noqa: PLC0415 - see the first lines of this package

        yield from making.raw(context, massive, archive, retry)

    return raw_1s.with_attributes(backfill_policy=BACKFILL)


def aggregated_asset(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """`aggregated/…`: the bars of `raw_1s` folded into bars of `timeframe`."""

    @dg.asset(
        key=asset_key(timeframe),
        partitions_def=partitions,
        deps=[asset_key(RAW)],
        io_manager_key=IO_MANAGER,
        group_name="aggregated",
        kinds={"arrow", "csv"},
        owners=OWNERS,
        tags={"timeframe": timeframe.name},
        automation_condition=automation.aggregate_condition(),
        metadata={"dagster/column_schema": columns.schema_of_bars()},
        description=(
            f"{timeframe} bars of one symbol in one UTC month, folded from raw_1s.\n\n"
            "Made of the raw file as it stands on disk. Buckets start at midnight UTC and are labelled by their start "
            "(inclusive); first, highest, lowest and last price, exact sum of volume. A bucket without trades has no "
            "bar.\n\n"
            f"{columns.meanings(columns.schema_of_bars())}"
        ),
    )
    def aggregated(context: dg.AssetExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
        from mohlcv_dagster.defs import making  # noqa: PLC0415 - as above

        yield from making.aggregate(context, archive)

    return aggregated.with_attributes(backfill_policy=BACKFILL)
