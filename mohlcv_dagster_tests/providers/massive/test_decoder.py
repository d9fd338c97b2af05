"""Pages: what is believed and what is not."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.errors import IncompletePageError
from mohlcv_dagster.providers.massive.decoder import decode_page
from mohlcv_dagster.providers.massive.paging import PageRequest, Timespan, Window
from mohlcv_dagster_tests.real import REAL, needs_real

T = 1704205800000
SECOND = Timespan("second", 1000)
DAY = Timespan("day", 1)  # recorded daily bars start at Eastern midnight: any millisecond will do for a unit
REQUEST = PageRequest("SPY", SECOND, Window(T, T + 9_999), adjusted=False)
BAR = {"v": 15234, "vw": 475.3, "o": 475.32, "c": 475.4, "h": 475.45, "l": 475.28, "t": T, "n": 87}
PAGE = {
    "ticker": "SPY",
    "queryCount": 2,
    "resultsCount": 2,
    "adjusted": False,
    "results": [BAR, BAR | {"t": T + 1000, "c": 184, "v": 0.007300}],
    "status": "OK",
    "request_id": "abc",
    "count": 2,
}
EMPTY = {"ticker": "SPY", "queryCount": 0, "resultsCount": 0, "adjusted": False, "status": "OK", "request_id": "abc"}


def body(document=PAGE, **changes):
    changed = document | changes
    return json.dumps({name: value for name, value in changed.items() if value is not ...}).encode()


def bars(*rows):
    return body(results=list(rows), resultsCount=len(rows), count=len(rows))


def written(**members):
    """A page of one bar whose members are put in as literal text."""
    texts = {name: json.dumps(value) for name, value in BAR.items()} | members
    row = ",".join(f'"{name}":{text}' for name, text in texts.items())
    return f'{{"ticker":"SPY","status":"OK","resultsCount":1,"adjusted":false,"results":[{{{row}}}]}}'.encode()


def test_a_page_gives_its_bars_in_typed_columns():
    page = decode_page(body(), REQUEST)
    assert page.starts.dtype == np.int64
    assert page.starts.tolist() == [T, T + 1000]
    assert page.numbers["open"].tolist() == [475.32, 475.32]
    assert page.numbers["high"].tolist() == [475.45, 475.45]
    assert page.numbers["low"].tolist() == [475.28, 475.28]
    assert page.numbers["close"].tolist() == [475.4, 184.0]
    assert page.numbers["volume"].tolist() == [15234.0, 0.0073]
    assert (page.request_id, page.delayed, page.following) == ("abc", False, False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("95595226.0", 95595226.0), ("1.300741e+06", 1300741.0), ("184", 184.0), ("9099.618093", 9099.618093), ("0", 0.0)],
)
def test_each_way_the_vendor_writes_a_number_is_read(text, value):
    assert decode_page(written(v=text), REQUEST).numbers["volume"].tolist() == [value]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_to_its_last_bit(value):
    (read,) = decode_page(written(v=repr(value)), REQUEST).numbers["volume"].tolist()
    assert (read, math.copysign(1, read)) == (value, math.copysign(1, value))


def test_layout_and_unknown_members_do_not_matter():
    plain = decode_page(body(), REQUEST)
    more = PAGE | {"otc": True, "new": {"a": [1, None]}}
    pretty = decode_page(json.dumps(more, indent=4).encode() + b"\n \r\n", REQUEST)
    assert pretty.starts.tolist() == plain.starts.tolist()
    assert pretty.numbers["volume"].tolist() == plain.numbers["volume"].tolist()


@pytest.mark.parametrize(
    "changes", [{}, {"results": None}, {"results": []}, {"ticker": ..., "results": None}, {"count": 0}]
)
def test_each_honest_way_to_say_nothing_is_an_empty_page(changes):
    page = decode_page(body(EMPTY, **changes), REQUEST)
    assert (page.rows, page.following) == (0, False)


def test_a_page_may_leave_out_its_count_and_request_id():
    page = decode_page(body(count=..., request_id=...), REQUEST)
    assert (page.rows, page.request_id) == (2, None)


def test_a_delayed_page_and_one_with_a_next_say_so():
    page = decode_page(body(status="DELAYED", next_url="https://x/y?cursor=z"), REQUEST)
    assert (page.delayed, page.following) == (True, True)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"status": "ERROR"}, "status"),
        ({"status": ...}, "status"),
        ({"status": "ok"}, "status"),
        ({"resultsCount": 3}, "resultsCount 3"),
        ({"resultsCount": 1}, "resultsCount 1"),
        ({"resultsCount": ...}, "resultsCount None"),
        ({"count": 1}, "count 1"),
        ({"results": ...}, "resultsCount 2"),
        ({"results": None}, "resultsCount 2"),
        ({"results": []}, "resultsCount 2"),
        ({"ticker": "spy"}, "'SPY', was 'spy'"),
        ({"ticker": ...}, "'SPY', was None"),
        ({"adjusted": True}, "adjusted False, was True"),
        ({"adjusted": ...}, "adjusted False, was None"),
    ],
)
def test_a_page_that_says_something_wrong_is_not_whole(changes, fault):
    with pytest.raises(IncompletePageError, match=fault) as caught:
        decode_page(body(**changes), REQUEST)
    assert caught.value.request_id == "abc"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"resultsCount": ..., "results": []}, "resultsCount None"),
        ({"adjusted": True}, "adjusted"),
        ({"adjusted": ...}, "adjusted"),
        ({"ticker": "QQQ"}, "QQQ"),
        ({"next_url": "https://x"}, "no rows to go on from"),
    ],
)
def test_an_empty_page_is_proven_no_less(changes, fault):
    with pytest.raises(IncompletePageError, match=fault):
        decode_page(body(EMPTY, **changes), REQUEST)


@pytest.mark.parametrize("name", ["t", "o", "h", "l", "c", "v"])
@pytest.mark.parametrize(
    "text", ["null", "NaN", "Infinity", "-Infinity", '"184"', "true", "{}", "[1]", "1e999", "0x1", "+1", ""]
)
def test_what_is_no_number_is_not_believed(name, text):
    with pytest.raises(IncompletePageError):
        decode_page(written(**{name: text}), REQUEST)


@pytest.mark.parametrize("name", ["t", "o", "h", "l", "c", "v"])
def test_a_bar_without_one_of_its_numbers_is_named(name):
    lacking = {key: value for key, value in BAR.items() if key != name}
    with pytest.raises(IncompletePageError, match=f"'{name}', was nothing in row 1"):
        decode_page(bars(BAR, lacking), REQUEST)


@pytest.mark.parametrize(
    "text", [f"{T}.0", "1.7042058e12", str(T + 1), str(T * 1_000_000), "99999999999999999999", "-1000"]
)
def test_a_time_that_is_no_whole_second_of_the_request_is_not_believed(text):
    with pytest.raises(IncompletePageError):
        decode_page(written(t=text), REQUEST)


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        ((T - 1000, T), "inside"),
        ((T, T + 10_000), "inside"),
        ((T, T), "rise strictly"),
        ((T + 1000, T), "rise strictly"),
        ((T, T + 500), "multiple of 1000"),
    ],
)
def test_times_outside_off_the_grid_or_out_of_order_are_not_whole(times, fault):
    with pytest.raises(IncompletePageError, match=fault):
        decode_page(bars(*(BAR | {"t": time} for time in times)), REQUEST)


def test_the_first_and_the_last_bar_of_a_request_are_inside():
    assert decode_page(bars(BAR, BAR | {"t": T + 9_000}), REQUEST).rows == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  \n",
        b"null",
        b" null ",
        b"5",
        b'"x"',
        b"[]",
        b"{}",
        b"[" + body() + b"]",
        body() + body(),
        body() + b"\n" + body(),
        body() + b"," + body(),
        body() + b"null",
        body() + b",null",
        body() + b"x",
        body() + b"}",
        body() + b"]",
        body() + b"]}",
        body() + b"\0",
        b"\xef\xbb\xbf" + body(),
        body().replace(b"SPY", b"\xff\xfe"),
        body().replace(b'"status"', b'"ticker": "SPY", "status"'),
        body().replace(b'"o"', b'"o": 1, "o"'),
        body()[:-1] + b', "results": []}',
        b"<html><body>502 Bad Gateway</body></html>",
        bars(None),
        bars(BAR, 5),
        bars([BAR]),
        body(results={"t": 1}),
        body(status=1),
        body(resultsCount="2"),
        body(adjusted="false"),
        body(resultsCount=2.0),
    ],
)
def test_what_is_not_one_page_of_bars_is_refused(text):
    with pytest.raises(IncompletePageError):
        decode_page(text, REQUEST)


@pytest.mark.parametrize("text", [b"NaN", b"-Infinity", b'["a",{"b":NaN}]', b'"\xff"', b'"a\\"":NaN,"c":"'])
def test_what_json_forbids_is_refused_in_what_is_not_read_too(text):
    for known in (b'"queryCount": 2', b'"status": "OK"'):
        with pytest.raises(IncompletePageError, match="expected JSON"):
            decode_page(body().replace(known, known + b',"new":' + text), REQUEST)


def test_words_for_no_number_and_letters_beyond_ascii_may_be_in_texts():
    page = decode_page(body(note='a "NaN" of -Infinity, Ω', request_id="NaN"), REQUEST)
    assert (page.rows, page.request_id) == (2, "NaN")


def test_a_page_is_refused_without_loading_pandas():
    """Which takes a second, and counts to the time that a page has."""
    program = f"""
