"""Spikes: what is one and what is not, how one is told; and the candidates include all that there are."""

from datetime import UTC, datetime
from statistics import median

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.checks.spikes import typical_mad
from mohlcv_dagster_tests.checks import made_months
from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE
from mohlcv_dagster_tests.checks.made_months import WEDNESDAY, changed, made, second, told, wiggling


def test_a_spike_is_told_with_its_median_and_what_was_allowed():
    close = changed(wiggling(101), {50: 1000.0})
    result = told("spikes", made(WEDNESDAY, close, high=np.maximum(close, 100)))

    assert result.message == (
        "1 of 101 bars has an open or close far off the prices around it (more than 10 times their usual deviation "
        "and 2 ticks) and back within 3 bars; "
        "first at 2024-07-10 14:00:50Z (open 1000.0, close 1000.0, median around 100.0, allowed off it 0.12). "
        "Compare SPY 2024-07 at that time with another source, such as the vendor's minute bars: "
        "a real move needs nothing; report a bad print to the vendor, and delete no bar."
    )
    (bar,) = result.bars.to_pylist()
    assert (bar["median"], bar["deviation"], bar["allowed"]) == (100.0, 900.0, 0.12)  # a MAD of a cent, two cents


@pytest.mark.parametrize(("off", "spike"), [(0.12, False), (0.13, True), (-0.12, False), (-0.13, True)])
def test_ten_mads_and_two_ticks_are_allowed(off, spike):
    result = told("spikes", made(WEDNESDAY, changed(wiggling(101), {50: round(100 + off, 2)})))
    assert result.passed is not spike


@pytest.mark.parametrize("at", [0, 1, 2, 50, 98, 99, 100])
def test_a_spike_is_found_wherever_in_the_file_it_is(at):
    result = told("spikes", made(WEDNESDAY, changed(wiggling(101), {at: 105.0})))
    assert bar_table.seconds(result.bars).tolist() == [second(WEDNESDAY) + at]


def test_an_open_alone_is_a_spike_too_and_its_own_median_is_shown():
    opens = changed(wiggling(101, at=50.0), {60: 500.0})
    close = wiggling(101, at=50.0)
    result = told("spikes", made(WEDNESDAY, close, open=opens))
    assert [(bar["open"], bar["median"]) for bar in result.bars.to_pylist()] == [(500.0, 50.0)]


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
    result = told("spikes", pa.concat_tables([evening, morning]))
    assert bar_table.seconds(result.bars).tolist() == [second(datetime(2024, 7, 11, 13, tzinfo=UTC))]


MORNING = 1_720_598_400  # 2024-07-10 08:00:00 UTC
DAY = 86_400


def spikes_by_definition(days, prices, closes):
    """Positions of the spikes of one price, each bar held against its three windows."""
    typical = typical_by_definition(closes)
    return [at for at in range(len(prices)) if is_spike(days, prices, at, typical)]


def is_spike(days, prices, at, typical):
    around = [offset for offset in range(-50, 51) if offset and 0 <= at + offset < len(prices)]
    centred = [prices[at + offset] for offset in around if abs(offset) <= 25]
    after = [prices[at + offset] for offset in around if offset > 0]
    before = [prices[at + offset] for offset in around if offset < 0]
    windows = [window for window in (centred, after, before) if len(window) >= 10]
    if not windows:
        return False
    nearest = min(windows, key=lambda window: abs(prices[at] - median(window)))
    middle = median(nearest)
    deviation = abs(prices[at] - middle)
    tick = 0.01 if middle >= 1 else 0.0001
    if not deviation > 10 * max(mad(nearest, middle, tick), typical * middle) + 2 * tick:
        return False
    side = 1 if prices[at] > middle else -1
    if 10 * sum(side * (price - middle) >= deviation / 2 for price in nearest) > len(nearest):
        return False
    three = ((at - 3, at - 2, at - 1), (at + 1, at + 2, at + 3))
    sides = [[j for j in side if 0 <= j < len(prices) and days[j] == days[at]] for side in three]
    back = [any(abs(prices[j] - middle) <= deviation / 2 for j in side) for side in sides if side]
    return bool(back) and all(back)


def mad(window, middle, tick):
    return max(median([abs(price - middle) for price in window]), min(tick / 2, middle / 500))


def typical_by_definition(closes):
    """Of the first 50 closes, the next 50, ... each the median of the deviations that are not 0; their median."""
    blocks = [closes[start : start + 50] for start in range(0, len(closes) - 49, 50)]
    return median([typical_of(block) for block in blocks]) if blocks else 0.0


def typical_of(block):
    moved = [abs(price - median(block)) for price in block if price != median(block)]
    return median(moved) / median(block) if len(moved) >= 5 else 0.0


steps = st.sampled_from([0, 0, 0, 1, -1, 2, -2, 5])
factors = st.sampled_from([0.01, 0.1, 0.5, 0.95, 0.99, 0.995, 0.998, 1.001, 1.002, 1.005, 1.01, 1.05, 1.5, 10, 100])
prints = st.dictionaries(st.integers(0, 129), factors, max_size=8)


@st.composite
def months(draw):
    """Days, opens and closes of up to 130 bars: a walk on ticks with prints off it, nights between, some long still."""
    size = draw(st.integers(1, 130))
    tick, start = draw(st.sampled_from([(0.01, 10_000), (0.01, 150), (0.0001, 5_000)]))
    columns = []
    for moves, wrong in [(draw(st.lists(steps, min_size=size, max_size=size)), draw(prints)) for _ in range(2)]:
        walk = np.maximum(start + np.cumsum(moves), 20) * tick
        columns.append([round(float(walk[at] * wrong.get(at, 1)), 4) for at in range(size)])
    nights = draw(st.sets(st.integers(1, 129), max_size=4))
    days = np.cumsum([at in nights for at in range(size)]).tolist()
    return days, *columns


@settings(max_examples=100, deadline=None)
@given(months())
def test_the_candidates_hold_every_spike_there_is(month):
    days, opens, closes = month
    starts = np.array([MORNING + DAY * day + at for at, day in enumerate(days)])
    columns = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    prices = {name: np.array(column) for name, column in columns.items()}
    bars = bar_table.from_arrays(starts, prices, np.ones(len(starts), np.int64))
    (rule,) = [rule for rule in PLAUSIBLE if rule.name == "spikes"]
    result = evaluate(rule, made_months.input_of("SPY", "2024-07", bars))

    due = sorted({*spikes_by_definition(days, opens, closes), *spikes_by_definition(days, closes, closes)})
    assert [int(start) for start in bar_table.seconds(result.bars)] == [int(starts[at]) for at in due]
