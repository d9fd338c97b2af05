"""Runs of this command whose process was killed: found by the next command, called failed, and their places freed.

A killed process can say nothing: its run would stand in the UI as in progress, and keep its place in the pool
`massive_api`, until nobody could fetch any more. Each command holds a lock that the system lets go of whatever ends it,
and its runs carry the lock's name as a tag.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from filelock import FileLock, Timeout

COMMAND: Final = "mohlcv/command"
"""The tag of a run of this command: the name of the lock that its process holds."""

_BEGUN: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_SAID: Final = "The process of this run was killed. What it had stored is whole; the same command goes on from there."


@contextmanager
def command(instance: dg.DagsterInstance, home: Path) -> Iterator[Mapping[str, str]]:
    """Give the tags for the runs of this command, once those of killed ones are called failed.

    Args:
        instance: that of `home`.
        home: Dagster's home.
    """
    folder = home / "commands"
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    own = FileLock(folder / f"{name}.lock")
    with FileLock(folder / "all.lock"):
        own.acquire()
        _call_failed(instance, folder, keep={"all.lock", f"{name}.lock"})
    try:
        yield {COMMAND: name}
    finally:
        own.release()
        (folder / f"{name}.lock").unlink(missing_ok=True)


def _call_failed(instance: dg.DagsterInstance, folder: Path, keep: Collection[str]) -> None:
    for run in instance.get_runs(dg.RunsFilter(statuses=_BEGUN)):
        name = run.tags.get(COMMAND)
        if name is not None and not _alive(folder / f"{name}.lock"):
            instance.report_run_failed(run, _SAID)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    for lock in folder.glob("*.lock"):
        if lock.name not in keep and not _alive(lock):
            lock.unlink(missing_ok=True)


def _alive(lock: Path) -> bool:
    """Whether a process holds the lock."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
