"""On which basis of splits the months of `quality/coverage` are; made of what was recorded, nobody is asked."""

from collections.abc import Mapping
from datetime import UTC, datetime

from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.partitions import asset_key, files_of
from mohlcv_dagster.defs.quality_events import Fact, MonthEvents
from mohlcv_dagster.model import basis
from mohlcv_dagster.model.listings import Split, executed_by
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Origin
from mohlcv_dagster.model.timeframes import RAW

_RAW = asset_key(RAW).to_user_string()


def executed_splits(months: Mapping[str, MonthEvents]) -> dict[str, tuple[Split, ...]]:
    """By symbol, the splits executed by now, as recorded with whichever adjusted month of it was fetched last."""
    newest: dict[str, tuple[float, tuple[Split, ...]]] = {}
    for partition, file in files_of(asset_key(RAW), months).items():
        stored = months[partition].stored.get(_RAW)
        known = metadata.splits_of(stored.facts) if stored else None
        if stored is not None and known is not None:
            fetched_at = float(str(stored.facts.get(metadata.FETCHED_AT) or 0))
            newest[file.symbol] = max(newest.get(file.symbol, (-1.0, ())), (fetched_at, known))
    now = datetime.now(UTC)
    return {symbol: executed_by(known, now) for symbol, (_, known) in newest.items()}


def why_stale(month: Month, facts: Mapping[str, Fact], executed: tuple[Split, ...], *, asked: bool | None) -> list[str]:
    """Why a stored raw month is on another basis than the one asked for now, a sentence; none where it is not."""
    adjusted = facts.get("adjusted")
    if not isinstance(adjusted, bool) or not facts.get(metadata.ROWS):
        return []
    recorded = Origin(
        adjusted=adjusted,
        fetched_at=metadata.moment(facts, metadata.FETCHED_AT),
        splits=metadata.splits_of(facts),
    )
    other = basis.difference(month, recorded, executed, asked=asked)
    return [f"raw_1s is on another basis: it is {other}"] if other else []
