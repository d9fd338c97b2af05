"""One partition a run, or several: made one after the other, each stored before the next one is begun.

A backfill gives each run up to a year of a symbol's months: starting a process costs more than a quiet month. In such a
run a month that fails does not keep the others from being stored, recorded and judged; then the run fails and says
which, and *only failed and missing* goes on from there. A step that is tried again goes on from there, too.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import evaluations, failures, passports, records
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.progress import Standing
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.defs.storing import ALREADY_STORED, Made, store
from mohlcv_dagster.errors import MohlcvError

Make: TypeAlias = Callable[[BarFile], tuple[pa.Table, Metadata]]
"""Gives the bars of a file and what is to be recorded of how they were made; raises our errors."""


def materialize(
    context: dg.AssetExecutionContext, archive: ArchiveResource, make: Make, standing: Standing | None = None
) -> Iterator[Any]:
    """Make the partitions of the run: one goes to the IO manager as bars, several are stored here as they are made.

    Args:
        context: of the step.
        archive: where the files stand.
        make: makes one.
        standing: told how far it has come; by default one of its own.
    """
    standing = standing or Standing.of(context)
    if context.has_partition_key:
        with failures.told_to_dagster():
            bars, facts = make(file_of(context.asset_key, context.partition_key))
        standing.finished(bars.num_rows)
        standing.over()
        context.add_asset_metadata(facts)  # as metadata of the result it would stand in the event of the output, too
        yield dg.MaterializeResult(value=Made(bars, facts))
        return
    before = _stored_before(context)
    stored, failed = _store_each(context, archive, make, before, standing)
    standing.over()
    if failed:
        yield from _record(context, archive, stored)
        raise failures.several(failed, of=len(context.partition_keys))
    for partition, facts in {**before, **stored}.items():
        context.add_asset_metadata(facts, partition_key=partition)
    yield dg.MaterializeResult(value=ALREADY_STORED)


def _stored_before(context: dg.AssetExecutionContext) -> dict[str, Metadata]:
    """What this run stored and recorded before its step was started again, which need not be made a second time."""
    if not context.retry_number:
        return {}
    run_id = context.run.run_id
    files = {partition: file_of(context.asset_key, partition) for partition in context.partition_keys}
    made = {partition: records.written_by(context.instance, file, run_id) for partition, file in files.items()}
    return {partition: facts for partition, facts in made.items() if facts is not None}


def _store_each(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    make: Make,
    before: Collection[str],
    standing: Standing,
) -> tuple[dict[str, Metadata], dict[str, MohlcvError]]:
    stored: dict[str, Metadata] = {}
    failed: dict[str, MohlcvError] = {}
    for partition in context.partition_keys:
        if partition in before:
            standing.passed_over()
            continue
        archive.reader().forget()
        try:
            rows, stored[partition] = _stored(archive, file_of(context.asset_key, partition), make)
        except MohlcvError as error:
            failed[partition] = error
            context.log.error("%s failed: %s", partition, error)  # noqa: TRY400 - the failure at the end has the trace
            if isinstance(error, failures.HOPELESS):
                break
            standing.finished(None)
        else:
            standing.finished(rows)
            context.log.info("%s stored, %s", partition, standing.said)
    return stored, failed


def _stored(archive: ArchiveResource, file: BarFile, make: Make) -> tuple[int, Metadata]:
    """Make a partition and store it; how many bars it has, which are let go before the next one's come."""
    bars, facts = make(file)
    return bars.num_rows, {**store(archive.open(), file, bars, facts, parquet=archive.parquet), **facts}


def _record(context: dg.AssetExecutionContext, archive: ArchiveResource, stored: dict[str, Metadata]) -> Iterator[Any]:
    """What a step that is about to fail has stored all the same, and what its checks say of it: they will not run."""
    for partition, facts in stored.items():
        yield dg.AssetMaterialization(context.asset_key, partition=partition, metadata=facts)
        file = file_of(context.asset_key, partition)
        record = records.latest(context.instance, file)
        findings = archive.reader().judge(file, record, records.beside(context.instance, file, record))
        passports.note(archive.open(), file, record, findings, context.log)
        for finding in findings:
            yield evaluations.evaluation(finding, file, record, blocking=False)
