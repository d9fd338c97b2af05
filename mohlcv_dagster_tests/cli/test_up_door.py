"""Who gets into the UI of a real `mohlcv up`: with a password, read only, and by its processes' sockets."""

import base64
import contextlib
import json
import socket
import stat
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mohlcv_dagster_tests.dagster_patches.test_services import processes
from mohlcv_dagster_tests.defs.served import REPOSITORY, serve

PASSWORD = "four-words-made-up"  # noqa: S105 - of the test
RIGHT = {"Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"me:not-these-words").decode()}
JSON = {"Content-Type": "application/json"}
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - it is refused
def test_a_host_that_other_computers_reach_is_refused_without_a_password_in_a_sentence(mohlcv, project, host):
    said = mohlcv("up", "--host", host)

    assert said.code == 2
    assert said.err == (
        f"mohlcv: --host {host} lets other computers use the UI, and it asks for no password: "
        "set MOHLCV_UI_PASSWORD, or write --without-login where a proxy asks for one\n"
    )
    assert list(project.iterdir()) == []


def test_a_short_password_is_refused_without_being_shown(mohlcv, monkeypatch):
    monkeypatch.setenv("MOHLCV_UI_PASSWORD", "hush")

    said = mohlcv("up")

    assert said.code == 2
    assert said.err == "mohlcv: MOHLCV_UI_PASSWORD is too short: write at least 12 characters\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_the_loopback_and_with_without_login_none_is_needed(mohlcv, host):
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        taken = stack.enter_context(socket.socket(family))
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        taken.listen()
        port = str(taken.getsockname()[1])

        assert "cannot be served (Address already in use)" in mohlcv("up", "--host", host, "--port", port).err
        everywhere = ("--host", "::" if ":" in host else "0.0.0.0", "--port", port)  # noqa: S104 - it is taken
        assert "cannot be served (Address already in use)" in mohlcv("up", *everywhere, "--without-login").err


def status(url, method, path, headers=None, body=None):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        return connection.getresponse().status


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A UI with a password, and its folder."""
    folder = tmp_path_factory.mktemp("closed")
    words = ("--host", "0.0.0.0")  # noqa: S104 - it is what needs the password
    with serve(folder, "http://127.0.0.1:9", words, RIGHT, MOHLCV_UI_PASSWORD=PASSWORD) as webserver:
        yield webserver, folder


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{}, WRONG])
@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/", {}),
        ("GET", "/favicon.ico", {}),
        ("GET", "/server_info", {}),
        ("GET", "/runs", {"Accept": "text/html"}),
        ("GET", "/logs/a/b/c.out", {}),
        ("GET", "/download_debug/any", {}),
        ("POST", "/graphql", JSON),
        ("POST", "/report_asset_materialization/raw_1s", JSON),
        ("GET", "/graphql", {**SOCKET, "Accept": "text/html"}),
    ],
)
def test_every_route_and_the_websocket_need_the_password(closed, headers, method, path, more):
    webserver, _ = closed
    body = json.dumps({"query": "{version}"}) if method == "POST" else None
    is_socket = "Upgrade" in more

    assert status(webserver.url, method, path, {**headers, **more}, body) == (403 if is_socket else 401)
    opened = status(webserver.url, method, path, {**RIGHT, **more}, body)
    assert opened == 101 if is_socket else opened not in {401, 403}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_password_is_in_no_command_line_no_log_no_file_and_in_no_process_of_the_code(closed):
    _, folder = closed
    for number, words in processes(folder / "home").items():
        assert PASSWORD not in words
        if "code-server" in words or "grpc" in words or "daemon" in words:
            assert PASSWORD.encode() not in Path(f"/proc/{number}/environ").read_bytes()
    assert [at for at in folder.rglob("*") if at.is_file() and PASSWORD.encode() in at.read_bytes()] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for sockets in /proc")
def test_the_ui_is_all_that_listens_on_a_port_and_other_sockets_are_in_folders_of_the_users_alone(closed):
    webserver, folder = closed
    inodes = {
        link.readlink().name.partition("[")[2].rstrip("]")
        for number in processes(folder / "home")
        for link in Path(f"/proc/{number}/fd").iterdir()
        if link.is_symlink() and link.readlink().name.startswith("socket:")
    }
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    ports = {
        int(row.split()[1].rpartition(":")[2], 16)
        for table in tables
        for row in table
        if row.split()[3] == "0A" and row.split()[9] in inodes  # 0A: it listens
    }
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    listening = {Path(row[7]) for row in rows if row[6] in inodes and row[3] == "00010000" and len(row) > 7}

    assert ports == {urlsplit(webserver.url).port}
    assert len(listening) >= 2
    assert {stat.S_IMODE(each.parent.stat().st_mode) for each in listening if each.is_absolute()} == {0o700}


@pytest.mark.slow
def test_a_read_only_ui_shows_everything_and_refuses_every_change(tmp_path):
    with serve(tmp_path, "http://127.0.0.1:9", ["--read-only"]) as webserver:
        assert webserver.symbols() == []
        allowed = webserver.ask("{permissions {permission value}}")["permissions"]
        assert {each["value"] for each in allowed} == {False}
        told = webserver.ask(
            """mutation($where: RepositorySelector!) {addDynamicPartition(partitionKey: "SPY",
            partitionsDefName: "symbol", repositorySelector: $where) {__typename}}""",
            where=REPOSITORY,
        )
        assert told["addDynamicPartition"]["__typename"] == "UnauthorizedError"
        body = json.dumps({"asset_key": ["raw_1s"]})
        assert status(webserver.url, "POST", "/report_asset_materialization/raw_1s", JSON, body) == 401
        if sys.platform == "linux":
            running = {word for words in processes(tmp_path / "home").values() for word in words.split("\0")}
            assert "mohlcv_dagster.dagster_patches.daemon_process" not in running
