"""The wire, through a plain HTTP client; expected answers are worked by hand from the six seconds in conftest."""

import errno
import json
import signal
import socket
import subprocess
import sys
import threading
import zlib
from datetime import date

import pytest
from massive import RESTClient

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox, SyntheticMarket
from mohlcv_dagster_tests.sandbox.conftest import LATER

OPEN = 1704205800000


def by_key(url, http, key="k"):
    """The answer to a request with a key in its header."""
    return http.request("GET", url, headers={"Authorization": f"Bearer {key}"})


def here(url, sandbox):
    """An address of the vendor's, on the sandbox's host."""
    return url.replace("https://api.massive.com", sandbox.url)


def times(answer):
    return [row["t"] for row in answer.get("results", ())]


def test_an_answer_has_the_vendor_s_form_to_the_byte(ask):
    answer = ask(f"{OPEN}/{OPEN + 1000}")
    message = answer.data.decode()
    request_id = json.loads(message)["request_id"]
    assert answer.headers["content-type"] == "application/json"
    assert request_id.startswith("sandbox-")
    assert message == (
        '{"ticker":"ABC","queryCount":2,"resultsCount":2,"adjusted":false,"results":['
        '{"v":1.300741e+06,"vw":184.185,"o":184,"c":184.25,"h":184.5,"l":183.99,"t":1704205800000,"n":7433},'
        '{"v":100,"vw":184.25,"o":184.25,"c":184.25,"h":184.25,"l":184.25,"t":1704205801000,"n":1}],'
        f'"status":"OK","request_id":"{request_id}","count":2}}'
    )


@pytest.mark.parametrize(("span", "symbol"), [("0/1", "ABC"), (f"{OPEN}/{OPEN}", "XYZ"), (f"{OPEN}/{OPEN}", "abc")])
def test_an_empty_answer_has_no_results_at_all(ask, span, symbol):
    answer = ask(span, symbol=symbol)
    assert answer.status == 200
    assert list(json.loads(answer.data)) == ["ticker", "queryCount", "resultsCount", "adjusted", "status", "request_id"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            {"Host": "evil.example:{port}"},
            "does not answer to the host 'evil.example:{port}', only to 127.0.0.1:{port},",
        ),
        ({"Origin": "http://evil.example"}, "does not answer to pages of the origin 'http://evil.example'"),
        ({"Origin": "null"}, "does not answer to pages of the origin 'null'"),
        ({"Sec-Fetch-Site": "cross-site"}, "does not answer to other pages (the request is 'cross-site')"),
    ],
)
def test_a_web_page_is_refused_and_uses_up_no_fault(sandbox, http, headers, said):
    port = sandbox.url.rpartition(":")[2]
    sandbox.inject("server-error:times=1")
    url = here(f"https://api.massive.com/v2/aggs/ticker/ABC/range/1/second/{OPEN}/{OPEN}", sandbox)
    sent = {name: value.format(port=port) for name, value in headers.items()}

    refused = http.request("GET", url, headers={"Authorization": "Bearer k", **sent})

    assert (refused.status, sandbox.requests) == (403, [])
    assert f"The sandbox {said.format(port=port)}" in refused.data.decode()
    assert by_key(url, http).status == 500
    assert by_key(url.replace("127.0.0.1", "localhost"), http).status == 200


def test_to_is_inclusive_and_an_evening_belongs_to_its_eastern_day(ask_json):
    assert times(ask_json(f"{OPEN + 1000}/{OPEN + 3000}")) == [OPEN + 1000, OPEN + 3000]
    assert times(ask_json("2024-01-02/2024-01-02"))[-1] == 1704243599000  # 19:59:59 Eastern is 00:59:59Z on the 3rd
    assert times(ask_json("2024-01-03/2024-01-03")) == []


def test_the_chain_of_pages_ends_with_the_last_bar(sandbox, http, ask_json):
    answer = ask_json(limit=2)
    seen = times(answer)
    while "next_url" in answer:
        assert answer["next_url"].startswith(
            f"https://api.massive.com/v2/aggs/ticker/ABC/range/1/second/{seen[-1] + 1000}/"
        )
        assert "adjusted" not in answer["next_url"]
        answer = json.loads(by_key(here(answer["next_url"], sandbox) + "&adjusted=false", http).data)
        assert answer["resultsCount"] == 2
        seen += times(answer)
    assert seen == times(ask_json())
    assert len(seen) == 6
    assert len(sandbox.requests) == 4


def test_descending_pages_are_the_ascending_rows_from_the_end(sandbox, http, ask_json):
    answer = ask_json(limit=4, sort="desc")
    rest = json.loads(by_key(here(answer["next_url"], sandbox), http).data)
    assert times(answer) + times(rest) == times(ask_json())[::-1]


def test_minutes_are_the_seconds_resampled(ask_json):
    first, *others = ask_json(bar="1/minute")["results"]
    assert (first["t"], first["o"], first["h"], first["l"], first["c"]) == (OPEN, 184, 184.5, 183.99, 184.3)
    assert first["v"] == 1300741 + 100 + 250
    assert [row["t"] for row in others] == [OPEN + 60_000, 1704243540000, 1706734740000]


def test_the_limit_counts_base_bars(ask_json):
    answer = ask_json(bar="5/minute", limit=2)
    assert (answer["queryCount"], answer["resultsCount"]) == (2, 1)
    assert "next_url" in answer


