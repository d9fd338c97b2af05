"""Each fault as a client meets it: through HTTP, and through a bare socket where the wire itself is broken."""

import contextlib
import gzip
import json
import re
import socket
from pathlib import Path

import pytest
import urllib3

from mohlcv_dagster.errors import InputError, MonthError
from mohlcv_dagster.sandbox import FAULT_KINDS, InjectedFault, ReplayedMarket, Sandbox, SyntheticMarket

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
OPEN = 1704205800000


@pytest.fixture
def wire(sandbox):
    """The pieces a bare socket receives, to the end of the connection."""

    def receive():
        host = sandbox.url.removeprefix("http://")
        with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), timeout=60) as connection:
            path = "/v2/aggs/ticker/ABC/range/1/second/2024-01-02/2024-01-02?adjusted=false"
            lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "Authorization: Bearer k", "Connection: close", "", "")
            connection.sendall("\r\n".join(lines).encode())
            return list(iter(lambda: connection.recv(65536), b""))

    return receive


def test_a_truncated_body_ends_before_its_content_length(sandbox, wire, ask):
    sandbox.inject("truncated-body:times=2")
    head, _, body = b"".join(wire()).partition(b"\r\n\r\n")
    promised = int(re.search(rb"content-length: (\d+)", head)[1])
    assert 0 < len(body) == promised // 2
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ask()
    assert ask().status == 200


def test_a_reset_is_a_reset_and_not_an_end(sandbox, wire):
    sandbox.inject("reset")
    with pytest.raises(ConnectionResetError):
        wire()
    assert [served.status for served in sandbox.requests] == [0]


@pytest.mark.parametrize("packed", [False, True])
def test_cut_json_is_whole_for_http_and_broken_for_json(sandbox, ask, packed):
    sandbox.inject("cut-json")
    answer = ask(gzip=packed)
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.data)


def test_a_truncated_gzip_stream_has_its_true_length(sandbox, http):
    sandbox.inject("truncated-gzip")
    url = f"{sandbox.url}/v2/aggs/ticker/ABC/range/1/second/2024-01-02/2024-01-02"
    headers = {"Authorization": "Bearer k", "Accept-Encoding": "gzip"}
    answer = http.request("GET", url, headers=headers, decode_content=False)
    assert len(answer.data) == int(answer.headers["content-length"])
    with pytest.raises(EOFError):
        gzip.decompress(answer.data)


def test_a_drip_comes_in_pieces_and_is_whole_in_the_end(sandbox, wire):
    sandbox.inject("drip:seconds=0.5")
    pieces = wire()
    assert len(pieces) >= 3
    assert json.loads(b"".join(pieces).partition(b"\r\n\r\n")[2])["resultsCount"] == 5


@pytest.mark.timeout(20)
def test_closing_breaks_off_a_drip_without_complaint(handmade, caplog):
    with Sandbox(ReplayedMarket(handmade), faults=["drip:seconds=60"]) as dripping, urllib3.PoolManager() as pool:
        url = f"{dripping.url}/v2/aggs/ticker/ABC/range/1/second/{OPEN}/{OPEN}"
        answer = pool.request("GET", url, headers={"Authorization": "Bearer k"}, preload_content=False, retries=False)
        assert answer.status == 200
        dripping.close()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            answer.read()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        ("rate-limit", 429, '"error":"You\'ve exceeded the maximum requests per minute, '),
        ("rate-limit-retry-after", 429, '"error":"You\'ve exceeded the maximum requests per minute, '),
        ("server-error", 500, '"error":"Internal server error"'),
        ("plan-seconds", 403, '"message":"Your plan doesn\'t include this data timeframe. '),
        ("plan-date:before=2024-02", 403, '"message":"You are not entitled to this data. '),
        ("unknown-key", 401, '"error":"Unknown API Key"'),
        ("not-found", 404, '"message":"Data not found."'),
    ],
)
def test_a_refusal_has_the_vendor_s_status_and_body(sandbox, ask, spec, status, message):
    sandbox.inject(spec)
    answer = ask()
    assert answer.status == status
    assert message in answer.data.decode()
    assert json.loads(answer.data)["request_id"].startswith("sandbox-")
    assert ("retry-after" in answer.headers) == (spec == "rate-limit-retry-after")


