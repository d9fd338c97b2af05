"""Months whose sessions begin on the evening before, requested from the stand-in vendor: every bar, in full pages."""

from datetime import UTC, date, datetime

import numpy as np

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import calendar_file, exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.providers.massive.paging import SECOND, Timespan, cut
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket

SYMBOL = "XK"


def use(text: str) -> None:
    exchange_calendar.set_overrides({}, calendar_file.parse(text).hours)


def second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_a_month_whose_hours_change_is_fetched_with_the_evenings_of_its_sessions():
    use("from 2024-02-12 01:30-23:30\nfrom 2024-02-20 20:00-20:00")
    market, month = SyntheticMarket(), Month(2024, 2)
    days = market.days(SYMBOL, date(2024, 1, 31), date(2024, 2, 29))
    expected = np.concatenate([bar_table.seconds(market.bars(SYMBOL, day, RAW, adjusted=False)) for day in days])
    expected = expected[(expected >= month.start_second) & (expected < month.end_second)]

    with Sandbox(market) as sandbox, MassiveProvider("any", base_url=sandbox.url) as vendor:
        fetched = bar_table.seconds(vendor.fetch_month(SYMBOL, month).bars)

    assert np.array_equal(fetched, expected)
    evening = slice(*np.searchsorted(fetched, [second("2024-02-20 01:00"), second("2024-02-20 09:00")]))
    assert fetched[evening].size > 0  # the holiday's evening, 20:00 to 04:00
    assert not fetched[slice(*np.searchsorted(fetched, [second("2024-02-14 04:30"), second("2024-02-14 06:30")]))].size


def test_windows_hold_a_page_of_trading_seconds_whatever_the_hours():
    month = Month(2027, 2)  # 19 sessions
    bounds = month.start, month.end, Timespan.parse(SECOND)
    windows = {}
    for hours in ("04:00-20:00", "01:30-23:30", "20:00-20:00"):
        use(f"from 2027-01-01 {hours}")
        windows[hours] = len(cut(*bounds))

    # 57,600, 79,200 and 86,400 seconds a session
    assert windows == {"04:00-20:00": 22, "01:30-23:30": 31, "20:00-20:00": 33}


def test_a_month_in_progress_is_cut_up_to_an_evening_that_has_begun():
    use("from 2027-01-01 20:00-20:00")
    start, end = (datetime(2027, 2, day, hour, tzinfo=UTC) for day, hour in ((5, 21), (8, 9)))
    windows = cut(start, end, Timespan.parse(SECOND), most=3600)

    # Friday 16:00 to 20:00 and Sunday 20:00 to Monday 04:00 Eastern: 12 hours of trading
    assert len(windows) == 12
