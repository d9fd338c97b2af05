"""How far a run has come: lines in its log, few of them, and one figure in its tag `mohlcv/progress`.

Lines are events that are kept for ever. A month adds one when it is stored, in a run of several, and while it is being
fetched one after 5 seconds, 10 more, 20 more and so on: none for a quiet month, 3 in its first minute, 7 in twenty. The
tag is written over in place, at most every 5 seconds, and adds no event. Whoever watches in this process is told of
each step.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from mohlcv_dagster.defs.run_tags import PROGRESS
from mohlcv_dagster.model.bar_files import BarFile

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.providers.base import FetchProgress

EVERY_SECONDS: Final = 5.0
"""The tag is written at most this often; a month's first line comes after it, each next one after twice as long."""
TRYING: Final = "trying again"
"""How a line of the log begins that says why nothing happens for a while."""
_MINUTE: Final = 60
_HOUR: Final = 3600

Watcher: TypeAlias = "Callable[[BarFile, FetchProgress], None]"
_watchers: list[Watcher] = []


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Let `by` be told of every step of every fetch in this process until the block ends, from threads of the fetch."""
    _watchers.append(by)
    try:
        yield
    finally:
        _watchers.remove(by)


@dataclass
class Standing:
    """Where the months of a step stand.

    Attributes:
        label: the asset that is made, such as `raw_1s`.
        months: how many are to be made.
        say: writes a line to the run's log.
        show: puts a figure in the place of the former one.
        clock: seconds that only rise.
    """

    label: str
    months: int
    say: Callable[[str], None]
    show: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _done: int = 0
    _failed: int = 0
    _bars: int = 0
    _bytes: int = 0
    _underway: "FetchProgress | None" = None
    _began: float = field(init=False)
    _shown: float = field(init=False)
    _has_shown: bool = False

    def __post_init__(self) -> None:
        self._began = self._shown = self.clock()

    @classmethod
    def of_run(cls, context: "dg.AssetExecutionContext | dg.OpExecutionContext", label: str, months: int) -> "Standing":
        """Where so many months stand that the run of `context` is about."""

        def show(text: str) -> None:
            context.instance.add_run_tags(context.run.run_id, {PROGRESS: text})

        return cls(label, months, context.log.info, show)

    def fetching(self, file: BarFile) -> "Callable[[FetchProgress], None]":
        """What is told how far the fetch of `file` has come."""
        began = self.clock()
        next_line = EVERY_SECONDS

        def told(progress: "FetchProgress") -> None:
            nonlocal next_line
            for watcher in _watchers:
                watcher(file, progress)
            self._underway = progress
            seconds = self.clock() - began
            if seconds >= next_line:
                next_line = 2 * seconds + EVERY_SECONDS
                self.say(f"{file}: {_windows(progress)}{_left(seconds, progress.windows_done / progress.windows)}")
            self._show_in_time()

        return told

    def reopened(self, months: int) -> None:
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
        self._bytes += self._underway.bytes if self._underway else 0
        self._underway = None
        self._show_in_time()

    def over(self) -> None:
        """The step is over: the figure is the last one. Of a month that was quick there is none."""
        if self._has_shown or self.months > 1:
            self.show(f"{self.label}: {self._so_far}, done in {_duration(self.clock() - self._began)}")

    @property
    def said(self) -> str:
        """Where the step stands, such as `3 of 12 months done, 1 failed, about 4 min left`."""
        return f"{self._done} of {self.months} months done{self._failures}{self._time_left}"

    @property
    def figure(self) -> str:
        """The running figure, such as `raw_1s: month 3 of 12, 12 of 54 windows, 2,345,678 bars, 61.2 MB, …`."""
        under_way = self._underway
        windows = f", {under_way.windows_done} of {under_way.windows} windows" if under_way else ""
        month = min(self._done + self._failed + 1, self.months)
        return f"{self.label}: month {month} of {self.months}{windows}{self._failures}{self._volume}{self._time_left}"

    @property
    def _so_far(self) -> str:
        return f"{self._done} of {self.months} months{self._failures}{self._volume}"

    @property
    def _failures(self) -> str:
        return f", {self._failed} failed" if self._failed else ""

    @property
    def _volume(self) -> str:
        bars = self._bars + (self._underway.bars if self._underway else 0)
        received = self._bytes + (self._underway.bytes if self._underway else 0)
        told = [f", {bars:,} bars"] if bars else []
        return "".join([*told, f", {received / 1e6:,.1f} MB"] if received else told)

    @property
    def _time_left(self) -> str:
        """Nothing while nothing is known, and at the end."""
        part = self._underway.windows_done / self._underway.windows if self._underway else 0.0
        return (
            _left(self.clock() - self._began, (self._done + self._failed + part) / self.months) if self.months else ""
        )

    def _show_in_time(self) -> None:
        if self.clock() - self._shown >= EVERY_SECONDS:
            self._shown = self.clock()
            self._has_shown = True
            self.show(self.figure)


def _windows(progress: "FetchProgress") -> str:
    return (
        f"{progress.windows_done} of {progress.windows} windows, {progress.bars:,} bars, "
        f"{progress.bytes / 1e6:,.1f} MB in {progress.requests} requests"
    )


def _left(seconds: float, share: float) -> str:
    """How long the rest takes when `share` of the work took so many seconds and the rest goes on like it."""
    return f", about {_duration(seconds * (1 - share) / share)} left" if 0 < share < 1 else ""


def _duration(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"
