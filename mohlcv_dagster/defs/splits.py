"""What a symbol's stored months know of its splits, without a request; what follows from it is in `model.splits`."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.defs.metadata import moment_of, splits_of
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.splits import Split, executed_by, missing_splits
from mohlcv_dagster.model.timeframes import RAW

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import FetchedMonth

_FIRST_MONTH: Final = Month(2003, 9)
_NEWEST: Final = (1, 50)
"""Among so many materializations of a symbol its splits are looked for; the newest has them unless it is unadjusted."""
_ALL: Final = 2000

Facts = Mapping[str, object]


def executed_by_now(instance: dg.DagsterInstance, file: BarFile) -> tuple[Split, ...]:
    """The splits of the symbol executed by now, as recorded with whichever adjusted month of it was fetched last.

    The list is as new as that month, and those to come in it come by themselves.
    """
    for most in _NEWEST:
        for _, facts in _materialized(instance, file, most):
            splits = splits_of(facts)
            if splits is not None:
                return executed_by(splits, datetime.now(UTC))
    return ()


def made_stale(instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth") -> dict[Month, tuple[Split, ...]]:
    """The other stored months of the symbol, rising, with the splits executed by this fetch that each lacks."""
    known = fetched.splits.splits if fetched.splits else None
    now = executed_by(known or (), fetched.fetched_at)
    newest: dict[Month, Facts] = {}
    for month, facts in _materialized(instance, file, _ALL) if now else ():
        newest.setdefault(month, facts)
    lacking = {month: _lacking(month, facts, now) for month, facts in newest.items() if month != file.month}
    return {month: lacking[month] for month in sorted(lacking) if lacking[month]}


def _lacking(month: Month, facts: Facts, now: tuple[Split, ...]) -> tuple[Split, ...]:
    fetched_at = moment_of(facts, "fetched_at")
    if facts.get("adjusted") is not True or not facts.get("dagster/partition_row_count") or fetched_at is None:
        return ()
    return missing_splits(month, fetched_at, splits_of(facts), now)


def _materialized(instance: dg.DagsterInstance, file: BarFile, most: int) -> Iterator[tuple[Month, Facts]]:
    """The months of the symbol and what was recorded of each, the newest materialization first."""
    months = min(_FIRST_MONTH, file.month).until(Month.of(datetime.now(UTC)))
    keys = {partition_key(file.symbol, month): month for month in months}
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(RAW), asset_partitions=list(keys))
    for found in instance.fetch_materializations(wanted, limit=most).records:
        made = found.asset_materialization
        if made is not None and made.partition in keys:
            yield keys[made.partition], {name: value.value for name, value in made.metadata.items()}
