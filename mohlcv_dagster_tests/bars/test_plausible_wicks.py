"""Wicks: a high or low alone far beyond, between quiet neighbours."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster_tests.bars.made_bars import WEDNESDAY, changed, made, told


@pytest.mark.parametrize(
    ("name", "price", "wick"),
    [("high", 103.0, False), ("high", 103.01, True), ("low", 97.0, False), ("low", 96.99, True)],
)
def test_a_wick_is_more_than_three_percent_beyond_open_and_close(name, price, wick):
    close = np.full(9, 100.0)
    finding = told("wicks", made(WEDNESDAY, close, **{name: changed(close, {4: price})}))
    assert finding.passed is not wick


def test_a_wick_is_told_with_how_far_it_is():
    close = np.full(9, 100.0)
    finding = told("wicks", made(WEDNESDAY, close, high=changed(close, {4: 105.0})))
    assert finding.message.startswith(
        "1 of 9 bars has a high or low more than 3 % beyond open and close, with both neighbours within 0.5 %; "
        "first at 2024-07-10 14:00:04Z (open 100.0, high 105.0, low 100.0, close 100.0). Compare SPY 2024-07 "
    )
    assert finding.bars["beyond_percent"].to_pylist() == [5.0]


@pytest.mark.parametrize(("neighbour", "wick"), [(100.4, True), (100.6, False), (99.6, True), (99.4, False)])
def test_a_wick_between_neighbours_that_move_is_believed(neighbour, wick):
    close = changed(np.full(9, 100.0), {5: neighbour})
    high = changed(close, {4: 105.0})
    assert told("wicks", made(WEDNESDAY, close, high=high)).passed is not wick


@pytest.mark.parametrize(("low", "wick"), [(91.5, False), (88.5, True)])
def test_a_wick_shorter_than_the_body_is_a_price_that_falls(low, wick):
    """From 100 to 95 within the second: the body is 5.3 % of its lower end, the wick 3.7 % or 6.8 %."""
    close = np.array([100.0, 100.0, 95.0, 95.0])
    opens, lows = np.array([100.0, 100.0, 100.0, 95.0]), np.array([100.0, 100.0, low, 95.0])
    assert told("wicks", made(WEDNESDAY, close, open=opens, high=opens, low=lows)).passed is not wick


def test_a_body_of_its_own_length_is_no_wick():
    close = np.full(9, 100.0)
    opens = changed(close, {4: 104.0})
    assert told("wicks", made(WEDNESDAY, close, open=opens, high=np.maximum(opens, close))).passed


@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_bar_with_one_neighbour_is_judged_by_that_one(at):
    close = np.full(9, 100.0)
    assert not told("wicks", made(WEDNESDAY, close, low=changed(close, {at: 94.0}))).passed


def test_the_other_day_is_no_neighbour():
    evening = made(datetime(2024, 7, 10, 19, tzinfo=UTC), np.full(9, 90.0))
    close = np.full(9, 100.0)
    morning = made(datetime(2024, 7, 11, 13, tzinfo=UTC), close, high=changed(close, {0: 105.0}))
    assert told("wicks", pa.concat_tables([evening, morning])).count == 1
