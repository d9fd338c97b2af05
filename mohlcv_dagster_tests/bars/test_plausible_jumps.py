"""Jumps over night: at a split with its name, else without; and where one session ends and the next begins."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars.rules.plausible.jumps import split_like
from mohlcv_dagster_tests.bars.made_bars import WEDNESDAY, made, told


def night(before, after, **more):
    evening = made(datetime(2024, 7, 10, 23, 59, tzinfo=UTC), [before, before])
    morning = made(datetime(2024, 7, 11, 8, 0, 3, tzinfo=UTC), [after, after])
    return told("open_jumps", pa.concat_tables([evening, morning]), **more)


@pytest.mark.parametrize(("after", "jump"), [(109.9, False), (110.1, True), (90.1, False), (89.9, True)])
def test_a_night_may_move_a_price_by_ten_percent(after, jump):
    assert night(100.0, after).passed is not jump


def test_a_jump_is_told_with_both_its_ends():
    finding = night(100.0, 112.0)
    assert finding.message == (
        "1 of 1 session open jumps more than 10 % from the close before; first at 2024-07-11 08:00:03Z "
        "(open 112.0, close 100.0 of 2024-07-10 23:59:01Z: +12.0 %). Look for a split, a dividend or news of that day: "
        "a real move needs nothing. Else compare SPY 2024-07 with another source, report a bad print to the vendor, "
        "and delete no bar."
    )
    (bar,) = finding.bars.to_pylist()
    assert bar["previous_ts_event"] == datetime(2024, 7, 10, 23, 59, 1, tzinfo=UTC)
    assert (bar["previous_close"], bar["jump_percent"], bar["looks_like"]) == (100.0, 12.0, "")


@pytest.mark.parametrize(
    ("adjusted", "basis"),
    [
        (False, "prices are recorded as unadjusted, so that a split shows like this and nothing is wrong"),
        (True, "prices are recorded as adjusted for splits, so that none should show: fetched before it was known?"),
        (None, "whether prices are adjusted is not recorded"),
    ],
)
def test_a_jump_near_the_ratio_of_a_split_says_so_and_on_which_basis_prices_are(adjusted, basis):
    finding = night(499.23, 127.58, adjusted=adjusted)  # AAPL at its split of 31 August 2020
    assert f"It looks like a 4-for-1 split at 2024-07-11 08:00:03Z; {basis}" in finding.message
    assert finding.bars["looks_like"].to_pylist() == ["4-for-1 split"]


@pytest.mark.parametrize(
    ("before", "after", "split"),
    [
        (100.0, 50.0, "2-for-1 split"),
        (100.0, 10.2, "10-for-1 split"),
        (100.0, 66.7, "3-for-2 split"),
        (100.0, 75.0, "4-for-3 split"),
        (100.0, 80.0, "5-for-4 split"),
        (1208.88, 120.88, "10-for-1 split"),  # NVDA, 10 June 2024
        (2.0, 16.3, "1-for-8 reverse split"),
        (0.5, 5.1, "1-for-10 reverse split"),
        (100.0, 88.0, None),
        (100.0, 52.0, None),
        (100.0, 51.2, "2-for-1 split"),
        (100.0, 112.0, None),
    ],
)
def test_the_ratio_of_two_prices_names_the_split(before, after, split):
    found = split_like(before, after)
    assert (found and str(found)) == split


def test_no_price_is_near_the_ratios_of_two_splits():
    """The tolerance: 3 % on either side, and every two ratios are more than 6 % apart."""
    ratios = sorted([5 / 4, 4 / 3, 3 / 2, *range(2, 9), 10, 15, 20, 25, 30, 50])
    assert np.diff(np.log(ratios)).min() > 0.06
    assert {str(split_like(ratio * np.exp(0.03 - 1e-9), 1.0)) for ratio in ratios} == {
        str(split_like(ratio * np.exp(-0.03 + 1e-9), 1.0)) for ratio in ratios
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # an evening in winter goes on beyond midnight UTC: 19:30 Eastern on Wednesday
        (datetime(2024, 1, 10, 23, 59, tzinfo=UTC), datetime(2024, 1, 11, 0, 30, tzinfo=UTC)),
        # one day's first and last minute are far apart, and are no night: 04:00 and 19:59 Eastern
        (datetime(2024, 7, 10, 8, tzinfo=UTC), datetime(2024, 7, 10, 23, 59, tzinfo=UTC)),
    ],
)
def test_a_jump_within_a_session_is_none_over_night(before, after):
    assert told("open_jumps", pa.concat_tables([made(before, [100.0]), made(after, [120.0])])).passed


def test_a_weekend_is_a_night():
    bars = pa.concat_tables(
        [made(datetime(2024, 7, 12, 20, tzinfo=UTC), [100.0]), made(WEDNESDAY + timedelta(5), [80.0])]
    )
    assert told("open_jumps", bars).count == 1


def test_the_first_session_is_held_against_the_close_before_the_month_where_it_is_known():
    bars = made(datetime(2024, 7, 1, 8, tzinfo=UTC), [100.0, 100.0])
    finding = told("open_jumps", bars, previous_close=200.0)

    assert told("open_jumps", bars).passed
    assert told("open_jumps", bars, previous_close=99.0).passed
    assert "first at 2024-07-01 08:00:00Z (open 100.0, close 200.0 of the previous month: -50.0 %)" in finding.message
    assert finding.bars["previous_ts_event"].to_pylist() == [None]
    assert finding.bars["looks_like"].to_pylist() == ["2-for-1 split"]
