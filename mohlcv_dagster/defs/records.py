"""What Dagster remembers of files: the record of the latest materialization, the months next to it, the splits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, NeighbourMonths, Provenance
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.metadata import COMPARED, LAST_CLOSE, OCCUPANCY, Origin, Values, WrittenFile
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster.model.listings import Split, executed_by, missing_splits
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import FetchedMonth

_FIRST_MONTH: Final = Month(2003, 9)
_NEWEST: Final = (1, 50)
"""Among so many materializations of a symbol its splits are looked for; the newest has them unless it is unadjusted."""
_ALL: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Record(Provenance):
    """The latest materialization of a file.

    Attributes (besides those of `Recorded`):
        materialization: Dagster's pointer to it, for the evaluations of checks on what it wrote.
        written: the file.
        origin: where its bars came from.
        occupancy: of a raw month, the share of regular minutes that have a bar, in its median session; `None` where
            unknown.
        last_close: of a raw month, the close of its last bar, US dollars; `None` where unknown.
    """

    materialization: unexported.Target
    written: WrittenFile
    origin: Origin
    occupancy: float | None = None
    last_close: float | None = None

    @property
    def raw_sha256(self) -> str | None:
        """Of an aggregate, the digest of the raw file that it was resampled from; `None` where unknown."""
        return self.origin.raw_sha256


def latest(instance: dg.DagsterInstance, file: BarFile) -> Record | None:
    """The record of `file`; `None` when this instance never saw it written."""
    wanted = dg.AssetRecordsFilter(
        asset_key=asset_key(file.timeframe), asset_partitions=[partition_key(file.symbol, file.month)]
    )
    event = next(iter(instance.fetch_materializations(wanted, limit=1).records), None)
    made = event.asset_materialization if event else None
    written = WrittenFile.from_metadata(made.metadata) if made else None
    if event is None or made is None or written is None:
        return None
    origin, recorded = Origin.from_metadata(made.metadata), metadata.values(made.metadata)
    return Record(
        rows=written.rows,
        sha256=written.sha256,
        materialization=unexported.target_of(event),
        written=written,
        origin=origin,
        fetched_at=origin.fetched_at,
        complete_through=origin.complete_through,
        adjusted=origin.adjusted,
        empty=origin.empty,
        splits=origin.splits.splits if origin.splits else None,
        splits_now=_executed_splits(instance, file) if origin.adjusted and file.timeframe == RAW else (),
        revised=_revised(recorded),
        occupancy=_number(recorded.get(OCCUPANCY)),
        last_close=_number(recorded.get(LAST_CLOSE)),
    )


def neighbours(instance: dg.DagsterInstance, file: BarFile, record: Record | None) -> NeighbourMonths:
    """What is recorded of the raw months before and after that of `file`; nothing for an aggregate, which needs none.

    Args:
        instance: knows them.
        file: which file.
        record: its own; the month before on another basis of splits than it says has no close to compare with.
    """
    if file.timeframe != RAW:
        return NO_NEIGHBOURS
    found = {month: latest(instance, BarFile(file.symbol, RAW, month)) for month in file.month.neighbours}
    occupancies = tuple(each.occupancy for each in found.values() if each is not None and each.occupancy is not None)
    before = next((each for month, each in found.items() if month < file.month), None)
    if before is None or record is None or not before.origin.is_final or before.adjusted is not record.adjusted:
        return NeighbourMonths(occupancies, None)
    return NeighbourMonths(occupancies, before.last_close)


def manifest_entry(file: BarFile, written: WrittenFile, origin: Origin) -> ManifestEntry:
    """The manifest entry of a file that no check has looked at yet."""
    return ManifestEntry(
        file=str(file.path),
        sha256=written.sha256,
        rows=written.rows,
        size=written.size or 0,
        software=manifest.software_version(),
        first_bar=written.first_bar,
        last_bar=written.last_bar,
        vendor=origin.vendor,
        adjusted=origin.adjusted,
        fetched_at=origin.fetched_at,
        complete_through=origin.complete_through,
        state=origin.state,
        request_ids=origin.request_ids or (),
        raw_sha256=origin.raw_sha256,
    )


def months_before_split(
    instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth"
) -> dict[Month, tuple[Split, ...]]:
    """The other stored months of the symbol, rising, with the splits executed by this fetch that each lacks."""
    known = fetched.splits.splits if fetched.splits else None
    executed = executed_by(known or (), fetched.fetched_at)
    newest: dict[Month, Values] = {}
    for month, recorded in _materialized(instance, file, _ALL) if executed else ():
        newest.setdefault(month, recorded)
    lacking = {month: _lacking(month, each, executed) for month, each in newest.items() if month != file.month}
    return {month: lacking[month] for month in sorted(lacking) if lacking[month]}


def _lacking(month: Month, recorded: Values, executed: tuple[Split, ...]) -> tuple[Split, ...]:
    fetched_at = metadata.moment(recorded, metadata.FETCHED_AT)
    if recorded.get("adjusted") is not True or not recorded.get(metadata.ROWS) or fetched_at is None:
        return ()
    return missing_splits(month, fetched_at, metadata.splits(recorded), executed)


def _executed_splits(instance: dg.DagsterInstance, file: BarFile) -> tuple[Split, ...]:
    """The splits of the symbol executed by now, as recorded with whichever adjusted month of it was fetched last."""
    for most in _NEWEST:
        for _, recorded in _materialized(instance, file, most):
            splits = metadata.splits(recorded)
            if splits is not None:
                return executed_by(splits, datetime.now(UTC))
    return ()


def _materialized(instance: dg.DagsterInstance, file: BarFile, most: int) -> Iterator[tuple[Month, Values]]:
    """The months of the symbol and what was recorded of each, the newest materialization first."""
    months = min(_FIRST_MONTH, file.month).until(Month.of(datetime.now(UTC)))
    keys = {partition_key(file.symbol, month): month for month in months}
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(RAW), asset_partitions=list(keys))
    for found in instance.fetch_materializations(wanted, limit=most).records:
        made = found.asset_materialization
        if made is not None and made.partition in keys:
            yield keys[made.partition], metadata.values(made.metadata)


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _revised(recorded: Mapping[str, object]) -> RevisionCounts | None:
    if any(name not in recorded for name in COMPARED):
        return None
    return RevisionCounts(*(int(str(recorded[name])) for name in COMPARED))
