from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.coverage import is_liquid, measure, trading_days
from mohlcv_dagster.model import exchange_calendar, session_hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.checks.whole_months import whole_month

JANUARY = Month(2024, 1)
OPEN = int(datetime(2024, 1, 2, 14, 30, tzinfo=UTC).timestamp())
"""The open of the month's first session, which closes 23,400 seconds later."""


def covered(*starts, through=JANUARY.end):
    return measure(np.array(starts, dtype=np.int64), JANUARY, through)


def utc(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def test_the_facts_of_a_session_worked_by_hand():
    # 09:29:59, 09:30:00, 09:30:59, 09:31:00, 10:00:00, 15:59:59, 16:00:00
    seconds = (-1, 0, 59, 60, 1800, 23399, 23400)
    first = covered(*(OPEN + second for second in seconds)).sessions[0]

    assert first.session.date == date(2024, 1, 2)
    assert first.bars == 7
    assert first.minutes.shape == (390,)
    assert np.flatnonzero(first.minutes).tolist() == [0, 1, 30, 389]
    assert first.occupancy == 4 / 390
    assert (first.first, first.last) == (utc(OPEN), utc(OPEN + 23399))
    # after 10:00:00, up to 15:59:59
    assert (first.gap_start, first.gap_seconds) == (utc(OPEN + 1801), 23399 - 1801)


def test_a_stretch_before_the_first_bar_or_after_the_last_counts_as_a_gap():
    late = covered(*range(OPEN + 600, OPEN + 23400)).sessions[0]
    early = covered(*range(OPEN, OPEN + 23100)).sessions[0]
    full = covered(*range(OPEN, OPEN + 23400)).sessions[0]

    assert (late.gap_start, late.gap_seconds) == (utc(OPEN), 600)
    assert (early.gap_start, early.gap_seconds) == (utc(OPEN + 23100), 300)
    assert (full.gap_start, full.gap_seconds) == (None, 0)


def test_a_session_without_a_regular_bar_is_one_gap_and_absent():
    first, second = covered(OPEN - 1, OPEN + 23400).sessions[:2]

    assert (first.bars, first.first, first.last, first.is_present) == (2, None, None, False)
    assert (first.gap_start, first.gap_seconds) == (utc(OPEN), 23400)
    assert second.bars == 0


def test_occupancy_is_of_the_median_session_that_has_bars():
    day = 86400
    starts = [OPEN + 60 * minute for minute in range(39)]  # 10 % of January 2nd
    starts += [OPEN + day + 60 * minute for minute in range(117)]  # 30 % of the 3rd
    starts += [OPEN + 2 * day + 60 * minute for minute in range(390)]  # all of the 4th
    found = covered(*starts)

    assert (found.expected, found.present) == (21, 3)
    assert found.occupancy == pytest.approx(0.3)
    assert found.density == 1
    assert not found.liquid


def test_without_a_bar_there_is_no_occupancy_and_nothing_is_liquid():
    found = covered()
    assert (found.expected, found.present, found.occupancy, found.density, found.liquid) == (21, 0, None, None, False)
    assert found.outside.tolist() == []


@pytest.mark.parametrize(
    ("through", "expected"),
    [
        (datetime(2024, 1, 2, 20, 59, 59, tzinfo=UTC), 0),
        (datetime(2024, 1, 2, 21, tzinfo=UTC), 1),
        (datetime(2024, 1, 16, 20, tzinfo=UTC), 9),  # the 15th is a holiday
        (datetime(2024, 2, 1, tzinfo=UTC), 21),
        (datetime(2024, 3, 1, tzinfo=UTC), 21),
    ],
)
def test_a_session_is_expected_once_its_close_lies_at_or_before_the_moment_complete_through(through, expected):
    assert covered(OPEN, through=through).expected == expected


def test_an_early_close_has_210_minutes():
    found = measure(np.zeros(0, dtype=np.int64), Month(2024, 11), Month(2024, 11).end)
    assert [each.minutes.size for each in found.sessions if each.session.date == date(2024, 11, 29)] == [210]


def test_bars_outside_every_sessions_extended_hours_are_marked_in_the_bars_own_order():
    moments = [
        (datetime(2024, 1, 2, 8, 59, 59, tzinfo=UTC), True),  # 03:59:59 Eastern
        (datetime(2024, 1, 2, 9, tzinfo=UTC), False),  # 04:00
        (datetime(2024, 1, 3, 0, 59, 59, tzinfo=UTC), False),  # 19:59:59
        (datetime(2024, 1, 3, 1, tzinfo=UTC), True),  # 20:00
        (datetime(2024, 1, 6, 15, tzinfo=UTC), True),  # a Saturday
        (datetime(2024, 1, 15, 15, tzinfo=UTC), True),  # a holiday
    ]
    starts = [int(moment.timestamp()) for moment, _ in moments]
    expected = [outside for _, outside in moments]

    assert covered(*starts).outside.dtype == np.bool_
    assert covered(*starts).outside.tolist() == expected
    assert covered(*starts[::-1]).outside.tolist() == expected[::-1]


def test_a_winter_evening_over_the_months_end_is_inside_on_both_sides_and_one_second_later_outside():
    # the session of January 31st goes on to 01:00 UTC of February 1st
    edge = [
        int(datetime(2024, 2, 1, 0, 59, 59, tzinfo=UTC).timestamp()),
        int(datetime(2024, 2, 1, 1, tzinfo=UTC).timestamp()),
    ]
    found = measure(np.array(edge), Month(2024, 2), Month(2024, 2).end)

    assert found.outside.tolist() == [False, True]
    assert found.sessions[0].session.date == date(2024, 2, 1)
    assert found.sessions[0].bars == 0
    evening = measure(np.array([JANUARY.end_second - 1]), JANUARY, JANUARY.end)
    assert evening.outside.tolist() == [False]
    assert evening.sessions[-1].bars == 1


@settings(max_examples=40)
@given(st.lists(st.integers(JANUARY.start_second - 9999, JANUARY.end_second + 9999), max_size=40), st.randoms())
def test_the_order_of_the_bars_changes_no_fact(starts, random):
    rising = sorted(starts)
    shuffled = list(starts)
    random.shuffle(shuffled)
    one, other = covered(*rising), covered(*shuffled)

    assert dict(zip(rising, one.outside.tolist(), strict=True)) == dict(
        zip(shuffled, other.outside.tolist(), strict=True)
    )
    for here, there in zip(one.sessions, other.sessions, strict=True):
        assert (here.minutes == there.minutes).all()
        assert (here.bars, here.first, here.last) == (there.bars, there.first, there.last)
        assert (here.gap_start, here.gap_seconds) == (there.gap_start, there.gap_seconds)


@settings(max_examples=40)
@given(st.sets(st.integers(OPEN - 3600, OPEN + 23400 + 3600), max_size=60))
def test_minutes_and_gap_are_what_looking_at_each_second_finds(starts):
    first = covered(*sorted(starts)).sessions[0]
    regular = [second in starts for second in range(OPEN, OPEN + 23400)]
    longest = max(map(len, "".join(".x"[traded] for traded in regular).split("x")))

    assert first.minutes.tolist() == [any(regular[at : at + 60]) for at in range(0, 23400, 60)]
    assert first.gap_seconds == longest
    assert first.is_present == any(regular)


@pytest.mark.parametrize(
    ("occupancy", "neighbours", "density", "liquid"),
    [
        (0.95, (), None, True),
        (0.949, (), None, False),
        (None, (), None, False),
        (0.5, (), 8.0, True),  # what is there is too busy for the rest to be empty by chance
        (0.5, (), 7.9, False),
        (0.5, (0.95, 0.99), 3.0, True),
        (0.5, (0.99,), None, True),
        (0.5, (0.94, 0.99), None, False),
        (None, (0.97,), None, True),
        (0.97, (0.3, 0.3), 3.0, True),
    ],
)
def test_a_symbol_is_liquid_by_its_own_minutes_by_how_full_they_are_or_by_all_its_neighbours(
    occupancy, neighbours, density, liquid
):
    assert is_liquid(occupancy, neighbours, density=density) is liquid


@pytest.mark.parametrize(("symbol", "liquid"), [("AAC", True), ("AKC", True), ("ATC", False), ("ABC", False)])
def test_busy_and_quiet_symbols_of_the_synthetic_market_are_told_apart(symbol, liquid):
    bars = whole_month(symbol, "2024-01")
    assert measure(bar_table.seconds(bars), JANUARY, JANUARY.end).liquid is liquid


def test_the_sessions_of_a_clean_month_are_those_of_the_calendar():
    found = measure(bar_table.seconds(whole_month("AAC", "2024-01")), JANUARY, JANUARY.end)
    assert [each.session for each in found.sessions] == list(exchange_calendar.sessions_in(JANUARY))
    assert (found.expected, found.present) == (21, 21)


ANY_SECOND = st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=30)
IN_MARCH = st.lists(st.integers(1709251200, 1711929599), min_size=1, max_size=30)
"""Of 2024-03, in which clocks change."""