@pytest.mark.parametrize(("spec", "status"), [("html-200", 200), ("bad-gateway", 502)])
def test_a_gateway_speaks_html(sandbox, ask, spec, status):
    sandbox.inject(spec)
    answer = ask()
    assert (answer.status, answer.headers["content-type"][:9]) == (status, "text/html")
    assert answer.data.startswith(b"<html>")


def test_retry_after_says_the_seconds_given(sandbox, ask):
    sandbox.inject("rate-limit-retry-after:seconds=7")
    assert ask().headers["retry-after"] == "7"


def test_a_plan_without_seconds_still_has_minutes(sandbox, ask):
    sandbox.inject("plan-seconds")
    assert ask(bar="1/minute").status == 200


def test_a_plan_reaches_back_to_the_month_it_says(sandbox, ask):
    sandbox.inject("plan-date:before=2024-01")
    assert ask().status == 200
    assert ask("2023-12-29/2023-12-29").status == 403


@pytest.mark.parametrize("spec", ["missing-results", "null-results"])
def test_results_go_missing_while_the_count_stays(sandbox, ask_json, spec):
    sandbox.inject(spec)
    answer = ask_json()
    assert answer["resultsCount"] == 6
    assert answer.get("results", "absent") == {"missing-results": "absent", "null-results": None}[spec]


def test_wrong_count_and_wrong_ticker_leave_the_rows_alone(sandbox, ask_json):
    true = ask_json()
    sandbox.inject("wrong-count", "wrong-ticker")
    counted, named = ask_json(), ask_json()
    assert (counted["resultsCount"], named["ticker"]) == (7, "ABCX")
    assert counted["results"] == named["results"] == true["results"]


def test_a_foreign_row_lies_before_the_window(sandbox, ask_json):
    sandbox.inject("foreign-rows")
    answer = ask_json(f"{OPEN}/{OPEN + 5000}")
    assert [row["t"] for row in answer["results"]] == [OPEN - 3_600_000, OPEN, OPEN + 1000, OPEN + 3000]
    assert answer["resultsCount"] == 4


def test_rows_are_duplicated_or_out_of_order(sandbox, ask_json):
    span = f"{OPEN}/{OPEN + 5000}"
    sandbox.inject("duplicated-rows", "unsorted-rows")
    assert [row["t"] - OPEN for row in ask_json(span)["results"]] == [0, 1000, 1000, 3000]
    assert [row["t"] - OPEN for row in ask_json(span)["results"]] == [1000, 3000, 0]


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ("bad-bar", lambda row: row["h"] < row["l"]),
        ("zero-price", lambda row: row["l"] == 0),
        ("negative-volume", lambda row: row["v"] < 0),
    ],
)
def test_one_bar_is_bad_in_one_way_and_the_others_are_true(sandbox, ask_json, spec, wrong):
    true = ask_json()["results"]
    sandbox.inject(spec)
    rows = ask_json()["results"]
    assert [wrong(row) for row in rows].count(True) == 1
    assert sum(a != b for a, b in zip(rows, true, strict=True)) == 1
    assert ask_json()["results"] == true


def test_adjusted_is_answered_where_unadjusted_was_asked():
    with Sandbox(SyntheticMarket(), faults=["adjusted-ignored"]) as splitting, urllib3.PoolManager() as pool:
        url = f"{splitting.url}/v2/aggs/ticker/AAPL/range/1/second/2020-08-28/2020-08-28?adjusted=false&limit=1"
        wrong, right = (json.loads(pool.request("GET", url, headers={"Authorization": "Bearer k"}).data) for _ in "12")
    assert (wrong["adjusted"], right["adjusted"]) == (True, False)
    assert right["results"][0]["o"] == pytest.approx(4 * wrong["results"][0]["o"], abs=1e-3)


