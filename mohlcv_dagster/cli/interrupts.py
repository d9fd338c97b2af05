"""Ctrl-C while Dagster runs: heard wherever in a run it comes, and told from a failure."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import dagster as dg

_INTERRUPTS: Final = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}


@contextmanager
def noticing_interrupts() -> Iterator[Callable[[], bool]]:
    """Tell, after the block, whether it was interrupted.

    Dagster holds signals back while it works, and forgets one that comes between the last step and the end of the run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    came: set[int] = set()
    try:
        yield lambda: bool(came & {signal.SIGINT, signal.SIGTERM})
    finally:
        signal.set_wakeup_fd(before)
        with suppress(BlockingIOError):
            came.update(reading.recv(4096))
        reading.close()
        writing.close()


def was_interrupted(event: dg.DagsterEvent) -> bool:
    """Whether a step or a run failed since it was interrupted."""
    if not (event.is_step_failure or event.is_job_failure):
        return False
    data = event.step_failure_data if event.is_step_failure else event.job_failure_data
    return data.error is not None and data.error.cls_name in _INTERRUPTS
