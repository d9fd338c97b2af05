"""Requests with and without the password, put to the middleware alone; cli/test_up_door.py sends them to a real UI."""

import base64

import pytest

from mohlcv_dagster import login
from mohlcv_dagster.login import Login
from mohlcv_dagster_tests.asgi import exchange

PASSWORD = "päss:word with blanks"  # noqa: S105 - of the test


def basic(password, user="me"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def send(kind, *authorizations, path="/"):
    """The status and headers of the answer, and whether the UI was reached."""
    headers = [(b"authorization", each.encode()) for each in authorizations]
    scope = {"type": kind, "path": path, "method": "GET", "query_string": b"", "headers": headers}
    told, reached = exchange(lambda ui: Login(ui, PASSWORD), scope)
    return told[0], bool(reached)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(login, "WAIT", 0.0)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_password_opens_with_any_user_name(kind):
    assert send(kind, basic(PASSWORD))[1]
    assert send(kind, basic(PASSWORD, user=""))[1]
    assert send(kind, basic(PASSWORD).replace("Basic", "basic"))[1]


@pytest.mark.parametrize(
    "given",
    [
        [],
        [""],
        ["Basic"],
        ["Basic not base64!"],
        [basic("")],
        [basic("wrong")],
        [basic(PASSWORD[:-1])],
        [basic(PASSWORD + "x")],
        [basic(PASSWORD).replace("Basic", "Bearer")],
        ["Basic " + base64.b64encode(PASSWORD.encode()).decode().replace("=", "")],
        [basic("wrong"), basic(PASSWORD)],
        [basic(PASSWORD), basic(PASSWORD)],
    ],
)
@pytest.mark.parametrize("path", ["/", "/graphql", "/static/main.js", "/logs/any", "/server_info"])
def test_every_other_request_is_asked_for_it_whatever_the_path(given, path):
    told, reached = send("http", *given, path=path)

    assert (told["status"], reached) == (401, False)
    assert (b"www-authenticate", b'Basic realm="mohlcv", charset="UTF-8"') in told["headers"]
    told, reached = send("websocket", *given, path=path)
    assert (told["type"], reached) == ("websocket.close", False)


def test_a_password_is_not_kept_in_words():
    assert PASSWORD not in str(vars(Login(None, PASSWORD)))


def test_a_wrong_password_is_answered_late_and_none_at_once(monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(login.asyncio, "sleep", sleep)
    monkeypatch.setattr(login, "WAIT", 1.0)
    send("http")
    send("http", basic("wrong"))
    send("http", basic(PASSWORD))

    assert waits == [1.0]
