"""Whence memory is taken: one allocator for all of it, and what is free given back. Nothing of bars is known here.

Arrow brings an allocator of its own, which keeps what is freed for itself, thread by thread; so does the C library's,
which NumPy and Python use. A month passes from one to the other and back, and each keeps the most it ever held, 100 MB
of a busy month. With one for all, what one part lets go the next one takes.
"""

import pyarrow as pa


def share() -> None:
    """Let Arrow take memory where NumPy and Python take theirs, from now on and in all of the process."""
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Hand back to the system what is free: a few milliseconds, for when as much as a month was let go."""
    pa.system_memory_pool().release_unused()
