import re
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.charts.month_charts import (
    Candle,
    candles,
    draw_minutes_of_day,
    draw_session_prices,
    minute_occupancy,
)
from mohlcv_dagster.charts.svg import BLUE, FALL, INK, RED, RISE
from mohlcv_dagster.model import bar_files, exchange_calendar, session_hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.charts.drawn import Drawn, boxes

JANUARY, NOVEMBER = Month(2024, 1), Month(2024, 11)


def bars(*rows):
    """Bars from rows of time, open, high, low, close and volume."""
    starts = np.array([int(datetime.fromisoformat(f"{row[0]}+00:00").timestamp()) for row in rows], np.int64)
    columns = np.array([row[1:] for row in rows], float).reshape(-1, 5).T
    return bar_table.from_arrays(starts, dict(zip(bar_files.PRICES, columns[:4], strict=True)), columns[4])


# 2 January 2024 is the first session, 3 January the second; in winter 04:00 Eastern is 09:00Z, the bell 14:30Z
TWO_DAYS = bars(
    ("2024-01-02 09:00:00", 98, 99, 90, 95, 1),  # before the bell: the lowest price, and not the open
    ("2024-01-02 14:30:00", 100, 101, 99, 101, 10),
    ("2024-01-02 20:59:59", 104, 106, 103, 105, 20),
    ("2024-01-02 21:00:00", 105, 107, 105, 107, 9),  # after the bell: the highest price, and not the close
    ("2024-01-03 14:30:00", 110, 110, 95, 100, 60),
)


def drawn(table, complete_through=JANUARY.end, month=JANUARY):
    return Drawn(draw_session_prices("SPY", month, table, complete_through).markdown)


def test_a_candle_opens_and_closes_with_regular_hours_and_reaches_over_all_hours():
    days = exchange_calendar.sessions_in(JANUARY)

    first, second, *others = candles(TWO_DAYS, days)

    assert (first, second) == (Candle(100, 107, 90, 105, 40), Candle(110, 110, 95, 100, 60))
    assert others == [None] * 19


def test_a_session_with_bars_outside_regular_hours_alone_opens_and_closes_with_them():
    [candle, *_] = candles(TWO_DAYS.slice(0, 1), exchange_calendar.sessions_in(JANUARY))

    assert candle == Candle(98, 99, 90, 95, 1)


def test_values_that_are_not_numbers_are_skipped():
    table = bars(
        ("2024-01-02 14:30:00", 100, np.nan, 99, 101, np.nan),
        ("2024-01-02 14:30:01", 101, 102, np.nan, 100, 5),
        ("2024-01-03 14:30:00", np.nan, 110, 95, 100, 60),
    )

    assert candles(table, exchange_calendar.sessions_in(JANUARY))[:2] == [Candle(100, 102, 99, 100, 5), None]


def test_each_session_has_a_slot_in_order_named_by_its_day():
    picture = drawn(TWO_DAYS)

    days = [2, 3, 4, 5, 8, 9, 10, 11, 12, 16, 17, 18, 19, 22, 23, 24, 25, 26, 29, 30, 31]
    places = [picture.place(str(day))[0] for day in days]
    # 21 slots share the 614 pixels from 58 to 672
    assert places == pytest.approx([58 + 614 / 21 * (n + 0.5) for n in range(21)], abs=0.06)


def test_candles_and_volumes_are_drawn_where_the_values_say():
    picture = drawn(TWO_DAYS)

    # prices 90 to 110 and 4 % of 20 on either side on 24 to 160: 5 pixels and 0.98 of one a dollar
    pixels = 136 / 21.6
    y = {price: 160 - (price - 89.2) * pixels for price in (90, 95, 100, 105, 107, 110)}
    [rising], [falling] = picture.paths(fill=RISE), picture.paths(fill=FALL)
    [body] = boxes(rising)
    assert body[1] == pytest.approx(y[105], abs=0.06)
    assert body[3] == pytest.approx(y[100] - y[105], abs=0.06)
    [body] = boxes(falling)
    assert body[1] == pytest.approx(y[110], abs=0.06)
    assert body[3] == pytest.approx(y[100] - y[110], abs=0.06)
    [wicks] = picture.paths(stroke=RISE, stroke_width="1.5")[:1]
    up, top, bottom, down = (float(part.split(" ")[-1]) for part in wicks.replace("V", "M").split("M")[1:])
    assert (up, top, bottom, down) == pytest.approx((y[107], y[105], y[100], y[90]), abs=0.06)
    # 40 and 60 shares on 52 pixels above 228
    [columns] = picture.paths(fill=INK, fill_opacity=".6")
    assert [box[3] for box in boxes(columns)] == pytest.approx([52 * 40 / 60, 52], abs=0.06)


