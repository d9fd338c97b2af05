"""What Dagster remembers of a file: the facts recorded when it was last written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    # not exported, though a field of the exported AssetCheckEvaluation takes nothing else
    AssetCheckEvaluationTargetMaterializationData,
)

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.revision import Counts
from mohlcv_dagster.bars.rules import Recorded
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.defs import splits
from mohlcv_dagster.defs.metadata import COMPARED, OCCUPANCY, ORIGIN, empty_of, splits_of
from mohlcv_dagster.defs.partitions import asset_key, partition_key


@dataclass(frozen=True, kw_only=True)
class Record(Recorded):
    """The latest materialization of a file.

    Attributes (those of `Recorded` beside):
        materialization: Dagster's pointer to it, for the evaluations of checks on what it wrote.
        origin: where the bars came from, as it was recorded: vendor, adjusted, time of fetching.
        occupancy: of a raw month, the share of regular minutes that have a bar, in its median session; `None` where
            unknown.
    """

    materialization: AssetCheckEvaluationTargetMaterializationData
    origin: Mapping[str, dg.MetadataValue]
    occupancy: float | None = None


def latest(instance: dg.DagsterInstance, file: BarFile) -> Record | None:
    """The record of `file`; `None` when this instance never saw it written."""
    key, partition = asset_key(file.timeframe), partition_key(file.symbol, file.month)
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=1
    ).records
    made = found[0].asset_materialization if found else None
    if made is None or "sha256" not in made.metadata:
        return None
    pointer = AssetCheckEvaluationTargetMaterializationData(
        storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
    )
    facts = {name: value.value for name, value in made.metadata.items()}
    adjusted, occupancy = facts.get("adjusted"), facts.get(OCCUPANCY)
    return Record(
        rows=int(str(facts["dagster/partition_row_count"])),
        sha256=str(facts["sha256"]),
        materialization=pointer,
        origin={name: value for name, value in made.metadata.items() if name in ORIGIN},
        fetched_at=_moment(facts.get("fetched_at")),
        complete_through=_moment(facts.get("complete_through")),
        adjusted=adjusted if isinstance(adjusted, bool) else None,
        occupancy=occupancy if isinstance(occupancy, float) else None,
        empty=empty_of(facts),
        splits=splits_of(facts),
        splits_now=splits.executed_by_now(instance, file) if adjusted is True and file.timeframe == RAW else (),
        revised=_revised(facts),
    )


def neighbours(instance: dg.DagsterInstance, file: BarFile) -> tuple[float, ...]:
    """The recorded occupancies of the raw months before and after that of `file`, as far as there are any."""
    beside = (BarFile(file.symbol, RAW, month) for month in (file.month.previous(), file.month.next()))
    found = (latest(instance, raw) for raw in beside)
    return tuple(record.occupancy for record in found if record is not None and record.occupancy is not None)


def _moment(seconds: object) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(float(str(seconds)), UTC)


def _revised(facts: Mapping[str, object]) -> Counts | None:
    if any(name not in facts for name in COMPARED):
        return None
    return Counts(*(int(str(facts[name])) for name in COMPARED))
