"""HTTP: one request sent and its body read completely before a deadline, or an error of `mohlcv_dagster.errors`.

The official client loses the status and the headers of an error, has a timeout for each read of the socket alone, and
takes a truncated gzip body for a complete one. So the pool inside it is replaced by `StrictPool`. A request is sent
once; `retry` has when to repeat it. What the status of an answer means:

======================================== ======================= =========
status                                   error                   try again
======================================== ======================= =========
401, in the vendor's JSON                `UnknownKeyError`       no
403, in the vendor's JSON                `PlanError`             no
429                                      `RateLimitError`        yes
408, 413, 499, 5xx (so 520-526 as well)  `ServerError`           yes
2xx other than 200                       `ServerError`           yes
other 3xx and 4xx, such as 400 and 404   `BadRequestError`       no
======================================== ======================= =========

A certificate that is not trusted is an `UntrustedCertificateError` at once.
"""

import heapq
import io
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from threading import Condition, Thread
from typing import Any, Final

import urllib3
from isal import igzip, isal_zlib
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from mohlcv_dagster.errors import (
    BadRequestError,
    DeadlineError,
    PlanError,
    RateLimitError,
    ServerError,
    UnknownKeyError,
    UnreachableError,
    UntrustedCertificateError,
    VendorError,
)
from mohlcv_dagster.formatting import printable
from mohlcv_dagster.providers.massive.retry import Clock, Deadline, FetchCancelledError, current_deadline
from mohlcv_dagster.providers.massive.vendor_text import Secret, ToPrintable, VendorWords

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 20.0
"""How long the socket may stay silent before the attempt is given up."""

LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes, as sent and decompressed; a page of 50,000 bars has five million. More is a fault, or a gzip bomb."""
_CHUNK: Final = 256 * 1024

_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 499})
_SERVER_FAULT: Final = 500
_MOST_WORDS: Final = 64 * 1024
"""Bytes of an answer other than 200 that are looked at; the vendor's have some hundred."""
_ENCODINGS: Final = ("br", "compress", "deflate", "zstd")
"""Other encodings than gzip, which a message may name."""


