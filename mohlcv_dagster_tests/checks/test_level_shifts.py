"""The rule `level_shifts`: another symbol's hour, and the bars of a split's day that are on the wrong basis."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.checks.price_jumps import level_shifts
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model.bar_files import PRICES
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster_tests.checks import made_months
from mohlcv_dagster_tests.checks.made_months import WEDNESDAY, changed, input_of, made, told, wiggling
from mohlcv_dagster_tests.real import REAL, needs_real

SPLIT_DAY = datetime(2024, 6, 10, tzinfo=UTC)
QUIET, BUSY, CHEAP = ("IR", "2016-08"), ("XLE", "2013-05"), ("AV", "2019-05")


def at_level(close, factors):
    """Closes with stretches, as `(first, last, factor)`, on another level."""
    close = np.array(close)
    for first, last, factor in factors:
        close[first:last] *= factor
    return np.round(close, 4)


def test_an_hour_of_another_symbol_is_told_where_it_begins_and_where_it_ends():
    result = told("level_shifts", made(WEDNESDAY, at_level(wiggling(9_000, 48.0), [(3_000, 6_600, 14 / 48)])))

    assert result.count == 2
    assert bar_table.seconds(result.bars).tolist() == [made_months.second(WEDNESDAY) + at for at in (3_000, 6_600)]
    assert "2 of 9,000 bars are on another level than the bar before, inside a session" in result.message


@pytest.mark.parametrize(("factor", "seen"), [(1.04, True), (0.96, True), (1.02, True), (1.004, False)])
def test_a_level_a_little_off_is_told_where_it_comes_back(factor, seen):
    bars = made(WEDNESDAY, at_level(wiggling(9_000), [(3_000, 6_600, factor)]))

    assert told("level_shifts", bars).count == (2 if seen else 0)


@pytest.mark.parametrize(("factor", "seen"), [(1.12, True), (0.88, True), (1.08, False), (0.93, False)])
def test_news_moves_a_price_by_up_to_ten_percent(factor, seen):
    bars = made(WEDNESDAY, at_level(wiggling(9_000), [(3_000, 9_000, factor)]))

    assert told("level_shifts", bars).passed is not seen


def test_a_price_that_moves_by_trading_is_no_shift():
    assert told("level_shifts", made(WEDNESDAY, np.round(100 * 1.002 ** np.arange(1_000), 2))).passed


@pytest.mark.parametrize("bars", [1, 3])
def test_a_spike_is_left_to_its_own_rule(bars):
    close = at_level(wiggling(400), [(200, 200 + bars, 3.0)])

    assert told("level_shifts", made(WEDNESDAY, close)).passed
    assert told("spikes", made(WEDNESDAY, close)).count == bars


@pytest.mark.parametrize("factor", [0.3, 1.12, 1.05])
def test_a_run_of_bars_on_another_level_is_seen_whatever_its_length(factor):
    for length in range(1, 40):
        bars = made(WEDNESDAY, at_level(wiggling(900), [(400, 400 + length, factor)]))
        assert not (told("level_shifts", bars).passed and told("spikes", bars).passed), length


def around_a_split(on_old_basis, ratio=7.0):
    """Three days of minutes, 08:00 to 23:59 UTC; the second is a split's, with some bars on the old basis."""
    days = []
    for day in range(3):
        close = wiggling(960, 645.57) / (ratio if day else 1)
        if day == 1:
            close[on_old_basis] *= ratio
        days.append(made(SPLIT_DAY + timedelta(days=day, hours=8), np.round(close, 4), every=60))
    return pa.concat_tables(days)


MINUTE_OF_THE_DAY = np.arange(960)


MIXED = pytest.mark.parametrize(
    "on_old_basis",
    [
        MINUTE_OF_THE_DAY < 330,  # pre-market trading
        MINUTE_OF_THE_DAY >= 720,  # the evening
        (MINUTE_OF_THE_DAY >= 330) & (MINUTE_OF_THE_DAY < 720),  # regular hours
        MINUTE_OF_THE_DAY < 5,
        MINUTE_OF_THE_DAY % 2 == 0,
        MINUTE_OF_THE_DAY % 10 == 3,
        (MINUTE_OF_THE_DAY < 330) & (MINUTE_OF_THE_DAY % 3 == 0),
    ],
    ids=["pre-market", "evening", "regular hours", "five minutes", "every other", "one in ten", "mixed pre-market"],
)


