"""How a reply travels: packed or plain, whole or broken on the wire. What it says is decided before it gets here."""

import asyncio
import socket
import struct
import zlib
from threading import Event
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mohlcv_dagster.sandbox.answers import Answer, Refusal
from mohlcv_dagster.sandbox.desk import Reply
from mohlcv_dagster.sandbox.kinds import Delivery
from mohlcv_dagster.sandbox.shelf import Shelf

_ROOM: Final = 128 * 2**20
_PACKER_STATE: Final = 270_000
_WORTH_KEEPING: Final = 16_384
_LEVEL, _GZIP_FORM = 1, 31
_DRIP_EVERY: Final = 0.05
_JSON: Final = "application/json"

_Packed = tuple[bytes, Any]  # what zlib.compressobj gives has no public type


class Packer:
    """Bodies of replies, plain or gzipped at level 1; what stands before an answer's `request_id` is packed once."""

    def __init__(self) -> None:
        self._shelf: Shelf[_Packed] = Shelf(_ROOM, lambda packed: len(packed[0]) + _PACKER_STATE)

    def plain(self, reply: Reply) -> bytes:
        """The body as it is."""
        if isinstance(reply.told, Refusal):
            return reply.told.body
        return b"".join([reply.told.head, *reply.told.shown, reply.told.tail()])

    def gzipped(self, reply: Reply) -> bytes:
        """The body, gzipped."""
        if isinstance(reply.told, Refusal):
            return _pack(reply.told.body)
        begun, packer = self._begun(reply.told, reply.key)
        rest = packer.copy()
        return b"".join([begun, rest.compress(reply.told.tail()), rest.flush()])

    def _begun(self, answer: Answer, key: tuple[object, ...] | None) -> _Packed:
        if key is None or sum(map(len, answer.rows)) < _WORTH_KEEPING:
            return _begin(answer)
        return self._shelf.get(key, lambda: _begin(answer))


def _begin(answer: Answer) -> _Packed:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP_FORM)
    return b"".join(packer.compress(part) for part in (answer.head, *answer.shown)), packer


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP_FORM)
    return packer.compress(body) + packer.flush()


class Wires:
    """The open connections by their far end, for broken deliveries: ASGI does not give the connection itself."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A uvicorn protocol that keeps this register."""
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
        """The connection a request came by; `None` where it is gone already."""
        return self._open.get(tuple(scope["client"]))


def respond(reply: Reply, packer: Packer, wires: Wires, stopping: Event, *, gzip: bool) -> Response:
    """The response that carries a reply.

    Args:
        reply: what to tell, and the fault that may break its delivery.
        packer: makes the body.
        wires: the open connections.
        stopping: set when the server closes: a drip ends then.
        gzip: whether the client takes it.
    """
    how = reply.fault.kind.deliver if reply.fault is not None else None
    if how is Delivery.RESET:
        return Reset(wires)
    gzip = gzip or how is Delivery.CUT_GZIP
    body = packer.gzipped(reply) if gzip and how is not Delivery.CUT else packer.plain(reply)
    if how in (Delivery.CUT, Delivery.CUT_GZIP):
        body = body[: len(body) * 2 // 3]
        body = _pack(body) if gzip and how is Delivery.CUT else body
    headers = _headers(reply.told) | ({"content-encoding": "gzip"} if gzip else {})
    if how is Delivery.TRUNCATED:
        return Truncated(body, headers, wires)
    if how is Delivery.DRIP and reply.fault is not None:
        return Drip(body, headers, reply.fault.seconds, wires, stopping)
    return Response(body, reply.told.status if isinstance(reply.told, Refusal) else 200, headers)


def _headers(told: Answer | Refusal) -> dict[str, str]:
    if isinstance(told, Answer):
        return {"content-type": _JSON}
    headers = {"content-type": "text/html" if told.html else _JSON}
    return headers if told.retry_after is None else headers | {"retry-after": f"{told.retry_after:g}"}


async def _abort(wire: asyncio.Transport | None, receive: Receive) -> None:
    if wire is not None:
        wire.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the server knows that the connection is gone, so that it expects no answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Reset(Response):
    """No answer: the connection is reset (a TCP RST, not an orderly end)."""

    def __init__(self, wires: Wires) -> None:
        super().__init__(status_code=200)
        self._wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Reset the connection, as an ASGI application."""
        wire = self._wires.of(scope)
        if wire is not None:
            lingering = struct.pack("ii", 1, 0)  # close without a FIN: the kernel sends RST
            wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        await _abort(wire, receive)


class Truncated(Response):
    """Half the body under the whole body's Content-Length, then the end of the connection."""

    def __init__(self, body: bytes, headers: dict[str, str], wires: Wires) -> None:
        super().__init__(body, headers=headers)
        self._wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - uvicorn refuses a short body
        """Write past uvicorn, as an ASGI application."""
        wire = self._wires.of(scope)
        if wire is not None:
            lines = [b"HTTP/1.1 200 OK", *(name + b": " + value for name, value in self.raw_headers)]
            wire.write(b"\r\n".join([*lines, b"", self.body[: len(self.body) // 2]]))
            wire.close()
        await _gone(receive)


class Drip(Response):
    """The body in small pieces, each well within a read timeout, all of them in about `seconds`."""

    def __init__(self, body: bytes, headers: dict[str, str], seconds: float, wires: Wires, stopping: Event) -> None:
        super().__init__(body, headers=headers)
        pieces = min(max(int(seconds / _DRIP_EVERY), 1), len(body))
        self._size = -(-len(body) // pieces)
        self._pause = seconds / pieces
        self._wires = wires
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send piece after piece, as an ASGI application."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for at in range(0, len(self.body), self._size):
            await send({"type": "http.response.body", "body": self.body[at : at + self._size], "more_body": True})
            await self._wait()
            if self._stopping.is_set():
                await _abort(self._wires.of(scope), receive)
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self) -> None:
        """Pause, but not for long once the server closes."""
        left = self._pause
        while left > 0 and not self._stopping.is_set():
            await asyncio.sleep(min(left, _DRIP_EVERY))
            left -= _DRIP_EVERY
