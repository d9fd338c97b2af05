"""Pages of a window one behind the other, windows of a month side by side. Neither HTTP nor JSON is known here."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TypeVar

from mohlcv_dagster.vendor.pages import Page, PageRequest

T = TypeVar("T")
A = TypeVar("A")


def follow(request: PageRequest, ask: Callable[[PageRequest], Page]) -> list[Page]:
    """Every page of a window, until one names no next.

    The next page is asked for from the bar behind the last one to the window's end, which is what the vendor's cursor
    stands for, but with our own host and parameters: the cursor itself loses `adjusted`. A proven page that names a
    next one has rows inside the window, so each step is shorter than the one before.

    Args:
        request: the whole window.
        ask: gives the page for a request, proven.
    """
    pages = []
    window = request.window
    while True:
        page = ask(replace(request, window=window))
        pages.append(page)
        rest = window.after(int(page.starts[-1]), request.timespan) if page.following else None
        if rest is None:
            return pages
        window = rest


def side_by_side(
    work: Callable[[A], T], items: Sequence[A], concurrency: int, stop: threading.Event, done: Callable[[T], None]
) -> list[T]:
    """`work` on each item in threads, the results in the order of the items.

    The first failure, or an interrupt, sets `stop` at once, calls off what has not begun and is raised without waiting
    for the rest, which is expected to watch `stop`.

    Args:
        work: runs in a thread of its own.
        items: what to work on.
        concurrency: threads, at least 1.
        stop: set when this returns or raises.
        done: told each result as it comes, in the caller's thread.
    """
    failures: list[BaseException] = []  # the first is the cause of the others, which were stopped

    def attempt(item: A) -> T:
        try:
            return work(item)
        except BaseException as error:
            failures.append(error)
            stop.set()  # here, in the thread that knows it first: no other is to begin meanwhile
            raise

    pool = ThreadPoolExecutor(min(concurrency, len(items)), thread_name_prefix="massive")
    try:
        futures = [pool.submit(attempt, item) for item in items]
        for future in as_completed(futures):
            if future.exception() is not None:
                raise failures[0]
            done(future.result())
        return [future.result() for future in futures]
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