@MIXED
@pytest.mark.parametrize("ratio", [7.0, 1.5, 0.1])
def test_bars_of_a_splits_day_on_the_old_basis_are_told_with_the_split(on_old_basis, ratio):
    bars = around_a_split(on_old_basis, ratio)
    found = [told(rule, bars, adjusted=True) for rule in ("level_shifts", "open_jumps", "spikes")]
    split = {7.0: "7-for-1 split", 1.5: "3-for-2 split", 0.1: "1-for-10 reverse split"}[ratio]

    assert not found[0].passed or found[2].count >= np.count_nonzero(on_old_basis)
    assert any(split in each.message for each in found)


@MIXED
@pytest.mark.parametrize("day", [0, 1], ids=["the day before", "the day"])
@pytest.mark.parametrize("ratio", [7.0, 2.0, 0.1])
def test_bars_on_the_wrong_basis_around_a_known_split_of_unadjusted_prices_are_told(on_old_basis, day, ratio):
    close = np.array([wiggling(960, 645.57) / (ratio if each else 1) for each in range(3)])
    close[day, on_old_basis] *= ratio if day else 1 / ratio
    days = [made(SPLIT_DAY + timedelta(days=each, hours=8), np.round(close[each], 4), every=60) for each in range(3)]
    known = (Split(date(2024, 6, 11), 1.0, ratio),)
    found = [
        told(rule, pa.concat_tables(days), adjusted=False, splits=known) for rule in ("level_shifts", "open_jumps")
    ]

    assert not all(each.passed for each in found)
    assert any(" split at " in each.message for each in found)


@pytest.mark.parametrize("adjusted", [True, False])
def test_a_split_between_two_sessions_is_no_shift_inside_one(adjusted):
    assert told("level_shifts", around_a_split(np.zeros(960, dtype=bool)), adjusted=adjusted).passed


def test_where_two_levels_alternate_each_change_is_told():
    bars = made(WEDNESDAY, at_level(wiggling(900), [(at, at + 1, 1 / 7) for at in range(400, 500, 2)]))
    result = told("level_shifts", bars)

    assert result.count == 100
    assert "two levels alternate" in result.message
    assert told("level_shifts", made(WEDNESDAY, changed(wiggling(900), {100: 300.0, 500: 300.0}))).passed


def test_a_whole_month_of_another_symbol_is_told_beside_the_month_before():
    bars = made_months.smooth(*QUIET)
    own = bars["open"][0].as_py()

    assert told("open_jumps", bars, previous_close=own * 1.02).passed
    assert not told("open_jumps", bars, previous_close=own * 3.4).passed


@pytest.mark.parametrize("month", [QUIET, BUSY, CHEAP], ids=str)
@pytest.mark.parametrize("kind", [made_months.smooth, made_months.rough], ids=["smooth", "rough"])
def test_no_made_month_has_a_shift(month, kind):
    assert evaluate(level_shifts, input_of(*month, kind(*month))).passed


@needs_real
@pytest.mark.parametrize("name", ["second/SPY_2013_10.csv", "fractional/second.csv"])
def test_no_real_bars_have_a_shift(name):
    bars = csv_codec.decode((REAL / name).read_bytes())

    assert evaluate(level_shifts, input_of("SPY", "2013-10", bars)).passed


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 20])
def test_few_bars_whatever_their_prices_are_looked_at(size):
    chance = np.random.default_rng(size)
    close = np.exp(chance.uniform(-200, 200, size))
    given = made(WEDNESDAY, close)

    assert evaluate(level_shifts, input_of("SPY", "2024-07", given)).of == size
    assert set(given.column_names) >= set(PRICES)
