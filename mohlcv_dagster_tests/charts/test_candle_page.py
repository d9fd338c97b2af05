"""The figure's data, worked by hand; tests of the page in a browser are in `test_chart_in_a_browser.py`."""

from datetime import UTC, datetime

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.charts import candle_page
from mohlcv_dagster.charts.candle_page import Candles, Mark
from mohlcv_dagster.model.exchange_calendar import sessions_in
from mohlcv_dagster.model.months import Month

OPENS = int(datetime(2024, 1, 12, 14, 30, tzinfo=UTC).timestamp())  # a Friday; the Monday after is a holiday
NONE = np.zeros(0, np.int64)


def bars(*rows):
    """Rows of (seconds after 09:30, open, high, low, close, volume)."""
    columns = list(zip(*rows, strict=True))
    prices = dict(zip(("open", "high", "low", "close"), map(np.array, columns[1:5]), strict=True))
    return bar_table.from_arrays(OPENS + np.array(columns[0]), prices, np.array(columns[5], dtype=np.int64))


TWO_MINUTES = bars((0, 10.0, 11.0, 9.0, 10.5, 100), (59, 10.5, 12.0, 10.0, 11.5, 50), (60, 11.5, 11.5, 11.0, 11.2, 7))


def test_bars_are_joined_into_candles_that_begin_on_the_minute():
    made = Candles.of(TWO_MINUTES, 60)

    assert made.starts.tolist() == [OPENS, OPENS + 60]
    assert (made.open.tolist(), made.high.tolist()) == ([10.0, 11.5], [12.0, 11.5])
    assert (made.low.tolist(), made.close.tolist()) == ([9.0, 11.0], [11.5, 11.2])
    assert made.volume.tolist() == [150.0, 7.0]


def test_broken_bars_are_drawn_too_sorted_and_without_those_that_lack_a_price():
    broken = bars((60, 2.0, 2.0, 2.0, 2.0, 1), (0, 1.0, 1.0, 1.0, 1.0, 1), (120, np.nan, 3.0, 3.0, 3.0, 1))
    made = Candles.of(broken, 60)

    assert (made.starts.tolist(), made.close.tolist()) == ([OPENS, OPENS + 60], [1.0, 2.0])


def test_times_are_those_of_a_clock_in_new_york_in_winter_and_summer():
    summer = int(datetime(2024, 7, 1, 13, 30, tzinfo=UTC).timestamp())

    assert [str(each) for each in candle_page.eastern(np.array([OPENS, summer]))] == [
        "2024-01-12T09:30:00",
        "2024-07-01T09:30:00",
    ]


def test_each_rule_has_markers_where_its_bars_are_and_a_gap_is_shaded():
    marks = [
        Mark("ohlc_order", is_error=True, message="wrong", starts=np.array([OPENS + 61])),
        Mark("largest_gap", is_error=False, message="gap", starts=np.array([OPENS]), ends=np.array([OPENS + 30])),
        Mark("readable", is_error=True, message="of the file", starts=NONE),
    ]
    made = candle_page.figure(Candles.of(TWO_MINUTES, 60), sessions_in(Month(2024, 1)), marks)
    order, gap = made.data[2:]

    assert [trace.name for trace in made.data] == ["price", "volume", "ohlc_order (1)", "largest_gap (1)"]
    assert [str(each)[:19] for each in order.x] == ["2024-01-12T09:31:01"]
    assert order.y[0] > 11.5  # above the candle that it lies in
    assert order.marker.color != gap.marker.color
    assert (made.layout.shapes[-1].x0, made.layout.shapes[-1].x1) == ("2024-01-12T09:30:00", "2024-01-12T09:30:30")


def test_regular_hours_of_every_session_are_shaded_and_closed_times_left_out_of_the_axis():
    january = sessions_in(Month(2024, 1))
    made = candle_page.figure(Candles.of(TWO_MINUTES, 60), january, [])
    closed = [tuple(each.bounds) for each in made.layout.xaxis.rangebreaks]

    assert len(made.layout.shapes) == len(january) == 21
    assert ("2024-01-12T20:00:00", "2024-01-16T04:00:00") in closed  # the weekend and Martin Luther King's day
    assert len(closed) == 20


def test_time_in_which_a_bar_lies_is_never_left_out():
    at_night = bars((0, 1.0, 1.0, 1.0, 1.0, 1), (14 * 3600, 1.0, 1.0, 1.0, 1.0, 1))  # 23:30 on the Friday
    made = candle_page.figure(Candles.of(at_night, 60), sessions_in(Month(2024, 1)), [])

    assert all(each.bounds[0] != "2024-01-12T20:00:00" for each in made.layout.xaxis.rangebreaks)


def test_what_a_vendor_says_is_text_in_the_page_and_never_markup():
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    mark = Mark(hostile, is_error=True, message=hostile, starts=np.array([OPENS]))
    page = candle_page.page(hostile, "1min", Candles.of(TWO_MINUTES, 60), [], [mark])

    assert hostile not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_asks_for_nothing_from_the_network():
    page = candle_page.page("SPY 2024-01", "1min", Candles.of(TWO_MINUTES, 60), [], [])

    assert "<script src" not in page
    assert "<link" not in page
    assert "no check that was made here failed" in page


@pytest.mark.parametrize("count", [candle_page.MOST_MARKS + 3])
def test_of_many_offending_bars_the_first_are_drawn_and_the_page_says_so(count):
    mark = Mark("spikes", is_error=False, message="many", starts=OPENS + np.arange(count))
    candles = Candles.of(TWO_MINUTES, 60)

    assert len(candle_page.figure(candles, [], [mark]).data[2].x) == candle_page.MOST_MARKS
    assert "The first 500 are drawn, 3 are not." in candle_page.page("SPY", "1min", candles, [], [mark])