def test_gzip_is_sent_when_asked_for_and_says_the_same(sandbox, http, ask_json):
    url = f"{sandbox.url}/v2/aggs/ticker/ABC/range/1/second/{OPEN}/{OPEN}"
    headers = {"Authorization": "Bearer k", "Accept-Encoding": "gzip"}
    packed = http.request("GET", url, headers=headers, decode_content=False)
    assert packed.headers["content-encoding"] == "gzip"
    answer = json.loads(zlib.decompress(packed.data, wbits=31))
    assert answer["results"] == ask_json(f"{OPEN}/{OPEN}")["results"]


def test_a_request_without_a_key_or_with_an_unknown_one_is_refused(handmade, http, ask):
    answer = ask(key="")
    assert (answer.status, json.loads(answer.data)["error"]) == (401, "API Key was not provided")
    with Sandbox(ReplayedMarket(handmade), keys=["right"]) as strict:
        url = f"{strict.url}/v2/aggs/ticker/ABC/range/1/second/0/1"
        wrong = by_key(url, http, "wrong")
        right = http.request("GET", url, fields={"apiKey": "right"})
        assert strict.requests[1].query == {}
    assert (wrong.status, json.loads(wrong.data)["error"]) == (401, "Unknown API Key")
    assert right.status == 200


def test_an_invalid_request_is_a_400_and_another_path_a_404(ask, sandbox, http):
    answer = ask("2/1")
    body = json.loads(answer.data)
    assert (answer.status, body["status"]) == (400, "ERROR")
    assert body["error"] == "The parameter 'to' cannot be a time that occurs before 'from'"
    elsewhere = http.request("GET", f"{sandbox.url}/v3/nothing")
    assert (elsewhere.status, json.loads(elsewhere.data)["status"]) == (404, "NOT_FOUND")


def test_a_moment_beyond_any_calendar_is_invalid_or_the_future_but_never_a_500(ask):
    assert ask("0/999999999999999").status == 403
    assert ask("2024-01-01/9999-12-31").status == 400


def test_the_future_is_refused_and_today_is_not(ask):
    now = int(LATER * 1000)
    assert ask(f"0/{now}").status == 200
    assert ask("2024-01-02/2027-01-15").status == 200  # the day LATER lies in
    answer = ask(f"0/{now + 1}")
    assert (answer.status, json.loads(answer.data)["status"]) == (403, "NOT_AUTHORIZED")


def test_a_bar_that_has_not_ended_does_not_exist(handmade, http):
    with Sandbox(ReplayedMarket(handmade), clock=lambda: OPEN / 1000 + 1.5) as early:
        url = f"{early.url}/v2/aggs/ticker/ABC/range/1/second/{OPEN}/{OPEN + 1500}"
        answer = json.loads(by_key(url, http).data)
    assert times(answer) == [OPEN]


def test_it_leaves_neither_thread_nor_port_behind(handmade):
    before = set(threading.enumerate())
    with Sandbox(ReplayedMarket(handmade)) as first:
        with (
            pytest.raises(SettingsError, match="cannot be served"),
            Sandbox(ReplayedMarket(handmade), port=_port(first)),
        ):
            pass
        port = _port(first)
    assert set(threading.enumerate()) == before
    with Sandbox(ReplayedMarket(handmade), port=port) as again:
        assert again.url == first.url


def test_serving_goes_on_until_a_signal(handmade, http):
    program = (
        "import sys; from pathlib import Path; from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox; "
        "Sandbox(ReplayedMarket(Path(sys.argv[1]))).serve(lambda url: print(url, flush=True))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(handmade)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        answer = http.request("GET", f"{url}/v2/aggs/ticker/ABC/range/1/second/{OPEN}/{OPEN}")
        server.send_signal(signal.SIGTERM)
        _, message = server.communicate(timeout=20)
    assert answer.status == 401
    # with which code the process ends is uvicorn's business: that it ends, lets go of the port and says nothing is ours
    assert message == ""
    assert server.returncode is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == errno.ECONNREFUSED


def test_importing_it_loads_neither_pandas_nor_the_calendar_nor_dagster():
    program = (
        "import sys, mohlcv_dagster.sandbox; print({'pandas', 'exchange_calendars', 'dagster'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _port(sandbox):
    return int(sandbox.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def synthetic():
    with Sandbox(SyntheticMarket()) as sandbox:
        yield sandbox


@pytest.fixture
def client(synthetic):
    rest = RESTClient(api_key="k", base=synthetic.url, retries=0)
    yield rest
    rest.client.clear()


def test_a_day_of_spy_through_the_client_s_iterator_is_the_synthetic_day(synthetic, client):
    bars = list(client.list_aggs("SPY", 1, "second", "2024-01-17", "2024-01-17", adjusted=False, limit=5000))
    table = SyntheticMarket().bars("SPY", date(2024, 1, 17), RAW, adjusted=False)
    for name in ("open", "high", "low", "close", "volume"):
        assert [getattr(bar, name) for bar in bars] == table[name].to_pylist()
    assert [bar.timestamp for bar in bars] == [int(t.timestamp()) * 1000 for t in table["ts_event"].to_pylist()]
    assert len(synthetic.requests) == -(-len(bars) // 5000)


def test_the_client_sees_the_same_day_in_minutes(client):
    bars = list(client.list_aggs("SPY", 1, "minute", "2024-01-17", "2024-01-17", adjusted=False, limit=50_000))
    table = SyntheticMarket().bars("SPY", date(2024, 1, 17), RAW, adjusted=False)
    assert sum(bar.volume for bar in bars) == sum(table["volume"].to_pylist())
    assert len(bars) <= 960
