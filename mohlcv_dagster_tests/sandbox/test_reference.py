"""The reference documents of the sandbox, as they come over HTTP, beside what is public record of the symbols."""

import json
from datetime import date

import pytest

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.sandbox import InjectedFault, Sandbox, SyntheticMarket


@pytest.fixture(scope="module")
def _listed():
    with Sandbox(SyntheticMarket(), clock=lambda: 1_800_000_000.0) as sandbox:
        yield sandbox


@pytest.fixture
def listed(_listed):
    yield _listed
    _listed.clear()


@pytest.fixture
def get(listed, http):
    def get(path, sandbox=listed, **query):
        answer = http.request("GET", sandbox.url + path, fields=query, headers={"Authorization": "Bearer k"})
        return answer.status, json.loads(answer.data)

    return get


def test_an_overview_tells_since_when_a_company_is_listed(get):
    status, body = get("/v3/reference/tickers/TSLA")
    assert (status, body["status"]) == (200, "OK")
    assert body["request_id"].startswith("sandbox-")
    assert (body["results"]["ticker"], body["results"]["list_date"], body["results"]["active"]) == (
        "TSLA",
        "2010-06-29",
        True,
    )


def test_an_overview_of_a_delisted_symbol_is_a_404_but_for_a_day_on_which_it_was_listed(get):
    status, body = get("/v3/reference/tickers/TWTR")
    assert (status, body["status"], body["message"]) == (404, "NOT_FOUND", "Ticker not found.")
    assert get("/v3/reference/tickers/TWTR", date="2022-10-27")[1]["results"]["list_date"] == "2013-11-07"
    assert get("/v3/reference/tickers/TWTR", date="2022-10-28")[0] == 404


def test_the_list_has_a_symbol_among_the_active_ones_or_among_the_others(get):
    def named(symbol, **query):
        return [entry["ticker"] for entry in get("/v3/reference/tickers", ticker=symbol, **query)[1]["results"]]

    assert (named("TSLA"), named("TSLA", active="false")) == (["TSLA"], [])
    assert (named("TWTR"), named("TWTR", active="false")) == ([], ["TWTR"])
    assert (named("ZZNO"), named("ZZNO", active="false")) == ([], [])
    [gone] = get("/v3/reference/tickers", ticker="TWTR", active="false")[1]["results"]
    assert gone["delisted_utc"] == "2022-10-28T00:00:00Z"


def test_events_tell_the_newest_symbol_first(get):
    events = get("/vX/reference/tickers/META/events")[1]["results"]["events"]
    assert [(event["date"], event["ticker_change"]["ticker"], event["type"]) for event in events] == [
        ("2022-06-09", "META", "ticker_change"),
        ("2012-05-18", "FB", "ticker_change"),
    ]


def test_splits_are_those_of_public_record(get):
    splits = get("/stocks/v1/splits", ticker="AAPL", limit="1000")[1]["results"]
    assert [(split["execution_date"], split["split_from"], split["split_to"]) for split in splits] == [
        ("2005-02-28", 1, 2),
        ("2014-06-09", 1, 7),
        ("2020-08-31", 1, 4),
    ]
    assert get("/stocks/v1/splits", ticker="SPY")[1]["results"] == []


def test_bars_begin_and_end_with_the_listing():
    market = SyntheticMarket()

    def days(symbol, *span):
        return [str(day) for day in market.days(symbol, *span)]

    assert days("TSLA", date(2010, 6, 20), date(2010, 6, 30)) == ["2010-06-29", "2010-06-30"]
    assert days("TWTR", date(2022, 10, 26), date(2022, 11, 5)) == ["2022-10-26", "2022-10-27"]
    assert days("META", date(2022, 6, 7), date(2022, 6, 9)) == ["2022-06-09"]
    assert days("FB", date(2022, 6, 7), date(2022, 6, 9)) == ["2022-06-07", "2022-06-08"]


@pytest.mark.parametrize(
    "path",
    ["/v3/reference/tickers/ABC", "/v3/reference/tickers", "/vX/reference/tickers/ABC/events", "/stocks/v1/splits"],
)
def test_replayed_bars_have_no_reference_data(get, sandbox, path):
    assert get(path, sandbox, ticker="ABC")[0] == 404


def test_a_key_is_needed_and_a_day_that_is_none_is_a_400(listed, http, get):
    assert http.request("GET", f"{listed.url}/v3/reference/tickers/SPY").status == 401
    assert get("/v3/reference/tickers/SPY", date="yesterday")[0] == 400


@pytest.mark.parametrize(
    ("spec", "struck"),
    [
        ("not-found:on=reference", [404, 404, 404, 404]),
        ("plan-date:on=reference", [403, 403, 403, 403]),
        ("not-found:on=events", [200, 200, 404, 200]),
        ("server-error:on=splits", [200, 200, 200, 500]),
        ("not-found:on=reference,symbol=OTHER", [200, 200, 200, 200]),
        ("not-found", [200, 200, 200, 200]),
    ],
)
def test_a_fault_strikes_the_documents_it_is_on(listed, get, spec, struck):
    listed.inject(spec)
    asked = [get("/v3/reference/tickers/SPY"), get("/v3/reference/tickers", ticker="SPY")]
    asked += [get("/vX/reference/tickers/SPY/events"), get("/stocks/v1/splits", ticker="SPY")]
    assert [status for status, _ in asked] == struck
    assert [served.fault is not None for served in listed.requests] == [status != 200 for status in struck]


def test_a_fault_on_the_reference_leaves_bars_alone(sandbox, ask):
    sandbox.inject("server-error:on=reference,times=all")
    assert ask().status == 200


@pytest.mark.parametrize("spec", ["not-found:on=rubbish", "bad-bar:on=reference", "plan-date:on=splits,before=2022-01"])
def test_a_fault_that_cannot_be_on_what_it_names_is_refused(spec):
    with pytest.raises(InputError):
        InjectedFault.parse(spec)
