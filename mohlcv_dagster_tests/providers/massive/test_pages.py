"""Pages put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.errors import ConflictingBarsError
from mohlcv_dagster.providers.massive.pages import merge
from mohlcv_dagster_tests.providers.massive.made_pages import generated_months, page, rows_of


@given(generated_months, st.data())
def test_pages_may_overlap_and_come_in_any_order(rows, data):
    spans = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
    pages = [page(rows), *(page(rows[start : start + length]) for start, length in spans)]
    table, figures = merge(data.draw(st.permutations(pages)))
    assert rows_of(table) == rows
    assert table["close"].to_pylist() == [second + 3.0 for second, _ in rows]
    assert figures["trades"].to_pylist() == [2 * second for second, _ in rows]
    assert figures["vwap"].to_pylist() == [second / 4 for second, _ in rows]


def test_rows_that_contradict_each_other_are_named_with_their_moment():
    with pytest.raises(ConflictingBarsError) as caught:
        merge([page([(1704205800, 5)]), page([(1704205800, 6)])])
    message = str(caught.value)
    assert "2024-01-02 14:30:00 UTC" in message
    assert "'volume': 5.0" in message
    assert "'volume': 6.0" in message


def test_no_pages_are_an_empty_table():
    bars, figures = merge([])
    assert bars.equals(bar_table.empty())
    assert (figures.num_rows, figures.column_names) == (0, ["trades", "vwap"])
