"""Tables of bars to prove laws on: prices, volumes and moments as files have them, and nastier ones."""

import numpy as np
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files

MONTH_EDGE = 1_706_745_600
"""2024-02-01 00:00:00 UTC as Unix seconds."""

whole_volumes = st.integers(0, 10**9)
millionths = st.integers(0, 10**12).map(lambda units: units / 10**6)
"""Volumes of at most 6 decimals."""

cents = st.integers(1, 10**7).map(lambda n: n / 100)
sub_penny = st.integers(1, 10**9).map(lambda n: n / 10**4)

nasty_floats = st.one_of(
    st.floats(),
    st.sampled_from(
        [
            1e-05, 9.999e-05, 0.0001, 0.00012345678901234567, 0.1 + 0.2, 184.0, 475.4, 1e9, 999999999.5, 1000000000.5,
            123456789012345.6, 1e15, 9007199254740993.0, 1e16, 1.5e16, 1e22, 1e23, 0.0, -0.0, -1.5, -1e-05, 5e-324,
            2.2250738585072014e-308, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"),
        ]
    ),
)  # fmt: skip


@st.composite
def moments(draw, size, *, around=MONTH_EDGE, spread=4000):
    """`size` Unix seconds, rising strictly, close enough together that buckets hold several, across a month's edge."""
    chosen = draw(st.sets(st.integers(around - spread, around + spread), min_size=size, max_size=size))
    return np.array(sorted(chosen), dtype=np.int64)


def column(values, size, dtype):
    return st.lists(values, min_size=size, max_size=size).map(lambda numbers: np.array(numbers, dtype=dtype))


@st.composite
def tables(draw, *, volumes=None, prices=None, min_size=0, max_size=40):
    """A table of bars whose highs and lows enclose; `volumes` of ints give int64, of floats float64."""
    size = draw(st.integers(min_size, max_size))
    four = [draw(column(draw(st.sampled_from([cents, sub_penny])) if prices is None else prices, size, np.float64))
            for _ in bar_files.PRICES]  # fmt: skip
    if prices is None:
        ordered = np.sort(np.stack(four), axis=0)
        four = [ordered[1], ordered[3], ordered[0], ordered[2]]
    volumes = draw(st.sampled_from([whole_volumes, millionths])) if volumes is None else volumes
    volume = draw(st.lists(volumes, min_size=size, max_size=size))
    dtype = np.float64 if any(isinstance(shares, float) for shares in volume) else np.int64
    starts = draw(moments(size))
    return bar_table.from_arrays(starts, dict(zip(bar_files.PRICES, four, strict=True)), np.array(volume, dtype=dtype))


def bars(*rows):
    """A table of bars from rows such as `("2024-01-31 23:59:59", open, high, low, close, volume)`."""
    moments_, *numbers = zip(*rows, strict=True)
    starts = np.array(moments_, dtype="M8[s]").astype(np.int64)
    *four, volume = (np.array(column_) for column_ in numbers)
    prices = {name: values.astype(np.float64) for name, values in zip(bar_files.PRICES, four, strict=True)}
    return bar_table.from_arrays(starts, prices, volume)
