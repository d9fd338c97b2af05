"""Sockets cut off in time, or when nobody waits any more. What is read from them is not known here.

A socket's timeout counts each read anew, and headers are read where no deadline can be looked at: a server that
drips them would hold a thread for hours. So a timer shuts the socket down under the reader.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Final

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from mohlcv_dagster.vendor.allowance import granted


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

    timer = Timer(allowance.left, shut)
    timer.daemon = True
    timer.start()
    try:
        with allowance.stop.cutting(shut):
            yield
    finally:
        timer.cancel()


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
