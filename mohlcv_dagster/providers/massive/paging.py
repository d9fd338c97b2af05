"""The pages of a month, fetched in a thread pool, each repeated until it is proven."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from mohlcv_dagster.providers.base import FetchProgress
from mohlcv_dagster.providers.massive.retry import Deadline, RequestStats, Retrying
from mohlcv_dagster.providers.massive.windows import PageRequest, Window, cut_out, joined

if TYPE_CHECKING:
    from mohlcv_dagster.providers.massive.pages import Page

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True)
class Paging:
    """One fetch of one month.

    Attributes:
        ask_once: returns the page for a request, proven, or raises; one attempt.
        concurrency: requests in flight.
        fill: the most bars that joined windows are expected to have.
    """

    ask_once: "Callable[[PageRequest, Deadline], Page]"
    retrying: Retrying
    concurrency: int
    stats: RequestStats
    fill: int

    def run(
        self, request: PageRequest, windows: Sequence[Window], on_progress: Callable[[FetchProgress], None]
    ) -> "list[Page]":
        """The pages of a span, in order of time.

        The first window goes alone, and shows how full pages are: the others are `joined` by that. What follows the
        last bar of a page that names a next one is asked for window by window, with our own parameters: the vendor's
        cursor loses `adjusted`. A proven page that names a next one has rows, so each step is shorter.

        Args:
            request: the whole span.
            windows: the span cut into what a page each can answer, in order of time, at least one.
            on_progress: called after each page, in the caller's thread.

        Raises:
            VendorError: the first failure that retries did not cure; the other pages are cancelled.
        """
        pages: dict[Window, Page] = {}
        open_windows = {windows[0]}

        def then(window: Window, page: "Page") -> list[Window]:
            pages[window] = page
            rest = window.after(int(page.starts[-1]), request.timespan) if page.following else None
            behind = [] if rest is None else cut_out(rest, windows)
            others = joined(windows[1:], page.rows, self.fill) if window == windows[0] else []
            open_windows.remove(window)
            open_windows.update(behind, others)
            left = sum(len(cut_out(each, windows)) for each in open_windows)
            bars = sum(each.rows for each in pages.values())
            on_progress(FetchProgress(len(windows) - left, len(windows), bars, self.stats.bytes, self.stats.attempts))
            return [*behind, *others]

        def work(window: Window) -> "Page":
            self.stats.add(pages=1)
            return self.retrying.call(lambda until: self._attempt(replace(request, window=window), until))

        run_in_threads(work, windows[:1], self.concurrency, self.retrying.cancel, then)
        return [pages[window] for window in sorted(pages)]

    def _attempt(self, request: PageRequest, until: float) -> "Page":
        deadline = Deadline(until, self.retrying.cancel)
        self.stats.add(attempts=1)
        try:
            return self.ask_once(request, deadline)
        finally:
            self.stats.add(received=deadline.received)


def run_in_threads(
    work: Callable[[A], T],
    items: Iterable[A],
    concurrency: int,
    cancel: threading.Event,
    then: Callable[[A, T], Iterable[A]],
) -> None:
    """`work` on each item in a thread pool, and on those that `then` returns, until there are no more.

    The first failure, or an interrupt, sets `cancel` at once, cancels what has not begun and is raised without waiting
    for the rest, which is expected to watch `cancel`.

    Args:
        work: runs in a thread of the pool.
        items: what to begin with.
        concurrency: threads, at least 1.
        cancel: set when this returns or raises.
        then: given each item and its result as it comes, in the caller's thread; returns further items.
    """
    failures: list[BaseException] = []  # the first is the cause of the others, which were cancelled

    def attempt(item: A) -> tuple[A, T]:
        if cancel.is_set():  # set by another thread, before the caller has heard of it
            raise CancelledError
        try:
            return item, work(item)
        except BaseException as error:
            failures.append(error)
            cancel.set()  # here, in the thread that knows it first, so that no other begins meanwhile
            raise

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="massive")
    try:
        running: set[Future[tuple[A, T]]] = {pool.submit(attempt, item) for item in items}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                error = future.exception()
                if error is not None:
                    raise failures[0] if failures else error
                running.update(pool.submit(attempt, item) for item in then(*future.result()))
    finally:
        cancel.set()
        pool.shutdown(wait=False, cancel_futures=True)
