"""Reference documents as the vendor's documentation shows them, under https://massive.com/docs/rest/stocks."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars.splits import Split
from mohlcv_dagster.errors import PageNotWholeError
from mohlcv_dagster.vendor.reference_pages import (
    Details,
    decode_details,
    decode_events,
    decode_splits,
    decode_tickers,
    request_id,
)

DETAILS = {  # tickers/ticker-overview, shortened
    "request_id": "31d59dda-80e5-4721-8496-d0d32a654afe",
    "results": {
        "active": True,
        "address": {"address1": "One Apple Park Way", "city": "Cupertino", "postal_code": "95014", "state": "CA"},
        "cik": "0000320193",
        "composite_figi": "BBG000B9XRY4",
        "currency_name": "usd",
        "list_date": "1980-12-12",
        "locale": "us",
        "market": "stocks",
        "market_cap": 2771126040150,
        "name": "Apple Inc.",
        "primary_exchange": "XNAS",
        "ticker": "AAPL",
        "ticker_root": "AAPL",
        "type": "CS",
    },
    "status": "OK",
}
TICKERS = {  # tickers/all-tickers
    "count": 1,
    "request_id": "e70013d92930de90e089dc8fa098888e",
    "results": [
        {
            "active": False,
            "currency_name": "usd",
            "delisted_utc": "2022-10-28T04:00:00Z",
            "last_updated_utc": "2024-09-04T00:00:00Z",
            "locale": "us",
            "market": "stocks",
            "name": "Twitter, Inc.",
            "ticker": "TWTR",
            "type": "CS",
        }
    ],
    "status": "OK",
}
EVENTS = {  # corporate-actions/ticker-events: the newest first
    "request_id": "31d59dda-80e5-4721-8496-d0d32a654afe",
    "results": {
        "name": "Meta Platforms, Inc. Class A Common Stock",
        "composite_figi": "BBG000MM2P62",
        "cik": "0001326801",
        "events": [
            {"date": "2022-06-09", "ticker_change": {"ticker": "META"}, "type": "ticker_change"},
            {"date": "2012-05-18", "ticker_change": {"ticker": "FB"}, "type": "ticker_change"},
        ],
    },
    "status": "OK",
}
SPLITS = {  # corporate-actions/splits; a reverse split as it would be written
    "request_id": 1,
    "results": [
        {
            "adjustment_type": "forward_split",
            "execution_date": "2020-08-31",
            "historical_adjustment_factor": 0.25,
            "id": "E90a77bdf742661741ed7c8fc086415f0457c2816c45899d73aaa88bdc8ff6025",
            "split_from": 1,
            "split_to": 4,
            "ticker": "AAPL",
        },
        {"execution_date": "2005-02-28", "id": "E", "split_from": 3.0, "split_to": 2, "ticker": "AAPL"},
    ],
    "status": "OK",
}


def body(document, **results):
    document = json.loads(json.dumps(document))
    held = document["results"][0] if isinstance(document["results"], list) else document["results"]
    held.update(results)
    return json.dumps(document).encode()


def test_an_overview_tells_name_and_listing():
    assert decode_details(body(DETAILS), "AAPL") == Details(
        "Apple Inc.", date(1980, 12, 12), None, "31d59dda-80e5-4721-8496-d0d32a654afe"
    )


def test_a_list_tells_when_a_symbol_was_delisted_and_an_empty_one_that_there_is_none():
    assert [entry.delisted for entry in decode_tickers(body(TICKERS), "TWTR")] == [date(2022, 10, 28)]
    assert decode_tickers(b'{"status":"OK","request_id":"r","results":[]}', "NOPE") == []
    assert decode_tickers(b'{"status":"OK","request_id":"r"}', "NOPE") == []


def test_events_tell_the_symbols_a_company_bore_the_oldest_first():
    assert decode_events(body(EVENTS)) == ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META"))
    assert decode_events(body(EVENTS, events=None)) == ()
    assert decode_events(body(EVENTS, events=[{"type": "other", "date": "rubbish"}])) == ()


def test_splits_are_told_the_oldest_first_whatever_their_order():
    assert decode_splits(body(SPLITS), "AAPL") == (
        Split(date(2005, 2, 28), 3, 2),
        Split(date(2020, 8, 31), 1, 4),
    )
    assert decode_splits(b'{"status":"OK","request_id":"r","results":[]}', "SPY") == ()


def test_the_mark_of_a_document_is_its_request_id_whatever_its_type():
    assert (request_id(body(SPLITS)), request_id(b'{"results":{}}')) == ("1", None)


@pytest.mark.parametrize(
    ("decode", "wrong", "said"),
    [
        (decode_details, body(DETAILS, ticker="MSFT"), "'MSFT', asked was 'AAPL'"),
        (decode_details, body(DETAILS, list_date="12/12/1980"), "list_date '12/12/1980'"),
        (decode_details, b'{"status":"OK"}', "results that is no object"),
        (decode_details, b"<html>502</html>", "no JSON"),
        (decode_details, b'{"status":"ERROR","error":"x"}', "status 'ERROR'"),
        (decode_tickers, body(TICKERS), "'TWTR', asked was 'AAPL'"),
        (decode_tickers, b'{"results":{"ticker":"AAPL"}}', "no list but dict"),
        (decode_splits, body(SPLITS, ticker="MSFT"), "'MSFT', asked was 'AAPL'"),
        (decode_splits, body(SPLITS, split_to=0), "split_to 0"),
        (decode_splits, body(SPLITS, split_from="1"), "split_from '1'"),
        (decode_splits, body(SPLITS, split_from=True), "split_from True"),
        (decode_splits, json.dumps({**SPLITS, "next_url": "https://x"}).encode(), "another page"),
        (decode_splits, b"[]", "no object but list"),
    ],
)
def test_a_document_of_another_form_says_nothing(decode, wrong, said):
    with pytest.raises(PageNotWholeError, match=said):
        decode(wrong, "AAPL")


@pytest.mark.parametrize("events", [1, "", {}, True])
def test_events_that_are_no_list_say_nothing(events):
    with pytest.raises(PageNotWholeError, match="events that are no list but"):
        decode_events(body(EVENTS, events=events))


def test_two_symbols_from_one_day_on_say_nothing():
    twice = [{**EVENTS["results"]["events"][0], "ticker_change": {"ticker": name}} for name in ("FB", "META")]
    with pytest.raises(PageNotWholeError, match="two symbols from the same day"):
        decode_events(body(EVENTS, events=twice))


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=3))


@settings(max_examples=40)
@given(
    document=st.dictionaries(
        st.sampled_from(["status", "results", "next_url", "request_id"]),
        values
        | st.lists(
            st.dictionaries(st.sampled_from(["ticker", "execution_date", "split_from", "list_date", "events"]), values)
        )
        | st.dictionaries(st.sampled_from(["ticker", "list_date", "delisted_utc", "events", "name"]), values),
    )
)
def test_whatever_json_comes_it_is_decoded_or_not_whole(document):
    for decode in (decode_details, decode_tickers, decode_splits, lambda text, symbol: decode_events(text)):
        try:
            decode(json.dumps(document).encode(), "AAPL")
        except PageNotWholeError as error:
            assert "the vendor's reference answered with" in str(error)  # noqa: PT017 - either way is right
