"""Requests as browsers and programs send them, put to the middleware alone; browser/ sends real ones to a real UI."""

import socket
from dataclasses import dataclass

import pytest

from mohlcv_dagster.same_origin import SameOrigin
from mohlcv_dagster_tests.asgi import exchange

JSON = {"content-type": "application/json"}
MUTATION = "query=mutation%7BterminateRuns%7D"


@dataclass
class Answer:
    """What came back; `reached` is the scope that the UI was given, if it was."""

    status: int | None
    text: str
    reached: dict | None


def send(method, path, headers=None, *, host="127.0.0.1:3000", listens="127.0.0.1", port=3000, **more):  # noqa: PLR0913 - each has a default
    """One request; `method` may be `WebSocket`. `host` may be `None`, or several."""
    hosts = [host] if isinstance(host, str) else host or []
    pairs = [*(("host", each) for each in hosts), *(headers or {}).items()]
    path, _, query = path.partition("?")
    scope = {
        "type": "websocket" if method == "WebSocket" else "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    scope |= {} if method == "WebSocket" else {"method": method}
    told, reached = exchange(lambda ui: SameOrigin(ui, listens, port, **more), scope)
    status = next((each["status"] for each in told if each["type"] == "http.response.start"), None)
    status = 403 if told[-1]["type"] == "websocket.close" else status
    return Answer(status, told[-1].get("body", b"").decode(), reached[0] if reached else None)


def refused(*told, **options):
    """The sentence with which a request is refused."""
    answer = send(*told, **options)
    assert (answer.status, answer.reached) == (403, None)
    return answer.text


def answered(*told, **options):
    answer = send(*told, **options)
    return answer.status == 200 and answer.reached is not None


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000"])
def test_the_ui_answers_to_every_name_of_the_loopback_with_its_port(host):
    assert answered("GET", "/assets", host=host)
    assert answered("POST", "/graphql", {**JSON, "origin": f"http://{host}".lower()}, host=host)


@pytest.mark.parametrize(
    "host",
    ["evil.example:3000", "evil.example", "localhost", "localhost:80", "127.0.0.1:3001", "127.0.0.1.evil:3000", ""],
)
def test_a_foreign_host_is_refused_with_the_value_and_the_cure(host):
    text = refused("GET", "/assets", host=host)

    assert text == (
        f"The Dagster UI does not answer to the host {host!r}, only to 127.0.0.1:3000, localhost:3000, [::1]:3000: "
        "open one of these, or name the host that it is to listen on with `mohlcv up --host`, or set "
        "MOHLCV_UI_URL to the address that a proxy gives it.\n"
    )
    refused("POST", "/graphql", {**JSON, "origin": f"http://{host}"}, host=host)
    refused("WebSocket", "/graphql", {"origin": f"http://{host}"}, host=host)


@pytest.mark.parametrize("hosts", [None, ["localhost:3000", "evil.example"]])
def test_a_request_of_no_host_or_of_two_is_refused(hosts):
    refused("GET", "/assets", host=hosts)


@pytest.mark.parametrize(
    ("listens", "host"),
    [("192.168.1.5", "192.168.1.5:3000"), ("Desk.lan", "desk.lan:3000"), ("fd00::5", "[fd00::5]:3000")],
)
def test_the_ui_answers_to_the_host_that_it_was_told_to_listen_on(listens, host):
    assert answered("GET", "/", host=host, listens=listens)
    assert answered("GET", "/", host="localhost:3000", listens=listens)
    refused("GET", "/", host=host)


@pytest.mark.parametrize("listens", ["0.0.0.0", "::"])  # noqa: S104 - nothing listens
def test_listening_on_all_addresses_it_answers_to_each_and_to_the_machines_name_but_to_no_other(listens):
    machine = f"{socket.gethostname()}:3000".lower()
    for host in ("192.168.1.5:3000", "[fd00::5]:3000", "localhost:3000", machine):
        assert answered("GET", "/", host=host, listens=listens)
        assert answered("POST", "/graphql", {**JSON, "origin": f"http://{host}"}, host=host, listens=listens)
    for host in ("evil.example:3000", "192.168.1.5", "192.168.1.5:80", "192.168.1.5.evil.example:3000", "1:3000"):
        refused("GET", "/", host=host, listens=listens)


def test_on_one_address_it_answers_to_no_other_address():
    refused("GET", "/", host="192.168.1.6:3000", listens="192.168.1.5")
    refused("GET", "/", host="192.168.1.5:3000")


@pytest.mark.parametrize("address", ["https://Bars.example.com", "https://bars.example.com:443/"])
def test_behind_a_proxy_it_answers_to_the_address_that_the_settings_name_and_to_its_pages(address):
    host, own = "bars.example.com", {"origin": "https://bars.example.com"}

    assert answered("POST", "/graphql", {**JSON, **own}, host=host, address=address)
    assert send("WebSocket", "/graphql", own, host=host, address=address).reached
    refused("GET", "/", {"origin": "http://bars.example.com"}, host=host, address=address)
    refused("GET", "/", own, address=address)
    refused("GET", "/", host="other.example.com", address=address)
    refused("GET", "/", host="bars.example.com:3000", address=address)


def test_on_port_80_browsers_leave_the_port_away():
    assert answered("POST", "/graphql", {**JSON, "origin": "http://localhost"}, host="localhost", port=80)
    refused("GET", "/", host="localhost:3000", port=80)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:8000",
        "http://localhost:3000",  # of another name than the request's host
        "https://127.0.0.1:3000",
        "http://127.0.0.1:3000.evil.example",
        "null",
        "",
    ],
)
def test_a_foreign_origin_is_refused_whatever_it_asks_for(origin):
    text = refused("GET", "/server_info", {"origin": origin})

    assert text == (
        f"The Dagster UI does not answer to pages of the origin {origin!r}, only to its own: "
        "open http://127.0.0.1:3000.\n"
    )
    refused("POST", "/graphql", {**JSON, "origin": origin})
    refused("OPTIONS", "/graphql", {"origin": origin, "access-control-request-method": "POST"})
    refused("WebSocket", "/graphql", {"origin": origin})


