"""What `mohlcv fetch` and `mohlcv plan` say of stored months whose prices are not on the basis asked for."""

import json
from datetime import date

import pytest

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.sandbox.synthetic_market import SandboxListing, SandboxSplit
from mohlcv_dagster_tests.defs.quiet_market import AnySymbol, recorded

DAYS = ("--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31")
SPLITS = "/stocks/v1/splits"
STALE = "and not for a later split (4 for 1 on 2024-02-15)"


class SplitsComeToBeKnown(AnySymbol):
    """As any symbol, with splits that a test adds to."""

    splits = ()

    def listing(self, symbol):
        return SandboxListing(symbol, 1.0, 100.0, self.splits)


@pytest.fixture
def market(tmp_path_factory):
    return SplitsComeToBeKnown(ReplayedMarket(recorded(tmp_path_factory.mktemp("market"))))


@pytest.fixture
def vendor(market, monkeypatch, home):
    with Sandbox(market) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        monkeypatch.setenv("MASSIVE_ADJUSTED", "true")
        monkeypatch.setenv("MOHLCV_TIMEFRAMES", "1min")
        yield sandbox


def outcome(said):
    return json.loads(said.out)["months"][0]["outcome"]


def test_a_month_that_a_later_split_made_stale_is_told_with_the_cure_for_one_request(mohlcv, vendor, market):
    assert mohlcv("fetch", *DAYS).code == 0
    assert "stored\n" not in mohlcv("plan", *DAYS).out
    market.splits = (SandboxSplit(date(2024, 2, 15), 4),)
    vendor.requests.clear()
    again = mohlcv("fetch", *DAYS, "--json")

    assert outcome(again) == "skipped"
    assert STALE in again.err
    assert "--force fetches it again" in again.err
    assert [request.path for request in vendor.requests] == [SPLITS]

    vendor.requests.clear()
    planned = mohlcv("plan", *DAYS)
    assert STALE in " ".join(planned.out.split())
    assert [request.path for request in vendor.requests].count(SPLITS) == 1
    vendor.requests.clear()
    assert STALE not in mohlcv("plan", *DAYS, "--offline").out  # no month was fetched since the split is known
    assert vendor.requests == []

    forced = mohlcv("fetch", *DAYS, "--force", "--json")
    assert (outcome(forced), mohlcv("fetch", *DAYS, "--json").err.count(STALE)) == ("downloaded", 0)
    assert STALE not in mohlcv("plan", *DAYS).out


def test_a_month_of_the_other_basis_is_told_by_fetch_and_plan_and_nobody_is_asked_for_splits(
    mohlcv, vendor, monkeypatch
):
    monkeypatch.setenv("MASSIVE_ADJUSTED", "false")
    assert mohlcv("fetch", *DAYS).code == 0
    monkeypatch.setenv("MASSIVE_ADJUSTED", "true")
    vendor.requests.clear()

    told = "the stored file is unadjusted, and adjusted prices are asked for"
    assert told in mohlcv("fetch", *DAYS, "--json").err
    assert told in " ".join(mohlcv("plan", *DAYS, "--offline").out.split())
    assert vendor.requests == []


def test_splits_that_the_vendor_does_not_say_fail_nothing_and_are_told(mohlcv, vendor):
    assert mohlcv("fetch", *DAYS).code == 0
    vendor.inject("plan-date:on=splits")
    again = mohlcv("fetch", *DAYS, "--json")

    assert (again.code, outcome(again)) == (0, "skipped")
    assert "which splits of ABC were executed is known from earlier fetches alone" in again.err
