"""What Dagster remembers of a file: the facts recorded when it was last written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg

from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, NeighbourMonths, Provenance
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import splits
from mohlcv_dagster.defs.metadata import (
    COMPARED,
    LAST_CLOSE,
    OCCUPANCY,
    ORIGIN,
    RAW_DIGEST,
    Metadata,
    empty_of,
    moment_of,
    request_ids_of,
    splits_of,
)
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import Finality, RevisionCounts
from mohlcv_dagster.model.timeframes import RAW

_OF_A_FILE: Final = frozenset({"dagster/partition_row_count", "sha256"})
"""Without these an event, perhaps of another making, says nothing of a file."""


@dataclass(frozen=True, kw_only=True)
class Record(Provenance):
    """The latest materialization of a file.

    Attributes (those of `Recorded` beside):
        materialization: Dagster's pointer to it, for the evaluations of checks on what it wrote.
        facts: all that was recorded.
        origin: where the bars came from, as it was recorded: vendor, adjusted, time of fetching.
        occupancy: of a raw month, the share of regular minutes that have a bar, in its median session; `None` where
            unknown.
        request_ids: the vendor's marks of the answers that the bars came in.
        last_close: of a raw month, the close of its last bar, US dollars; `None` where unknown.
        raw_sha256: of an aggregate, the digest of the raw file that it was folded from; `None` where unknown.
    """

    materialization: unexported.Target
    facts: Mapping[str, dg.MetadataValue]
    origin: Mapping[str, dg.MetadataValue]
    occupancy: float | None = None
    request_ids: tuple[str, ...] = ()
    last_close: float | None = None
    raw_sha256: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it was recorded as settled."""
        return "state" in self.origin and self.origin["state"].value == Finality.FINAL.value

    @property
    def inherited(self) -> Metadata:
        """What is recorded of an aggregate that is folded from the file."""
        return {**self.origin, RAW_DIGEST: dg.MetadataValue.text(self.sha256)}


def latest(instance: dg.DagsterInstance, file: BarFile) -> Record | None:
    """The record of `file`; `None` when this instance never saw it written."""
    event = _event(instance, file)
    made = event.asset_materialization if event else None
    if event is None or made is None or not made.metadata.keys() >= _OF_A_FILE:
        return None
    facts = {name: value.value for name, value in made.metadata.items()}
    adjusted, occupancy, last_close = (facts.get(name) for name in ("adjusted", OCCUPANCY, LAST_CLOSE))
    return Record(
        rows=int(str(facts["dagster/partition_row_count"])),
        sha256=str(facts["sha256"]),
        materialization=unexported.target_of(event),
        facts=made.metadata,
        origin={name: value for name, value in made.metadata.items() if name in ORIGIN},
        fetched_at=moment_of(facts, "fetched_at"),
        complete_through=moment_of(facts, "complete_through"),
        adjusted=adjusted if isinstance(adjusted, bool) else None,
        occupancy=occupancy if isinstance(occupancy, float) else None,
        empty=empty_of(facts),
        splits=splits_of(facts),
        splits_now=splits.executed_by_now(instance, file) if adjusted is True and file.timeframe == RAW else (),
        revised=_revised(facts),
        request_ids=request_ids_of(facts),
        last_close=last_close if isinstance(last_close, float) else None,
        raw_sha256=str(facts[RAW_DIGEST]) if RAW_DIGEST in facts else None,
    )


def beside(instance: dg.DagsterInstance, file: BarFile, record: Record | None) -> NeighbourMonths:
    """What is recorded of the raw months before and after that of `file`; nothing for an aggregate, which needs none.

    Args:
        instance: knows them.
        file: which file.
        record: its own; bars of another basis of splits than it says have no close to go on from.
    """
    if file.timeframe != RAW:
        return NO_NEIGHBOURS
    found = {month: latest(instance, BarFile(file.symbol, RAW, month)) for month in file.month.neighbours}
    occupancies = tuple(each.occupancy for each in found.values() if each is not None and each.occupancy is not None)
    before = next((each for month, each in found.items() if month < file.month), None)
    goes_on = before is not None and before.is_settled and record is not None and before.adjusted is record.adjusted
    return NeighbourMonths(occupancies, before.last_close if before is not None and goes_on else None)


def _event(instance: dg.DagsterInstance, file: BarFile) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(
        asset_key=asset_key(file.timeframe), asset_partitions=[partition_key(file.symbol, file.month)]
    )
    return next(iter(instance.fetch_materializations(wanted, limit=1).records), None)


def _revised(facts: Mapping[str, object]) -> RevisionCounts | None:
    if any(name not in facts for name in COMPARED):
        return None
    return RevisionCounts(*(int(str(facts[name])) for name in COMPARED))
