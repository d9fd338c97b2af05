"""What is asked of the reference, that nothing it does fails a month, and its documents as the vendor shows them."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import IncompletePageError
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.reference import (
    Details,
    parse_document,
    read_details,
    read_events,
    read_splits,
    read_tickers,
)
from mohlcv_dagster.providers.massive.retry import RequestStats
from mohlcv_dagster_tests.providers.massive.scripted import BARS, KEY, MONTH, NOT_FOUND, Reply, faithful

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


def changed(document, **results):
    document = json.loads(json.dumps(document))
    held = document["results"][0] if isinstance(document["results"], list) else document["results"]
    held.update(results)
    return document


def test_an_overview_tells_name_and_listing():
    assert read_details(changed(DETAILS), "AAPL") == Details(
        "Apple Inc.", date(1980, 12, 12), None, "BBG000B9XRY4", "0000320193"
    )


def test_a_list_tells_when_a_symbol_was_delisted_and_an_empty_one_that_there_is_none():
    assert [entry.delisted for entry in read_tickers(changed(TICKERS), "TWTR")] == [date(2022, 10, 28)]
    assert read_tickers({"status": "OK", "results": []}, "NOPE") == []
    assert read_tickers({"status": "OK"}, "NOPE") == []


def test_events_tell_the_symbols_a_company_bore_the_oldest_first():
    assert read_events(changed(EVENTS)) == ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META"))
    assert read_events(changed(EVENTS, events=None)) == ()
    assert read_events(changed(EVENTS, events=[{"type": "other", "date": "rubbish"}])) == ()


def test_splits_are_told_the_oldest_first_whatever_their_order():
    assert read_splits(changed(SPLITS), "AAPL") == (
        Split(date(2005, 2, 28), 3, 2),
        Split(date(2020, 8, 31), 1, 4),
    )
    assert read_splits({"status": "OK", "results": []}, "SPY") == ()


@pytest.mark.parametrize(
    ("decode", "wrong", "said"),
    [
        (read_details, changed(DETAILS, ticker="MSFT"), "'MSFT', expected 'AAPL'"),
        (read_details, changed(DETAILS, list_date="12/12/1980"), "list_date '12/12/1980'"),
        (read_details, {"status": "OK"}, "results that is not an object"),
        (read_tickers, changed(TICKERS), "'TWTR', expected 'AAPL'"),
        (read_tickers, {"results": {"ticker": "AAPL"}}, "not a list but dict"),
        (read_splits, changed(SPLITS, ticker="MSFT"), "'MSFT', expected 'AAPL'"),
        (read_splits, changed(SPLITS, split_to=0), "split_to 0"),
        (read_splits, changed(SPLITS, split_from="1"), "split_from '1'"),
        (read_splits, changed(SPLITS, split_from=True), "split_from True"),
        (read_splits, {**SPLITS, "next_url": "https://x"}, "another page"),
    ],
)
def test_a_document_of_another_form_says_nothing(decode, wrong, said):
    with pytest.raises(IncompletePageError, match=said):
        decode(wrong, "AAPL")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>502</html>", "not JSON"),
        (b'{"status":"ERROR","error":"x"}', "status 'ERROR'"),
        (b"[]", "not an object but list"),
    ],
)
def test_a_body_that_is_no_good_document_says_nothing(body, said):
    with pytest.raises(IncompletePageError, match=said):
        parse_document(body)


@pytest.mark.parametrize("events", [1, "", {}, True])
def test_events_that_are_no_list_say_nothing(events):
    with pytest.raises(IncompletePageError, match="events that are not a list but"):
        read_events(changed(EVENTS, events=events))


def test_two_symbols_from_one_day_on_say_nothing():
    twice = [{**EVENTS["results"]["events"][0], "ticker_change": {"ticker": name}} for name in ("FB", "META")]
    with pytest.raises(IncompletePageError, match="two symbols from the same day"):
        read_events(changed(EVENTS, events=twice))


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
    for decode in (read_details, read_tickers, read_splits, lambda document, symbol: read_events(document)):
        try:
            decode(parse_document(json.dumps(document).encode()), "AAPL")
        except IncompletePageError as error:
            assert "the vendor's reference answered with" in str(error)  # noqa: PT017 - either way is right


REFUSED = Reply(b'{"status":"NOT_AUTHORIZED","request_id":"r403","message":"You are not entitled to this data."}', 403)
LIMITED = Reply(b'{"status":"ERROR","error":"You\'ve exceeded the maximum requests per minute"}', 429)


def told(document):
    return Reply(json.dumps(document).encode())


def serving(**documents):
    """A reference of these documents: details (for a day `details_then`), tickers, events, splits; a 404 for others."""

    def reference(path, query):
        name = path.rsplit("/", 1)[-1]
        name = name if name in ("tickers", "events", "splits") else "details_then" if "date" in query else "details"
        return documents.get(name, NOT_FOUND)

    return reference


@pytest.fixture
def listing(vendor):
    return lambda symbol: vendor._reference(RequestStats()).listing(symbol)


def test_a_listed_symbol_takes_its_overview_and_its_events(listing, server):
    server.reference = serving(details=told(DETAILS), events=told(EVENTS))
    found = listing("AAPL")
    assert (found.known, found.exists, found.name) == (True, True, "Apple Inc.")
    assert (found.listed, found.delisted) == (date(1980, 12, 12), None)
    assert found.renames == ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META"))
    assert server.asked_beside == [
        ("/v3/reference/tickers/AAPL", {"ticker": "AAPL"}),
        ("/vX/reference/tickers/AAPL/events", {"types": "ticker_change"}),
    ]


def test_a_delisted_symbol_is_found_in_the_list_and_its_overview_asked_for_of_the_day_before(listing, server):
    then = {**DETAILS, "results": {"ticker": "TWTR", "name": "Twitter, Inc.", "list_date": "2013-11-07"}}
    server.reference = serving(tickers=told(TICKERS), details_then=told(then))
    found = listing("TWTR")
    assert (found.known, found.exists, found.name) == (True, True, "Twitter, Inc.")
    assert (found.listed, found.delisted) == (date(2013, 11, 7), date(2022, 10, 28))
    assert found.renames is None
    assert server.asked_beside[1:3] == [
        (
            "/v3/reference/tickers",
            {
                "ticker": "TWTR",
                "market": "stocks",
                "active": "false",
                "sort": "ticker",
                "order": "asc",
                "limit": "1000",
            },
        ),
        ("/v3/reference/tickers/TWTR", {"ticker": "TWTR", "date": "2022-10-27"}),
    ]


def test_there_is_no_such_symbol_only_where_the_list_answers_and_has_none(listing, server):
    server.reference = serving(tickers=told({"status": "OK", "request_id": "r", "results": []}))
    assert (listing("NOPE").known, listing("NOPE").exists) == (True, False)

    server.reference = serving()
    assert (listing("NOPE").known, listing("NOPE").why_unknown) == (
        False,
        "there is no reference data at the base URL (it answered 404)",
    )


@pytest.mark.parametrize(
    ("reply", "said", "tries"),
    [
        (REFUSED, "the plan of this API key has no reference data (the vendor answered 403", 1),
        (Reply(b"{}", 500), "the vendor's reference did not answer (the vendor answered 500", 3),
        (Reply(reset=True), "cannot be reached", 3),
        (Reply(b"<html>"), "not JSON", 2),
        (Reply(b'{"status":"ERROR","error":"Unknown API Key"}', 401), "does not know the API key", 1),
    ],
)
def test_a_reference_that_does_not_answer_is_unknown_after_modest_tries(listing, server, reply, said, tries):
    server.reference = lambda path, query: reply
    found = listing("AAPL")
    assert (found.known, found.exists) == (False, False)
    assert said in found.why_unknown
    assert len(server.asked_beside) == tries


def test_a_rate_limit_is_waited_for_no_longer_than_a_minute(listing, server, fake):
    server.reference = lambda path, query: LIMITED
    assert "exceeded the maximum requests" in listing("AAPL").why_unknown
    assert 10 < fake.passed < 60


def test_an_overview_without_events_leaves_the_former_symbols_unknown(listing, server):
    server.reference = serving(details=told(DETAILS), events=REFUSED)
    found = listing("AAPL")
    assert (found.listed, found.renames) == (date(1980, 12, 12), None)


def test_adjusted_bars_come_with_the_splits_known_before_them(server, fake):
    server.reference = serving(splits=told(SPLITS))
    server.answer = faithful(BARS)
    with MassiveProvider(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("AAPL", MONTH)
    assert fetched.splits.splits == (Split(date(2005, 2, 28), 3, 2), Split(date(2020, 8, 31), 1, 4))
    assert server.asked_beside == [("/stocks/v1/splits", {"ticker": "AAPL", "limit": "1000"})]
    assert fetched.request_ids[-1] == "1"


def test_adjusted_bars_come_though_the_splits_are_refused_and_say_why(server, fake):
    server.reference = serving(splits=REFUSED)
    server.answer = faithful(BARS)
    with MassiveProvider(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("AAPL", MONTH)
    assert fetched.bars.num_rows == len(BARS)
    assert fetched.splits.splits is None
    assert "403" in fetched.splits.why_unknown


def test_the_key_is_in_nothing_that_the_reference_tells(listing, server):
    server.reference = lambda path, query: Reply(f'{{"error":"no {KEY}"}}'.encode(), 403)
    assert KEY not in listing("AAPL").why_unknown