def test_the_uis_own_pages_and_programs_are_answered():
    own = {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}

    assert answered("POST", "/graphql", {**JSON, **own})
    assert answered("POST", "/graphql", {"content-type": "Application/JSON; charset=utf-8"})
    assert answered("POST", "/report_asset_materialization/mine", JSON)
    assert answered("GET", "/static/main.js", own)
    assert send("WebSocket", "/graphql", own).reached
    assert send("WebSocket", "/graphql").reached


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(("mode", "dest"), [("no-cors", "image"), ("no-cors", "empty"), ("navigate", "iframe")])
def test_what_another_page_embeds_is_refused_though_it_names_no_origin(site, mode, dest):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}

    text = refused("GET", "/assets", headers)

    assert text == (
        f"The Dagster UI does not answer to other pages (the request is {site!r}), only to its own: "
        "open http://127.0.0.1:3000.\n"
    )


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_link_from_elsewhere_opens_a_page(site):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert answered("GET", "/runs/1234?tab=logs", headers)
    assert send("GET", "/runs/1234?tab=logs", headers).reached["query_string"] == b"tab=logs"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_graphql_by_get_is_refused(method, path):
    text = refused(method, f"{path}?{MUTATION}", {"accept": "*/*"})

    cure = "send it by POST, with the content type application/json.\n"
    assert text == f"The Dagster UI executes no GraphQL by {method}: {cure}"


def test_the_graphql_editor_opens_and_is_given_nothing_to_execute():
    answer = send("GET", f"/graphql?{MUTATION}", {"accept": "text/html,*/*"})

    assert (answer.status, answer.reached["query_string"]) == (200, b"")


@pytest.mark.parametrize(
    "content",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/graphql"],
)
@pytest.mark.parametrize("path", ["/graphql", f"/graphql?{MUTATION}", "/report_asset_check/raw_1s"])
def test_a_post_of_anything_but_json_is_refused_with_the_value_and_the_cure(content, path):
    text = refused("POST", path, {"content-type": content})

    told = f"and this POST has the content type {content!r}: send it as application/json.\n"
    assert text == f"The Dagster UI takes only JSON, {told}"


@pytest.mark.parametrize("content", ["text/plain; application/json", "text/plain, application/json"])
def test_a_content_type_that_only_mentions_json_is_refused(content):
    refused("POST", "/graphql", {"content-type": content})
    refused("POST", "/graphql", {})


def test_no_other_page_shows_an_answer_in_a_frame():
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:3000")],
    }
    told, _ = exchange(lambda ui: SameOrigin(ui, "127.0.0.1", 3000), scope)

    assert (b"x-frame-options", b"SAMEORIGIN") in told[0]["headers"]
