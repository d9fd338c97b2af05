"""What is asked of the vendor's reference, and that nothing it does fails a month."""

import json
from datetime import date

import pytest

from mohlcv_dagster.bars.splits import Split
from mohlcv_dagster.vendor.fetched import Tally
from mohlcv_dagster.vendor.massive import MassiveVendor
from mohlcv_dagster_tests.vendor.scripted import BARS, KEY, MONTH, NOT_FOUND, Reply, faithful
from mohlcv_dagster_tests.vendor.test_reference_pages import DETAILS, EVENTS, SPLITS, TICKERS

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
    return lambda symbol: vendor._reference(Tally()).listing(symbol)


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
        (Reply(b"<html>"), "no JSON", 2),
        (Reply(b'{"error":"Unknown API Key"}', 401), "does not know the API key", 1),
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
    with MassiveVendor(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("AAPL", MONTH)
    assert fetched.splits.splits == (Split(date(2005, 2, 28), 3, 2), Split(date(2020, 8, 31), 1, 4))
    assert server.asked_beside == [("/stocks/v1/splits", {"ticker": "AAPL", "limit": "1000"})]
    assert fetched.request_ids[-1] == "1"


def test_adjusted_bars_come_though_the_splits_are_refused_and_say_why(server, fake):
    server.reference = serving(splits=REFUSED)
    server.answer = faithful(BARS)
    with MassiveVendor(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("AAPL", MONTH)
    assert fetched.bars.num_rows == len(BARS)
    assert fetched.splits.splits is None
    assert "403" in fetched.splits.why_unknown


def test_the_key_is_in_nothing_that_the_reference_tells(listing, server):
    server.reference = lambda path, query: Reply(f'{{"error":"no {KEY}"}}'.encode(), 403)
    assert KEY not in listing("AAPL").why_unknown
