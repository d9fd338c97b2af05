"""An S3 on loopback behind a proxy that has faults, for tests; they skip, and say so, where a package is missing."""

import base64
import hashlib
import http.client
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "bucket"
BAD_DIGEST = b"<Error><Code>BadDigest</Code><Message>The checksum you specified did not match.</Message></Error>"
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Fault:
    """What befalls the requests of a method whose path contains a text, so often.

    Attributes:
        kind: `500`, `hang`, `cut` (the body ends early), `short` (the same, with a length that fits), `upload` (the
            store gets a part of the body), `late` (a list is as it was when it was asked for first).
    """

    kind: str
    method: str
    path: str = ""
    times: int = 1 << 30

    def strikes(self, method, path):
        is_list = self.kind == "late" and "list-type" not in path
        if self.times == 0 or method != self.method or self.path not in path or is_list:
            return False
        self.times -= 1
        return True


class FaultyS3:
    """A proxy of the S3 at `host` and `port`; `url` is its address, `fault` what it does, `seen` the requests."""

    def __init__(self, host, port):
        self._to, self.fault, self.seen, self._lists = (host, port), None, [], {}
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method, path, headers, body):
        self.seen.append((method, path))
        fault = self.fault if self.fault is not None and self.fault.strikes(method, path) else None
        kind = "" if fault is None else fault.kind
        if kind == "500":
            return 500, {}, b"<Error><Code>InternalError</Code></Error>", None
        if kind == "hang":
            self.over.wait(30)
            return None
        if kind == "late" and path in self._lists:
            return *self._lists[path], None
        if kind == "upload":
            body = body[: len(body) // 2]
        promised = headers.get("x-amz-checksum-sha256")
        if promised and promised != base64.b64encode(hashlib.sha256(body).digest()).decode():
            return 400, {"Content-Type": "application/xml"}, BAD_DIGEST, None  # as S3 answers; moto does not look
        status, fields, content = self._forwarded(method, path, headers, body)
        if "list-type" in path:
            self._lists.setdefault(path, (status, fields, content))
        if kind == "short":
            content = content[: len(content) // 2]
        return status, fields, content, len(content) // 2 if kind == "cut" else None

    def _forwarded(self, method, path, headers, body):
        connection = http.client.HTTPConnection(*self._to, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP}
            connection.request(method, path, body or None, {**kept, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            fields = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            length = answer.getheader("Content-Length")
            return answer.status, {**fields, "Content-Length": length} if method == "HEAD" else fields, answer.read()
        finally:
            connection.close()

    def _handler(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = proxy.answer(self.command, self.path, self.headers, body)
                self.close_connection = True
                if found is None:
                    return
                status, fields, content, cut = found
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                if "Content-Length" not in fields:
                    self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content if cut is None else content[:cut])

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 - their names are given

            def log_message(self, *args):
                """Nothing on stderr."""

        return Handler


@contextmanager
def faulty_s3():
    """An S3 with an empty bucket behind a `FaultyS3`, and the variables with which a process uses it."""
    pytest.importorskip("s3fs", reason="the package of the store is not installed: uv sync --group stores")
    moto = pytest.importorskip("moto.server", reason="no S3 to try it on: uv sync --group stores")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    proxy = FaultyS3(host, port)
    try:
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        urlopen(Request(f"http://{host}:{port}/{BUCKET}", method="PUT")).close()
        yield proxy, {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url, "AWS_MAX_ATTEMPTS": "1"}
    finally:
        proxy.close()
        server.stop()


def timed(work):
    """What `work` returns or raises, and the seconds it took."""
    began = time.monotonic()
    try:
        found = work()
    except Exception as error:  # noqa: BLE001 - it is what is looked at
        found = error
    return found, time.monotonic() - began