def test_a_session_without_a_bar_is_crossed_out_and_one_that_had_not_begun_is_not():
    picture = drawn(TWO_DAYS, datetime(2024, 1, 5, 12, tzinfo=UTC))

    [crosses] = picture.paths(stroke=RED)
    assert crosses.count("M") == 2  # 4 January, and 5 January which began at 09:00Z
    assert picture.alt == "SPY 2024-01: 2 of 4 sessions, 90.00 to 110.00 US dollars, 100 shares"


def test_a_month_without_a_bar_in_any_session_says_so():
    picture = drawn(bar_table.empty())

    assert picture.alt == "SPY 2024-01: no bar in the 21 sessions begun"
    assert picture.paths(stroke=RED)[0].count("M") == 21


@pytest.mark.parametrize("price", [0.0001, 1.0, 512_345.67])
def test_a_price_that_never_moves_and_no_volume_are_drawn_too(price):
    flat = bars(("2024-01-02 14:30:00", price, price, price, price, 0))

    assert boxes(drawn(flat).paths(fill=RISE)[0])


@settings(max_examples=50)
@example([(0, 1.0, 1.0, 1.0, 1.0, 1e308), (1, 1.0, 1.0, 1.0, 1.0, 1e308)])
@given(st.lists(st.tuples(st.integers(0, 50_000), *[st.floats(width=64)] * 5), max_size=12))
def test_bars_that_break_every_rule_are_drawn_or_left_out_and_nothing_is_raised(rows):
    """The pictures are made before the checks are: a broken month must be stored and checked all the same."""
    bell = int(datetime(2024, 1, 2, 9, tzinfo=UTC).timestamp())
    columns = [np.array([row[at] for row in rows], float) for at in range(1, 6)]
    starts = np.array([bell + row[0] for row in rows], np.int64)
    table = bar_table.from_arrays(starts, dict(zip(bar_files.PRICES, columns[:4], strict=True)), columns[4])

    picture = drawn(table)

    assert picture.size < 6_000
    assert draw_minutes_of_day("SPY", JANUARY, starts, JANUARY.end).svg


def test_a_busy_month_is_small_to_keep_and_the_same_bars_give_the_same_picture():
    rng = np.random.default_rng(7)
    days = exchange_calendar.sessions_in(Month(2024, 10))  # 23 sessions, as many as a month can have
    starts = np.concatenate([np.arange(0, 3_000, 7) + int(day.regular_open.timestamp()) for day in days])
    prices = {name: rng.uniform(123.45, 6_543.21, starts.size) for name in bar_files.PRICES}
    table = bar_table.from_arrays(starts, prices, rng.integers(1, 10**9, starts.size))

    picture = drawn(table, Month(2024, 10).end, Month(2024, 10))

    assert len(days) == 23
    assert picture.size < 6_000
    split = pa.concat_tables([table.slice(0, 4_000), table.slice(4_000)])
    assert draw_session_prices("SPY", Month(2024, 10), split, Month(2024, 10).end).svg == (
        draw_session_prices("SPY", Month(2024, 10), table, Month(2024, 10).end).svg
    )


def second(text):
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def every_minute(month):
    """A bar in each minute of the extended hours of each session, as far as they are in the month."""
    days = exchange_calendar.sessions_overlapping(month)
    spans = [np.arange(int(d.extended_open.timestamp()), int(d.extended_close.timestamp()), 60) for d in days]
    starts = np.concatenate(spans)
    return starts[(starts >= month.start_second) & (starts < month.end_second)]


def heights(picture):
    """The outline's height at each corner, as a share, by minute."""
    [d] = picture.paths(fill=BLUE)
    [element] = [each for each in picture.root.iter() if each.get("d") == d]
    scale = float(re.match(r"matrix\(\S+ 0 0 (\S+) ", element.get("transform"))[1])
    levels = round(100 / -scale)
    first, steps = re.fullmatch(r"M0 0V(\d+)l(.*)h1V0z", d).groups()
    numbers = [int(each) for each in re.findall(r"-?\d+", steps)]
    minute, height = 0, int(first)
    corners = {0: height / levels}
    for across, up in zip(numbers[::2], numbers[1::2], strict=True):
        minute, height = minute + across, height + up
        corners[minute] = height / levels
    return corners