def test_what_is_no_error_is_served_as_seen_in_the_wild(sandbox, ask_json, http):
    sandbox.inject("null-when-empty")
    assert ask_json("0/1")["results"] is None
    sandbox.clear()
    sandbox.inject("delayed")
    assert ask_json()["status"] == "DELAYED"
    sandbox.clear()
    sandbox.inject("empty-last-page")
    url = ask_json()["next_url"].replace("https://api.massive.com", sandbox.url)
    last = json.loads(http.request("GET", url, headers={"Authorization": "Bearer k"}).data)
    assert (last["resultsCount"], "next_url" in last) == (0, False)


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_strikes_and_is_logged_by_its_name(sandbox, ask, kind):
    more = {"plan-date": ":before=2024-02", "drip": ":seconds=0.1"}
    sandbox.inject(kind + more.get(kind, ""))
    with contextlib.suppress(urllib3.exceptions.HTTPError):  # a broken delivery is one kind's purpose
        ask()
    assert struck(sandbox) == [kind]


def struck(sandbox):
    return [served.fault for served in sandbox.requests]


def test_a_fault_strikes_as_often_as_it_says_and_then_no_more(sandbox, ask):
    sandbox.inject("server-error:times=2")
    for _ in range(3):
        ask()
    assert struck(sandbox) == ["server-error", "server-error", None]


def test_a_fault_can_wait_for_the_nth_request(sandbox, ask):
    sandbox.inject("server-error:window=2")
    for _ in range(3):
        ask()
    assert struck(sandbox) == [None, "server-error", None]


def test_a_fault_strikes_only_the_symbol_month_and_timespan_it_names(sandbox, ask):
    sandbox.inject("server-error:symbol=ABC,month=2024-01,timespan=second,times=all")
    ask(symbol="XYZ")
    ask("2023-12-01/2023-12-30")
    ask("1706745600000/1709251199999")  # February, to the millisecond
    ask(bar="1/minute")
    ask("1706745599999/1709251199999")  # and one millisecond of January
    ask("1704060000000/1704067199999")  # the same at its other end
    ask("1704060000000/1704067200000")
    assert struck(sandbox) == [None, None, None, None, "server-error", None, "server-error"]


def test_a_fault_of_rows_waits_for_an_answer_with_rows(sandbox, ask_json):
    sandbox.inject("missing-results")
    ask_json("0/1")
    ask_json()
    assert struck(sandbox) == [None, "missing-results"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("earthquake", "no fault 'earthquake'; choose from truncated-body, "),
        ("reset:colour=red", "'colour=red' is not key=value with a key of symbol, month"),
        ("reset:times", "'times' is not key=value"),
        ("reset:times=0", "times must be an integer of at least 1, was '0'"),
        ("reset:window=-1", "window must be an integer"),
        ("drip:seconds=soon", "seconds must be a number of at least 0, was 'soon'"),
        ("drip:seconds=inf", "seconds must be a number of at least 0, was 'inf'"),
        ("reset:timespan=day", "timespan 'day' is none of second, minute, hour"),
        ("plan-date", "plan-date:before=2022-01"),
        ("reset:before=2022-01", "`before` goes with plan-date"),
    ],
)
def test_an_invalid_spec_is_refused_with_the_cure(spec, message):
    with pytest.raises(InputError, match=re.escape(message)):
        InjectedFault.parse(spec)


def test_a_month_in_a_spec_is_a_month():
    with pytest.raises(MonthError, match="write it as 2024-01"):
        InjectedFault.parse("reset:month=January")


def test_a_spec_says_it_all():
    fault = InjectedFault.parse("truncated-body: symbol=SPY, month=2024-01, times=all, window=3")
    assert (fault.kind.name, fault.symbol, str(fault.month), fault.times) == ("truncated-body", "SPY", "2024-01", None)
    assert fault.window == 3


def test_the_table_in_the_docs_is_the_code():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \| (once|all) \|$", DOCS.read_text(), re.MULTILINE)
    assert rows == [(k.name, k.sentence, "all" if k.permanent else "once") for k in FAULT_KINDS.values()]
