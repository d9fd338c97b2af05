"""How far a fetch has come, told to the run's log: at the start of the work, then at most every few seconds."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.bars.files import BarFile

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.vendor.fetched import Progress

EVERY_SECONDS: Final = 5.0


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
        if self._clock() - self._last < EVERY_SECONDS:
            return
        self._last = self._clock()
        self._log.info(
            f"{self._file}: {progress.windows_done} of {progress.windows} windows, {progress.bars:,} bars, "
            f"{progress.bytes / 1e6:,.1f} MB in {progress.requests} requests"
        )