def test_a_full_month_has_every_minute_in_every_session_though_some_close_early_and_one_ends_in_the_next_month():
    # 29 November 2024 closes early; on the 3rd the clocks change
    for month in (JANUARY, NOVEMBER):
        assert (minute_occupancy(every_minute(month), month, month.end) == 1).all()


def test_a_minute_that_is_missing_in_some_sessions_is_lower_by_their_share():
    starts = every_minute(JANUARY)
    # 15:00 Eastern is 20:00Z: taken from 3 of the 21 sessions
    gone = [second(f"2024-01-{day} 20:00:00") for day in ("02", "03", "04")]

    shares = minute_occupancy(starts[~np.isin(starts, gone)], JANUARY, JANUARY.end)

    assert shares[11 * 60] == pytest.approx(18 / 21)
    assert (np.delete(shares, 11 * 60) == 1).all()


def test_a_session_that_was_not_over_counts_as_far_as_bars_were_asked_for():
    through = datetime(2024, 1, 3, 15, 0, tzinfo=UTC)  # 10:00 Eastern of the second session
    starts = every_minute(JANUARY)

    shares = minute_occupancy(starts[starts < int(through.timestamp())], JANUARY, through)

    assert (shares == 1).all()
    assert minute_occupancy(starts[:1], JANUARY, through)[0] == 0.5


def test_minutes_that_no_session_has_had_are_unknown():
    through = datetime(2024, 1, 2, 10, 0, tzinfo=UTC)  # 05:00 Eastern of the first session

    shares = minute_occupancy(every_minute(JANUARY)[:60], JANUARY, through)

    assert (shares[:60] == 1).all()
    assert np.isnan(shares[60:]).all()


def test_bars_outside_every_session_count_nowhere():
    saturday = np.array([second("2024-01-06 15:00:00")])

    assert not minute_occupancy(saturday, JANUARY, JANUARY.end).any()


def test_the_outline_drops_at_the_missing_minute_and_nowhere_else():
    starts = every_minute(JANUARY)
    gone = [second(f"2024-01-{day:02d} 20:00:00") for day in range(1, 32)]

    picture = Drawn(draw_minutes_of_day("SPY", JANUARY, starts[~np.isin(starts, gone)], JANUARY.end).markdown)

    assert heights(picture) == {0: 1, 659: 1, 660: 0, 661: 1, 959: 1}
    assert picture.alt == (
        "SPY 2024-01: a minute of regular hours has a bar in 99.7% of the sessions on average, "
        "one before or after in 100.0%"
    )
    assert {"04:00", "09:30", "12:00", "16:00", "20:00", "regular hours"} <= set(picture.words)
    # 330 of 960 minutes along the 614 pixels from 58
    assert picture.place("09:30")[0] == pytest.approx(58 + 614 * 330 / 960, abs=0.06)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_quiet_month_is_small_to_keep(share):
    starts = every_minute(JANUARY)
    some = starts[np.random.default_rng(3).random(starts.size) < share]

    picture = draw_minutes_of_day("LONGESTSYMBOL.PRA", JANUARY, some, JANUARY.end)

    assert len(picture.markdown) < 6_000
    assert Drawn(picture.markdown).words


def test_a_month_with_evening_sessions_begins_at_eight_in_the_evening_before():
    hours = {date(2024, 1, 22): session_hours.parse("01:30-23:30")}
    exchange_calendar.set_overrides({}, hours)
    every = every_minute(JANUARY)

    shares = minute_occupancy(every, JANUARY, JANUARY.end)
    picture = Drawn(draw_minutes_of_day("SPY", JANUARY, every, JANUARY.end).markdown)

    # 20:00 to 23:30, a pause to 01:30, and on to 20:00
    assert shares.shape == (1440,)
    assert (shares[:210] == 1).all()
    assert np.isnan(shares[210:330]).all()
    assert (shares[330:] == 1).all()
    assert picture.words.count("20:00") == 2
    assert picture.place("09:30")[0] == pytest.approx(58 + 614 * 810 / 1440, abs=0.06)
