"""Runs that do not finish: interrupted by Ctrl-C, or of a command whose process was killed.

The run of a killed process would stay in progress in the UI, and keep its slot in the pool `massive_api`, until nobody
could fetch any more. Therefore each command holds a lock that the system releases when the process ends, its runs carry
the lock's name as a tag, and the next command marks runs without a live process as failed and frees their slots.
"""

import signal
import socket
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import dagster as dg
from filelock import FileLock

from mohlcv_dagster.cli.dagster_home import is_locked

COMMAND: Final = "mohlcv/command"
"""The tag of a run of this command: the name of the lock that its process holds."""

_BEGUN: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_KILLED: Final = (
    "The process of this run was killed. Stored files are complete; run the same command again to continue."
)
_INTERRUPTS: Final = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}


@contextmanager
def command(instance: dg.DagsterInstance, home: Path) -> Iterator[Mapping[str, str]]:
    """Mark the runs of killed commands as failed, and give the tags for the runs of this command.

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
        _mark_failed(instance, folder, keep={"all.lock", f"{name}.lock"})
    try:
        yield {COMMAND: name}
    finally:
        own.release()
        (folder / f"{name}.lock").unlink(missing_ok=True)


def _mark_failed(instance: dg.DagsterInstance, folder: Path, keep: Collection[str]) -> None:
    for run in instance.get_runs(dg.RunsFilter(statuses=_BEGUN)):
        name = run.tags.get(COMMAND)
        if name is not None and not is_locked(folder / f"{name}.lock"):
            instance.report_run_failed(run, _KILLED)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    for lock in folder.glob("*.lock"):
        if lock.name not in keep and not is_locked(lock):
            lock.unlink(missing_ok=True)


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
