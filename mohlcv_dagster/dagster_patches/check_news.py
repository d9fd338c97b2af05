"""What the database has that is not known yet of an asset's checks, asked so that indexes answer.

Written for Dagster 1.13's tables, on SQLite and on PostgreSQL. Three things make *all events above the last number* a
wrong answer, and each has its cure here:

- A run that is deleted takes its events along, and SQLite gives their numbers again. A `Mark` tells whether the event
  with a number is still the same; while it is, all below it keep theirs.
- A materialization that is deleted makes the one before it the latest. So they are counted, and where the count is not
  the one remembered, the latest of all partitions are compared.
- A wipe deletes what checks said, with no event. Dagster notes its time with the asset; and rows get fewer.

That a lower number can be committed later, as on PostgreSQL, is `check_memory`'s to see to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable

from mohlcv_dagster.dagster_patches.check_facts import AssetFacts, Mark

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
    from sqlalchemy.sql import Select

MANY: Final = 2000
"""Partitions, or runs, that are asked for by name; with more, all are read, which is one statement a check."""
_AT_ONCE: Final = 500
_MATERIALIZATION: Final = dg.DagsterEventType.ASSET_MATERIALIZATION
_OF_CHECKS: Final = tuple(
    kind.value
    for kind in (dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
)
_event: Final = SqlEventLogStorageTable.c
_row: Final = AssetCheckExecutionsTable.c
_asset: Final = AssetKeyTable.c


def marks(storage: "SqlEventLogStorage", up_to: int | None = None) -> tuple[Mark, ...]:
    """The newest event, and the newest before it that is of another run; none in an empty log.

    Args:
        storage: the event log.
        up_to: only events with this number or a lower one.
    """
    newest = _marks()
    if up_to is not None:
        newest = newest.where(_event.id <= up_to)
    first = _read(storage, newest)
    if not first:
        return ()
    before = newest.where(_event.id < first[0].number, _event.run_id != first[0].run_id)
    return (*first, *_read(storage, before))


def standing(storage: "SqlEventLogStorage", of: Iterable[Mark]) -> set[Mark]:
    """Those of these marks whose events are still in the log."""
    numbers = {mark.number for mark in of}
    return set(_read(storage, _marks(limit=len(numbers)).where(_event.id.in_(numbers)))) if numbers else set()


def _marks(limit: int = 1) -> "Select[Any]":
    return db.select(_event.id, _event.run_id, _event.timestamp).order_by(_event.id.desc()).limit(limit)


def _read(storage: "SqlEventLogStorage", query: "Select[Any]") -> list[Mark]:
    with storage.index_connection() as connection:
        return [Mark(row.id, row.run_id, str(row.timestamp)) for row in connection.execute(query)]


def wipes(storage: "SqlEventLogStorage", assets: Iterable[dg.AssetKey]) -> Mapping[dg.AssetKey, str]:
    """What Dagster notes of the last wipe of each of `assets`, where it does."""
    keys = {asset.to_string(): asset for asset in assets}
    query = db.select(_asset.asset_key, _asset.asset_details).where(
        _asset.asset_key.in_(keys), _asset.asset_details.isnot(None)
    )
    with storage.index_connection() as connection:
        return {keys[key]: details for key, details in connection.execute(query)}


def rows_of_checks(storage: "SqlEventLogStorage", asset: dg.AssetKey) -> Mapping[str, int]:
    """How many rows the database has of each check of `asset`."""
    count = db.select(_row.check_name, db.func.count()).where(_row.asset_key == asset.to_string())
    with storage.index_connection() as connection:
        return {row[0]: row[1] for row in connection.execute(count.group_by(_row.check_name))}


def runs_with_check_events(storage: "SqlEventLogStorage", after: int) -> list[str] | None:
    """Runs with an event of a check above the number `after`; `None` where there are more than `MANY`."""
    query = db.select(_event.run_id).distinct().where(_event.dagster_event_type.in_(_OF_CHECKS), _event.id > after)
    with storage.index_connection() as connection:
        runs = [run_id for (run_id,) in connection.execute(query.limit(MANY + 1))]
    return runs if len(runs) <= MANY else None


class CheckRow(NamedTuple):
    """A row of the database: what a run planned or found of a check of a partition, in columns that change with it."""

    partition: str
    name: str
    run_id: str
    status: str
    event: int | None
    materialization: int | None


def rows_of_runs(
    storage: "SqlEventLogStorage", asset: dg.AssetKey, checks: Iterable[str], runs: Sequence[str]
) -> set[CheckRow]:
    """What any of `runs` planned or found of partitions, of any of `checks` of `asset`."""
    columns = (_row.partition, _row.check_name, _row.run_id, _row.execution_status)
    numbers = (_row.evaluation_event_storage_id, _row.materialization_event_storage_id)
    of_checks = (_row.asset_key == asset.to_string(), _row.check_name.in_(list(checks)), _row.partition.isnot(None))
    query = db.select(*columns, *numbers).where(*of_checks)
    found: set[CheckRow] = set()
    for some in chunks(runs):
        with storage.index_connection() as connection:
            found.update(CheckRow(*row) for row in connection.execute(query.where(_row.run_id.in_(some))))
    return found


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """`values` in pieces that a statement can hold."""
    yield from (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))


@dataclass(frozen=True)
class Materializations:
    """The materializations of an asset, as far as they are not known yet.

    Attributes:
        last: the newest.
        count: how many there are up to it.
        latest: the number of the latest one of each partition; where `only_new`, of those with a new one alone.
    """

    last: Mark | None
    count: int
    latest: Mapping[str, int]
    only_new: bool

    def apply(self, facts: AssetFacts) -> set[str]:
        """Bring `facts` up to date, and give the partitions whose latest materialization changed."""
        known = facts.materialized
        changed = {partition for partition, number in self.latest.items() if known.get(partition) != number}
        if self.only_new:
            known.update(self.latest)
        else:
            changed |= known.keys() - self.latest.keys()
            facts.materialized = dict(self.latest)
        facts.last_materialization, facts.materializations = self.last, self.count
        return changed


def materializations(storage: "SqlEventLogStorage", asset: dg.AssetKey, facts: AssetFacts) -> Materializations:
    """What is new of the materializations of `asset`; all of them where some that were counted are gone."""
    # the last one and their number before the rows: what is committed in between is found as new the next time
    of_asset = (_event.asset_key == asset.to_string(), _event.dagster_event_type == _MATERIALIZATION.value)
    last = next(iter(_read(storage, _marks().where(*of_asset))), None)
    known = facts.last_materialization

    def counted(to: int) -> int:
        with storage.index_connection() as connection:
            return int(connection.execute(db.select(db.func.count()).where(*of_asset, _event.id <= to)).scalar_one())

    count = counted(last.number) if last else 0
    if last == known and count == facts.materializations:
        return Materializations(last, count, {}, only_new=True)
    unchanged = known is not None and known in standing(storage, [known])
    only_new = known is not None and unchanged and counted(known.number) == facts.materializations
    after = known.number if known is not None and only_new else None
    latest = storage.get_latest_storage_id_by_partition(asset, _MATERIALIZATION, after_cursor=after)
    return Materializations(last, count, latest, only_new=only_new)
