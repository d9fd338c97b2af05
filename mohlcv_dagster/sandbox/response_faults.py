"""What a fault does to a response: false contents in complete JSON, cut bodies, broken connections.

Which requests a fault affects is decided in `faults`.
"""

import asyncio
import json
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from threading import Event
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mohlcv_dagster.sandbox.responses import BarsResponse, FixedResponse, to_json

_DRIP_EVERY: Final = 0.05
_HOUR_MILLISECONDS: Final = 3_600_000
_WORDS: Final = ("request_id", "name", "error", "message")
"""Members of a document that the vendor may fill as it likes."""


class WireFault(Enum):
    """How a body is sent, where not complete and at once."""

    TRUNCATED = "fewer bytes than announced, then the end of the connection"
    CUT_JSON = "all bytes announced, but the JSON ends early"
    CUT_GZIP = "all bytes announced, but the gzip stream ends early"
    RESET = "the connection reset before an answer"
    DRIP = "bytes one after another"


def missing_results(response: BarsResponse) -> BarsResponse:
    """`results` left out although the count is above zero."""
    return replace(response, results="absent")


def null_results(response: BarsResponse) -> BarsResponse:
    """`results` null although the count is above zero."""
    return replace(response, results="null")


def null_when_empty(response: BarsResponse) -> BarsResponse:
    """`results` null in an empty response; one with rows stays as it is."""
    return response if response.results_count else replace(response, results="null")


def delayed(response: BarsResponse) -> BarsResponse:
    """The status that a Starter plan gets."""
    return replace(response, status="DELAYED")


def with_next_page(response: BarsResponse) -> BarsResponse:
    """A `next_url` even where nothing follows; the page there is empty and has none."""
    return replace(response, next_url=response.next_url or response.following)


def wrong_count(response: BarsResponse) -> BarsResponse:
    """One more row in the count than there is."""
    return replace(response, results_count=response.results_count + 1)


def wrong_ticker(response: BarsResponse) -> BarsResponse:
    """Rows under another symbol's name."""
    return replace(response, ticker=f"{response.ticker}X")


def foreign_rows(response: BarsResponse) -> BarsResponse:
    """One more row, an hour before the window."""
    rows = _split_rows(response)
    return _with_rows(response, [_with_value(rows[0], "t", str(response.first - _HOUR_MILLISECONDS)), *rows])


def duplicated_rows(response: BarsResponse) -> BarsResponse:
    """The middle row twice."""
    rows = _split_rows(response)
    middle = len(rows) // 2
    return _with_rows(response, [*rows[: middle + 1], *rows[middle:]])


def unsorted_rows(response: BarsResponse) -> BarsResponse:
    """The first row moved to the end."""
    rows = _split_rows(response)
    return _with_rows(response, [*rows[1:], rows[0]])


def bad_bar(response: BarsResponse) -> BarsResponse:
    """The middle bar's high is half its low."""
    return _with_middle_row(response, lambda row: _with_value(row, "h", f"{_value(row, 'l') / 2:.4f}"))


def zero_price(response: BarsResponse) -> BarsResponse:
    """The middle bar's low is zero."""
    return _with_middle_row(response, lambda row: _with_value(row, "l", "0"))


def negative_volume(response: BarsResponse) -> BarsResponse:
    """The middle bar's volume is below zero."""
    return _with_middle_row(response, lambda row: _with_value(row, "v", "-100"))


def with_words(response: BarsResponse | FixedResponse, words: str) -> BarsResponse | FixedResponse:
    """`words` in place of the `request_id`, and of names and messages."""
    if isinstance(response, BarsResponse):
        return replace(response, request_id=words)
    return replace(response, body=to_json(_reworded(json.loads(response.body), words)))


def _reworded(document: Any, words: str) -> Any:  # noqa: ANN401 - whatever JSON may hold
    if isinstance(document, list):
        return [_reworded(each, words) for each in document]
    if not isinstance(document, dict):
        return document
    return {name: words if name in _WORDS else _reworded(value, words) for name, value in document.items()}


