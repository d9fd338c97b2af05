from datetime import UTC, datetime

import pytest

from mohlcv_dagster.bars import csv_codec, sizes, timeframes
from mohlcv_dagster.bars.sizes import Size
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket

DAY = datetime(2024, 1, 10, tzinfo=UTC).date()


@pytest.mark.parametrize("symbol", ["SPY", "AAC"])
def test_a_bar_takes_about_as_many_bytes_as_are_counted(symbol):
    bars = SyntheticMarket().bars(symbol, DAY, RAW, adjusted=False)

    assert len(csv_codec.encode(bars)) / bars.num_rows == pytest.approx(sizes.BYTES_A_BAR, rel=0.1)


def test_a_busy_symbol_has_the_bars_of_the_busiest_one():
    bars = SyntheticMarket().bars("SPY", DAY, RAW, adjusted=False)

    assert bars.num_rows == pytest.approx(sizes.BUSY_BARS, rel=0.1)


def test_aggregates_have_a_bar_for_each_bucket_at_most_and_never_more_than_there_are_to_fold():
    every = [timeframes.parse(name) for name in ("15s", "1min")]

    # 57,600 seconds of extended hours: 3,840 buckets of 15 s, 960 of a minute
    assert sizes.of_sessions(2, 10_000, every) == Size(2 * 10_000 * 58, 2 * (3840 + 960) * 58)
    assert sizes.of_sessions(1, 1000, every) == Size(1000 * 58, (1000 + 960) * 58)
    assert sizes.of_sessions(0, 1000, every) + Size(3, 4) == Size(3, 4)
