"""Which rows of results of asset checks are new, and whether rows were deleted, without reading the results.

Dagster keeps a row for each check of a partition that a run planned or evaluated. When a run is deleted its events go
and its rows stay; when an asset is wiped its rows go, and an asset that has no file left does not tell of the wipe any
more. Dagster's public methods give these rows with what the checks found, a check at a time, which takes minutes for
all of them. Here it takes some milliseconds: `oldest` changes with every wipe, `newer` gives the partitions.

Written for the tables of Dagster 1.13. On any other storage or version `database` gives `None`: whoever asks must then
read everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

Database: TypeAlias = SqlEventLogStorage
"""An event log with these tables."""

_row: Final = AssetCheckExecutionsTable.c
_WIDTH: Final = 1000
"""Rows that are looked through at first for one that is old enough."""


def database(instance: dg.DagsterInstance) -> Database | None:
    """The event log with the tables that are read here; `None` where this is not one that was tested."""
    storage = instance.event_log_storage
    reason = obstacle(storage, ["index_connection"])
    if reason is None and isinstance(storage, SqlEventLogStorage):
        return storage
    warn_once("Reading only what is new of checks", reason or f"{type(storage).__name__} has no tables of its own")
    return None


@dataclass(frozen=True)
class Oldest:
    """The oldest row of the checks of an asset, and how many rows there are; a wipe changes one or the other.

    Attributes:
        row: its number, run, partition and check, in one text; empty where there is none. SQLite gives numbers again.
        count: of all rows; without a wipe it never gets less.
    """

    row: str
    count: int


def oldest(storage: Database, asset: dg.AssetKey) -> Oldest:
    """The oldest row of the checks of `asset`."""
    bounds = db.select(db.func.min(_row.id), db.func.count()).where(_row.asset_key == asset.to_string())
    with storage.index_connection() as connection:
        number, count = connection.execute(bounds).one()
        columns = db.select(_row.id, _row.run_id, _row.partition, _row.check_name, _row.create_timestamp)
        found = connection.execute(columns.where(_row.id == number)).first() if count else None
    return Oldest("|".join(map(str, found)) if found else "", count)


@dataclass(frozen=True)
class Newer:
    """Rows above a number.

    Attributes:
        partitions: that they are about.
        mark: the number of the newest of them that is old enough; where there is none, the number that was given.
    """

    partitions: frozenset[str]
    mark: int


def newer(storage: Database, assets: Sequence[dg.AssetKey], after: int, committed: float) -> Newer:
    """The rows of checks of `assets` whose numbers are larger than `after`.

    Args:
        storage: the event log.
        assets: which ones.
        after: a number given before.
        committed: all that was written up to this moment, Unix seconds, can be seen; later rows may be missing yet.
    """
    until, mark, partitions = _naive(committed), after, set[str]()
    with storage.index_connection() as connection:
        for row in connection.execute(_rows(assets, after)):
            if row.partition is not None:
                partitions.add(row.partition)
            if row.evaluation_event_timestamp is not None and row.evaluation_event_timestamp <= until:
                mark = max(mark, row.id)
    return Newer(frozenset(partitions), mark)


def newest(storage: Database, assets: Sequence[dg.AssetKey], committed: float) -> int:
    """The number of the newest row of checks of `assets` that is old enough; 0 where there is none. See `newer`."""
    with storage.index_connection() as connection:
        top = connection.execute(db.select(db.func.max(_row.id))).scalar() or 0
    width = _WIDTH
    while True:
        start = max(top - width, 0)
        mark = newer(storage, assets, start, committed).mark
        if mark > start or not start:
            return mark
        width *= 4


def _rows(assets: Sequence[dg.AssetKey], after: int) -> "Select[Any]":
    columns = db.select(_row.id, _row.partition, _row.evaluation_event_timestamp)
    # the condition that the number is above is the one that an index is to answer: most rows are of these assets
    return columns.where(_row.id > after, db.func.coalesce(_row.asset_key, "").in_([key.to_string() for key in assets]))


def _naive(moment: float) -> datetime:
    """As Dagster writes it: UTC, and no zone."""
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
