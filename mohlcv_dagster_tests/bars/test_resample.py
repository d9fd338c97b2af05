"""Resampling equals pandas in every price, and the sums of decimals in every volume."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.resample import ExactVolumes, Resampler, beyond_millionths, resample
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError
from mohlcv_dagster.model import bar_files, timeframes
from mohlcv_dagster.model.timeframes import AGGREGATED, RAW
from mohlcv_dagster_tests.bars import strategies
from mohlcv_dagster_tests.bars.strategies import bars, millionths, whole_volumes
from mohlcv_dagster_tests.real import REAL, needs_real

FIFTEEN, MINUTE, HOUR = (timeframes.parse(name) for name in ("15s", "1min", "1h"))
DIVIDING = [(a, b) for a, b in combinations(AGGREGATED, 2) if b.seconds % a.seconds == 0]


def test_bars_worked_by_hand_resample_to_bars_worked_by_hand():
    seconds = bars(
        ("2024-01-31 23:58:59", 10.0, 10.5, 9.5, 10.25, 100),
        ("2024-01-31 23:59:00", 11.0, 11.5, 10.75, 11.25, 200),
        ("2024-01-31 23:59:14", 11.25, 12.0, 11.0, 11.5, 300),
        ("2024-01-31 23:59:15", 11.5, 11.75, 8.0, 8.25, 1),
        ("2024-01-31 23:59:59", 8.25, 8.5, 8.25, 8.5, 20),
        ("2024-02-01 00:00:00", 9.0, 9.25, 8.75, 9.0, 3000),
    )
    assert resample(seconds, FIFTEEN).equals(
        bars(
            ("2024-01-31 23:58:45", 10.0, 10.5, 9.5, 10.25, 100),
            ("2024-01-31 23:59:00", 11.0, 12.0, 10.75, 11.5, 500),
            ("2024-01-31 23:59:15", 11.5, 11.75, 8.0, 8.25, 1),
            ("2024-01-31 23:59:45", 8.25, 8.5, 8.25, 8.5, 20),
            ("2024-02-01 00:00:00", 9.0, 9.25, 8.75, 9.0, 3000),
        )
    )
    assert resample(seconds, MINUTE).equals(
        bars(
            ("2024-01-31 23:58:00", 10.0, 10.5, 9.5, 10.25, 100),
            ("2024-01-31 23:59:00", 11.0, 12.0, 8.0, 8.5, 521),
            ("2024-02-01 00:00:00", 9.0, 9.25, 8.75, 9.0, 3000),
        )
    )
    assert resample(seconds, HOUR).equals(
        bars(
            ("2024-01-31 23:00:00", 10.0, 12.0, 8.0, 8.5, 621),
            ("2024-02-01 00:00:00", 9.0, 9.25, 8.75, 9.0, 3000),
        )
    )


def test_fractional_volumes_worked_by_hand_are_summed_without_rounding():
    seconds = bars(
        ("2026-03-02 14:30:00", 1.0, 1.0, 1.0, 1.0, 0.1),
        ("2026-03-02 14:30:01", 1.0, 1.0, 1.0, 1.0, 0.2),
        ("2026-03-02 14:30:15", 1.0, 1.0, 1.0, 1.0, 100.0),
    )
    assert resample(seconds, FIFTEEN)["volume"].to_pylist() == [0.3, 100.0]


def frame_of(table):
    columns = {name: table[name].to_numpy() for name in bar_files.COLUMNS[1:]}
    starts = table["ts_event"].cast(pa.timestamp("s")).to_numpy()
    return pd.DataFrame(columns, index=pd.DatetimeIndex(starts, name="ts_event").tz_localize("UTC"))


def exact_sum(volume):
    if volume.dtype == np.int64:
        return sum(volume.tolist())
    return float(sum(Decimal(repr(shares)) for shares in volume.tolist()))


@given(strategies.tables(min_size=1), st.sampled_from(AGGREGATED))
def test_resampling_is_what_pandas_resample_gives_without_its_empty_buckets(table, timeframe):
    frame = frame_of(table)
    buckets = frame.resample(pd.Timedelta(seconds=timeframe.seconds), label="left", closed="left")
    expected = buckets.agg({"open": "first", "high": "max", "low": "min", "close": "last"})[buckets["open"].count() > 0]
    volume = {start: exact_sum(shares.to_numpy()) for start, shares in buckets["volume"] if len(shares)}
    resampled = frame_of(resample(table, timeframe))
    pd.testing.assert_frame_equal(resampled[list(bar_files.PRICES)], expected, check_exact=True, check_freq=False)
    assert resampled["volume"].to_dict() == volume


@given(strategies.tables())
def test_resampling_in_steps_gives_what_resampling_at_once_gives(table):
    resampled = {timeframe: resample(table, timeframe) for timeframe in AGGREGATED}
    for short, long in DIVIDING:
        assert resample(resampled[short], long).equals(resampled[long])


fine_volumes = st.integers(0, 10**15).flatmap(lambda n: st.sampled_from([n / 10**scale for scale in (6, 7, 8, 9)]))
"""Fractions of up to 9 decimals and 15 digits, of which a sum may look as if it had fewer."""


@given(
    strategies.tables(volumes=fine_volumes) | strategies.tables(),
    st.lists(st.sampled_from((RAW, *AGGREGATED)), min_size=2, max_size=5),
)
def test_timeframes_made_of_one_another_in_any_order_are_what_the_bars_themselves_give(table, wanted):
    try:
        resampler = Resampler(table)
        made = [resampler.into(timeframe) for timeframe in wanted]
    except VolumePrecisionError:
        assume(False)
    assert made == [resample(table, timeframe) for timeframe in wanted]


@given(strategies.tables(), st.sampled_from(AGGREGATED))
def test_no_share_is_lost_or_made(table, timeframe):
    before, after = table["volume"].to_numpy(), resample(table, timeframe)["volume"].to_numpy()
    assert ExactVolumes.of(before).total() == ExactVolumes.of(after).total()


@given(strategies.tables(), st.sampled_from((RAW, *AGGREGATED)))
def test_every_bar_starts_on_its_timeframe_and_the_columns_keep_their_types(table, timeframe):
    resampled = resample(table, timeframe)
    assert resampled.schema == table.schema
    assert not (bar_table.seconds(resampled) % timeframe.seconds).any()


@given(strategies.tables())
def test_resampling_seconds_to_seconds_changes_nothing(table):
    assert resample(table, RAW).equals(table)


@pytest.mark.parametrize("whole_volume", [True, False])
def test_no_bars_resample_to_no_bars(whole_volume):
    empty = bar_table.empty(whole_volume=whole_volume)
    assert resample(empty, MINUTE).equals(empty)


@needs_real
@pytest.mark.parametrize("name", ["15s", "30s", "1min"])
def test_real_seconds_resample_to_the_expected_file_byte_for_byte(name):
    seconds = csv_codec.decode((REAL / "second" / "SPY_2013_10.csv").read_bytes())
    expected = (REAL / "expected" / f"SPY_2013_10_{name}.csv").read_bytes()
    assert csv_codec.encode(resample(seconds, timeframes.parse(name))) == expected


@needs_real
def test_real_volumes_of_eight_decimals_resample_to_the_published_minutes():
    seconds, minutes = (
        csv_codec.decode((REAL / "fractional" / name).read_bytes()) for name in ("second.csv", "minute.csv")
    )
    assert len(minutes) == 1419
    assert resample(seconds, MINUTE).equals(minutes)


# refusing


def test_bars_out_of_order_are_refused_with_both_moments():
    rows = [(f"2024-01-02 09:30:0{i}", 1.0, 1.0, 1.0, 1.0, 1) for i in (0, 2, 1)]
    with pytest.raises(UnsortedBarsError, match=r"09:30:02\+00:00 is followed by 2024-01-02 09:30:01\+00:00 \(bar 3"):
        resample(bars(*rows), MINUTE)


def test_a_second_that_is_there_twice_is_refused():
    row = ("2024-01-02 09:30:00", 1.0, 1.0, 1.0, 1.0, 1)
    with pytest.raises(UnsortedBarsError, match="followed by 2024-01-02 09:30:00"):
        resample(bars(row, row), MINUTE)


@pytest.mark.parametrize("name", bar_files.COLUMNS)
def test_a_missing_value_is_refused_with_its_column_and_bar(name):
    table = bars(*[(f"2024-01-02 09:30:0{i}", 1.0, 1.0, 1.0, 1.0, 1) for i in range(3)])
    at = table.schema.get_field_index(name)
    values = [*table[name].to_pylist()[:2], None]
    with pytest.raises(BarsError, match=f"bar 3 of 3, at .*, has no {name}"):
        resample(
            table.set_column(at, table.schema.field(name), pa.array(values, table.schema.field(name).type)), MINUTE
        )


@pytest.mark.parametrize("at", range(1, 6))
def test_a_nan_is_refused_like_a_missing_value(at):
    numbers = [1.0, 1.0, 1.0, 1.0, 1.5]
    numbers[at - 1] = float("nan")
    with pytest.raises(BarsError, match=rf"at 2024-01-02 09:30:07\+00:00, has no {bar_files.COLUMNS[at]}"):
        resample(bars(("2024-01-02 09:30:07", *numbers)), MINUTE)


def test_a_volume_too_fine_to_sum_is_refused():
    with pytest.raises(VolumePrecisionError, match=r"0\.1234567891"):
        resample(bars(("2024-01-02 09:30:00", 1.0, 1.0, 1.0, 1.0, 0.1234567891)), MINUTE)


DOMAIN = "bar_table, coverage, csv_codec, csv_stream, parquet_codec, resample, revision, runtime"


def test_the_domain_loads_neither_dagster_nor_the_vendor_nor_pandas():
    code = (
        f"import sys; from mohlcv_dagster.bars import {DOMAIN}; "
        "print(sorted({'dagster', 'massive', 'pandas', 'urllib3', 'starlette'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


FROM_THE_START = np.array([0])


def decimals(volume):
    return [Decimal(repr(shares)) for shares in volume.tolist()]


def test_a_sum_that_floats_get_wrong_is_exact():
    volume = np.array([0.1, 0.2])
    assert float(volume.sum()) == 0.30000000000000004
    assert ExactVolumes.of(volume).sums(FROM_THE_START).shares.tolist() == [0.3]


@given(st.lists(millionths, min_size=1, max_size=50).map(np.array), st.data())
def test_the_sum_of_each_bucket_is_the_nearest_float_to_the_decimals_sum(volume, data):
    rest = data.draw(st.sets(st.integers(0, len(volume) - 1)))
    first = sorted({0, *rest})
    sums = ExactVolumes.of(volume).sums(np.array(first)).shares.tolist()
    buckets = zip(first, [*first[1:], len(volume)], strict=True)
    assert sums == [float(sum(decimals(volume)[start:end])) for start, end in buckets]


@given(st.lists(millionths, max_size=50).map(lambda shares: np.array(shares, dtype=np.float64)))
def test_the_total_is_the_decimals_sum(volume):
    assert ExactVolumes.of(volume).total() == Fraction(sum(decimals(volume), Decimal(0)))


@given(st.lists(whole_volumes, min_size=1).map(lambda shares: np.array(shares, dtype=np.int64)))
def test_whole_volumes_stay_whole(volume):
    exact = ExactVolumes.of(volume)
    sums = exact.sums(FROM_THE_START).shares
    assert (exact.per_share, sums.dtype, sums.tolist()) == (1, np.int64, [sum(volume.tolist())])
    assert exact.total() == sum(volume.tolist())


@pytest.mark.parametrize(
    ("volume", "per_share", "units"),
    [
        ([1.5, 100.0], 10**6, [1_500_000, 100_000_000]),
        ([0.1234567, 1.0], 10**7, [1_234_567, 10_000_000]),
        ([0.24885568, 1.13872], 10**8, [24_885_568, 113_872_000]),
        ([0.123456789], 10**9, [123_456_789]),
        ([-0.000001], 10**6, [-1]),
    ],
)
def test_the_coarsest_scale_that_holds_every_volume_is_taken(volume, per_share, units):
    exact = ExactVolumes.of(np.array(volume))
    assert (exact.per_share, exact.units.tolist()) == (per_share, units)


@pytest.mark.parametrize(
    ("volume", "named"),
    [
        ([1.5, 0.1234567891], "volume 0.1234567891 (bar 2 of 2)"),
        ([1.5, 2.5, float("nan")], "volume nan (bar 3 of 3)"),
        ([float("inf")], "volume inf (bar 1 of 1)"),
        ([9007199254.75], "volume 9007199254.75 (bar 1 of 1)"),
        ([0.123456789, 9007199.5], "volume 9007199.5 (bar 2 of 2)"),
    ],
)
def test_a_volume_that_cannot_be_summed_exactly_is_refused_by_name(volume, named):
    with pytest.raises(VolumePrecisionError) as refused:
        ExactVolumes.of(np.array(volume))
    assert named in str(refused.value)


def test_a_sum_with_too_many_digits_for_a_float_is_refused():
    with pytest.raises(VolumePrecisionError, match="too many digits"):
        ExactVolumes.of(np.array([9e9, 9e9, 0.5])).sums(FROM_THE_START)


def test_a_sum_of_whole_volumes_beyond_what_a_float_holds_is_exact():
    assert ExactVolumes.of(np.array([2**52, 2**52, 1])).sums(FROM_THE_START).shares.tolist() == [2**53 + 1]


def test_a_sum_of_whole_volumes_beyond_64_bits_is_refused_and_does_not_wrap():
    volume = np.array([2**62, 2**62])
    with pytest.raises(BarsError, match="does not fit 64 bits"):
        ExactVolumes.of(volume).sums(FROM_THE_START)
    assert ExactVolumes.of(volume).total() == 2**63


def test_more_than_six_decimals_are_told_apart_from_six():
    volume = np.array([9099.618093, 0.000001, 15234.0, 0.1234567, 1e-07, float("nan"), float("inf"), 1e18])
    assert beyond_millionths(volume).tolist() == [False, False, False, True, True, True, True, False]
    assert beyond_millionths(np.array([1, 2])).tolist() == [False, False]


@given(st.decimals(0, 10**8, places=6))
def test_no_volume_of_six_decimals_is_called_finer(shares):
    assert not beyond_millionths(np.array([float(shares)]))[0]
