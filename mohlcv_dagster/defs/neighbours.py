"""What Dagster has recorded of the symbol's months before and after a month: the nearest ones that have bars."""

from collections.abc import Iterable
from typing import Final

import dagster as dg

from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, NeighbourMonths, StoredMonth
from mohlcv_dagster.defs import records
from mohlcv_dagster.model import basis
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW

_MOST_EMPTY: Final = 24
"""So many empty months in a row are looked over, each an event to be read."""


def of(instance: dg.DagsterInstance, file: BarFile, record: Provenance | None) -> NeighbourMonths:
    """What is recorded of the raw months before and after that of `file`; nothing for an aggregate, which needs none.

    Args:
        instance: knows them.
        file: which file.
        record: its own, which says on which basis its prices are compared.
    """
    if file.timeframe != RAW:
        return NO_NEIGHBOURS
    beside = {month: records.latest(instance, BarFile(file.symbol, RAW, month)) for month in file.month.neighbours}
    occupancies = tuple(each.occupancy for each in beside.values() if each is not None and each.occupancy is not None)
    stored: list[Month] | None = None
    sides: dict[bool, StoredMonth | None] = {False: None, True: None}
    for month, found in beside.items():
        is_after = month > file.month
        if found is not None and found.rows:
            sides[is_after] = StoredMonth(month, found)
            continue
        stored = records.stored_months(instance, file.symbol) if stored is None else stored
        farther = [each for each in stored if (each > month if is_after else each < month)]
        sides[is_after] = _nearest(instance, file, farther)
    before, after = sides[False], sides[True]
    close = _previous_close(file.month, before, record, set(stored or ()))
    return NeighbourMonths(occupancies, close, before, after)


def _nearest(instance: dg.DagsterInstance, file: BarFile, months: Iterable[Month]) -> StoredMonth | None:
    """The nearest of the stored `months` of the symbol that has bars."""
    near_first = sorted(months, key=lambda month: abs(month.start - file.month.start))
    for month in near_first[:_MOST_EMPTY]:
        found = records.latest(instance, BarFile(file.symbol, RAW, month))
        if found is not None and found.rows:
            return StoredMonth(month, found)
    return None


def _previous_close(
    month: Month, before: StoredMonth | None, record: Provenance | None, stored: set[Month]
) -> float | None:
    """The last close before the month, on the basis of splits of `record`; `None` where it cannot be compared.

    It can be compared over months that are stored without bars, and not over months that are not stored.
    """
    if before is None or record is None or before.recorded.last_close is None or not before.recorded.is_final:
        return None
    if before.month.next() != month and not stored.issuperset(before.month.next().until(month.previous())):
        return None
    if before.recorded.adjusted is None or record.adjusted is None:
        same = before.recorded.adjusted is record.adjusted
        return before.recorded.last_close if same else None
    factor = basis.price_factor(before.recorded, record)
    return None if factor is None else before.recorded.last_close * factor
