"""The line that moves while months are fetched or folded: what is worked on, how far, how fast, how much time is left.

On a terminal only; in a file or a pipe nothing moves.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.providers.base import FetchProgress as Fetched

_THOUSAND: Final = 1000
_MINUTE: Final = 60
_HOUR: Final = 3600


class Moving:
    """A line for a number of months, each of which takes about as long as the others.

    Args:
        console: where to.
        months: how many there are to do.
        clock: seconds that only rise.
    """

    def __init__(self, console: Console, months: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._months = months
        self._clock = clock
        self._began = self._month_began = clock()
        self._done = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[told]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal or not months,
        )
        self._task = self._progress.add_task("", total=max(months, 1), told="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the line until the block ends."""
        with self._progress:
            yield

    def begin(self, label: str) -> None:
        """The month called `label` begins."""
        self._month_began = self._clock()
        self._progress.update(self._task, description=label, told=f"{self._done + 1}/{self._months}")

    def name(self, text: str) -> None:
        """Say what is being done."""
        self._progress.update(self._task, description=text)

    def fetched(self, file: "BarFile", step: "Fetched") -> None:  # noqa: ARG002 - whoever watches is told which
        """So much of the month was fetched."""
        done = self._done + step.windows_done / max(step.windows, 1)
        rate = step.bars / max(self._clock() - self._month_began, 0.001)
        told = f"{self._done + 1}/{self._months} {short(step.bars)} bars {short(rate)}/s {self._left(done)}"
        self._progress.update(self._task, completed=done, told=told.rstrip())

    def end(self) -> None:
        """The month is done, well or not."""
        self._done += 1
        self._progress.update(self._task, completed=self._done, told=f"{self._done}/{self._months}")

    def _left(self, done: float) -> str:
        """The time left, once enough is done to tell."""
        if done <= 0:
            return ""
        return span((self._clock() - self._began) / done * (self._months - done)) + " left"


def short(count: float) -> str:
    """`950`, `210k`, `1.2M`."""
    if count < _THOUSAND:
        return f"{count:.0f}"
    return f"{count / _THOUSAND:.0f}k" if count < _THOUSAND**2 else f"{count / _THOUSAND**2:.1f}M"


def span(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // _MINUTE}:{minutes % _MINUTE:02d}:{rest:02d}"
