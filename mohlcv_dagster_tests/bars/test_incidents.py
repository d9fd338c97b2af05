from datetime import UTC, datetime
from itertools import pairwise
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import coverage, incidents
from mohlcv_dagster.bars.incidents import Gap, Incident
from mohlcv_dagster.model.months import Month

REGULAR = 8190
"""Regular minutes of a month of 21 full sessions."""


def minute(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


OPEN = minute("2024-01-05 14:30")


def test_a_minute_missing_in_two_liquid_symbols_is_one_incident():
    gap = Gap(minute("2024-01-05 15:30"), 1)

    found = incidents.find({"SPY": [gap], "QQQ": [gap], "AAPL": []}, REGULAR)

    assert found == (Incident(gap, ("QQQ", "SPY")),)
    assert str(found[0].gap) == "2024-01-05 15:30Z"


def test_a_minute_missing_in_one_symbol_is_none():
    assert incidents.find({"SPY": [Gap(OPEN, 30)], "QQQ": [Gap(OPEN + 30, 30)], "AAPL": []}, REGULAR) == ()
    assert incidents.find({"SPY": [Gap(OPEN, 30)]}, REGULAR) == ()
    assert incidents.find({}, REGULAR) == ()


def test_minutes_one_after_the_other_are_told_once_with_all_their_symbols():
    found = incidents.find(
        {
            "AAPL": [Gap(OPEN, 3)],
            "QQQ": [Gap(OPEN + 1, 4)],
            "SPY": [Gap(OPEN + 3, 10), Gap(OPEN + 100, 2)],
            "TSLA": [Gap(OPEN + 101, 5)],
        },
        REGULAR,
    )

    # AAPL and QQQ share 1 and 2, QQQ and SPY 3 and 4: four minutes on end; SPY and TSLA share 101
    assert found == (
        Incident(Gap(OPEN + 1, 4), ("AAPL", "QQQ", "SPY")),
        Incident(Gap(OPEN + 101, 1), ("SPY", "TSLA")),
    )
    assert str(found[0].gap) == "2024-01-05 14:31Z to 14:34Z"


def test_a_session_lost_in_two_symbols_is_one_incident():
    gap = Gap(OPEN, 390)

    assert incidents.find({"SPY": [gap], "QQQ": [gap]}, REGULAR) == (Incident(gap, ("QQQ", "SPY")),)


@pytest.mark.parametrize("symbols", [2, 20, 200])
def test_gaps_by_chance_are_no_incident_and_an_outage_among_them_is(symbols):
    """Each symbol lacks 25 minutes of the month, each at a place of its own."""
    rng = np.random.default_rng(symbols)
    names = [f"S{n:03d}" for n in range(symbols)]
    false_alarms = found_outages = 0
    for _ in range(20):
        own = {name: np.unique(rng.integers(0, REGULAR, 25)) + OPEN for name in names}
        quiet = {name: incidents.gaps(minutes) for name, minutes in own.items()}
        false_alarms += len(incidents.find(quiet, REGULAR))
        outage = np.arange(5000, 5010) + OPEN
        struck = {name: incidents.gaps(np.union1d(minutes, outage)) for name, minutes in own.items()}
        found = incidents.find(struck, REGULAR)
        found_outages += any(each.gap.start <= OPEN + 5000 and each.gap.end >= OPEN + 5010 for each in found)

    assert found_outages == 20
    assert false_alarms <= 10  # fewer than one in two months


@given(st.integers(0, 3_000), st.sampled_from([390, 7_410, 8_970]))
def test_so_many_symbols_are_needed_that_fewer_than_one_minute_in_two_months_coincides(happenings, regular):
    count = incidents.symbols_needed(happenings, regular)

    mean = happenings / regular
    tail = 1 - sum(exp(-mean) * mean**k / factorial(k) for k in range(count))
    assert count >= 2
    assert regular * tail < 0.5 + 1e-6
    below = 1 - sum(exp(-mean) * mean**k / factorial(k) for k in range(count - 1))
    assert count == 2 or regular * below >= 0.5 - 1e-6


def test_where_symbols_hardly_miss_a_minute_two_are_enough():
    assert incidents.symbols_needed(0, REGULAR) == 2
    assert incidents.symbols_needed(20, REGULAR) == 2
    # 1200 gaps: 0.1465 a minute on average; 8190 * P(4 or more) = 0.14, 8190 * P(3 or more) = 3.8, worked by hand
    assert incidents.symbols_needed(1_200, REGULAR) == 4
    # 4 gaps in 3 minutes: 1.333 a minute on average; 3 * P(3 or more) = 0.45, 3 * P(2 or more) = 1.15
    assert incidents.symbols_needed(4, 3) == 3
    # three or more of a Poisson distribution of mean 3 come in 58 % of the minutes, two or more in 80 %
    assert incidents.symbols_needed(3, 1) == 3


@given(st.sets(st.integers(-(10**6), 5 * 10**7), max_size=40))
def test_gaps_hold_exactly_the_minutes_that_made_them_and_none_touches_the_next(minutes):
    rising = np.array(sorted(minutes), dtype=np.int64)

    found = incidents.gaps(rising)

    assert [each for gap in found for each in range(gap.start, gap.end)] == rising.tolist()
    assert all(before.end < after.start for before, after in pairwise(found))


@given(st.integers(0, 10**8), st.integers(1, 960))
def test_a_gap_reads_back_as_it_was_written(start, minutes):
    gap = Gap(start, minutes)

    assert Gap.parse(gap.written) == gap


def test_a_gap_is_written_as_its_first_minute_and_its_length():
    assert Gap(minute("2024-01-05 15:30"), 3).written == "2024-01-05T15:30Z/3"


def test_the_gaps_of_a_month_are_the_empty_minutes_of_its_sessions():
    month, sunday = Month(2024, 1), datetime(2024, 1, 7, tzinfo=UTC)
    opens = [minute(f"2024-01-0{day} 14:30") for day in (2, 3, 4, 5)]
    # a bar in each regular minute, but for 09:30 to 09:31 of the first day and 15:59 of the last one
    full = np.concatenate([np.arange(each, each + 390) for each in opens])[2:-1]

    assert incidents.of_coverage(coverage.measure(60 * full, month, sunday)) == (
        Gap(opens[0], 2),
        Gap(opens[-1] + 389, 1),
    )
    assert incidents.of_coverage(coverage.measure(60 * full, month, month.start)) == ()
