"""What the steps of the assets do: `raw_1s` is fetched from the vendor, an aggregate is folded from it."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import charts, measured, metadata, notes, records, run_tags, several
from mohlcv_dagster.defs.failures import told_to_dagster, tried_again
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.defs.progress import Standing
from mohlcv_dagster.defs.refresh import Refresh
from mohlcv_dagster.defs.resources import ArchiveResource, MassiveResource

_SHOWN_FIRST: Final = (metadata.STATE, metadata.EMPTY_BECAUSE, metadata.NOTES)
_SHOWN_LAST: Final = (metadata.REQUEST_IDS, metadata.MISSING_MINUTES)


def raw(
    context: dg.AssetExecutionContext, massive: MassiveResource, archive: ArchiveResource, retry: dg.RetryPolicy
) -> Iterator[Any]:
    """Fetch the raw months of a run.

    Args:
        context: of the step.
        massive: the vendor.
        archive: the files.
        retry: when Dagster starts the fetch again that the vendor was away for.
    """
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
            covered = measured.of_coverage(fetched.bars, file.month, fetched.complete_through)
            shown = charts.of_month(file, fetched.bars, fetched.complete_through)
            return fetched.bars, _in_order({**shown, **metadata.of_notes(told), **covered, **facts})

        with vendor:
            yield from several.materialize(context, archive, fetch, standing)


def _in_order(facts: Metadata) -> Metadata:
    """The facts of a raw month in the order in which the UI is to show them: long lists, which hide the rest, last."""
    first, last = ({name: facts[name] for name in names if name in facts} for names in (_SHOWN_FIRST, _SHOWN_LAST))
    return {**first, **{name: value for name, value in facts.items() if name not in last}, **last}


def aggregate(context: dg.AssetExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
    """Fold the raw months of a run into bars of the timeframe of the step's asset."""
    run_tags.mark(context)
    reader = archive.reader()

    def fold(file: BarFile) -> tuple[pa.Table, Metadata]:
        record = records.latest(context.instance, file.raw)
        return reader.fold(file, record), record.inherited if record else {}

    yield from several.materialize(context, archive, fold)