@given(st.one_of(ANY_SECOND, IN_MARCH))
def test_trading_days_change_at_night_where_no_evening_belongs_to_the_next(seconds):
    exchange_calendar.set_overrides({})
    starts = np.array(seconds)
    assert trading_days(starts).tolist() == [(second - 16_200) // 86_400 for second in seconds]


@settings(deadline=None)
@given(IN_MARCH)
def test_trading_days_change_at_eight_in_the_evening_where_it_does(seconds):
    exchange_calendar.set_overrides({}, {date(2024, 1, 1): session_hours.parse("20:00-20:00")})
    clock = [utc(second).astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None) for second in seconds]
    days = [(moment + timedelta(hours=4)).date().toordinal() - 719_163 for moment in clock]

    assert trading_days(np.array(seconds)).tolist() == days
    assert trading_days(np.array([seconds, seconds])).tolist() == [days, days]


@settings(deadline=None)
@given(ANY_SECOND)
def test_trading_days_of_any_time_at_all_are_found(seconds):
    exchange_calendar.set_overrides({}, {date(2024, 1, 1): session_hours.parse("20:00-20:00")})
    assert trading_days(np.sort(seconds)).tolist() == sorted(trading_days(np.array(seconds)).tolist())


@pytest.mark.parametrize(
    "hours", [{}, {date(2024, 1, 1): session_hours.parse("20:00-20:00")}], ids=["usual", "evening"]
)
def test_no_bars_have_no_trading_days(hours):
    exchange_calendar.set_overrides({}, hours)
    assert trading_days(np.array([], dtype=np.int64)).tolist() == []
