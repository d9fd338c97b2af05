"""Tables of bars: their columns and types, and the ways from and to NumPy and pandas."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.bar_table import from_pandas, to_pandas
from mohlcv_dagster.errors import BarsError
from mohlcv_dagster.model import bar_files
from mohlcv_dagster_tests.bars import strategies
from mohlcv_dagster_tests.bars.strategies import bars, millionths, whole_volumes

PRICES = {name: np.array([1.5, 2.5]) for name in ("open", "high", "low", "close")}


def table(*volume, starts=(1_704_187_800, 1_704_187_801)):
    return bar_table.from_arrays(np.array(starts), PRICES, np.array(volume))


def test_the_columns_are_the_contract_s_in_its_order():
    assert bar_files.COLUMNS == ("ts_event", "open", "high", "low", "close", "volume")
    assert bar_table.empty().column_names == list(bar_files.COLUMNS)


@pytest.mark.parametrize(("whole_volume", "kind"), [(True, pa.int64()), (False, pa.float64())])
def test_the_types_are_utc_seconds_doubles_and_the_volume_s_own(whole_volume, kind):
    types = bar_table.bar_schema(whole_volume=whole_volume).types
    assert types == [pa.timestamp("s", tz="UTC"), *[pa.float64()] * 4, kind]
    assert bar_table.has_whole_volume(bar_table.empty(whole_volume=whole_volume)) is whole_volume


def test_seconds_are_unix_seconds():
    assert bar_table.seconds(bars(("2024-01-02 09:30:00", 1, 1, 1, 1, 1))).tolist() == [1_704_187_800]


def test_arrays_become_a_table_with_the_volume_s_own_type():
    assert table(100, 200).to_pylist()[0]["ts_event"].isoformat() == "2024-01-02T09:30:00+00:00"
    assert bar_table.has_whole_volume(table(100, 200))
    assert not bar_table.has_whole_volume(table(100.0, 200.0))


def test_whole_volumes_kept_as_floats_become_int64():
    assert bar_table.normalize_volume_dtype(table(100.0, 0.0)).equals(table(100, 0))


@pytest.mark.parametrize("volume", [0.5, float("nan"), float("inf"), 2.0**53])
def test_one_volume_that_is_not_whole_leaves_the_column_float64(volume):
    assert bar_table.normalize_volume_dtype(table(100.0, volume))["volume"].type == pa.float64()


def test_a_null_volume_is_not_whole():
    holed = table(100.0, 200.0).set_column(5, pa.field("volume", pa.float64()), pa.array([100.0, None]))
    assert bar_table.normalize_volume_dtype(holed).equals(holed)


def test_an_empty_table_gets_int64():
    assert bar_table.normalize_volume_dtype(bar_table.empty(whole_volume=False)).equals(bar_table.empty())


VALUES = st.sampled_from([np.int32, np.int64, np.float64, np.bool_]).flatmap(
    lambda kind: arrays_of.arrays(kind, st.integers(0, 40))
)


@given(VALUES, st.randoms())
def test_an_array_is_what_arrow_makes_of_it(values, chance):
    missing = np.array([chance.random() < 0.3 for _ in values], np.bool_)
    assert bar_table.from_numpy(values).equals(pa.array(values)) or np.isnan(values.astype(float)).any()
    assert bar_table.from_numpy(values, missing).null_count == missing.sum()
    assert bar_table.from_numpy(values, missing).is_valid().to_pylist() == (~missing).tolist()


@given(VALUES, st.integers(0, 40), st.integers(0, 40))
def test_values_come_back_also_from_a_slice_and_from_chunks(values, start, length):
    column = pa.array(values)
    part = values[start : start + length]
    np.testing.assert_array_equal(bar_table.to_numpy(column.slice(start, length)), part)
    chunks = pa.chunked_array([column.slice(start, length), column.slice(0, start)])
    np.testing.assert_array_equal(bar_table.to_numpy(chunks), np.concatenate([part, values[:start]]))


def test_a_null_is_nan():
    column = pa.chunked_array([pa.array([1, None, 3], pa.int64())])
    np.testing.assert_array_equal(bar_table.to_numpy(column), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(bar_table.null_mask(column.chunk(0).slice(1)), [True, False])


@given(st.lists(st.text()))
def test_strings_are_what_arrow_makes_of_them(texts):
    assert bar_table.from_strings(texts).equals(pa.array(texts, pa.string()))


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_a_scalar_is_what_arrow_makes_of_it(value):
    assert bar_table.int_scalar(value).equals(pa.scalar(value, pa.int64()))
    assert bar_table.string_scalar(str(value)).equals(pa.scalar(str(value)))


def test_contiguous_values_are_not_copied():
    values = np.arange(10)
    assert np.shares_memory(bar_table.to_numpy(bar_table.from_numpy(values)), values)


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
    frame = to_pandas(TWO)
    pd.testing.assert_frame_equal(frame, two(), check_index_type=False)
    assert (frame.index.name, str(frame.index.tz)) == ("ts_event", "UTC")
    assert [str(kind) for kind in frame.dtypes] == ["float64"] * 4 + ["int64"]


def test_an_empty_month_is_an_empty_frame_of_the_same_form_and_back():
    frame = to_pandas(bar_table.empty())
    assert (len(frame), frame.index.name, str(frame.index.tz)) == (0, "ts_event", "UTC")
    assert [str(kind) for kind in frame.dtypes] == ["float64"] * 4 + ["int64"]
    assert from_pandas(frame).equals(bar_table.empty())


@given(strategies.tables(volumes=whole_volumes))
def test_whole_volumes_go_to_a_frame_and_back(table):
    assert from_pandas(to_pandas(table)).equals(table)


@given(strategies.tables(volumes=millionths))
def test_a_frame_s_own_csv_is_the_csv_of_its_bars(table):
    frame = to_pandas(bar_table.normalize_volume_dtype(table))
    assert csv_codec.encode(from_pandas(frame)).decode() == frame.to_csv(lineterminator="\n")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "+05:30"])
def test_moments_of_any_unit_and_zone_are_taken_to_utc_seconds(unit, zone):
    frame = two()
    frame.index = frame.index.tz_convert(zone).as_unit(unit)
    assert from_pandas(frame).equals(TWO)


def test_ts_event_may_be_a_column_or_an_unnamed_index_and_further_columns_are_left_out():
    assert from_pandas(two().reset_index().assign(symbol="SPY")).equals(TWO)
    assert from_pandas(two().rename_axis(None)[["volume", "close", "low", "high", "open"]]).equals(TWO)


@pytest.mark.parametrize("kind", ["int32", "uint16", "float32", "float64", "Int64", "int64[pyarrow]"])
def test_whole_volumes_of_any_numeric_type_become_int64(kind):
    assert from_pandas(two().astype({"volume": kind})).equals(TWO)


def test_one_fractional_volume_makes_the_column_float64():
    assert from_pandas(two(volume=[15234, 0.5]))["volume"].to_pylist() == [15234.0, 0.5]


def test_integer_prices_become_floats():
    assert from_pandas(two(open=[475, 476]))["open"].type == pa.float64()


def test_what_is_missing_becomes_nan_in_a_frame_and_null_on_the_way_back():
    table = TWO.set_column(1, bar_table.bar_schema(whole_volume=True).field("open"), pa.array([None, 1.5]))
    frame = to_pandas(table)
    assert np.isnan(frame["open"].iloc[0])
    assert from_pandas(frame)["open"].to_pylist() == [None, 1.5]


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
        from_pandas(frame())


class Core:
    """What annotates like the frame of a pandas before 3, whose module is its own file."""


Core.__name__, Core.__module__ = "DataFrame", "pandas.core.frame"


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(pd.DataFrame, True), (Core, True), (pl.DataFrame, False), (pd.Series, False), (pa.Table, False), (None, False)],
)
def test_a_frame_of_pandas_is_known_by_its_name_and_module(annotation, expected):
    assert bar_table.is_pandas_frame(annotation) is expected
