"""All processors put to the work of one month: results in order, a few of them ahead. No work lives here.

Arrow and NumPy let go of the interpreter's lock while they work on a column, so threads do. There is one pool for the
process, made when it is first needed; work that is handed to it must not wait for other work of the pool: `waiting` is
there for that.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")
A = TypeVar("A")

FEW: Final = 1 << 16
"""Bars. What is done to so few takes some milliseconds, and a tenth of a quiet month's CPU less if not handed over."""


@cache
def waiting() -> ThreadPoolExecutor:
    """Threads for work that waits for the pool's."""
    return ThreadPoolExecutor(2, thread_name_prefix="bars-waiting")


@cache
def pool() -> ThreadPoolExecutor:
    """As many threads as there are processors."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="bars")


def begun(
    threads: Callable[[], ThreadPoolExecutor], bars: int, work: Callable[..., T], *arguments: object
) -> Future[T]:
    """`work`, in a thread; on few bars it is done at once. An error of `work` is raised where its result is asked for.

    Args:
        threads: gives whose thread.
        bars: how many are worked on.
        work: called once.
        *arguments: what it is called with.
    """
    if bars > FEW:
        return threads().submit(work, *arguments)
    done: Future[T] = Future()
    try:
        done.set_result(work(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, as a thread would
        done.set_exception(error)
    return done


def in_order(work: Callable[[A], T], items: Iterable[A]) -> Generator[T]:
    """`work` on each item, in threads; the results in the order of the items.

    As many are under way or done ahead as there are processors, and one more: so much memory is held, however slowly
    the results are taken. An error of `work` is raised where its result would have come; what has not begun is called
    off when the iterator is closed.
    """
    ahead: deque[Future[T]] = deque()
    try:
        for item in items:
            ahead.append(pool().submit(work, item))
            if len(ahead) > (os.cpu_count() or 1):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()
