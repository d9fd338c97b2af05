"""Number forms and key order as recorded answers of the vendor have them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.sandbox import responses


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (184.0, "184"),
        (475.32, "475.32"),
        (0.0001, "0.0001"),
        (0.00002, "2e-05"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (1300741.0, "1.300741e+06"),
        (33166048.0, "3.3166048e+07"),
        (9099.618093, "9099.618093"),
        (61436228.189065, "6.1436228189065e+07"),
        (0.0, "0"),
    ],
)
def test_a_number_is_written_as_the_vendor_writes_it(value, text):
    assert responses.format_number(value) == text


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_a_number_reads_back_as_itself(value):
    assert json.loads(responses.format_number(value)) == value


def table(starts, volume):
    prices = {
        name: np.full(len(starts), value) for name, value in zip(bar_files.PRICES, (10, 10.5, 9.75, 10.25), strict=True)
    }
    return bar_table.from_arrays(np.array(starts, np.int64), prices, np.array(volume))


def test_a_row_has_the_vendor_s_keys_in_the_vendor_s_order():
    encoded = responses.encode_rows(table([1704205800], [350]), np.ones(1, np.int64))
    assert bytes(encoded.text) == b'{"v":350,"vw":10.125,"o":10,"c":10.25,"h":10.5,"l":9.75,"t":1704205800000,"n":3},'


def test_a_slice_of_rows_is_a_slice_of_the_text():
    encoded = responses.encode_rows(table([1, 2, 3], [1, 22, 333]), np.ones(3, np.int64))
    middle = json.loads(bytes(encoded.between(1, 2))[:-1])
    assert (middle["t"], middle["v"]) == (2000, 22)
    assert bytes(encoded.between(0, 3)) == bytes(encoded.text)


def test_a_day_without_bars_has_no_text():
    encoded = responses.encode_rows(bar_table.empty(), np.ones(0, np.int64))
    assert (len(encoded.starts), bytes(encoded.between(0, 0))) == (0, b"")


def test_an_average_price_strays_outside_the_bar_now_and_then():
    starts = np.arange(1704205800, 1704205800 + 3000)
    encoded = responses.encode_rows(table(starts, np.full(3000, 100)), np.ones(3000, np.int64))
    parsed = json.loads(b"[" + bytes(encoded.text)[:-1] + b"]")
    assert 1 <= sum(row["vw"] > row["h"] for row in parsed) <= 5
