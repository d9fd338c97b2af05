"""Moves the rows of a home with SQLite files to PostgreSQL, so that long histories can be looked at there too.

`DAGSTER_POSTGRES_URL` names a database on a server where databases may be made; each home gets one of its own.
"""

import csv
import io
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as db
import yaml

URL: Final = "DAGSTER_POSTGRES_URL"
_TABLES: Final = {
    "history/runs/index.db": (
        "event_logs",
        "asset_keys",
        "asset_check_executions",
        "asset_event_tags",
        "dynamic_partitions",
    ),
    "history/runs.db": ("snapshots", "runs", "run_tags"),
}
"""The tables that pages read, by the file of a home that has them."""
_ROWS_AT_ONCE: Final = 5_000
_NULL: Final = "\\N"


@contextmanager
def moved(home: Path, name: str) -> Iterator[dict[str, str]]:
    """A home whose `dagster.yaml` names a database with its rows, for the block; the variables that it needs.

    Args:
        home: a `DAGSTER_HOME` with SQLite files, with no process at work in it.
        name: of the database, which is made, and dropped after the block.

    Raises:
        RuntimeError: `DAGSTER_POSTGRES_URL` is not set.
    """
    if not (given := os.environ.get(URL)):
        raise RuntimeError(f"{URL} is not set: write postgresql+psycopg2://USER@HOST:PORT/DATABASE into it")
    server = db.create_engine(given, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(db.text(f'CREATE DATABASE "{name}"'))
    url = db.make_url(given).set(database=name).render_as_string(hide_password=False)
    try:
        _fill(home, url)
        _name_it(home / "dagster.yaml")
        yield {URL: url}
    finally:
        with server.connect() as connection:
            connection.execute(db.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


def _fill(home: Path, url: str) -> None:
    from mohlcv_dagster.dagster_patches.postgres_storage import RememberingPostgresStorage  # noqa: PLC0415 - a group's

    storage = RememberingPostgresStorage(url)  # makes the tables
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.dispose()
    engine = db.create_engine(url)
    with engine.begin() as target:
        for file, tables in _TABLES.items():
            with closing(sqlite3.connect(home / file)) as source:
                for table in tables:
                    _copy(source, target, table)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as target:
        target.execute(db.text("ANALYZE"))
    engine.dispose()


def _copy(source: sqlite3.Connection, target: db.Connection, table: str) -> None:
    """All rows of a table, in the columns that both databases have."""
    theirs = {column["name"] for column in db.inspect(target).get_columns(table)}
    names = [row[1] for row in source.execute(f"PRAGMA table_info({table})") if row[1] in theirs]
    columns = ", ".join(f'"{name}"' for name in names)
    rows = source.execute(f"SELECT {columns} FROM {table}")  # noqa: S608 - our own names
    cursor: Any = target.connection.cursor()
    while batch := rows.fetchmany(_ROWS_AT_ONCE):
        text = io.StringIO()
        csv.writer(text).writerows(map(_written, row) for row in batch)
        text.seek(0)
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv, NULL '{_NULL}')", text)
    if "id" in names:
        target.execute(db.text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))  # noqa: S608 - as above


def _written(value: object) -> object:
    """A value of SQLite as PostgreSQL reads it."""
    if value is None:
        return _NULL
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _name_it(configuration: Path) -> None:
    """Have `dagster.yaml` name the database that the environment names."""
    told = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    del told["event_log_storage"]
    module = "mohlcv_dagster.dagster_patches.postgres_storage"
    custom = {"module": module, "class": "RememberingPostgresStorage", "config": {"postgres_url": {"env": URL}}}
    configuration.write_text(yaml.safe_dump({**told, "storage": {"custom": custom}}), encoding="utf-8")
