"""The columns of a bar, and when a volume counts as whole."""

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars import schema
from mohlcv_dagster_tests.bars.strategies import bars

PRICES = {name: np.array([1.5, 2.5]) for name in ("open", "high", "low", "close")}


def table(*volume, starts=(1_704_187_800, 1_704_187_801)):
    return schema.from_arrays(np.array(starts), PRICES, np.array(volume))


def test_the_columns_are_the_contract_s_in_its_order():
    assert schema.COLUMNS == ("ts_event", "open", "high", "low", "close", "volume")
    assert schema.empty().column_names == list(schema.COLUMNS)


@pytest.mark.parametrize(("whole_volume", "kind"), [(True, pa.int64()), (False, pa.float64())])
def test_the_types_are_utc_seconds_doubles_and_the_volume_s_own(whole_volume, kind):
    types = schema.bar_schema(whole_volume=whole_volume).types
    assert types == [pa.timestamp("s", tz="UTC"), *[pa.float64()] * 4, kind]
    assert schema.has_whole_volume(schema.empty(whole_volume=whole_volume)) is whole_volume


def test_seconds_are_unix_seconds():
    assert schema.seconds(bars(("2024-01-02 09:30:00", 1, 1, 1, 1, 1))).tolist() == [1_704_187_800]


def test_arrays_become_a_table_with_the_volume_s_own_type():
    assert table(100, 200).to_pylist()[0]["ts_event"].isoformat() == "2024-01-02T09:30:00+00:00"
    assert schema.has_whole_volume(table(100, 200))
    assert not schema.has_whole_volume(table(100.0, 200.0))


def test_whole_volumes_kept_as_floats_are_settled_to_int64():
    assert schema.settle_volume(table(100.0, 0.0)).equals(table(100, 0))


@pytest.mark.parametrize("volume", [0.5, float("nan"), float("inf"), 2.0**53])
def test_one_volume_that_is_not_whole_leaves_the_column_float64(volume):
    assert schema.settle_volume(table(100.0, volume))["volume"].type == pa.float64()


def test_a_null_volume_is_not_whole():
    holed = table(100.0, 200.0).set_column(5, pa.field("volume", pa.float64()), pa.array([100.0, None]))
    assert schema.settle_volume(holed).equals(holed)


def test_an_empty_table_settles_to_int64():
    assert schema.settle_volume(schema.empty(whole_volume=False)).equals(schema.empty())
