"""What the vendor says cannot control the terminal, hold the key or be of any length, wherever it is shown or kept."""

import socket
import threading

import pytest

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import LISTED, LISTED_LATER, AnySymbol, recorded
from mohlcv_dagster_tests.leaks import CODES, CODES_IN_JSON, files_with, spellings, texts_of

KEY = "pk/Never+5how~Th1s=Key-0123456"
SYMBOLS = f"ABC,{LISTED},{LISTED_LATER}"
MONTH = ("--start", "2024-01-01", "--end", "2024-01-31")
FAULTS = ("escape-codes", "key-echoed", "huge-request-id", "hostile-error")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return AnySymbol(ReplayedMarket(recorded(tmp_path_factory.mktemp("recorded"))))


@pytest.fixture
def vendor(market, monkeypatch):
    with Sandbox(market) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", KEY)
        monkeypatch.setenv("MASSIVE_ADJUSTED", "true")  # so that splits are asked for too
        yield sandbox


def assert_harmless(project, *terminal):
    kept = texts_of(project)
    assert any(name.endswith("index.db") for name in kept)
    assert any("manifest" in name for name in kept) or not (project / "data").exists()
    for name, text in [*kept.items(), *(("the terminal", text) for text in terminal)]:
        found = CODES.search(text) or (text not in terminal and CODES_IN_JSON.search(text))
        assert not found, f"{name}: {text[found.start() - 200 : found.end() + 50]!r}"
        assert "x" * 250 not in text, name
    assert files_with(project, spellings(KEY)) == []
    for spelling in spellings(KEY):
        assert not any(spelling.decode() in text for text in terminal)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fetch_keeps_and_shows_nothing_that_the_vendor_says_raw(home, project, mohlcv, vendor, fault):
    vendor.inject(f"{fault}:on=bars", f"{fault}:on=reference")
    fetched = mohlcv("fetch", "--symbol", SYMBOLS, *MONTH)

    assert fetched.code == (1 if fault == "hostile-error" else 0)
    assert_harmless(project, fetched.out, fetched.err)
    shown = f"{fetched.out}{fetched.err}{texts_of(project)}"
    assert {"escape-codes": r"\x1b]0;owned", "huge-request-id": "xxx…"}.get(fault, "***") in shown


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "words",
    [("symbols", "add", "ABC"), ("doctor",), ("plan", "--symbol", f"ABC,{LISTED_LATER}", *MONTH)],
    ids=lambda words: words[0],
)
@pytest.mark.usefixtures("home")
def test_a_command_that_asks_shows_nothing_that_the_vendor_says_raw(project, mohlcv, vendor, fault, words):
    vendor.inject(f"{fault}:on=bars", f"{fault}:on=reference")
    ended = mohlcv(*words)

    assert_harmless(project, ended.out, ended.err)


HEADERS = b"HTTP/1.1 %s\r\nContent-Length: 2\r\n%s\r\n\r\n{}"


@pytest.fixture
def raw_answer(monkeypatch):
    """What a server at the base URL sends to whoever asks, as the one element of a list."""
    listener = socket.create_server(("127.0.0.1", 0))
    answer = [b""]

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    monkeypatch.setenv("MASSIVE_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("MASSIVE_API_KEY", KEY)
    yield answer
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"\x1b]0;owned\x07 %s not HTTP at all\r\n\r\n" % KEY.encode(),
        HEADERS % (b"200 \x1b[2J %s" % KEY.encode(), b"Content-Encoding: \x1b[2J%s" % KEY.encode()),
        HEADERS % (b"200 OK", b"\x1b[2J %s no header" % KEY.encode()),
        HEADERS % (b"200 OK", b"Content-Length: %s" % KEY.encode()),
        HEADERS % (b"302 Found", b"Location: http://x/\x1b[2J?apiKey=%s" % KEY.encode()),
        HEADERS % (b"429 No", b"Retry-After: 1e300"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b%s\r\n" % KEY.encode(),
    ],
    ids=["no HTTP", "reason and encoding", "no header", "two lengths", "redirect", "for ever", "chunk"],
)
def test_neither_headers_nor_what_is_no_http_are_quoted_raw(mohlcv, raw_answer, caplog, answer):
    raw_answer[0] = answer
    ended = mohlcv("doctor")

    for shown in (ended.out, ended.err, caplog.text):
        assert not CODES.search(shown)
        assert KEY not in shown
        assert "0" * 250 not in shown
