import os
import subprocess
import sys
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox import SyntheticMarket, synthetic_market

MINUTE = Timeframe(60, "minute")


@pytest.fixture(scope="module")
def market():
    return SyntheticMarket()


def day(market, symbol, *ymd, adjusted=False):
    return market.bars(symbol, date(*ymd), RAW, adjusted=adjusted)


def column(bars, name):
    return bars[name].to_numpy()


def span(bars):
    first, last = bar_table.seconds(bars)[[0, -1]]
    return datetime.fromtimestamp(int(first), UTC), datetime.fromtimestamp(int(last), UTC)


@pytest.mark.parametrize(
    ("ymd", "begin", "end"),
    [
        ((2024, 1, 31), (2024, 1, 31, 9), (2024, 2, 1, 1)),  # winter: 04:00-20:00 Eastern is 09:00-01:00Z
        ((2024, 7, 1), (2024, 7, 1, 8), (2024, 7, 2)),  # summer
        ((2024, 11, 29), (2024, 11, 29, 9), (2024, 11, 29, 22)),  # the early close after Thanksgiving
    ],
)
def test_a_busy_symbol_trades_through_the_extended_hours_of_the_session_and_not_beyond(market, ymd, begin, end):
    first, last = span(day(market, "SPY", *ymd))
    begin, end = datetime(*begin, tzinfo=UTC), datetime(*end, tzinfo=UTC)
    assert begin <= first
    assert last < end
    assert (first - begin).total_seconds() < 60
    assert (end - last).total_seconds() < 60


@pytest.mark.parametrize("ymd", [(2024, 1, 6), (2025, 1, 9), (2012, 10, 29)])
def test_a_day_without_a_session_has_no_bars(market, ymd):
    assert day(market, "SPY", *ymd).num_rows == 0
    assert list(market.days("SPY", date(*ymd), date(*ymd))) == []


def test_days_are_the_sessions_between_both_inclusive(market):
    days = list(market.days("SPY", date(2024, 1, 12), date(2024, 1, 16)))
    assert days == [date(2024, 1, 12), date(2024, 1, 16)]  # the 15th is Martin Luther King's


@pytest.mark.parametrize("symbol", ["ZZTOP", "spy", "1A"])
def test_a_symbol_that_does_not_exist_has_no_bars(market, symbol):
    assert list(market.days(symbol, date(2024, 1, 1), date(2024, 1, 31))) == []


def test_history_begins_where_the_vendor_s_does(market):
    assert next(iter(market.days("SPY", date(2003, 1, 1), date(2003, 12, 31)))) == date(2003, 9, 10)


@pytest.mark.parametrize(
    ("symbol", "low", "high"), [("SPY", 40_000, 46_000), ("QQQ", 33_000, 39_000), ("BACpB", 1500, 3500)]
)
def test_a_symbol_is_as_busy_as_its_listing_says(market, symbol, low, high):
    assert low < day(market, symbol, 2024, 1, 17).num_rows < high


def test_regular_hours_of_a_busy_symbol_are_dense_and_extended_hours_sparse(market):
    starts = bar_table.seconds(day(market, "SPY", 2024, 1, 17))
    bell, close = (int(datetime(2024, 1, 17, *hm, tzinfo=UTC).timestamp()) for hm in ((14, 30), (21, 0)))
    regular = ((starts >= bell) & (starts < close)).sum() / 23_400
    extended = ((starts < bell) | (starts >= close)).sum() / 34_200
    assert regular > 0.99
    assert 0.4 < extended < 0.8


@pytest.mark.parametrize("symbol", ["SPY", "BACpB", "F", "TINY", "ABCD"])
@pytest.mark.parametrize("adjusted", [False, True])
def test_bars_hold_what_a_bar_must_hold(market, symbol, adjusted):
    bars = day(market, symbol, 2019, 5, 6, adjusted=adjusted)
    opened, high, low, close = (column(bars, name) for name in bar_files.PRICES)
    assert np.all(np.diff(bar_table.seconds(bars)) > 0)
    assert np.all((high >= opened) & (high >= close) & (low <= opened) & (low <= close) & (low > 0))
    assert np.all(column(bars, "volume") > 0)


def test_prices_are_whole_cents_or_below_a_dollar_ten_thousandths(market):
    penny = next(s for s in (f"P{n}" for n in range(500)) if synthetic_market.find_listing(s).price < 1)
    for symbol, scale in (("SPY", 100), (penny, 10_000)):
        prices = column(day(market, symbol, 2024, 1, 17), "close")
        assert np.array_equal(prices, np.round(prices * scale) / scale)
    assert prices.max() < 1.5
    assert not np.array_equal(prices, np.round(prices, 2))


def test_prices_run_on_from_day_to_day(market):
    days = list(market.days("QQQ", date(2024, 1, 2), date(2024, 1, 31)))
    tables = [market.bars("QQQ", d, RAW, adjusted=False) for d in days]
    jumps = [column(b, "open")[0] / column(a, "close")[-1] for a, b in pairwise(tables)]
    over_a_holiday = days.index(date(2024, 1, 16)) - 1
    assert abs(np.log(jumps.pop(over_a_holiday))) < 0.05
    assert len(jumps) == 19
    assert max(abs(np.log(jumps))) < 0.001  # weekends included


def test_a_split_divides_the_price_and_only_the_adjusted_history_hides_it(market):
    before, after = day(market, "AAPL", 2020, 8, 28), day(market, "AAPL", 2020, 8, 31)  # four for one
    assert column(before, "close")[-1] / column(after, "open")[0] == pytest.approx(4, rel=0.05)
    restated = day(market, "AAPL", 2020, 8, 28, adjusted=True)
    assert np.allclose(column(restated, "close"), column(before, "close") / 4, atol=1e-4)
    assert np.array_equal(column(restated, "volume"), column(before, "volume") * 4)
    assert day(market, "AAPL", 2020, 8, 31, adjusted=True).equals(after)


def test_volumes_are_whole_until_they_become_fractional(market):
    assert bar_table.has_whole_volume(day(market, "SPY", 2026, 2, 20))
    fractional = column(day(market, "SPY", 2026, 2, 23), "volume")
    assert np.array_equal(fractional, np.round(fractional * 1e6) / 1e6)
    assert 0.3 < (fractional != np.floor(fractional)).mean() < 0.5
    assert fractional.min() < 1


def test_some_volume_needs_an_exponent_on_the_wire(market):
    assert column(day(market, "SPY", 2024, 1, 17), "volume").max() >= 1e6


def test_minutes_are_the_seconds_of_the_minute(market):
    seconds = day(market, "BACpB", 2024, 1, 17).to_pandas().set_index("ts_event")
    minutes = market.bars("BACpB", date(2024, 1, 17), MINUTE, adjusted=False).to_pandas().set_index("ts_event")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    expected = seconds.resample("1min").agg(how).dropna()
    assert np.array_equal(minutes.to_numpy(), expected.to_numpy())


def test_a_day_is_the_same_whatever_was_asked_before(market):
    fresh = SyntheticMarket().bars("QUIET", date(2026, 3, 9), RAW, adjusted=False)
    day(market, "QUIET", 2026, 3, 6)
    synthetic_market.find_listing.cache_clear()
    assert day(market, "QUIET", 2026, 3, 9).equals(fresh)


def test_the_generator_is_the_same_in_every_process():
    program = (
        "from mohlcv_dagster.sandbox.synthetic_market import seeded_generator; "
        "print(seeded_generator('QUIET', '2026-03-09').random())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert float(done.stdout) == synthetic_market.seeded_generator("QUIET", "2026-03-09").random()
