"""How far a run has come: a few lines in its log, and a status in its tag `mohlcv/progress`.

Lines are events that are kept for ever. A month adds one when it is stored, in a run of several, and while it is being
fetched one after 5 seconds, 10 more, 20 more and so on: none for a quiet month, 3 in its first minute, 7 in twenty. The
tag is replaced at most every 5 seconds, and adds no event. Watchers in this process get every step.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from mohlcv_dagster.dagster_patches import run_beats
from mohlcv_dagster.defs.run_tags import PROGRESS
from mohlcv_dagster.formatting import duration, quantity
from mohlcv_dagster.model.bar_files import BarFile

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.providers.base import FetchProgress

EVERY_SECONDS: Final = 5.0
"""The tag is written at most this often; a month's first line comes after it, each next one after twice as long."""
RETRYING: Final = "trying again"
"""How the line of the log begins that says why nothing happens for a while."""

Watcher: TypeAlias = "Callable[[BarFile, FetchProgress], None]"
_watchers: list[Watcher] = []


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Call `by` at every step of every fetch in this process until the block ends, from threads of the fetch."""
    _watchers.append(by)
    try:
        yield
    finally:
        _watchers.remove(by)


@dataclass
class RunProgress:
    """How far the months of a step have come.

    Attributes:
        label: the asset that is made, such as `raw_1s`.
        months: how many are to be made.
        log: writes a line to the run's log.
        show: replaces the status that is shown.
        clock: seconds, monotonic.
    """

    label: str
    months: int
    log: Callable[[str], None]
    show: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _done: int = 0
    _failed: int = 0
    _bars: int = 0
    _bytes: int = 0
    _current: "FetchProgress | None" = None
    _began: float = field(init=False)
    _shown: float = field(init=False)
    _was_shown: bool = False

    def __post_init__(self) -> None:
        self._began = self._shown = self.clock()

    @classmethod
    def for_run(cls, context: "dg.AssetExecutionContext | dg.OpExecutionContext", label: str, months: int) -> Self:
        """The progress of so many months of the run of `context`."""

        def show(text: str) -> None:
            run_beats.set_tags(context.instance, context.run.run_id, {PROGRESS: text})

        return cls(label, months, context.log.info, show)

    def fetching(self, file: BarFile) -> "Callable[[FetchProgress], None]":
        """What reports how far the fetch of `file` has come."""
        began = self.clock()
        next_line = EVERY_SECONDS

        def report(progress: "FetchProgress") -> None:
            nonlocal next_line
            for watcher in _watchers:
                watcher(file, progress)
            self._current = progress
            seconds = self.clock() - began
            if seconds >= next_line:
                next_line = 2 * seconds + EVERY_SECONDS
                left = _left(seconds, progress.windows_done / progress.windows)
                self.log(
                    f"{file}: {progress.windows_done} of {progress.windows} windows, {quantity(progress.bars, 'bar')}, "
                    f"{progress.bytes / 1e6:,.1f} MB in {quantity(progress.requests, 'request')}{left}"
                )
            self._show_if_due()

        return report

    def retry(self, months: int) -> None:
        """So many months that failed are tried again."""
        self._failed -= months

    def finished(self, bars: int | None) -> None:
        """The month under way is over.

        Args:
            bars: how many it has; `None` where it failed.
        """
        if bars is None:
            self._failed += 1
        else:
            self._done += 1
            self._bars += bars
        self._bytes += self._current.bytes if self._current else 0
        self._current = None
        self._show_if_due()

    def end(self) -> None:
        """The step is over: show the last status. There is none of a single month that was quick."""
        if self._was_shown or self.months > 1:
            done = f"{self._done} of {self.months} months{self._failures}{self._volume}"
            self.show(f"{self.label}: {done}, done in {duration(self.clock() - self._began)}")

    @property
    def summary(self) -> str:
        """How far the step has come, such as `3 of 12 months done, 1 failed, about 4 min left`."""
        return f"{self._done} of {self.months} months done{self._failures}{self._time_left}"

    @property
    def status(self) -> str:
        """What the tag shows, such as `raw_1s: month 3 of 12, 12 of 54 windows, 2,345,678 bars, 61.2 MB, …`."""
        current = self._current
        windows = f", {current.windows_done} of {current.windows} windows" if current else ""
        month = min(self._done + self._failed + 1, self.months)
        return f"{self.label}: month {month} of {self.months}{windows}{self._failures}{self._volume}{self._time_left}"

    @property
    def _failures(self) -> str:
        return f", {self._failed} failed" if self._failed else ""

    @property
    def _volume(self) -> str:
        bars = self._bars + (self._current.bars if self._current else 0)
        received = self._bytes + (self._current.bytes if self._current else 0)
        return (f", {quantity(bars, 'bar')}" if bars else "") + (f", {received / 1e6:,.1f} MB" if received else "")

    @property
    def _time_left(self) -> str:
        """Empty while nothing is known, and at the end."""
        part = self._current.windows_done / self._current.windows if self._current else 0.0
        return (
            _left(self.clock() - self._began, (self._done + self._failed + part) / self.months) if self.months else ""
        )

    def _show_if_due(self) -> None:
        if self.clock() - self._shown >= EVERY_SECONDS:
            self._shown = self.clock()
            self._was_shown = True
            self.show(self.status)


def _left(seconds: float, share: float) -> str:
    """How long the rest takes when `share` of the work took so many seconds and the rest goes on like it."""
    return f", about {duration(seconds * (1 - share) / share)} left" if 0 < share < 1 else ""
