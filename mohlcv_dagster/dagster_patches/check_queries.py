"""SQL statements on what Dagster's database has of asset checks, written so that indexes answer them.

For the cache of check states (`check_state_cache`) and for `quality/coverage`, which both read only what is new.
Written for the tables of Dagster 1.13, on SQLite and on PostgreSQL. Dagster's own methods give the same rows a check at
a time and with the evaluations, which takes minutes for all of them; here it takes milliseconds.

Why *all events above the last number* is no answer:

- A deleted run takes its events along, and SQLite gives their numbers again. An `EventId` shows whether the event with
  a number is still the same; while it is, all below it keep theirs. The rows of its checks stay.
- A deleted materialization makes the one before it the latest. So they are counted, and where the count differs from
  the one kept, the latest of all partitions are compared.
- A wipe of an asset deletes the rows of its checks, with no event. Dagster notes its time with the asset, and rows get
  fewer; an asset that has no file left has no such note any more.

A lower number can be committed later, as on PostgreSQL: callers read the latest events again for a while.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once
from mohlcv_dagster.dagster_patches.unexported import in_batches

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from mohlcv_dagster.dagster_patches.check_states import CachedAsset

Database: TypeAlias = SqlEventLogStorage
"""An event log with these tables."""
MANY: Final = 2000
"""Partitions, or runs, that are asked for by name; with more, all are read, which is one statement a check."""
_MATERIALIZATION: Final = dg.DagsterEventType.ASSET_MATERIALIZATION
_OF_CHECKS: Final = tuple(
    kind.value
    for kind in (dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
)
_FIRST_WIDTH: Final = 1000
"""Rows that are looked through at first for one that is old enough."""
_event: Final = SqlEventLogStorageTable.c
_row: Final = AssetCheckExecutionsTable.c
_asset: Final = AssetKeyTable.c


def database(instance: dg.DagsterInstance) -> Database | None:
    """The event log with the tables that are read here; `None` where it is not one that was tested: read everything."""
    storage = instance.event_log_storage
    reason = obstacle(storage, ["index_connection"])
    if reason is None and isinstance(storage, SqlEventLogStorage):
        return storage
    warn_once("Reading only what is new of checks", reason or f"{type(storage).__name__} has no tables of its own")
    return None


# ---- events


class EventId(NamedTuple):
    """An event of the log. A number can be given again when its event is deleted; with run and time it is that event.

    Attributes:
        number: the event's number in the log.
        run_id: its run.
        at: its time, as the database gives it, as text.
    """

    number: int
    run_id: str
    at: str


def newest_events(storage: Database, up_to: int | None = None) -> tuple[EventId, ...]:
    """The newest event, and the newest before it that is of another run; none in an empty log.

    Args:
        storage: the event log.
        up_to: only events with this number or a lower one.
    """
    newest = _event_ids()
    if up_to is not None:
        newest = newest.where(_event.id <= up_to)
    first = _read(storage, newest)
    if not first:
        return ()
    before = newest.where(_event.id < first[0].number, _event.run_id != first[0].run_id)
    return (*first, *_read(storage, before))


def still_stored(storage: Database, events: Iterable[EventId]) -> set[EventId]:
    """Those of these events that are still in the log."""
    numbers = {event.number for event in events}
    return set(_read(storage, _event_ids(limit=len(numbers)).where(_event.id.in_(numbers)))) if numbers else set()


def _event_ids(limit: int = 1) -> "Select[Any]":
    return db.select(_event.id, _event.run_id, _event.timestamp).order_by(_event.id.desc()).limit(limit)


def _read(storage: Database, query: "Select[Any]") -> list[EventId]:
    with storage.index_connection() as connection:
        return [EventId(row.id, row.run_id, str(row.timestamp)) for row in connection.execute(query)]


def runs_with_check_events(storage: Database, after: int) -> list[str] | None:
    """Runs with an event of a check above the number `after`; `None` where there are more than `MANY`."""
    query = db.select(_event.run_id).distinct().where(_event.dagster_event_type.in_(_OF_CHECKS), _event.id > after)
    with storage.index_connection() as connection:
        runs = [run_id for (run_id,) in connection.execute(query.limit(MANY + 1))]
    return runs if len(runs) <= MANY else None


def wipes(storage: Database, assets: Iterable[dg.AssetKey]) -> Mapping[dg.AssetKey, str]:
    """What Dagster notes of the last wipe of each of `assets`, where it does."""
    keys = {asset.to_string(): asset for asset in assets}
    query = db.select(_asset.asset_key, _asset.asset_details).where(
        _asset.asset_key.in_(keys), _asset.asset_details.isnot(None)
    )
    with storage.index_connection() as connection:
        return {keys[key]: details for key, details in connection.execute(query)}


def update_materializations(storage: Database, key: dg.AssetKey, asset: "CachedAsset") -> set[str]:
    """Bring the latest materializations in `asset` up to date; the partitions whose latest one changed.

    What is new is read alone; where some that were counted are gone, all are.
    """
    # the last one and the count before the rows: what is committed in between is found as new the next time
    of_asset = (_event.asset_key == key.to_string(), _event.dagster_event_type == _MATERIALIZATION.value)
    last = next(iter(_read(storage, _event_ids().where(*of_asset))), None)
    former = asset.last_materialization

    def count_to(number: int) -> int:
        query = db.select(db.func.count()).where(*of_asset, _event.id <= number)
        with storage.index_connection() as connection:
            return int(connection.execute(query).scalar_one())

    count = count_to(last.number) if last else 0
    if last == former and count == asset.materializations:
        return set()
    is_whole = former is not None and former in still_stored(storage, [former])
    after = former.number if former and is_whole and count_to(former.number) == asset.materializations else None
    latest = storage.get_latest_storage_id_by_partition(key, _MATERIALIZATION, after_cursor=after)
    changed = {partition for partition, number in latest.items() if asset.materialized.get(partition) != number}
    if after is None:
        changed |= asset.materialized.keys() - latest.keys()
        asset.materialized = {}
    asset.materialized.update(latest)
    asset.last_materialization, asset.materializations = last, count
    return changed


# ---- rows of checks: one for each check of a partition that a run planned or evaluated


class CheckRow(NamedTuple):
    """A row of the database: what a run planned or found of a check of a partition, in columns that change with it."""

    partition: str
    name: str
    run_id: str
    status: str
    event: int | None
    materialization: int | None


def count_rows(storage: Database, asset: dg.AssetKey) -> Mapping[str, int]:
    """How many rows the database has of each check of `asset`."""
    count = db.select(_row.check_name, db.func.count()).where(_row.asset_key == asset.to_string())
    with storage.index_connection() as connection:
        return {row[0]: row[1] for row in connection.execute(count.group_by(_row.check_name))}


def rows_of_runs(storage: Database, asset: dg.AssetKey, checks: Iterable[str], runs: Sequence[str]) -> set[CheckRow]:
    """What any of `runs` planned or found of partitions, of any of `checks` of `asset`."""
    columns = (_row.partition, _row.check_name, _row.run_id, _row.execution_status)
    numbers = (_row.evaluation_event_storage_id, _row.materialization_event_storage_id)
    of_checks = (_row.asset_key == asset.to_string(), _row.check_name.in_(list(checks)), _row.partition.isnot(None))
    query = db.select(*columns, *numbers).where(*of_checks)
    found: set[CheckRow] = set()
    for some in in_batches(runs):
        with storage.index_connection() as connection:
            found.update(CheckRow(*row) for row in connection.execute(query.where(_row.run_id.in_(some))))
    return found


class OldestRow(NamedTuple):
    """The oldest row of the checks of an asset, and how many rows there are; a wipe changes one or the other.

    Attributes:
        row: its number, run, partition and check, in one text; empty where there is none. SQLite gives numbers again.
        rows: the count of all; without a wipe it never gets less.
    """

    row: str
    rows: int


def oldest_row(storage: Database, asset: dg.AssetKey) -> OldestRow:
    """The oldest row of the checks of `asset`."""
    bounds = db.select(db.func.min(_row.id), db.func.count()).where(_row.asset_key == asset.to_string())
    with storage.index_connection() as connection:
        number, count = connection.execute(bounds).one()
        columns = db.select(_row.id, _row.run_id, _row.partition, _row.check_name, _row.create_timestamp)
        found = connection.execute(columns.where(_row.id == number)).first() if count else None
    return OldestRow("|".join(map(str, found)) if found else "", count)


class NewRows(NamedTuple):
    """Rows above a number.

    Attributes:
        partitions: that they are about.
        mark: the number of the newest of them that is old enough; where there is none, the number that was given.
    """

    partitions: frozenset[str]
    mark: int


def new_rows(storage: Database, assets: Sequence[dg.AssetKey], after: int, committed: float) -> NewRows:
    """The rows of checks of `assets` whose numbers are larger than `after`.

    Args:
        storage: the event log.
        assets: which ones.
        after: a number given before.
        committed: all that was written up to this moment, Unix seconds, can be seen; later rows may be missing yet.
    """
    until = datetime.fromtimestamp(committed, UTC).replace(tzinfo=None)  # as Dagster writes it: UTC, and no zone
    columns = db.select(_row.id, _row.partition, _row.evaluation_event_timestamp)
    # an index is to answer the condition on the number, not that on the asset: most rows are of these assets
    of_assets = db.func.coalesce(_row.asset_key, "").in_([key.to_string() for key in assets])
    mark, partitions = after, set[str]()
    with storage.index_connection() as connection:
        for row in connection.execute(columns.where(_row.id > after, of_assets)):
            if row.partition is not None:
                partitions.add(row.partition)
            if row.evaluation_event_timestamp is not None and row.evaluation_event_timestamp <= until:
                mark = max(mark, row.id)
    return NewRows(frozenset(partitions), mark)


def newest_row(storage: Database, assets: Sequence[dg.AssetKey], committed: float) -> int:
    """The number of the newest row of checks of `assets` that is old enough, see `new_rows`; 0 where there is none."""
    with storage.index_connection() as connection:
        top = connection.execute(db.select(db.func.max(_row.id))).scalar() or 0
    width = _FIRST_WIDTH
    while True:
        start = max(top - width, 0)
        mark = new_rows(storage, assets, start, committed).mark
        if mark > start or not start:
            return mark
        width *= 4
