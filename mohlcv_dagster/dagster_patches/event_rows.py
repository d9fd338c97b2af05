"""The rows in which an event is stored: Dagster's own, by statements that are made once and not once an event.

Half of a month's events in a year's run are the results of checks. Of each, Dagster 1.13 keeps the event in the
database of its run, the same once more in the index of all runs, and there a row of what the check has said last, which
was planned before. It serializes the event two or three times for that (once more for each partition of the run, when
it is planned) and commits to the index twice. Here the event is serialized once, and what the index has of it is
committed as one. Private parts of Dagster are used here and in `kept_connections`.
"""

from typing import Any, Final, TypeAlias

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

Row: TypeAlias = dict[str, Any]
"""Columns of the table of events and their values, as Dagster's `_event_to_row` gives them."""

_planned: Final = AssetCheckExecutionsTable.c
_EVENT: Final = SqlEventLogStorageTable.insert()
_EXECUTION: Final = AssetCheckExecutionsTable.insert()
_EVALUATED: Final = AssetCheckExecutionsTable.update().where(
    _planned.asset_key == bindparam("of_asset_key"),
    _planned.check_name == bindparam("of_check_name"),
    _planned.run_id == bindparam("of_run_id"),
    _planned.partition.is_not_distinct_from(bindparam("of_partition")),
)


def store(connection: Connection, row: Row) -> int:
    """Store an event; its number in this database."""
    return int(connection.execute(_EVENT, row).lastrowid)


def store_of_check(connection: Connection, said: object, row: Row) -> int:
    """Store in the index an event that is about a check.

    Args:
        connection: to the index, in a transaction.
        said: what is planned or was found.
        row: the event.

    Returns:
        How many rows of what was planned were replaced by what was found.

    Raises:
        sqlalchemy.exc.IntegrityError: this run had planned it already.
    """
    number = store(connection, row)
    shared = {
        "run_id": row["run_id"],
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": number,
    }
    if isinstance(said, AssetCheckEvaluationPlanned):
        return _plan(connection, said, shared)
    if isinstance(said, dg.AssetCheckEvaluation):
        return _evaluate(connection, said, shared)
    return 0


def _plan(connection: Connection, planned: AssetCheckEvaluationPlanned, shared: Row) -> int:
    """A row for each partition that the run is to evaluate; without partitions one."""
    row = shared | {
        "asset_key": planned.asset_key.to_string(),
        "check_name": planned.check_name,
        "execution_status": Status.PLANNED.value,
    }
    subset = planned.partitions_subset
    partitions = subset.get_partition_keys() if subset else [None]
    connection.execute(_EXECUTION, [{**row, "partition": partition} for partition in partitions])
    return 0


def _evaluate(connection: Connection, evaluation: dg.AssetCheckEvaluation, shared: Row) -> int:
    """What was found in the place of what was planned; where nothing was, in a row of its own."""
    place = {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "run_id": shared["run_id"],
        "partition": evaluation.partition,
    }
    target = evaluation.target_materialization_data
    found = shared | {
        "execution_status": (Status.SUCCEEDED if evaluation.passed else Status.FAILED).value,
        "materialization_event_storage_id": target.storage_id if target else None,
    }
    replaced = connection.execute(_EVALUATED, {**found, **{f"of_{name}": value for name, value in place.items()}})
    if not replaced.rowcount:
        connection.execute(_EXECUTION, {**found, **place})
    return replaced.rowcount
