"""The median, beside NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mohlcv_dagster.bars.medians import median

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)


@given(arrays.arrays(np.float64, SHAPES, elements=NUMBERS), st.sampled_from([None, 0, 1]))
def test_it_is_numpys_along_each_axis(values, axis):
    np.testing.assert_array_equal(median(values, axis), np.median(values, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_the_axis_stays_if_asked(axis):
    values = np.arange(12).reshape(3, 4)

    assert median(values, axis, keepdims=True).shape == np.median(values, axis, keepdims=True).shape
