"""The proxies of docs/serving.md before a real UI: with TLS, a login, WebSockets, and a read-only UI beside it."""

import base64
import getpass
import json
import shutil
import socket
import ssl
import subprocess
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mohlcv_dagster_tests.cli.test_up_door import JSON, SOCKET
from mohlcv_dagster_tests.defs.served import serve, until
from mohlcv_dagster_tests.docs.blocks import PAGES, blocks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NGINX = next(filter(None, map(shutil.which, ("nginx", "/usr/sbin/nginx"))), None)
PAGE = next(page for page in PAGES if page.name == "serving.md")
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"me:four-words-made-up").decode()}
QUERY = json.dumps({"query": "{version}"})
MUTATION = json.dumps({"query": 'mutation {setConcurrencyLimit(concurrencyKey: "any", limit: 1)}'})
WHOLE = """user {user}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
uwsgi_temp_path {folder}; scgi_temp_path {folder};
{servers} }}
"""


def shown(beginning):
    """The block of the page that begins so."""
    return next(block.text for block in blocks(PAGE) if block.text.startswith(beginning))


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def running(words, port):
    with closing(socket.socket()), subprocess.Popen(words) as process:
        try:
            until(lambda: answers(port) or process.poll() is not None, f"{words[0]} listens", 20)
            assert process.poll() is None
            yield
        finally:
            process.terminate()


def answers(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def ask(connection, method, headers, body=None, path="/graphql"):
    """The status of an answer, and its body."""
    with closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, b"" if answer.status == 101 else answer.read()


@pytest.fixture(scope="module")
def uis(tmp_path_factory):
    """The ports of a UI that the page's address leads to, and of a read-only one of the same home."""
    folder, other = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    vendor = "http://127.0.0.1:9"
    own = {"DAGSTER_HOME": str(folder / "home"), "MOHLCV_DATA_DIR": str(folder / "data")}
    look = ["--read-only", "--without-login"]
    with (
        serve(folder, vendor, MOHLCV_UI_URL="https://bars.example.com") as first,
        serve(other, vendor, look, MOHLCV_UI_URL="https://look.example.com", **own) as second,
    ):
        yield [urlsplit(each.url).port for each in (first, second)]


@pytest.mark.skipif(NGINX is None, reason="no nginx")
def test_nginx_as_shown_asks_for_a_login_passes_websockets_and_changes_nothing_by_the_read_only_ui(uis, tmp_path):
    port, (first, second) = free_port(), uis
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bars"]
    words += ["-keyout", "bars.key", "-out", "bars.pem"]
    names = ["-addext", "subjectAltName=DNS:bars.example.com,DNS:look.example.com"]
    subprocess.run([*words, *names], check=True, capture_output=True, cwd=tmp_path)
    (tmp_path / "bars.users").write_text("me:{PLAIN}four-words-made-up\n")
    servers = shown("map $http_upgrade").replace("/etc/nginx", str(tmp_path)).replace("listen 443", f"listen {port}")
    servers = servers.replace("127.0.0.1:3000", f"127.0.0.1:{first}").replace("127.0.0.1:3001", f"127.0.0.1:{second}")
    (tmp_path / "nginx.conf").write_text(WHOLE.format(user=getpass.getuser(), folder=tmp_path, servers=servers))
    trusted = ssl.create_default_context(cafile=tmp_path / "bars.pem")

    def through(name, method, headers, body=None):
        connection = Named(name, port, trusted)
        return ask(connection, method, {"Host": name, "Origin": f"https://{name}", **headers}, body)

    with running([str(NGINX), "-c", str(tmp_path / "nginx.conf")], port):
        assert through("bars.example.com", "POST", JSON, QUERY)[0] == 401
        assert through("bars.example.com", "POST", {**JSON, **LOGIN}, QUERY)[0] == 200
        assert (
            through("bars.example.com", "POST", {**JSON, **LOGIN}, MUTATION)[1]
            == b'{"data":{"setConcurrencyLimit":true}}'
        )
        assert through("bars.example.com", "GET", {**SOCKET, **LOGIN})[0] == 101
        foreign = {**JSON, **LOGIN, "Origin": "https://evil.example"}
        assert through("bars.example.com", "POST", foreign, QUERY)[0] == 403
        assert through("look.example.com", "POST", JSON, QUERY)[0] == 200
        assert b"UnauthorizedError" in through("look.example.com", "POST", JSON, MUTATION)[1]


class Named(HTTPSConnection):
    """A connection to the proxy here that checks the certificate of another name."""

    def __init__(self, name, port, trusted):
        super().__init__("127.0.0.1", port, timeout=30)
        self._name, self._trusted = name, trusted

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._trusted.wrap_socket(plain, server_hostname=self._name)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy")
def test_caddy_as_shown_leads_to_the_ui_and_keeps_out_other_pages(uis, tmp_path, monkeypatch):
    port, (first, _) = free_port(), uis
    monkeypatch.setenv("HOME", str(tmp_path))
    shape = shown("bars.example.com {").replace("127.0.0.1:3000", f"127.0.0.1:{first}")
    # without TLS here: a certificate for that name cannot be had; the proxy keeps `Host` as it comes
    (tmp_path / "Caddyfile").write_text("{\n admin off\n}\n" + shape.replace("bars.example.com", f"http://:{port}"))

    def through(origin):
        headers = {**JSON, "Host": "bars.example.com", "Origin": origin}
        return ask(HTTPConnection("127.0.0.1", port, timeout=30), "POST", headers, QUERY)[0]

    with running([str(Path(shutil.which("caddy"))), "run", "--config", str(tmp_path / "Caddyfile")], port):
        assert through("https://bars.example.com") == 200
        assert through("https://evil.example") == 403