class StrictPool(urllib3.PoolManager):
    """A pool whose `request` returns an answer of 200 read to its last byte, or raises.

    Args:
        base_url: named in errors.
        secret: masked in what the vendor says.
        clock: gives the time.
        connections: sockets kept open for a host.
        trust: urllib3's own options for certificates.

    Attributes:
        date: the `Date` header of the last answer, whatever its status; `None` before one came, or where it had none.
    """

    date: str | None = None

    def __init__(self, base_url: str, secret: Secret, clock: Clock, connections: int, **trust: Any) -> None:  # noqa: ANN401  # urllib3 gives them no type
        super().__init__(num_pools=1, maxsize=connections, retries=False, **trust)
        self.pool_classes_by_scheme = _POOLS
        self._secret = secret
        self._base_url = base_url
        self._clock = clock

    def request(  # type: ignore[override]  # as much of the signature as the official client uses
        self, method: str, url: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> HTTPResponse:
        """Send one request, with neither retry nor redirect; the body is as sent over the network, see `decompressed`.

        Raises:
            UnreachableError: no connection, or it broke before the end.
            UntrustedCertificateError: the certificate of the other side is not trusted.
            DeadlineError: the deadline has passed.
            ServerError: the body of an answer that is not 200 does not match its headers.
            VendorError: the status is not 200; see the table above.
        """
        deadline = current_deadline()
        try:
            response, body = self._ask(deadline, method, url, fields=fields, headers=headers)
        except ReadTimeoutError as exc:
            raise DeadlineError(
                f"{self._base_url} stopped sending ({deadline.received} bytes had come); try again later"
            ) from exc
        except HTTPError as exc:
            self._require_trust(exc)
            self._left(deadline)  # a socket shut down in time looks like one that broke
            raise UnreachableError(
                f"{self._base_url} cannot be reached, or the connection broke ({self._secret.printable(_brief(exc))}); "
                "check the network and MASSIVE_BASE_URL, or try again later"
            ) from exc
        if response.status != HTTPStatus.OK:
            plain = decompressed(body, response.headers)
            raise error_for(response.status, response.headers, plain, self._clock.now(), self._secret.printable)
        return HTTPResponse(body=body, status=response.status, headers=response.headers)

    def _require_trust(self, exc: HTTPError) -> None:
        cause: BaseException | None = exc
        while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise UntrustedCertificateError(
                f"the certificate of {self._base_url} is not trusted ({self._secret.printable(cause.verify_message)}): "
                "where a company's proxy inspects the traffic, set SSL_CERT_FILE to a PEM file with its root "
                "certificate; else check MASSIVE_BASE_URL and this machine's clock"
            ) from exc

    def _ask(
        self, deadline: Deadline, method: str, url: str, **sent: Mapping[str, str] | None
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        left = self._left(deadline)
        response = super().request(
            method,
            url,
            **sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=min(SILENCE_SECONDS, left)),
        )
        try:
            with _shut_down_in_time(getattr(response.connection, "sock", None)):
                body = self._read(response, deadline)
        except BaseException:
            response.close()  # what is left unread must not be read by the next request on this connection
            raise
        response.release_conn()
        self.date = response.headers.get("Date")
        return response, body

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
        chunks: list[bytes] = []
        while True:
            self._left(deadline)
            chunk = response.read1(_CHUNK, decode_content=False)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            deadline.received += len(chunk)
            if deadline.received > LARGEST_BODY:
                raise ServerError(
                    f"{self._base_url} sent more than {LARGEST_BODY:,} bytes for one page; try again later"
                )

    def _left(self, deadline: Deadline) -> float:
        if deadline.cancel.is_set():
            raise FetchCancelledError
        left = deadline.left = deadline.until - self._clock.monotonic()
        if left <= 0:
            raise DeadlineError(
                f"{self._base_url} did not finish its answer in time "
                f"({deadline.received} bytes had come); try again later"
            )
        return left


def decompressed(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body, decoded by its `Content-Encoding`, complete; gzip may have several members (RFC 1952, section 2.2).

    Raises:
        ServerError: it does not match the headers, is truncated, or is longer than `LARGEST_BODY`.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("identity", "") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        named = encoding if encoding in _ENCODINGS else "another encoding"
        raise ServerError(f"the answer came as {named} although gzip was requested; try again later")
    try:
        plain: bytes = igzip.open(io.BytesIO(body)).read(LARGEST_BODY + 1)  # type: ignore[no-untyped-call]  # it has no stubs
    except EOFError as exc:
        raise ServerError(f"the gzip body of the answer is cut short after {len(body)} bytes; try again later") from exc
    except (isal_zlib.error, OSError) as exc:  # type: ignore[misc]  # the stubs take the first for a plain object
        raise ServerError("the gzip body of the answer is broken; try again later") from exc
    if len(plain) > LARGEST_BODY:
        raise ServerError(f"the answer is longer than {LARGEST_BODY:,} bytes for one page; try again later")
    return plain


def _brief(exc: HTTPError) -> str:
    """The kind of failure and its cause, without the object addresses that urllib3 adds."""
    cause = exc.__cause__ or exc.__context__
    return f"{type(exc).__name__}: {cause}" if cause else type(exc).__name__


class Watchdog:
    """Runs an action at a moment unless the block it belongs to has ended, in one thread for all blocks.

    A socket's timeout starts again with each read, and headers are read where no deadline can be checked: a server that
    sends them slowly would block a thread for hours. So another thread shuts the socket down. A timer for each answer
    would take a third of the CPU of a small one.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._pending: list[tuple[float, int, list[Callable[[], None]]]] = []
        self._numbers = count()
        self._thread: Thread | None = None

    @contextmanager
    def after(self, seconds: float, action: Callable[[], None]) -> Iterator[None]:
        """Call `action`, which must not fail, once if the block has not ended in so many seconds."""
        moment = time.monotonic() + seconds
        actions = [action]
        with self._changed:
            heapq.heappush(self._pending, (moment, next(self._numbers), actions))
            if self._pending[0][2] is actions:  # else the thread wakes before that anyway
                self._changed.notify()
            if self._thread is None or not self._thread.is_alive():  # a forked process has no threads but its own
                self._thread = Thread(target=self._watch, name="cut-off", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            actions.clear()  # its entry leaves the heap when its moment comes

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._pending and not self._pending[0][2]:
                    heapq.heappop(self._pending)
                left = self._pending[0][0] - time.monotonic() if self._pending else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, actions = heapq.heappop(self._pending)
            for action in tuple(actions):
                action()


_WATCHDOG: Final = Watchdog()


@contextmanager
def _shut_down_in_time(connected: socket.socket | None) -> Iterator[None]:
    """Within the block, shut the socket down when this thread's deadline passes or its fetch is cancelled.

    Args:
        connected: `None` where the connection has released it, as one that closes with its answer does; such a read
            ends with the socket's own timeout.
    """
    deadline = current_deadline()

    def shut() -> None:
        if connected is not None:
            with suppress(OSError):  # the other side closed it first
                connected.shutdown(socket.SHUT_RDWR)

    with _WATCHDOG.after(deadline.left, shut), deadline.cancel.on_cancel(shut):
        yield


def _without_quotes(record: logging.LogRecord) -> bool:
    """Take the vendor's words out of urllib3's warning about headers that it could not parse."""
    record.msg, record.args, record.exc_info = "the headers of an answer cannot be parsed", (), None
    return True


logging.getLogger("urllib3.connection").addFilter(_without_quotes)


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself overrides it
        with _shut_down_in_time(self.sock):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself overrides it
        with _shut_down_in_time(self.sock):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _SecurePool}


def error_for(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime, to_printable: ToPrintable = printable
) -> VendorError:
    """The error for an answer other than 200, with the vendor's words where there are any.

    Args:
        status: any but 200.
        headers: by name, in any case.
        body: decompressed.
        now: aware; what a `Retry-After` given as a date is counted from.
        to_printable: makes the vendor's words safe to show.
    """
    said = VendorWords.of(body[:_MOST_WORDS], to_printable)
    answer, request_id = f"the vendor answered {status}: {said.words}", said.request_id
    wait = retry_after(headers.get("Retry-After"), now)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{answer}. Too many requests for the plan: set MASSIVE_REQUESTS_PER_MINUTE to what it allows"
        return RateLimitError(message, request_id=request_id, status=status, retry_after=wait)
    if status in _TRANSIENT or status >= _SERVER_FAULT or status < HTTPStatus.MULTIPLE_CHOICES:
        message = f"{answer}. It comes from the vendor or a gateway before it: try again later"
        return ServerError(message, request_id=request_id, status=status, retry_after=wait)
    is_cut = len(body) > _MOST_WORDS and body.lstrip().startswith(b"{")  # JSON of which the end is not looked at
    return _refusal(status, answer, said, is_vendors=said.status is not None or is_cut)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, never negative; `None` where it is absent or invalid.

    Args:
        header: seconds, or an HTTP date (RFC 9110, section 10.2.3).
        now: aware; what a date is counted from.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        moment = http_date(header)
        return None if moment is None else max(0.0, (moment - now).total_seconds())
    return max(0.0, seconds) if math.isfinite(seconds) else None


def http_date(header: str) -> datetime | None:
    """The moment of a header, aware; `None` where it is not a date."""
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refusal(status: int, answer: str, said: VendorWords, *, is_vendors: bool) -> VendorError:
    request_id = said.request_id
    if status >= HTTPStatus.BAD_REQUEST and not is_vendors:
        message = (
            f"{status}, and not in the vendor's words: {said.words}. A proxy, firewall or gateway refuses the request: "
            "check the proxy, the network and MASSIVE_BASE_URL"
        )
        return BadRequestError(message, request_id=request_id, status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{answer}. The vendor does not know the API key: check MASSIVE_API_KEY in `.env` or the environment"
        return UnknownKeyError(message, request_id=request_id, status=status)
    if status == HTTPStatus.FORBIDDEN:
        return PlanError(answer, request_id=request_id, status=status)
    if status < HTTPStatus.BAD_REQUEST:
        message = f"{answer}. Redirects are not followed, to protect the key: check MASSIVE_BASE_URL"
        return BadRequestError(message, request_id=request_id, status=status)
    message = f"{answer}. Asking again will not help: check the symbol, the month and MASSIVE_BASE_URL"
    return BadRequestError(message, request_id=request_id, status=status)
