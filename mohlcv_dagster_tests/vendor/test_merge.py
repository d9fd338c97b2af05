"""Pages put together."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import schema
from mohlcv_dagster.errors import ConflictingBarsError
from mohlcv_dagster.vendor.gather import follow
from mohlcv_dagster.vendor.merge import merge
from mohlcv_dagster.vendor.pages import Page, PageRequest
from mohlcv_dagster.vendor.windows import Timespan, Window

SECOND = Timespan.parse("second")


def page(rows, *, following=False):
    """A page of (second, volume) rows; prices follow from the second."""
    seconds = np.array([second for second, _ in rows], dtype=np.int64)
    numbers = {name: seconds + float(at) for at, name in enumerate(schema.PRICES)}
    volume = np.array([volume for _, volume in rows], dtype=np.float64)
    return Page(seconds * 1000, numbers | {"volume": volume}, None, delayed=False, following=following)


def rows_of(table):
    return list(zip(schema.seconds(table).tolist(), table["volume"].to_pylist(), strict=True))


generated_months = st.dictionaries(st.integers(0, 5000), st.integers(1, 10**9), min_size=1, max_size=60).map(
    lambda found: sorted(found.items())
)


@given(generated_months, st.lists(st.integers(1, 5000)), st.integers(1, 7))
def test_any_cut_into_windows_and_pages_gives_the_same_table(rows, edges, page_size):
    bounds = sorted({0, 5001, *edges})

    def ask(request):
        mine = [row for row in rows if request.window.start <= row[0] * 1000 <= request.window.last]
        return page(mine[:page_size], following=len(mine) > page_size)

    pages = [
        found
        for start, end in itertools.pairwise(bounds)
        for found in follow(PageRequest("X", SECOND, Window(start * 1000, end * 1000 - 1), adjusted=False), ask)
    ]
    assert rows_of(merge(pages)) == rows


@given(generated_months, st.data())
def test_pages_may_overlap_and_come_in_any_order(rows, data):
    spans = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
    pages = [page(rows), *(page(rows[start : start + length]) for start, length in spans)]
    table = merge(data.draw(st.permutations(pages)))
    assert rows_of(table) == rows
    assert table["close"].to_pylist() == [second + 3.0 for second, _ in rows]


def test_rows_that_contradict_each_other_are_named_with_their_moment():
    with pytest.raises(ConflictingBarsError) as caught:
        merge([page([(1704205800, 5)]), page([(1704205800, 6)])])
    message = str(caught.value)
    assert "2024-01-02 14:30:00 UTC" in message
    assert "'volume': 5.0" in message
    assert "'volume': 6.0" in message


def test_no_pages_are_an_empty_table():
    assert merge([]).equals(schema.empty())


def test_a_chain_ends_at_the_windows_end_even_when_a_next_page_is_named():
    asked = []

    def ask(request):
        asked.append(request.window)
        return page([(request.window.last // 1000, 1)], following=True)

    follow(PageRequest("X", SECOND, Window(0, 9_999), adjusted=False), ask)
    assert asked == [Window(0, 9_999)]
