"""Spikes: what is one, what is next to one and is none, and how one is told."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.rules.plausible.medians import typical_mad
from mohlcv_dagster_tests.bars.made_bars import WEDNESDAY, changed, made, second, told, wiggling


def test_a_spike_is_told_with_its_median_and_what_was_allowed():
    close = changed(wiggling(101), {50: 1000.0})
    finding = told("spikes", made(WEDNESDAY, close, high=np.maximum(close, 100)))

    assert finding.message == (
        "1 of 101 bars has an open or close far off the prices around it (more than 10 times their usual deviation "
        "and 2 ticks) and back within 3 bars; "
        "first at 2024-07-10 14:00:50Z (open 1000.0, close 1000.0, median around 100.0, allowed off it 0.12). "
        "Compare SPY 2024-07 at that time with another source, such as the vendor's minute bars: "
        "a real move needs nothing; report a bad print to the vendor, and delete no bar."
    )
    (bar,) = finding.bars.to_pylist()
    assert (bar["median"], bar["deviation"], bar["allowed"]) == (100.0, 900.0, 0.12)  # a MAD of a cent, two cents


@pytest.mark.parametrize(("off", "spike"), [(0.12, False), (0.13, True), (-0.12, False), (-0.13, True)])
def test_ten_mads_and_two_ticks_are_allowed(off, spike):
    finding = told("spikes", made(WEDNESDAY, changed(wiggling(101), {50: round(100 + off, 2)})))
    assert finding.passed is not spike


@pytest.mark.parametrize("at", [0, 1, 2, 50, 98, 99, 100])
def test_a_spike_is_found_wherever_in_the_file_it_is(at):
    finding = told("spikes", made(WEDNESDAY, changed(wiggling(101), {at: 105.0})))
    assert bar_table.seconds(finding.bars).tolist() == [second(WEDNESDAY) + at]


def test_an_open_alone_is_a_spike_too_and_its_own_median_is_shown():
    opens = changed(wiggling(101, at=50.0), {60: 500.0})
    close = wiggling(101, at=50.0)
    finding = told("spikes", made(WEDNESDAY, close, open=opens))
    assert [(bar["open"], bar["median"]) for bar in finding.bars.to_pylist()] == [(500.0, 50.0)]


def test_three_bars_off_are_a_spike_and_six_are_a_level():
    three = told("spikes", made(WEDNESDAY, changed(wiggling(201), dict.fromkeys(range(100, 103), 105.0))))
    six = told("spikes", made(WEDNESDAY, changed(wiggling(201), dict.fromkeys(range(100, 106), 105.0))))
    assert (three.count, six.count) == (3, 0)


def test_a_price_that_jumps_and_stays_is_no_spike():
    close = np.concatenate([wiggling(80), wiggling(80, at=104.0)])
    assert told("spikes", made(WEDNESDAY, close)).passed


def test_the_other_side_of_a_wide_spread_is_no_spike():
    chance = np.random.default_rng(5)
    close = np.where(chance.random(2000) < 0.2, 20.05, 20.00)
    assert told("spikes", made(WEDNESDAY, close)).passed
    assert not told("spikes", made(WEDNESDAY, changed(close, {1000: 21.50}))).passed


@pytest.mark.parametrize(("every", "spike"), [(5, False), (30, True)])
def test_a_price_that_comes_again_and_again_is_no_spike_though_the_month_is_quiet(every, spike):
    """A hundred bars, of which one in five (in thirty) is thirty cents up, among many that move by a cent or two."""
    up = dict.fromkeys(range(1000, 1100, every), 100.3)
    assert told("spikes", made(WEDNESDAY, changed(wiggling(2000), up))).passed is not spike


def test_a_price_that_stands_still_allows_seven_ticks():
    """Ten MADs of half a tick, and two ticks."""
    still = np.full(101, 54.2)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 54.26}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 54.28}))).passed


@pytest.mark.parametrize(("off", "typical"), [(4, 0.0), (5, 0.02), (24, 0.02)])
def test_the_typical_mad_is_that_of_prices_off_their_median_where_five_of_fifty_are(off, typical):
    block = [100.0] * (50 - off) + [102.0] * off
    assert typical_mad(np.array(block * 3)) == pytest.approx(typical)


def test_a_month_of_less_than_fifty_bars_has_no_typical_mad():
    assert typical_mad(wiggling(49)) == 0.0


def test_at_a_dollar_a_tick_is_much_and_four_percent_are_allowed():
    """Ten times 0.2 %, and two ticks of 1 %."""
    still = np.full(101, 1.0)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 1.03}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 1.05}))).passed


def test_below_a_dollar_a_tick_is_a_ten_thousandth():
    still = np.full(101, 0.5)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 0.5006}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 0.5008}))).passed


def test_the_first_bar_of_a_session_is_held_against_its_own_day():
    """The night moves the price from 100 to 110; a first bar of 120 has nothing but the bars after it to be back at."""
    evening = made(datetime(2024, 7, 10, 19, tzinfo=UTC), wiggling(80))
    close = changed(wiggling(80, at=110.0), {0: 120.0})
    morning = made(datetime(2024, 7, 11, 13, tzinfo=UTC), close)
    finding = told("spikes", pa.concat_tables([evening, morning]))
    assert bar_table.seconds(finding.bars).tolist() == [second(datetime(2024, 7, 11, 13, tzinfo=UTC))]
