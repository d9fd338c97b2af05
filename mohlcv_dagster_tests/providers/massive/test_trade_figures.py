"""The number of trades and their average price are read of each bar by both parsers, and no bar needs them."""

import json
import math

import numpy as np
import pytest

from mohlcv_dagster.bars import trade_figures
from mohlcv_dagster.bars.bar_table import to_numpy
from mohlcv_dagster.errors import ConflictingBarsError, IncompletePageError
from mohlcv_dagster.providers.massive import decoder
from mohlcv_dagster.providers.massive.decoder import decode_page
from mohlcv_dagster.providers.massive.pages import merge
from mohlcv_dagster.providers.massive.paging import PageRequest, Timespan, Window
from mohlcv_dagster_tests.providers.massive.made_pages import page
from mohlcv_dagster_tests.real import REAL, needs_real

T = 1704205800000
REQUEST = PageRequest("SPY", Timespan("second", 1000), Window(T, T + 9_999), adjusted=False)
BAR = {"v": 10, "o": 5.0, "c": 5.0, "h": 5.5, "l": 4.5}
NAN = math.nan


def body(*figures, **layout):
    """A page of a bar a second, with these keys in addition."""
    rows = [{**BAR, "t": T + 1000 * at, **each} for at, each in enumerate(figures)]
    document = {"ticker": "SPY", "status": "OK", "resultsCount": len(rows), "adjusted": False, "results": rows}
    return json.dumps(document, **layout or {"separators": (",", ":")}).encode()


def read(content):
    """Trades and average prices of a page."""
    _, figures = merge([decode_page(content, REQUEST)])
    return [to_numpy(figures[name]).tolist() for name in ("trades", "vwap")]


BOTH = ({"n": 87, "vw": 4.9}, {"n": 1, "vw": 6})


def test_the_fast_parser_and_the_strict_one_give_them():
    assert decoder._read_fast(body(*BOTH)) is not None
    assert decoder._read_fast(body(*BOTH, indent=1)) is None
    for content in (body(*BOTH), body(*BOTH, indent=1)):
        assert read(content) == [[87, 1], [4.9, 6]]


@pytest.mark.parametrize("layout", [{}, {"indent": 1}])
@pytest.mark.parametrize(
    ("figures", "trades", "vwap"),
    [
        (({}, {}), [NAN, NAN], [NAN, NAN]),
        (({"n": 3}, {"n": 4}), [3, 4], [NAN, NAN]),
        (({"n": 3, "vw": 5}, {}), [3, NAN], [5, NAN]),
        (({"n": None, "vw": 5}, {"n": 2, "vw": None}), [NAN, 2], [5, NAN]),
        (({"n": 1.5}, {"n": 2.0}), [NAN, 2], [NAN, NAN]),
        (({"n": -1}, {"n": 2**60}), [NAN, NAN], [NAN, NAN]),
    ],
)
def test_a_bar_may_lack_them_and_what_is_no_count_is_unknown(figures, trades, vwap, layout):
    found = read(body(*figures, **layout))
    np.testing.assert_array_equal(found, [trades, vwap])


def test_text_in_the_place_of_a_count_makes_a_page_incomplete():
    with pytest.raises(IncompletePageError, match="expected JSON"):
        decode_page(body({"n": "many"}), REQUEST)


def test_pages_that_overlap_give_each_figure_once_and_another_count_alone_is_no_contradiction():
    earlier, later = page([(10, 1), (20, 2)]), page([(20, 2), (30, 3)])
    later.numbers["trades"][0] += 1
    bars, figures = merge([later, earlier])
    assert bars.num_rows == figures.num_rows == 3
    assert to_numpy(figures["vwap"]).tolist() == [2.5, 5, 7.5]
    later.numbers["volume"][0] += 1
    with pytest.raises(ConflictingBarsError):
        merge([later, earlier])


@needs_real
def test_a_recorded_average_price_outside_its_bar_is_counted_and_nothing_refused():
    request = PageRequest("SPY", Timespan("minute", 60_000), Window(1546440540000, 1546448000000), adjusted=False)
    recorded = (REAL / "recorded" / "SPY_minute_vw_outside_range_2019-01-02.json").read_bytes()
    bars, figures = merge([decode_page(recorded, request)])
    assert to_numpy(figures["trades"]).tolist() == [1402, 1094]
    assert trade_figures.outside_range(bars, figures) == 2
