"""Frames for people's own code: the same bars as pandas has them, and clear refusals."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given

from mohlcv_dagster.bars import csv_codec, schema
from mohlcv_dagster.bars.frames import from_frame, to_frame
from mohlcv_dagster.errors import BarsError
from mohlcv_dagster_tests.bars import strategies
from mohlcv_dagster_tests.bars.strategies import bars, millionths, whole_volumes

TWO = bars(
    ("2024-03-08 14:30:00", 475.32, 475.45, 475.28, 475.4, 15234),
    ("2024-03-11 13:30:00", 476.0, 476.5, 475.5, 476.25, 100),
)


def two(**changes):
    """The frame of TWO, as its user would write it."""
    columns = {
        "open": [475.32, 476.0],
        "high": [475.45, 476.5],
        "low": [475.28, 475.5],
        "close": [475.4, 476.25],
        "volume": [15234, 100],
    }
    index = pd.to_datetime(["2024-03-08 14:30:00+00:00", "2024-03-11 13:30:00+00:00"]).rename("ts_event")
    return pd.DataFrame(columns | changes, index=index)


def test_a_frame_has_a_utc_index_named_ts_event_and_float_prices():
    frame = to_frame(TWO)
    pd.testing.assert_frame_equal(frame, two(), check_index_type=False)
    assert (frame.index.name, str(frame.index.tz)) == ("ts_event", "UTC")
    assert [str(kind) for kind in frame.dtypes] == ["float64"] * 4 + ["int64"]


def test_an_empty_month_is_an_empty_frame_of_the_same_form_and_back():
    frame = to_frame(schema.empty())
    assert (len(frame), frame.index.name, str(frame.index.tz)) == (0, "ts_event", "UTC")
    assert [str(kind) for kind in frame.dtypes] == ["float64"] * 4 + ["int64"]
    assert from_frame(frame).equals(schema.empty())


@given(strategies.tables(volumes=whole_volumes))
def test_whole_volumes_go_to_a_frame_and_back(table):
    assert from_frame(to_frame(table)).equals(table)


@given(strategies.tables(volumes=millionths))
def test_a_frame_s_own_csv_is_the_csv_of_its_bars(table):
    frame = to_frame(schema.settle_volume(table))
    assert csv_codec.encode(from_frame(frame)).decode() == frame.to_csv(lineterminator="\n")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "+05:30"])
def test_moments_of_any_unit_and_zone_are_taken_to_utc_seconds(unit, zone):
    frame = two()
    frame.index = frame.index.tz_convert(zone).as_unit(unit)
    assert from_frame(frame).equals(TWO)


def test_ts_event_may_be_a_column_or_an_unnamed_index_and_further_columns_are_left_out():
    assert from_frame(two().reset_index().assign(symbol="SPY")).equals(TWO)
    assert from_frame(two().rename_axis(None)[["volume", "close", "low", "high", "open"]]).equals(TWO)


@pytest.mark.parametrize("kind", ["int32", "uint16", "float32", "float64", "Int64", "int64[pyarrow]"])
def test_whole_volumes_of_any_numeric_type_become_int64(kind):
    assert from_frame(two().astype({"volume": kind})).equals(TWO)


def test_one_fractional_volume_makes_the_column_float64():
    assert from_frame(two(volume=[15234, 0.5]))["volume"].to_pylist() == [15234.0, 0.5]


def test_integer_prices_become_floats():
    assert from_frame(two(open=[475, 476]))["open"].type == pa.float64()


def test_what_is_missing_becomes_nan_in_a_frame_and_null_on_the_way_back():
    table = TWO.set_column(1, schema.bar_schema(whole_volume=True).field("open"), pa.array([None, 1.5]))
    frame = to_frame(table)
    assert np.isnan(frame["open"].iloc[0])
    assert from_frame(frame)["open"].to_pylist() == [None, 1.5]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (lambda: two().drop(columns="volume"), "no columns 'volume'"),
        (lambda: pd.concat([two(), two()[["open"]]], axis=1), "2 columns 'open'"),
        (lambda: two().reset_index(drop=True), "no ts_event"),
        (lambda: two().rename_axis("date"), "no ts_event, neither as its index .named 'date'."),
        (lambda: two().tz_localize(None), "ts_event has no zone"),
        (lambda: two().shift(freq=pd.Timedelta(milliseconds=5)), "ts_event has fractions of a second"),
        (
            lambda: two().reset_index().assign(ts_event="2024-01-02 09:30:00+00:00"),
            "ts_event holds (str|object), not moments",
        ),
        (lambda: two(close=["475.4", "x"]), "column close holds (str|object), not numbers"),
        (lambda: two(volume=[True, False]), "column volume holds bool, not numbers"),
        (lambda: two(open=[2**53 + 1, 1]), "column open holds a number that 64 bits"),
        (lambda: two(volume=np.array([2**63, 1], dtype=np.uint64)), "column volume holds a number that 64 bits"),
    ],
)
def test_a_frame_that_is_not_bars_is_refused_by_column(frame, words):
    with pytest.raises(BarsError, match=words):
        from_frame(frame())
