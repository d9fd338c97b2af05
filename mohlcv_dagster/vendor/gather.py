"""Work side by side in threads; what comes of one piece may tell what is to be done next. Pages are not known here."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")


def side_by_side(
    work: Callable[[A], T],
    items: Iterable[A],
    concurrency: int,
    stop: threading.Event,
    then: Callable[[A, T], Iterable[A]],
) -> None:
    """`work` on each item in threads, and on those that `then` names, until there are no more.

    The first failure, or an interrupt, sets `stop` at once, calls off what has not begun and is raised without waiting
    for the rest, which is expected to watch `stop`.

    Args:
        work: runs in a thread of its own.
        items: what to begin with.
        concurrency: threads, at least 1.
        stop: set when this returns or raises.
        then: told each item and its result as it comes, in the caller's thread; gives what to work on besides.
    """
    failures: list[BaseException] = []  # the first is the cause of the others, which were stopped

    def attempt(item: A) -> tuple[A, T]:
        if stop.is_set():  # before the caller, who calls it off, has heard of it
            raise CancelledError
        try:
            return item, work(item)
        except BaseException as error:
            failures.append(error)
            stop.set()  # here, in the thread that knows it first: no other is to begin meanwhile
            raise

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="massive")
    try:
        under_way: set[Future[tuple[A, T]]] = {pool.submit(attempt, item) for item in items}
        while under_way:
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                error = future.exception()
                if error is not None:
                    raise failures[0] if failures else error
                under_way.update(pool.submit(attempt, item) for item in then(*future.result()))
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
