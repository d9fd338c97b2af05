"""Dagster's home: whether it is there, opens, and is in use. Loads Dagster where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mohlcv_dagster.cli.examinations.finding import Finding, fine, warning, wrong
from mohlcv_dagster.cli.examinations.folder import is_there, writable
from mohlcv_dagster.storage import atomic_writes

TOPIC: Final = "home"
LOCK: Final = "up.lock"
_SYMBOL: Final = "symbol"
_MOVED: Final = {
    "mohlcv_dagster.defs.event_log": "mohlcv_dagster.dagster_patches.sqlite_event_log",
    "KeptSqliteEventLogStorage": "RememberingSqliteEventLogStorage",
    "mohlcv_dagster.defs.run_queue": "mohlcv_dagster.dagster_patches.run_queue",
}
"""Names that homes of earlier versions have in their `dagster.yaml`, and what they are called now."""


def examine(home: Path, *, told: bool) -> Iterator[Finding]:
    """What is found of the home.

    Args:
        home: the folder.
        told: whether `DAGSTER_HOME` names it.
    """
    named = f"{home}{'  (DAGSTER_HOME)' if told else ''}"
    if not is_there(home):
        yield fine(TOPIC, f"{named} is not there yet; the first command that stores makes it")
        return
    if not is_there(home / "dagster.yaml"):
        yield warning(TOPIC, f"{named} has no dagster.yaml", "The first command that stores writes one.")
        return
    unwritable = writable(home)
    if unwritable.cure:
        yield wrong(TOPIC, unwritable.found, "Let this user write there, or set DAGSTER_HOME to another folder.")
        return
    yield from _moved(home / "dagster.yaml")
    yield _opened(home, named)
    yield _in_use(home)


def _moved(file: Path) -> Iterator[Finding]:
    """Names of ours in a `dagster.yaml` that have moved since it was written: they are corrected there."""
    text = file.read_text(encoding="utf-8")
    moved = [name for name in _MOVED if name in text]
    for name in moved:
        text = text.replace(name, _MOVED[name])
    if moved:
        atomic_writes.write(file, [text.encode()])
        yield fine(TOPIC, f"{file} named {', '.join(moved)}, which has moved: corrected")


def _opened(home: Path, named: str) -> Finding:
    """Whether Dagster opens it and reads what is stored."""
    import dagster as dg  # noqa: PLC0415 - only where there is something to open

    from mohlcv_dagster.defs.partitions import asset_key  # noqa: PLC0415 - as above
    from mohlcv_dagster.model.timeframes import RAW  # noqa: PLC0415 - as above

    os.environ["DAGSTER_HOME"] = str(home)  # its event log looks there
    try:
        with dg.DagsterInstance.get() as instance:
            symbols = len(instance.get_dynamic_partitions(_SYMBOL))
            months = len(instance.get_materialized_partitions(asset_key(RAW)))
    except Exception as error:  # noqa: BLE001 - whatever is broken in it, a doctor tells it
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        cure = (
            "Look at its dagster.yaml. A home of an older Dagster is brought up to date by `dagster instance migrate`; "
            "one that is beyond repair can be moved away, the files of bars do not depend on it."
        )
        return wrong(TOPIC, f"{named} does not open: {first}", cure)
    return fine(TOPIC, f"{named} opens: {symbols:,} symbols, {months:,} months recorded")


def _in_use(home: Path) -> Finding:
    """Whether `mohlcv up` holds it."""
    lock = home / LOCK
    if not lock.exists():
        return fine(TOPIC, "not in use by `mohlcv up`")
    try:
        with FileLock(lock, timeout=0):
            return fine(TOPIC, "not in use by `mohlcv up`")
    except Timeout:
        return fine(TOPIC, "in use: `mohlcv up` is running on it")
