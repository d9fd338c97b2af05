"""What each plan covers, and that what is estimated is what is asked: estimates are compared with real fetches."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mohlcv_dagster.errors import MonthInFutureError, NoTradesError
from mohlcv_dagster.model.listings import Listing
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import Cost
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.plans import PLANS, coverage
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.rate_limits import RateLimiter
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import LISTED_LATER, NO_SUCH_SYMBOL, AnySymbol, recorded

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("month", "timespan", "reaching"),
    [
        ("2026-11", "second", ["Starter", "Developer", "Advanced"]),
        ("2021-12", "second", ["Starter", "Developer", "Advanced"]),
        ("2021-11", "second", ["Developer", "Advanced"]),
        ("2016-12", "second", ["Developer", "Advanced"]),
        ("2016-11", "second", ["Advanced"]),
        ("2003-10", "second", ["Advanced"]),
        ("2003-09", "second", ["Advanced"]),
        ("2003-08", "second", []),
        ("2025-01", "minute", ["Basic", "Starter", "Developer", "Advanced"]),
        ("2024-11", "minute", ["Starter", "Developer", "Advanced"]),
    ],
)
def test_a_plan_reaches_a_month_when_it_holds_all_of_it(month, timespan, reaching):
    assert [plan.name for plan in PLANS if plan.reaches(Month.parse(month), timespan, TODAY)] == reaching
    assert f"plans that reach all of {month}: {', '.join(reaching) or 'none'}" in coverage(
        Month.parse(month), timespan, TODAY
    )


def test_a_leap_day_is_counted_back_to_the_last_of_february():
    assert [str(plan.since(date(2028, 2, 29))) for plan in PLANS] == [
        "2026-02-28",
        "2023-02-28",
        "2018-02-28",
        "2003-09-10",
    ]


def test_no_plan_reaches_behind_the_first_day_there_is():
    assert {plan.since(date(2012, 1, 1)) for plan in PLANS if plan.years != 2} == {date(2007, 1, 1), date(2003, 9, 10)}


JANUARY = Month(2024, 1)
LATER = datetime(2024, 3, 5, 12, tzinfo=UTC)
MIDDLE = datetime(2024, 1, 17, 16, 30, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox(AnySymbol(ReplayedMarket(recorded(tmp_path_factory.mktemp("recorded"))))) as sandbox:
        yield sandbox


@pytest.fixture
def fetch(sandbox):
    """Fetch at a moment; how many requests came in."""

    def made(symbol, now, **options):
        sandbox.clear()
        with MassiveProvider("any-key", sandbox.url, clock=replace(Clock(), now=lambda: now)) as vendor:
            try:
                vendor.fetch_month(symbol, JANUARY, **options)
            except NoTradesError:
                assert symbol == NO_SUCH_SYMBOL
        return len(sandbox.requests)

    return made


@pytest.mark.parametrize(
    ("now", "since", "adjusted"),
    [
        (LATER, None, False),
        (LATER, None, True),
        (MIDDLE, None, False),
        (MIDDLE, datetime(2024, 1, 12, 20, tzinfo=UTC), False),
        (LATER, datetime(2024, 1, 29, 20, tzinfo=UTC), True),
    ],
)
def test_a_month_takes_as_many_requests_as_were_counted(fetch, now, since, adjusted):
    counted = plans.estimate_month(JANUARY, now, bars_a_session=26, since=since, adjusted=adjusted)

    assert fetch("ABC", now, since=since, adjusted=adjusted) == counted.fetch
    assert counted.reference == int(adjusted)


def test_a_month_before_the_listing_takes_the_two_that_ask_why_as_well(fetch):
    listed = Listing(LISTED_LATER, known=True, exists=True)
    counted = plans.estimate_month(JANUARY, LATER, bars_a_session=40_000, empty=listed)

    assert (counted.bars, counted.reference) == (2, 2)
    assert fetch(LISTED_LATER, LATER) == 4


def test_a_month_of_a_symbol_that_nobody_knows_takes_as_many_before_it_fails(fetch):
    counted = plans.estimate_month(JANUARY, LATER, bars_a_session=40_000, empty=Listing(NO_SUCH_SYMBOL, known=True))

    assert fetch(NO_SUCH_SYMBOL, LATER) == counted.fetch == 4


def test_a_month_of_a_delisted_symbol_takes_four(sandbox):
    from mohlcv_dagster.sandbox import SyntheticMarket  # noqa: PLC0415 - it alone knows a delisted one

    twitter, month = Listing("TWTR", known=True, exists=True, delisted=datetime(2022, 10, 28).date()), Month(2023, 1)  # noqa: DTZ001
    with Sandbox(SyntheticMarket()) as vendor, MassiveProvider("any-key", vendor.url) as asking:
        asking.fetch_month("TWTR", month)
        assert (
            len(vendor.requests) == plans.estimate_month(month, LATER, bars_a_session=1, empty=twitter).fetch == 2 + 4
        )


@pytest.mark.parametrize(
    ("bars_a_session", "pages"),
    [
        (26, 2),
        (1_250, 3),  # 21 sessions in 25 windows: 1,050 a window, so 24 of them are 25,200 bars
        (11_900, 11),  # 9,996 a window: 239,904 bars
        (44_400, 25),
        (90_000, 25),
    ],
)
def test_the_more_a_symbol_trades_the_more_pages_it_takes(bars_a_session, pages):
    assert plans.estimate_month(JANUARY, LATER, bars_a_session=bars_a_session).bars == pages


def test_nothing_is_asked_about_a_month_before_all_the_vendor_has(fetch):
    listed = Listing("ABC", known=True)
    assert plans.estimate_month(Month(2003, 8), LATER, bars_a_session=1, empty=listed).reference == 0


def test_the_check_of_minutes_takes_one_and_none_before_a_minute_is_over(fetch):
    assert plans.estimate_month(JANUARY, LATER, bars_a_session=1).minutes == 1
    assert fetch("ABC", LATER, timeframe="minute") == 1
    assert plans.estimate_month(JANUARY, datetime(2024, 1, 1, 0, 0, 59, tzinfo=UTC), bars_a_session=1) == Cost(bars=1)
    with pytest.raises(MonthInFutureError):
        plans.estimate_month(JANUARY, datetime(2024, 1, 1, tzinfo=UTC), bars_a_session=1)


def test_without_a_limit_as_many_as_are_in_flight_take_one_answers_time():
    # the first alone, 57 in rounds of 8 are 8 rounds more; of 3 two are one more; the one for splits comes before them
    costs = [Cost(bars=58), Cost(bars=3, reference=1), Cost(bars=1), Cost()]

    assert plans.estimate_seconds(costs, concurrency=8, requests_per_minute=None, latency=0.5) == (9 + 2 + 1 + 1) * 0.5
    assert plans.estimate_seconds([], concurrency=8, requests_per_minute=5, latency=0.5) == 0.0


@pytest.mark.parametrize(("requests", "per_minute"), [(54, 5), (55, 5), (56, 5), (6, 5), (1, 1), (700, 100)])
def test_under_a_limit_the_last_request_leaves_when_the_limit_itself_lets_it(requests, per_minute):
    limiter = RateLimiter()
    waits = [limiter.reserve(per_minute, 0.0) for _ in range(requests)]

    told = plans.estimate_seconds([Cost(bars=requests)], concurrency=1000, requests_per_minute=per_minute, latency=0.25)
    assert told == waits[-1] + 0.25
