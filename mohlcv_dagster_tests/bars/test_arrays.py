"""Arrow arrays made from NumPy and back are what Arrow's own ways give."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from mohlcv_dagster.bars import arrays

VALUES = st.sampled_from([np.int32, np.int64, np.float64, np.bool_]).flatmap(
    lambda kind: arrays_of.arrays(kind, st.integers(0, 40))
)


@given(VALUES, st.randoms())
def test_an_array_is_what_arrow_makes_of_it(values, chance):
    missing = np.array([chance.random() < 0.3 for _ in values], np.bool_)
    assert arrays.from_numpy(values).equals(pa.array(values)) or np.isnan(values.astype(float)).any()
    assert arrays.from_numpy(values, missing).null_count == missing.sum()
    assert arrays.from_numpy(values, missing).is_valid().to_pylist() == (~missing).tolist()


@given(VALUES, st.integers(0, 40), st.integers(0, 40))
def test_values_come_back_also_from_a_slice_and_from_chunks(values, start, length):
    column = pa.array(values)
    part = values[start : start + length]
    np.testing.assert_array_equal(arrays.to_numpy(column.slice(start, length)), part)
    chunks = pa.chunked_array([column.slice(start, length), column.slice(0, start)])
    np.testing.assert_array_equal(arrays.to_numpy(chunks), np.concatenate([part, values[:start]]))


def test_a_null_is_nan():
    column = pa.chunked_array([pa.array([1, None, 3], pa.int64())])
    np.testing.assert_array_equal(arrays.to_numpy(column), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(arrays.missing(column.chunk(0).slice(1)), [True, False])


@given(st.lists(st.text()))
def test_texts_are_what_arrow_makes_of_them(texts):
    assert arrays.from_texts(texts).equals(pa.array(texts, pa.string()))


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_a_scalar_is_what_arrow_makes_of_it(value):
    assert arrays.integer(value).equals(pa.scalar(value, pa.int64()))
    assert arrays.text(str(value)).equals(pa.scalar(str(value)))


def test_values_that_lie_in_one_piece_are_not_copied():
    values = np.arange(10)
    assert np.shares_memory(arrays.to_numpy(arrays.from_numpy(values)), values)
