"""Pages made of rows, as no vendor sent them, and the rows of a table."""

import numpy as np
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.providers.massive.pages import Page


def page(rows, *, following=False):
    """A page of (second, volume) rows; prices follow from the second."""
    seconds = np.array([second for second, _ in rows], dtype=np.int64)
    numbers = {name: seconds + float(at) for at, name in enumerate(bar_files.PRICES)}
    volume = np.array([volume for _, volume in rows], dtype=np.float64)
    figures = {"trades": seconds * 2.0, "vwap": seconds / 4}
    return Page(seconds * 1000, numbers | {"volume": volume} | figures, None, delayed=False, following=following)


def rows_of(table):
    return list(zip(bar_table.seconds(table).tolist(), table["volume"].to_pylist(), strict=True))


generated_months = st.dictionaries(st.integers(0, 5000), st.integers(1, 10**9), min_size=1, max_size=60).map(
    lambda found: sorted(found.items())
)
