"""Sockets cut off in time, or when nobody waits any more. What is read from them is not known here.

A socket's timeout counts each read anew, and headers are read where no deadline can be looked at: a server that
drips them would hold a thread for hours. So another thread shuts the socket down under the reader: one for all, as a
timer for each answer takes a third of the CPU of a small one.
"""

import heapq
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Condition, Thread
from typing import Final

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from mohlcv_dagster.vendor.allowance import granted


class Alarms:
    """What is to be done at a moment unless it is over before, done by a thread that begins with the first of it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._pending: list[tuple[float, int, list[Callable[[], None]]]] = []
        self._numbers = count()
        self._thread: Thread | None = None

    @contextmanager
    def within(self, seconds: float, act: Callable[[], None]) -> Iterator[None]:
        """`act`, which must not fail, is called once if this has not ended in so many seconds."""
        due = time.monotonic() + seconds
        acts = [act]
        with self._changed:
            heapq.heappush(self._pending, (due, next(self._numbers), acts))
            if self._pending[0][2] is acts:  # else the thread wakes before that anyway
                self._changed.notify()
            if self._thread is None or not self._thread.is_alive():  # a forked process has no threads but its own
                self._thread = Thread(target=self._watch, name="cut-off", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            acts.clear()  # its place in the heap is given up when its moment comes

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._pending and not self._pending[0][2]:
                    heapq.heappop(self._pending)
                left = self._pending[0][0] - time.monotonic() if self._pending else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, acts = heapq.heappop(self._pending)
            for act in tuple(acts):
                act()


_ALARMS: Final = Alarms()


@contextmanager
def cut_off(connected: socket.socket | None) -> Iterator[None]:
    """Meanwhile, shut the socket down when this thread's allowance is used up or its fetch is stopped.

    Args:
        connected: `None` where the connection has let go of it, as one that closes with its answer has; such a read
            ends with the socket's own timeout.
    """
    allowance = granted()

    def shut() -> None:
        if connected is not None:
            with suppress(OSError):  # the other side was faster: then there is nothing left to cut off
                connected.shutdown(socket.SHUT_RDWR)

    with _ALARMS.within(allowance.left, shut), allowance.stop.cutting(shut):
        yield


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself overrides it
        with cut_off(self.sock):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself overrides it
        with cut_off(self.sock):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _SecurePool}
"""By scheme, as a pool manager takes them."""
