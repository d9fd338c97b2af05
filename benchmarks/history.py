"""A long history from a short one: the records of a real run, copied under other symbols and months.

What costs in a home is what was recorded, and not the files; so no file is made. The copies are rows of the index that
Dagster keeps of all runs in SQLite, and of its table of runs, as the real run left them: other names, other numbers.
"""

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.defs.partitions import partition_key, split

Row: TypeAlias = dict[str, object]

_EVENTS, _CHECKS, _RUNS, _TAGS = "event_logs", "asset_check_executions", "runs", "run_tags"
_NUMBERS: Final = ("evaluation_event_storage_id", "materialization_event_storage_id")
_DIMENSIONS: Final = ("dagster/partition/month", "dagster/partition/symbol")
_NAMESPACE: Final = uuid.UUID("6a3f0b5e-2b44-4c0e-9d4e-5f2f6d0f3a11")


@dataclass(frozen=True)
class _Template:
    """What a run recorded: rows by table, and the words in them that are its own."""

    run_id: str
    partition: str
    rows: dict[str, list[Row]]

    @property
    def numbers(self) -> list[int]:
        """Those of its events, rising."""
        return [int(str(row["id"])) for row in self.rows[_EVENTS]]


def grow(home: Path, run_id: str, partition: str, symbols: Sequence[str], months: Sequence[Month]) -> int:
    """Copy what a run of one partition recorded to each of these months of each of these symbols.

    Args:
        home: the home of Dagster, whose storage is SQLite's; nothing else may have it open.
        run_id: the run.
        partition: the one that it made, such as `2024-01|SPY`; it is not copied to itself.
        symbols: those to be; they are added to the partitions.
        months: of each of them, in the order in which they are recorded.

    Returns:
        How many partitions were added.
    """
    index, runs = home / "history" / "runs" / "index.db", home / "history" / "runs.db"
    with closing(sqlite3.connect(index)) as events, closing(sqlite3.connect(runs)) as others:
        template = _template(events, others, run_id, partition)
        keys = [partition_key(symbol, month) for symbol in symbols for month in months]
        added = [key for key in keys if key != partition]
        first = _highest(events, _EVENTS) + 1
        for connection, tables in ((events, (_EVENTS, _CHECKS)), (others, (_RUNS, _TAGS))):
            for table in tables:
                _copy(connection, template, table, added, first)
        _keep(events, symbols)
        events.commit()
        others.commit()
    return len(added)


def _template(events: sqlite3.Connection, others: sqlite3.Connection, run_id: str, partition: str) -> _Template:
    found = {
        table: _rows(connection, table, run_id)
        for connection, table in ((events, _EVENTS), (events, _CHECKS), (others, _RUNS), (others, _TAGS))
    }
    if not found[_EVENTS]:
        raise ValueError(f"run {run_id} recorded nothing in this home")
    return _Template(run_id, partition, found)


def _rows(connection: sqlite3.Connection, table: str, run_id: str) -> list[Row]:
    cursor = connection.execute(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY id", (run_id,))  # noqa: S608 - a name of our own
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _highest(connection: sqlite3.Connection, table: str) -> int:
    (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608 - as above
    return int(highest)


def _copy(connection: sqlite3.Connection, template: _Template, table: str, keys: Sequence[str], first: int) -> None:
    """Copy the rows of a table; the copies of events are numbered from `first` on, which rows of checks refer to."""
    rows = template.rows[table]
    if not rows:
        return
    names = list(rows[0])
    row_id = first if table == _EVENTS else _highest(connection, table) + 1
    copies = _copies(template, table, keys, first)
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608 - as above
        (tuple({**copy, "id": row_id + nth}[name] for name in names) for nth, copy in enumerate(copies)),
    )


def _copies(template: _Template, table: str, keys: Sequence[str], first: int) -> Iterator[Row]:
    numbers = template.numbers
    for nth, key in enumerate(keys):
        renumbered = {number: first + nth * len(numbers) + at for at, number in enumerate(numbers)}
        run_id = str(uuid.uuid5(_NAMESPACE, f"{template.run_id} {key}"))
        for row in template.rows[table]:
            copy = {name: _renamed(value, template, key, run_id, renumbered) for name, value in row.items()}
            if row.get("key") in _DIMENSIONS:
                copy["value"] = split(key)[_DIMENSIONS.index(str(row["key"]))]
            referred = {name: int(str(row[name])) for name in _NUMBERS if row.get(name)}
            yield copy | {name: renumbered.get(number, number) for name, number in referred.items()}


def _renamed(value: object, template: _Template, key: str, run_id: str, renumbered: dict[int, int]) -> object:
    if not isinstance(value, str):
        return value
    value = value.replace(template.run_id, run_id).replace(template.partition, key)
    for tag, old, new in zip(_DIMENSIONS, split(template.partition), split(key), strict=True):
        value = value.replace(f'"{tag}": "{old}"', f'"{tag}": "{new}"')
    if '"storage_id": ' in value:
        for number, new_number in renumbered.items():
            value = value.replace(f'"storage_id": {number},', f'"storage_id": {new_number},')
    return value


def _keep(connection: sqlite3.Connection, symbols: Sequence[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO dynamic_partitions (partitions_def_name, partition) VALUES ('symbol', ?)",
        [(symbol,) for symbol in symbols],
    )
