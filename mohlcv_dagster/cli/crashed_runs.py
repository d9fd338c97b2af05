"""Runs that do not finish: interrupted by Ctrl-C, or of a process that was killed.

The run of a killed process would stay in progress in the UI, and keep its place in the pool `massive_api`, until nobody
could fetch any more. Therefore each command holds a lock that the system releases when the process ends, and its runs
carry the lock's name as a tag; runs that others started hold a lock of their own (`dagster_patches.pool_places`). The
next command, and one that waits for a place, marks runs without a live process as failed and frees their places, as the
sensor of `defs.dead_runs` does.
"""

import signal
import socket
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg
from filelock import FileLock

from mohlcv_dagster.dagster_patches.pool_places import FOLDER, GUARD, is_locked, lock_of
from mohlcv_dagster.dagster_patches.run_beats import HOST
from mohlcv_dagster.defs import dead_runs
from mohlcv_dagster.defs.run_tags import COMMAND, MONTH, SYMBOL
from mohlcv_dagster.formatting import quantity

_INTERRUPTS: Final = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}


@contextmanager
def command(instance: dg.DagsterInstance, home: Path) -> Iterator[Mapping[str, str]]:
    """Mark the runs of killed commands as failed, and give the tags for the runs of this command.

    Args:
        instance: that of `home`.
        home: Dagster's home.
    """
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    own = FileLock(folder / f"{name}.lock")
    with FileLock(folder / GUARD):
        own.acquire()
        dead_runs.mark_killed(instance, home, keep={f"{name}.lock"})
    try:
        yield {COMMAND: name, HOST: socket.gethostname()}
    finally:
        own.release()
        (folder / f"{name}.lock").unlink(missing_ok=True)


@dataclass
class PoolWait:
    """What happens each second while a run of this command waits for a place in a pool: see the first lines.

    Attributes:
        home: of the instance.
        say: told once what is waited for, and again when others have the places.
    """

    instance: dg.DagsterInstance
    home: Path
    say: Callable[[str], None]
    _told: frozenset[str] | None = None

    def __call__(self, pool: str, run_id: str) -> None:
        """Free places of killed runs, and say who has the others."""
        storage = self.instance.event_log_storage
        with FileLock(self.home / FOLDER / GUARD):
            dead_runs.mark_killed(self.instance, self.home)
            self._free_places_of_ended_runs(storage.get_concurrency_info(pool).active_run_ids)
        info = storage.get_concurrency_info(pool)
        holders = frozenset(info.active_run_ids - {run_id})
        if holders != self._told and len(holders) >= (info.limit or 0):
            self._told = holders
            self.say(f"waiting for a place in the pool {pool}, which has {quantity(info.limit or 0, 'place')}")
            for record in self.instance.get_run_records(dg.RunsFilter(run_ids=list(holders))) if holders else []:
                self.say(f"  {self._holder(record)}")

    def _free_places_of_ended_runs(self, run_ids: Collection[str]) -> None:
        ended = {run.run_id for run in self._runs(run_ids) if run.is_finished}
        for run_id in ended:
            if not is_locked(lock_of(self.home, run_id)):
                self.instance.event_log_storage.free_concurrency_slots_for_run(run_id)

    def _runs(self, run_ids: Collection[str]) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(run_ids=list(run_ids)))) if run_ids else []

    def _holder(self, record: dg.RunRecord) -> str:
        run = record.dagster_run
        since = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
        what = f"{run.tags[SYMBOL]} {run.tags[MONTH]}" if SYMBOL in run.tags else run.job_name
        said = f"taken by {what} since {since:%Y-%m-%d %H:%M:%S}Z, run {run.run_id}"
        if COMMAND in run.tags or lock_of(self.home, run.run_id).exists():
            return said
        return f"{said}; if its process is gone, free the place with `dagster run delete {run.run_id}`"


@contextmanager
def watching_for_interrupts() -> Iterator[Callable[[], bool]]:
    """Give a function that returns, after the block, whether it was interrupted.

    Dagster holds signals back while it works, and forgets one that comes between the last step and the end of the run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    signals: set[int] = set()
    try:
        yield lambda: bool(signals & {signal.SIGINT, signal.SIGTERM})
    finally:
        signal.set_wakeup_fd(before)
        with suppress(BlockingIOError):
            signals.update(reading.recv(4096))
        reading.close()
        writing.close()


def was_interrupted(event: dg.DagsterEvent) -> bool:
    """Whether a step or a run failed because it was interrupted."""
    if not (event.is_step_failure or event.is_job_failure):
        return False
    data = event.step_failure_data if event.is_step_failure else event.job_failure_data
    return data.error is not None and data.error.cls_name in _INTERRUPTS