def _split_rows(response: BarsResponse) -> list[bytes]:
    return [row + b"}," for row in b"".join(response.rows).split(b"},")[:-1]]


def _with_rows(response: BarsResponse, rows: list[bytes]) -> BarsResponse:
    """The response with other rows, its counts in agreement with them."""
    return replace(response, rows=tuple(rows), results_count=len(rows), query_count=len(rows))


def _with_middle_row(response: BarsResponse, change: Callable[[bytes], bytes]) -> BarsResponse:
    rows = _split_rows(response)
    middle = len(rows) // 2
    rows[middle] = change(rows[middle])
    return _with_rows(response, rows)


def _with_value(row: bytes, key: str, value: str) -> bytes:
    return re.sub(rb'"%s":[^,}]+' % key.encode(), f'"{key}":{value}'.encode(), row)


def _value(row: bytes, key: str) -> float:
    found = re.search(rb'"%s":([^,}]+)' % key.encode(), row)
    return float(found[1]) if found else 0.0


def cut_body(body: bytes) -> bytes:
    """The first two thirds of a body: `cut-json`, `truncated-gzip`. `truncated-body` is cut by `TruncatedBody`."""
    return body[: len(body) * 2 // 3]


class Connections:
    """The open connections by the client's address: ASGI does not give the connection itself."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A uvicorn protocol that registers its connection here."""
        register = self._open

        class Registered(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
                super().connection_made(transport)
                if self.client is not None:
                    register[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    register.pop(self.client, None)
                super().connection_lost(exc)

        return Registered

    def of(self, scope: Scope) -> asyncio.Transport | None:
        """The connection that a request came by; `None` where it is closed already."""
        return self._open.get(tuple(scope["client"]))


async def _abort(connection: asyncio.Transport | None, receive: Receive) -> None:
    if connection is not None:
        connection.abort()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    """Wait until the server knows that the connection is closed, so that it expects no answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Reset(Response):
    """No answer: the connection is reset (a TCP RST, not an orderly end)."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(status_code=200)
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Reset the connection, as an ASGI application."""
        connection = self._connections.of(scope)
        if connection is not None:
            lingering = struct.pack("ii", 1, 0)  # close without a FIN: the kernel sends RST
            connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        await _abort(connection, receive)


class TruncatedBody(Response):
    """Half the body under the complete body's Content-Length, then the end of the connection."""

    def __init__(self, body: bytes, headers: dict[str, str], connections: Connections) -> None:
        super().__init__(body, headers=headers)
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - uvicorn refuses a short body
        """Write past uvicorn, as an ASGI application."""
        connection = self._connections.of(scope)
        if connection is not None:
            lines = [b"HTTP/1.1 200 OK", *(name + b": " + value for name, value in self.raw_headers)]
            connection.write(b"\r\n".join([*lines, b"", self.body[: len(self.body) // 2]]))
            connection.close()
        await _disconnected(receive)


class DripBody(Response):
    """The body in small pieces, each well within a read timeout, all of them in about `seconds`.

    `stopping` is set when the server closes: the connection is closed then.
    """

    def __init__(
        self, body: bytes, headers: dict[str, str], seconds: float, connections: Connections, stopping: Event
    ) -> None:
        super().__init__(body, headers=headers)
        pieces = min(max(int(seconds / _DRIP_EVERY), 1), len(body))
        self._size = -(-len(body) // pieces)
        self._pause = seconds / pieces
        self._connections = connections
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send piece after piece, as an ASGI application."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for at in range(0, len(self.body), self._size):
            await send({"type": "http.response.body", "body": self.body[at : at + self._size], "more_body": True})
            await self._wait()
            if self._stopping.is_set():
                await _abort(self._connections.of(scope), receive)
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self) -> None:
        """Pause, but not for long once the server closes."""
        left = self._pause
        while left > 0 and not self._stopping.is_set():
            await asyncio.sleep(min(left, _DRIP_EVERY))
            left -= _DRIP_EVERY
