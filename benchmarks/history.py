"""Gives a Dagster home with SQLite files a long history: rows of one real run, copied under other names.

A run of one partition leaves rows in the index of all runs and in the tables of check results and of runs. They are
copied for other months and symbols with new event numbers and run ids. The databases of single runs
are not made; only a run's own page reads them.
"""

import itertools
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MONTHS_OF_A_RUN: Final = 12
_ROWS_AT_ONCE: Final = 12
"""Partitions whose rows are written in one transaction, times `MONTHS_OF_A_RUN`."""


@dataclass(frozen=True)
class _Model:
    """The rows of one run.

    Attributes:
        run_id: the run.
        partition: the only partition that it made.
        first: the number of its first event, and `span` how many numbers they take.
        events, checks, tags: rows of the index, as mappings of column to value.
    """

    run_id: str
    partition: str
    first: int
    span: int
    events: Sequence[dict[str, Any]]
    checks: Sequence[dict[str, Any]]
    tags: Sequence[dict[str, Any]]


def lengthen(home: Path, symbols: Sequence[str], months: Sequence[str]) -> int:
    """Give a home all of `symbols` × `months` that it does not have, as its latest run made its partition.

    Args:
        home: a `DAGSTER_HOME` with SQLite files, with no process at work in it, and one run of one partition at least.
        symbols: symbols, added to the dynamic partitions `symbol`.
        months: months, as `2024-01`.

    Returns:
        How many partitions were added.

    Raises:
        ValueError: no run of a single partition is in it.
    """
    runs, index = home / "history" / "runs.db", home / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index)) as base, closing(sqlite3.connect(runs)) as of_runs:
        base.row_factory = of_runs.row_factory = sqlite3.Row
        model = _model(base)
        there = {row[0] for row in base.execute("SELECT DISTINCT partition FROM asset_check_executions")}
        wanted = [[f"{month}|{symbol}" for month in months] for symbol in symbols]
        batches = [_batches([each for each in of_one if each not in there]) for of_one in wanted]
        _add_symbols(base, symbols)
        return sum(_write(base, of_runs, model, batch) for batch in itertools.chain(*batches))


def _batches(partitions: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (partitions[at : at + MONTHS_OF_A_RUN] for at in range(0, len(partitions), MONTHS_OF_A_RUN))


def _model(base: sqlite3.Connection) -> _Model:
    latest = base.execute(
        "SELECT run_id, partition FROM asset_check_executions WHERE partition IS NOT NULL AND run_id != '' "
        "GROUP BY run_id HAVING count(DISTINCT partition) = 1 ORDER BY max(id) DESC LIMIT 1"
    ).fetchone()
    if latest is None:
        raise ValueError("no run of a single partition is in the home: materialize one, then lengthen its history")
    run_id, partition = latest
    events = _rows(base, "SELECT * FROM event_logs WHERE run_id = ? ORDER BY id", run_id)
    checks = _rows(base, "SELECT * FROM asset_check_executions WHERE run_id = ? ORDER BY id", run_id)
    tags = _rows(
        base, "SELECT * FROM asset_event_tags WHERE event_id IN (SELECT id FROM event_logs WHERE run_id = ?)", run_id
    )
    first, last = events[0]["id"], events[-1]["id"]
    return _Model(run_id, partition, first, last - first + 1, events, checks, tags)


def _rows(base: sqlite3.Connection, query: str, run_id: str) -> list[dict[str, Any]]:
    return [dict(row) for row in base.execute(query, (run_id,))]


def _add_symbols(base: sqlite3.Connection, symbols: Iterable[str]) -> None:
    query = "INSERT OR IGNORE INTO dynamic_partitions (partitions_def_name, partition) VALUES ('symbol', ?)"
    with base:
        base.executemany(query, [(symbol,) for symbol in symbols])


def _write(base: sqlite3.Connection, of_runs: sqlite3.Connection, model: _Model, partitions: Sequence[str]) -> int:
    """One run of these partitions."""
    run_id = str(uuid.uuid4())
    (highest,) = base.execute("SELECT max(id) FROM event_logs").fetchone()
    with base:
        for number, partition in enumerate(partitions):
            _copy(base, model, run_id, partition, highest + 1 + number * model.span)
    with of_runs:
        _copy_run(of_runs, model, run_id)
    return len(partitions)


def _copy(base: sqlite3.Connection, model: _Model, run_id: str, partition: str, first: int) -> None:
    """The rows of the model for one partition, its events numbered from `first`."""
    moved = first - model.first
    renamed = _Renamed(model, run_id, partition, moved)
    _insert(base, "event_logs", [renamed(row, "event") | {"id": row["id"] + moved} for row in model.events])
    _insert(
        base, "asset_event_tags", [renamed(row, "value") | {"event_id": row["event_id"] + moved} for row in model.tags]
    )
    numbers = ("evaluation_event_storage_id", "materialization_event_storage_id")
    _insert(
        base,
        "asset_check_executions",
        [
            renamed(row, "evaluation_event") | {name: row[name] and row[name] + moved for name in numbers}
            for row in model.checks
        ],
    )


class _Renamed:
    """Gives a row of the model its new names, in its columns and in the JSON of its event."""

    def __init__(self, model: _Model, run_id: str, partition: str, moved: int) -> None:
        was, now = model.partition.split("|"), partition.split("|")
        self._names = [(model.run_id, run_id), (model.partition, partition)]
        self._names += [(f'"{old}"', f'"{new}"') for old, new in zip(was, now, strict=True)]
        targets = {row["materialization_event_storage_id"] for row in model.checks} - {None}
        self._names += [(f'"storage_id": {old}', f'"storage_id": {old + moved}') for old in targets]
        self._columns = {"run_id": run_id, "partition": partition}

    def __call__(self, row: dict[str, Any], text: str) -> dict[str, Any]:
        words = row[text]
        for old, new in self._names:
            words = words.replace(old, new)
        columns = {name: new for name, new in self._columns.items() if row.get(name)}
        return {name: value for name, value in row.items() if name != "id"} | columns | {text: words}


def _copy_run(of_runs: sqlite3.Connection, model: _Model, run_id: str) -> None:
    for table, text in (("runs", "run_body"), ("run_tags", None)):
        rows = _rows(of_runs, f"SELECT * FROM {table} WHERE run_id = ?", model.run_id)  # noqa: S608 - names above
        for row in rows:
            row["run_id"] = run_id
            if text:
                row[text] = row[text].replace(model.run_id, run_id)
        _insert(of_runs, table, [{name: value for name, value in row.items() if name != "id"} for row in rows])


def _insert(base: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        marks = ", ".join(f":{name}" for name in names)
        base.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 - our own names
