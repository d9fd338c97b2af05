"""Whence memory is taken: one allocator for all of it, and what is free given back. Nothing of bars is known here.

Arrow brings an allocator of its own, which keeps what is freed for itself, thread by thread; so does the C library's,
which NumPy and Python use. A month passes from one to the other and back, and from thread to thread, and each keeps the
most it ever held, 100 MB of a busy month. With one heap for all, what one part lets go the next one takes.
"""

import ctypes
import sys
from typing import Final

import pyarrow as pa

_ARENAS: Final = -8
"""`M_ARENA_MAX` of glibc's `mallopt(3)`: heaps at the most, by default eight for each processor."""


def share() -> None:
    """Let Arrow take memory where NumPy and Python take theirs, all threads from one heap, from now on.

    It holds for all of the process; for the threads' heaps, where the C library is glibc. Threads wait for one another
    while they take memory: a month takes as long.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_ARENAS, 1)


def give_back() -> None:
    """Hand back to the system what is free: a few milliseconds, for when as much as a month was let go."""
    pa.system_memory_pool().release_unused()
