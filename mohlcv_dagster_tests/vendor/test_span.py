"""A part of a month: cut by what can trade, proven like a whole one, and allowed to be empty."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import schema, sessions
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import MonthError, PageNotWholeError
from mohlcv_dagster.vendor.massive import MassiveVendor
from mohlcv_dagster.vendor.retry import RetryPolicy
from mohlcv_dagster.vendor.windows import Timespan, cut
from mohlcv_dagster_tests.vendor.scripted import END, KEY, MONTH, SECONDS, START, faithful, page, row

SECOND = Timespan.parse("second")
SINCE = datetime(2024, 2, 11, tzinfo=UTC)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(fetched):
    return schema.seconds(fetched.bars).tolist()


def test_a_part_of_a_month_is_every_bar_from_its_start_on_and_nothing_before_is_asked_for(vendor, server):
    fetched = vendor.fetch_month("SPY", MONTH, since=datetime(2024, 2, 1, 0, 0, 1, tzinfo=UTC))

    assert starts(fetched) == SECONDS[1:]
    assert min(asked.start for asked in server.asked) == (START + 1) * 1000
    assert max(asked.last for asked in server.asked) == END * 1000 - 1
    assert fetched.complete_through == MONTH.end


def test_of_a_part_without_bars_nobody_is_asked_why_as_of_a_whole_month(server, vendor):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SPY", MONTH, since=SINCE)

    assert fetched.bars.equals(schema.empty())
    assert fetched.requests == len(server.asked) > 0
    assert fetched.empty is None
    assert vendor.fetch_month("SPY", MONTH).empty is not None


def test_each_page_of_a_part_is_proven_as_one_of_a_month_is(server, fake):
    server.answer = lambda asked: page(asked, [row(START)])
    with (
        MassiveVendor(KEY, server.url, clock=fake.clock, retry=RetryPolicy(tries=1)) as vendor,
        pytest.raises(PageNotWholeError, match="expected a time inside"),
    ):
        vendor.fetch_month("SPY", MONTH, since=SINCE)


@pytest.mark.parametrize("since", ["2024-01-31 23:59:59", "2024-03-01 00:00:00"])
def test_a_start_outside_the_month_is_refused_before_any_request(vendor, server, since):
    with pytest.raises(MonthError, match="bars of 2024-02 can be asked for from 2024-02-01 00:00:00Z to 2024-03-01"):
        vendor.fetch_month("SPY", MONTH, since=utc(since))
    assert server.asked == []


def test_bars_in_the_night_are_found_on_a_second_page(server, vendor):
    night = [row(1707523200 + second) for second in range(120_000)]  # from Saturday 2024-02-10 00:00 UTC

    def by_pages(asked):
        due = [bar for bar in night if asked.start <= bar["t"] <= asked.last]
        return page(asked, due[:50_000], **({"next_url": "https://api.massive.com/next"} if len(due) > 50_000 else {}))

    server.answer = by_pages
    fetched = vendor.fetch_month("SPY", MONTH, since=datetime(2024, 2, 10, tzinfo=UTC))
    assert fetched.bars.num_rows == 120_000
    assert starts(fetched)[0] == 1707523200


@pytest.mark.parametrize(
    ("start", "end", "requests", "why"),
    [
        ("2024-02-12 20:00", "2024-02-14 16:15", 3, "Tuesday at 11:15 EST to Wednesday: an overlap, a day, a morning"),
        ("2024-02-08 20:00", "2024-02-12 16:15", 3, "Friday to Monday is no more"),
        ("2024-02-12 20:00", "2024-02-15 01:00", 3, "nor is all of two sessions behind the overlap"),
        ("2024-02-10 05:00", "2024-02-12 05:00", 1, "a weekend alone"),
        ("2024-02-01 00:00", "2024-02-01 16:15", 1, "an evening's hour and a morning"),
    ],
)
def test_a_symbol_that_was_complete_yesterday_costs_at_most_three_requests(start, end, requests, why):
    assert len(cut(utc(start), utc(end), SECOND)) == requests, why


@settings(deadline=None)  # the first look at a year loads its calendar
@given(st.integers(0, 29 * 86_400 - 1), st.integers(1, 29 * 86_400), st.sampled_from([7_200, 50_000]))
def test_windows_cut_by_sessions_meet_and_none_holds_more_seconds_of_trading_than_a_page(offset, length, most):
    start = MONTH.start + timedelta(seconds=offset)
    end = min(MONTH.end, start + timedelta(seconds=length))
    windows = cut(start, end, SECOND, most)

    assert windows[0].start == start.timestamp() * 1000
    assert windows[-1].last == end.timestamp() * 1000 - 1
    for window, following in itertools.pairwise(windows):
        assert window.last + 1 == following.start
    hours = [(s.extended_open.timestamp(), s.extended_close.timestamp()) for s in sessions.sessions_overlapping(MONTH)]
    traded = [
        sum(max(0, min(shut, (window.last + 1) / 1000) - max(opened, window.start / 1000)) for opened, shut in hours)
        for window in windows
    ]
    assert max(traded) <= most
    assert len(windows) == max(1, -(-sum(traded) // most))
    assert Month.of(start) == MONTH