import sys
from mohlcv_dagster.errors import IncompletePageError
from mohlcv_dagster.providers.massive.decoder import decode_page
from mohlcv_dagster.providers.massive.paging import PageRequest, Timespan, Window
try:
    decode_page({written(o="null")!r}, PageRequest("SPY", Timespan("second", 1000), Window({T}, {T + 9999}), False))
except IncompletePageError:
    print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("length", range(1, len(body()), 7))
def test_a_page_cut_short_anywhere_is_refused(length):
    with pytest.raises(IncompletePageError):
        decode_page(body()[:length], REQUEST)


@given(st.data())
def test_a_damaged_page_is_refused_or_says_what_the_standard_reader_reads(data):
    damaged = bytearray(body())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        length = data.draw(st.integers(0, 5))
        damaged[at : at + length] = data.draw(
            st.sampled_from([b"", b"null", b"{", b"}", b"[", b"]", b",", b'"', b"1", b"e", b"-", b".", b" ", b"\\"])
        )
    try:
        page = decode_page(bytes(damaged), REQUEST)
    except IncompletePageError:
        return
    document = json.loads(damaged)
    assert page.starts.tolist() == [bar["t"] for bar in document["results"]]
    assert page.numbers["volume"].tolist() == [float(bar["v"]) for bar in document["results"]]


