"""The databases of a home: opened, made in a new folder, and mended where two first starts at once broke them.

Private parts of Dagster are `InstanceRef`, the way to an instance of a folder that is not `DAGSTER_HOME`, and the
scripts of its migrations, which say what the newest version of a database is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from alembic.script import ScriptDirectory
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.sql import get_alembic_config
from filelock import FileLock

from mohlcv_dagster.dagster_patches.home_errors import explanation
from mohlcv_dagster.errors import HomeError, MohlcvError

LOCK: Final = "creation.lock"
"""The file in a home that is locked while its databases are made."""
_ON_SQLITE: Final = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
_NO_OUTPUT_FILES: Final = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_CURE: Final = "look at its dagster.yaml; without that file, the next command writes a new one"
_LONGEST: Final = 300


@contextmanager
def opened(home: Path, *, keep_outputs: bool = False) -> Iterator[dg.DagsterInstance]:
    """Open the instance of a home, one process at a time; runs in this process leave their output on the terminal.

    Dagster would turn file descriptor 1 into a log file while a run works, where a progress bar finds no terminal and
    stands still; and four processes would copy that file back, which answer Ctrl-C with tracebacks.

    Args:
        home: the folder.
        keep_outputs: write the outputs of runs to files all the same, as `dagster.yaml` defines.

    Raises:
        HomeError: its `dagster.yaml` cannot be used.
    """
    with FileLock(home / LOCK):
        instance = _instance(home, {} if keep_outputs else _NO_OUTPUT_FILES)
    with instance:
        yield instance


def _instance(home: Path, overrides: dict[str, dict[str, str]]) -> dg.DagsterInstance:
    try:
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))
        instance.get_dynamic_partitions("symbol")  # opens the event log, and makes it where it is absent
    except MohlcvError:
        raise
    except Exception as error:
        # a class that dagster.yaml names may raise anything
        raise explanation(error, home) or HomeError(
            f"Dagster's home {home} does not open ({_brief(error)})", _CURE
        ) from error
    return instance


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def make(folder: Path) -> None:
    """Make the databases of a home in an empty folder, as Dagster makes them by default."""
    configuration = folder / "dagster.yaml"
    configuration.touch()  # without one, Dagster says that it is missing
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=_NO_OUTPUT_FILES)) as instance:
        instance.get_dynamic_partitions("symbol")
    configuration.unlink()


def mend(home: Path) -> list[Path]:
    """Leave one version in each database that two first starts at once gave several; a copy of each is kept.

    All of its tables were made by one version of Dagster, which is the newest of those that it names.

    Returns:
        The copies.
    """
    scripts = ScriptDirectory.from_config(get_alembic_config(sqlite_event_log.__file__))
    newest = scripts.as_revision_number("head")
    with FileLock(home / LOCK):
        found = [home / name for name in _ON_SQLITE if (home / name).exists()]
        return [copy for database in found if (copy := _mend(database, str(newest))) is not None]


def _mend(database: Path, newest: str) -> Path | None:
    with closing(sqlite3.connect(database)) as connection:
        if len(versions := _versions(connection)) <= 1 or newest not in versions:
            return None
        copy = database.with_suffix(".before-mending")
        with closing(sqlite3.connect(copy)) as kept:
            connection.backup(kept)
        with connection:
            connection.execute("DELETE FROM alembic_version WHERE version_num <> ?", (newest,))
    return copy


def _versions(connection: sqlite3.Connection) -> list[str]:
    """The versions that a database names; none of one that cannot be read, which opening it tells."""
    try:
        return [version for (version,) in connection.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.Error:
        return []
