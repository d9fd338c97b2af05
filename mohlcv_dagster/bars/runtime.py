"""Control of the running process: threads for the work on a month, memory, a pause of the garbage collector.

Arrow and NumPy release the interpreter's lock while they work on a column, so threads use all processors. There is one
pool for the process, made when it is first needed. Work in the pool must not wait for other work of the pool; the
threads of `waiting_pool` may.
"""

import ctypes
import gc
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")
A = TypeVar("A")

FEW_BARS: Final = 1 << 16
"""Work on so few bars takes some milliseconds, and a tenth less of a quiet month's CPU where no thread is used."""
_M_ARENA_MAX: Final = -8
"""Of glibc's `mallopt(3)`: heaps at the most, by default eight for each processor."""


@cache
def waiting_pool() -> ThreadPoolExecutor:
    """Threads for work that waits for the pool's."""
    return ThreadPoolExecutor(2, thread_name_prefix="bars-waiting")


@cache
def pool() -> ThreadPoolExecutor:
    """As many threads as there are processors."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="bars")


def start(
    threads: Callable[[], ThreadPoolExecutor], bars: int, work: Callable[..., T], *arguments: object
) -> Future[T]:
    """Start `work` in a thread; on few bars it is done at once. The future raises an error of `work`.

    Args:
        threads: gives the pool.
        bars: how many are worked on.
        work: called once.
        *arguments: what it is called with.
    """
    if bars > FEW_BARS:
        return threads().submit(work, *arguments)
    done: Future[T] = Future()
    try:
        done.set_result(work(*arguments))
    except Exception as error:  # noqa: BLE001 - any error, as a thread would
        done.set_exception(error)
    return done


def map_in_order(work: Callable[[A], T], items: Iterable[A]) -> Generator[T]:
    """`work` on each item, in threads; the results in the order of the items.

    At most one more than there are processors are under way or done ahead, which bounds the memory held. An error of
    `work` is raised instead of its result; what has not begun is cancelled when the iterator is closed.
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


def use_one_allocator() -> None:
    """Let Arrow allocate where NumPy and Python do, and all threads from one heap, for the rest of the process.

    Arrow's own allocator keeps freed memory thread by thread, and so does the C library's. A month passes from one to
    the other and between threads, and each would keep the most memory it ever had: 100 MB of a busy month. (One heap
    for all threads is set where the C library is glibc. A month takes as long as without.)
    """
    import pyarrow as pa  # noqa: PLC0415 - a process that works on no bars does not load it

    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)


def release_memory() -> None:
    """Give free memory back to the system: a few milliseconds, for when as much as a month was freed."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    pa.system_memory_pool().release_unused()


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep the garbage collector from searching rows for cycles, which takes half of the time of reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