def test_a_full_page_is_decoded_whole():
    rows = [BAR | {"t": T + 1000 * n, "v": n} for n in range(50_000)]
    request = dataclasses.replace(REQUEST, window=Window(T, T + 50_000_000 - 1))
    page = decode_page(bars(*rows), request)
    assert page.starts[[0, -1]].tolist() == [T, T + 49_999_000]
    assert int(page.numbers["volume"].sum()) == 50_000 * 49_999 // 2


@needs_real
@pytest.mark.parametrize(
    ("name", "symbol", "rows", "volume"),
    [
        ("AAPL_1minute_2023-07-31_page1_next_url", "AAPL", 10, 4428),
        ("AAPL_day_2025-01_scientific_v", "AAPL", 6, 33166048),
        ("NVDA_day_DELAYED_2024-10-14", "NVDA", 1, 224602526),
        ("client-python_AAPL_day_2005", "AAPL", 2, 642646396),
        ("openbb_XBTCUSD_day_2023-01_fractional_v", "X:BTCUSD", 10, 12300.315533316923),
        ("empty_no_results_key_AAMC_minute", "AAMC", 0, None),
        ("empty_results_null_2020", "ANY", 0, None),
    ],
)
def test_recorded_pages_are_believed(name, symbol, rows, volume):
    request = PageRequest(symbol, DAY, Window(0, 2**42), adjusted=True)
    page = decode_page((REAL / "recorded" / f"{name}.json").read_bytes(), request)
    assert page.rows == rows
    assert page.numbers["volume"].tolist()[:1] == ([] if volume is None else [volume])


@needs_real
def test_a_recorded_page_that_lost_rows_is_not_believed():
    request = PageRequest("AAPL", DAY, Window(0, 2**42), adjusted=True)
    with pytest.raises(IncompletePageError, match="resultsCount 6 does not match its 1 row"):
        decode_page((REAL / "recorded" / "fractional_v_2026-04-17_AAPL_day.json").read_bytes(), request)
