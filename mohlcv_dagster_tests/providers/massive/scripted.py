"""A vendor on loopback that answers from a script, and a clock that moves only when somebody sleeps."""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.retry import Clock

KEY = "pk-Never5how-Th1s"

MONTH = Month(2024, 2)
START = 1706745600  # 2024-02-01 00:00:00 UTC, by `date -u -d 2024-02-01 +%s`
END = 1709251200  # 2024-03-01 00:00:00 UTC
WINDOWS = 24  # 20 sessions of 57,600 seconds in pages of 50,000: 23.04


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    symbol: str
    timespan: str
    start: int
    last: int
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer: what is sent, and how badly."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Bytes of the body sent before the connection is closed, with the whole length declared."""
    chunked_cut: bool = False
    """The body goes out as one chunk, and the closing chunk never comes."""
    drip: float | None = None
    """Seconds between single bytes of the body."""
    drip_headers: bool = False
    """Header lines come for ever, twenty a second."""
    reset: bool = False
    silent: float = 0.0
    """Seconds before anything is sent."""


NOT_FOUND = Reply(b'{"status":"NOT_FOUND","request_id":"r404","message":"Ticker not found."}', 404)


def page(asked: Asked, rows: list[dict[str, object]], **changes: object) -> Reply:
    """A faithful page of `rows`, with members changed; a change to `...` takes the member out."""
    document: dict[str, object] = {
        "ticker": asked.symbol,
        "queryCount": len(rows),
        "resultsCount": len(rows),
        "adjusted": asked.query["adjusted"] == "true",
        "results": rows,
        "status": "OK",
        "request_id": f"r{asked.start}",
        "count": len(rows),
    }
    if not rows:
        del document["results"], document["count"]
    document |= changes
    return Reply(json.dumps({name: value for name, value in document.items() if value is not ...}).encode())


def zipped(reply: Reply, cut: int = 0) -> Reply:
    """The reply in gzip, less the last `cut` bytes."""
    body = gzip.compress(reply.body)
    return Reply(body[: len(body) - cut], reply.status, {"Content-Encoding": "gzip"})


def row(second: int, volume: float = 100, price: float = 10.5) -> dict[str, object]:
    """A bar as the vendor writes it, starting at a Unix second."""
    return {"v": volume, "vw": 1, "o": price, "c": price, "h": price + 1, "l": price - 1, "t": second * 1000, "n": 1}


BARS = [row(START), row(START + 1, 200), row(START + 900_000, 300), row(END - 1, 400)]
SECONDS = [START, START + 1, START + 900_000, END - 1]


def faithful(rows: list[dict[str, object]]) -> Callable[[Asked], Reply]:
    """The vendor that serves those of `rows` that were asked for."""
    return lambda asked: page(asked, [bar for bar in rows if asked.start <= int(str(bar["t"])) <= asked.last])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64  # a full queue costs a connection a second


class ScriptedVendor:
    """Serves on loopback until closed.

    Attributes:
        answer: gives the reply to each request for bars; replaced by a test.
        asked: every request for bars so far.
        reference: gives the reply to each other request, by its path and query; a 404 unless a test replaces it.
        asked_beside: the path and query of every other request so far.
    """

    def __init__(self, answer: Callable[[Asked], Reply], certificate: Path | None = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.reference: Callable[[str, dict[str, str]], Reply] = lambda path, query: NOT_FOUND
        self.asked_beside: list[tuple[str, dict[str, str]]] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            # the handshake belongs to the connection's thread
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        if not path.startswith("/v2/aggs/"):
            url = urlsplit(path)
            beside = url.path, {name: values[0] for name, values in parse_qs(url.query).items()}
            self.asked_beside.append(beside)
            return self.reference(*beside)
        asked = _parsed(path, headers)
        self.asked.append(asked)
        return self.answer(asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                try:
                    _send(self, vendor.reply(self.path, dict(self.headers)))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
                """Nothing on stderr."""

        return Handler


def _parsed(path: str, headers: dict[str, str]) -> Asked:
    url = urlsplit(path)
    parts = url.path.split("/")
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    return Asked(parts[4], parts[7], int(parts[8]), int(parts[9]), query, headers)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    time.sleep(reply.silent)
    if reply.reset:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.drip_headers:
        handler.flush_headers()
        for number in range(60):
            handler.wfile.write(f"X-{number}: 1\r\n".encode())
            time.sleep(0.05)
        return
    if reply.chunked_cut:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(reply.body):x}\r\n".encode() + reply.body + b"\r\n")
        handler.close_connection = True
        return
    handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    _send_body(handler, reply)


def _send_body(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    if reply.drip is not None:
        for byte in reply.body:
            handler.wfile.write(bytes([byte]))
            time.sleep(reply.drip)
        return
    handler.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
    if reply.cut is not None:
        handler.close_connection = True


class FakeTime:
    """A clock that stands still until somebody sleeps; shared by threads."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, tzinfo=UTC), draw: float = 0.5) -> None:
        self._began = now.timestamp()
        self._passed = 0.0
        self._lock = threading.Lock()
        self.clock = Clock(now=self.now, monotonic=lambda: self._passed, sleep=self.sleep, random=lambda: draw)

    @property
    def passed(self) -> float:
        return self._passed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._began + self._passed, UTC)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._passed += seconds
