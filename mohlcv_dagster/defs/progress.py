"""How far a fetch has come: told to the run's log now and then, and to those in this process who watch, each time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from mohlcv_dagster.bars.files import BarFile

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.vendor.fetched import Progress

EVERY_SECONDS: Final = 5.0

Watcher: TypeAlias = "Callable[[BarFile, Progress], None]"
_watchers: list[Watcher] = []


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Let `by` be told of every step of every fetch in this process until the block ends, from threads of the fetch."""
    _watchers.append(by)
    try:
        yield
    finally:
        _watchers.remove(by)


class Reporter:
    """Writes a line to the log when `EVERY_SECONDS` have gone since the last one; each is an event kept for ever.

    Args:
        log: the run's log.
        file: what is being fetched.
        clock: seconds that only rise.
    """

    def __init__(self, log: "dg.DagsterLogManager", file: BarFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._file = file
        self._clock = clock
        self._last = clock()

    def __call__(self, progress: "Progress") -> None:
        """Take note of `progress`; say it when it is time."""
        for watcher in _watchers:
            watcher(self._file, progress)
        if self._clock() - self._last < EVERY_SECONDS:
            return
        self._last = self._clock()
        self._log.info(
            f"{self._file}: {progress.windows_done} of {progress.windows} windows, {progress.bars:,} bars, "
            f"{progress.bytes / 1e6:,.1f} MB in {progress.requests} requests"
        )
