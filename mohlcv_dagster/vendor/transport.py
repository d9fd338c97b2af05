"""The one edge where HTTP happens: statuses, headers, bodies and urllib3's exceptions become answers or our errors.

The official client loses the status and the headers of an error, waits for each read of the socket alone, and takes
a gzip body cut short for a whole one. So the pool inside it is replaced by `StrictPool`, which reads the body whole
under a deadline and gives it back, or raises an error of the tree. No retries here, no limits, no JSON.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import urllib3
from isal import isal_zlib
from urllib3.exceptions import HTTPError, ReadTimeoutError

from mohlcv_dagster.errors import DeadlineError, ServerError, UnreachableError
from mohlcv_dagster.vendor.allowance import Allowance, granted
from mohlcv_dagster.vendor.answers import Answer, error_for
from mohlcv_dagster.vendor.clock import Clock, StoppedError
from mohlcv_dagster.vendor.cutoff import POOLS, cut_off
from mohlcv_dagster.vendor.secret import Secret

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 20.0
"""How long the socket may stay silent before the attempt is given up."""

_CHUNK: Final = 256 * 1024
_LARGEST_BODY: Final = 256 * 1024 * 1024
"""Bytes; a page of 50,000 bars has five million. More is a fault, or a gzip bomb."""

_GZIP: Final = 16 + isal_zlib.MAX_WBITS


class StrictPool(urllib3.PoolManager):
    """A pool whose `request` gives an answer of 200 read to its last byte, or raises.

    Args:
        base_url: named in errors.
        secret: masked in the bodies of errors, before anything is cut out of them.
        clock: tells the time.
        connections: sockets kept open for a host.
        trust: urllib3's own options for certificates.

    Attributes:
        date: the `Date` of the last answer, whatever its status; `None` before one came, or where it had none.
    """

    date: str | None = None

    def __init__(self, base_url: str, secret: Secret, clock: Clock, connections: int, **trust: Any) -> None:  # noqa: ANN401  # urllib3 gives them no type
        super().__init__(num_pools=1, maxsize=connections, retries=False, **trust)
        self.pool_classes_by_scheme = POOLS
        self._secret = secret
        self._base_url = base_url
        self._clock = clock

    def request(  # type: ignore[override]  # as much of the signature as the official client uses
        self, method: str, url: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.HTTPResponse:
        """Ask once, with neither retry nor redirect; the body is as it came over the wire, see `decompressed`.

        Raises:
            UnreachableError: no connection, or it broke before the end.
            DeadlineError: the allowance ran out.
            ServerError: the body of an answer that is not 200 is not what its headers say.
            VendorError: the status is not 200; which one, `answers` says.
        """
        allowance = granted()
        try:
            answer = self._ask(allowance, method, url, fields, headers)
        except ReadTimeoutError as exc:
            raise DeadlineError(
                f"{self._base_url} fell silent ({allowance.received} bytes had come); try again later"
            ) from exc
        except HTTPError as exc:
            self._left(allowance)  # a socket cut off in time looks like one that broke
            raise UnreachableError(
                f"{self._base_url} cannot be reached, or the connection broke ({_brief(exc)}); "
                "check the network and MASSIVE_BASE_URL, or try again later"
            ) from exc
        if answer.status != HTTPStatus.OK:
            plain = decompressed(answer.body, answer.headers)
            raise error_for(replace(answer, body=self._secret.redact_body(plain)), self._clock.now())
        return urllib3.HTTPResponse(body=answer.body, status=answer.status, headers=answer.headers)

    def _ask(
        self,
        allowance: Allowance,
        method: str,
        url: str,
        fields: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        left = self._left(allowance)
        response = super().request(
            method,
            url,
            fields=fields,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=min(SILENCE_SECONDS, left)),
        )
        try:
            with cut_off(getattr(response.connection, "sock", None)):
                body = self._read(response, allowance)
        except BaseException:
            response.close()  # what is left unread must not be met by the next request on this connection
            raise
        response.release_conn()
        self.date = response.headers.get("Date")
        return Answer(response.status, response.headers, body)

    def _read(self, response: urllib3.BaseHTTPResponse, allowance: Allowance) -> bytes:
        chunks: list[bytes] = []
        while True:
            self._left(allowance)
            chunk = response.read1(_CHUNK, decode_content=False)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            allowance.received += len(chunk)
            if allowance.received > _LARGEST_BODY:
                raise ServerError(
                    f"{self._base_url} sent more than {_LARGEST_BODY} bytes for one page; try again later"
                )

    def _left(self, allowance: Allowance) -> float:
        if allowance.stop.is_set():
            raise StoppedError
        left = allowance.left = allowance.until - self._clock.monotonic()
        if left <= 0:
            raise DeadlineError(
                f"{self._base_url} did not finish its answer in time "
                f"({allowance.received} bytes had come); try again later"
            )
        return left


def decompressed(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as its `Content-Encoding` says, to the last byte.

    Raises:
        ServerError: it is not what the headers say, or it is cut short.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("identity", "") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise ServerError(f"the answer came as {encoding!r} although gzip was asked for; try again later")
    unzip = isal_zlib.decompressobj(_GZIP)
    try:
        whole = unzip.decompress(body, _LARGEST_BODY)
    except isal_zlib.error as exc:  # type: ignore[misc]  # the stubs take it for a plain object
        raise ServerError(f"the gzip body of the answer is broken ({exc}); try again later") from exc
    if not unzip.eof or unzip.unused_data:
        raise ServerError(f"the gzip body of the answer is cut short after {len(body)} bytes; try again later")
    return whole


def _brief(exc: HTTPError) -> str:
    """The kind of failure and its cause, without the object addresses urllib3 puts in."""
    cause = exc.__cause__ or exc.__context__
    return f"{type(exc).__name__}: {cause}" if cause else type(exc).__name__
