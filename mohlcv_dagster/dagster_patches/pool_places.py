"""Places in a pool, of which it is known whether the process that took one still runs.

Dagster records which run holds a place. Of a run that was started by `dagster asset materialize` it does not record the
process: one that is killed holds its place until somebody frees it, and others wait for it without a word and do not
end at Ctrl-C. Here the process holds a lock while its run waits for a place or has one, which the system releases when
the process ends. Its number would not do: numbers are given again, and each container has its own. Other hosts cannot
see the lock: for them the run's tags tell that its process is alive (`run_beats`).

Private of Dagster are the interrupts that it holds back; without them a wait ends at a signal when it gets its place.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from filelock import FileLock, Timeout

from mohlcv_dagster.dagster_patches import run_beats

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    _Base = SqlEventLogStorage
else:
    _Base = object

Waiter: TypeAlias = Callable[[str, str], None]
"""Called each second with the pool and the run that waits for a place in it."""

FOLDER: Final = "commands"
"""Where in a home the locks are."""
GUARD: Final = "all.lock"
"""Held while a lock is taken and while others are looked at: one that is free then has no process."""
_POLL_SECONDS: Final = 1.0

_held: Final[dict[str, FileLock]] = {}
_waiters: Final[list[Waiter]] = []


@contextmanager
def on_wait(waiter: Waiter) -> Iterator[None]:
    """Have `waiter` called while a run of this process waits for a place; the wait ends at a signal then."""
    _waiters.append(waiter)
    try:
        yield
    finally:
        _waiters.remove(waiter)


def lock_of(home: Path, run_id: str) -> Path:
    """The file that the process of a run on this machine locks while the run waits for a place or has one."""
    return home / FOLDER / f"{run_id}.{socket.gethostname()}.lock"


def is_locked(lock: Path) -> bool:
    """Whether a process holds the lock of this file."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


class HeldPlaces(_Base):
    """Goes before a SQL event log storage of Dagster's among the bases of a class."""

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> Any:  # noqa: ANN401 - unexported
        """Take a place, or wait for one."""
        _hold(run_id)
        if self.has_instance:
            run_beats.begin(self._instance, run_id)
        status = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if status.is_claimed or not _waiters:
            return status
        _raise_captured_interrupt()
        for waiter in _waiters:
            waiter(concurrency_key, run_id)
        return status.with_sleep_interval(_POLL_SECONDS)

    def free_concurrency_slots_for_run(self, run_id: str) -> None:
        """Free all places of a run."""
        super().free_concurrency_slots_for_run(run_id)
        _release(run_id)

    def free_concurrency_slot_for_step(self, run_id: str, step_key: str) -> None:
        """Free the place of a step."""
        super().free_concurrency_slot_for_step(run_id, step_key)
        _release(run_id)


def _hold(run_id: str) -> None:
    home = os.environ.get("DAGSTER_HOME")
    if not home or run_id in _held:
        return
    file = lock_of(Path(home), run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, thread_local=False)
    with FileLock(file.parent / GUARD):
        lock.acquire()
    _held[run_id] = lock


def _release(run_id: str) -> None:
    lock = _held.pop(run_id, None)
    if lock is None:
        return
    file = Path(lock.lock_file)
    with FileLock(file.parent / GUARD):  # the run goes on: nobody may see a lock that is there and free
        lock.release()
        file.unlink(missing_ok=True)


def _raise_captured_interrupt() -> None:
    try:
        from dagster._core.errors import DagsterExecutionInterruptedError  # noqa: PLC0415 - they may be missing
        from dagster._utils.interrupts import pop_captured_interrupt  # noqa: PLC0415 - as above
    except ImportError:
        return
    if pop_captured_interrupt():
        raise DagsterExecutionInterruptedError
