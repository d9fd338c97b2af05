"""Stale prices: long runs in the regular hours of liquid symbols, and nothing else."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster_tests.bars.made_bars import made, told, wiggling


def busy(*, start=datetime(2024, 7, 10, 13, 30, tzinfo=UTC), size=4000, still=None):
    """Bars every five seconds from the opening bell on, a moving price but from `still` on for some bars."""
    close = wiggling(size)
    for at, length in (still or {}).items():
        close[at + 1 : at + 1 + length] = close[at]
    return made(start, close, every=5)


@pytest.mark.parametrize(("length", "stale"), [(119, False), (120, True), (150, True)])
def test_a_hundred_and_twenty_unchanged_bars_are_stale(length, stale):
    assert told("stale_prices", busy(still={1000: length})).passed is not stale


def test_a_stale_run_is_told_from_its_first_bar_to_its_last():
    finding = told("stale_prices", busy(still={1004: 150, 2006: 121}))
    assert finding.message.startswith(
        "2 runs of 120 or more bars at an unchanged price, 271 of 4,000 bars in regular hours; "
        "first from 2024-07-10 14:53:45Z to 2024-07-10 15:06:10Z (150 bars at 99.99). Compare SPY 2024-07 "
    )
    assert finding.count == 271
    assert finding.bars["run_length"].to_pylist() == [150, 121]


def test_a_price_that_moves_within_its_bars_is_not_stale():
    bars = busy(still={1000: 150})
    high = bars["high"].to_numpy().copy()
    high[1000:1151] += 0.01
    moving = bars.set_column(2, "high", pa.array(high))
    assert told("stale_prices", moving).passed


@pytest.mark.parametrize(
    "start",
    [
        datetime(2024, 7, 10, 9, tzinfo=UTC),  # pre-market
        datetime(2024, 7, 10, 20, tzinfo=UTC),  # from the closing bell on
        datetime(2024, 7, 3, 17, tzinfo=UTC),  # the bell of an early close
        datetime(2024, 7, 4, 14, tzinfo=UTC),  # a holiday
    ],
)
def test_outside_regular_hours_a_price_may_stand_still(start):
    regular = busy(start=datetime(2024, 7, 9, 13, 30, tzinfo=UTC))
    bars = pa.concat_tables([regular, made(start, np.full(400, 100.0), every=5)]).sort_by("ts_event")
    assert told("stale_prices", bars).passed


def test_a_run_ends_with_its_session():
    evening = busy(size=4680, still={4579: 100})
    morning = busy(start=datetime(2024, 7, 11, 13, 30, tzinfo=UTC), size=4680)
    close = morning["close"].to_numpy().copy()
    close[:100] = evening["close"][4679].as_py()
    both = pa.concat_tables([evening, made(datetime(2024, 7, 11, 13, 30, tzinfo=UTC), close, every=5)])
    assert told("stale_prices", both).passed


@pytest.mark.parametrize(("every", "stale"), [(60, True), (66, False)])
def test_only_of_a_liquid_symbol_a_price_must_move(every, stale):
    """A bar every 60 seconds is in each regular minute, one every 66 in 91 of a hundred."""
    close = wiggling(23_400 // every)
    close[101:251] = close[100]
    bars = made(datetime(2024, 7, 10, 13, 30, tzinfo=UTC), close, every=every)
    finding = told("stale_prices", bars)
    assert finding.passed is not stale
    assert ("does not apply: a quiet symbol" in finding.message) is not stale
