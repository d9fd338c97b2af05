"""The assets: `raw_1s` from the vendor, and one aggregate for each timeframe from `raw_1s`."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import automation, charts, columns, metadata, notes, records, run_tags, several
from mohlcv_dagster.defs.failures import told_to_dagster, tried_again
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.progress import Standing
from mohlcv_dagster.defs.refresh import Refresh
from mohlcv_dagster.defs.resources import ArchiveResource, MassiveResource

IO_MANAGER: Final = "bars_csv"
POOL: Final = "massive_api"
OWNERS: Final = ["team:market-data"]

_SHOWN_FIRST: Final = (metadata.STATE, metadata.EMPTY_BECAUSE, metadata.NOTES)
_SHOWN_LAST: Final = (metadata.REQUEST_IDS, metadata.MISSING_MINUTES)

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
        run_tags.mark(context)
        with tried_again(retry, context.retry_number):
            with told_to_dagster():
                orders = Orders.of(context.run.tags)
                vendor = massive.create_vendor()
            refresh = Refresh(vendor, archive.reader(), context.instance, orders, context.log)
            standing = Standing.of(context)

            def fetch(file: BarFile) -> tuple[pa.Table, Metadata]:
                fetched, facts = refresh.fetch(file, standing.fetching(file))
                told = notes.of_month(context.instance, file, fetched)
                for note in told:
                    context.log.warning(note)
                covered = metadata.of_coverage(fetched.bars, file.month, fetched.complete_through)
                shown = charts.of_month(file, fetched.bars, fetched.complete_through)
                return fetched.bars, _in_order({**shown, **metadata.of_notes(told), **covered, **facts})

            with vendor:
                yield from several.materialize(context, archive, fetch, standing)

    return raw_1s.with_attributes(backfill_policy=several.BACKFILL)


def _in_order(facts: Metadata) -> Metadata:
    """The facts of a raw month in the order in which the UI is to show them: long lists, which hide the rest, last."""
    first, last = ({name: facts[name] for name in names if name in facts} for names in (_SHOWN_FIRST, _SHOWN_LAST))
    return {**first, **{name: value for name, value in facts.items() if name not in last}, **last}


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
        run_tags.mark(context)
        reader = archive.reader()

        def fold(file: BarFile) -> tuple[pa.Table, Metadata]:
            record = records.latest(context.instance, file.raw)
            return reader.fold(file, record), record.inherited if record else {}

        yield from several.materialize(context, archive, fold)

    return aggregated.with_attributes(backfill_policy=several.BACKFILL)
