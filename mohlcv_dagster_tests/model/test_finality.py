"""Expected moments are worked by hand from the exchange's published calendar."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, coverage, csv_codec
from mohlcv_dagster.charts import month_charts
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.runner import run_rules
from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model import exchange_calendar, finality
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import Finality, RefreshSpan
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "final", "why"),
    [
        ("2024-01", "2024-02-01 16:00", "Wednesday the 31st, then Thursday, 11:00 EST"),
        ("2024-02", "2024-03-01 16:00", "the 29th of a leap year, then Friday, EST"),
        ("2024-03", "2024-04-01 15:00", "Maundy Thursday the 28th, then Monday, EDT by now"),
        ("2024-11", "2024-12-02 16:00", "the early close on the 29th, then Monday"),
        ("2024-08", "2024-09-03 15:00", "Friday the 30th, then Tuesday behind Labor Day"),
        ("2023-12", "2024-01-02 16:00", "Friday the 29th, then Tuesday behind New Year's Day"),
        ("2001-09", "2001-10-01 15:00", "Friday the 28th, then Monday"),
    ],
)
def test_a_month_is_final_at_eleven_eastern_on_the_trading_day_after_its_last_session(month, final, why):
    at = finality.final_at(Month.parse(month))

    assert at == utc(final), why
    assert finality.state(Month.parse(month), at) is Finality.FINAL
    assert finality.state(Month.parse(month), at - timedelta(seconds=1)) is Finality.PROVISIONAL


@pytest.mark.parametrize(
    ("fetched", "through", "why"),
    [
        ("2024-01-31 16:00", "2024-01-31 01:00", "at 11:00 EST Tuesday's session becomes final: it ended at 20:00 EST"),
        ("2024-01-31 15:59:59", "2024-01-30 01:00", "a second before, it is Monday's"),
        ("2024-02-03 12:00", "2024-02-02 01:00", "on Saturday Friday's is not final, Thursday's is"),
        ("2024-02-05 16:00", "2024-02-03 01:00", "on Monday Friday's is"),
        ("2024-12-02 16:00", "2024-11-29 22:00", "an early close ends at 17:00 EST"),
        (
            "2024-03-11 15:00",
            "2024-03-09 01:00",
            "clocks went forward on Sunday: at 11:00 EDT a day is final that ended EST",
        ),
        ("2024-03-12 15:00", "2024-03-12 00:00", "and the next one ended at 20:00 EDT"),
        ("2001-09-14 16:00", "2001-09-08 00:00", "while the exchange was shut nothing became final"),
    ],
)
def test_bars_are_final_through_the_session_before_the_one_that_reached_eleven_eastern(fetched, through, why):
    assert finality.final_through(utc(fetched)) == utc(through), why


def test_the_final_part_of_a_month_lies_within_the_month():
    february = Month(2024, 2)

    assert finality.final_until(february, utc("2024-02-01 15:00")) == february.start
    assert finality.final_until(february, utc("2024-02-01 16:00")) == utc("2024-02-01 01:00")
    assert finality.final_until(february, utc("2024-03-01 15:59")) == utc("2024-02-29 01:00")
    assert finality.final_until(february, utc("2024-03-01 16:00")) == february.end
    assert finality.final_until(Month(2024, 11), utc("2024-12-02 16:00")) == utc("2024-12-01 00:00")


@pytest.mark.parametrize(
    ("fetched", "now", "due", "why"),
    [
        ("2024-11-29 16:15", "2024-11-30 16:15", True, "the rest of Friday"),
        ("2024-11-30 16:15", "2024-12-01 16:15", False, "on Sunday there is nothing that Saturday had not"),
        ("2024-11-30 16:15", "2024-12-02 15:59", False, "on Monday before eleven neither: the month has ended"),
        ("2024-11-30 16:15", "2024-12-02 16:15", True, "then Friday, and the month, is final"),
        ("2024-12-02 16:15", "2024-12-03 16:15", False, "a final month is left alone"),
        ("2024-11-12 16:15", "2024-11-12 16:16", True, "a session is open"),
        ("2024-11-12 03:00", "2024-11-12 04:00", False, "it is night"),
    ],
)
def test_a_provisional_month_is_due_when_bars_came_or_became_final_since(fetched, now, due, why):
    assert finality.needs_refresh(Month(2024, 11), utc(fetched), utc(now)) is due, why


def test_a_month_has_traded_when_its_first_evening_is_over():
    assert finality.has_traded(Month(2024, 2), utc("2024-02-01 01:00"))  # 20:00 EST on January 31st
    assert not finality.has_traded(Month(2024, 2), utc("2024-02-01 00:59"))
    assert not finality.has_traded(Month(2024, 7), utc("2024-07-01 23:59"))  # in summer the 1st itself, to 20:00 EDT
    assert finality.has_traded(Month(2024, 7), utc("2024-07-02 00:00"))


moments = st.datetimes(datetime(2023, 6, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - the strategy wants naive bounds


@settings(deadline=None)  # the first look at a year loads its calendar
@given(moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_is_final_only_grows_and_never_holds_a_session_of_today(moment, later):
    month = Month.of(moment)
    through = finality.final_through(moment)

    assert through <= finality.final_through(moment + later)
    assert through <= moment
    session = exchange_calendar.session_on(moment.astimezone(exchange_calendar.EASTERN).date())
    assert session is None or through <= session.extended_open
    assert month.start <= finality.final_until(month, moment) <= month.end
    final = finality.state(month, moment) is Finality.FINAL
    assert (finality.final_until(month, moment) == month.end) is final


FEBRUARY = Month(2024, 2)


@pytest.mark.parametrize(
    ("month", "fetched", "since", "provisional_from", "why"),
    [
        ("2024-02", "2024-02-14 17:00", "2024-02-13 20:00", "2024-02-14 01:00", "15:00 to 20:00 EST of Tuesday"),
        ("2024-02", "2024-02-01 15:00", "2024-02-01 00:00", "2024-02-01 00:00", "nothing of the month is final"),
        ("2024-02", "2024-02-01 17:00", "2024-02-01 00:00", "2024-02-01 01:00", "the evening of January 31st is"),
        ("2024-11", "2024-12-01 12:00", "2024-11-27 20:00", "2024-11-28 01:00", "Friday is final on Monday"),
        ("2024-11", "2024-11-30 12:00", "2024-11-27 20:00", "2024-11-28 01:00", "so it does on Saturday"),
        ("2024-07", "2024-07-05 16:00", "2024-07-03 16:00", "2024-07-03 21:00", "12:00 to 17:00 EDT of an early close"),
    ],
)
def test_asked_again_is_what_was_provisional_behind_the_last_final_closing_hour(
    month, fetched, since, provisional_from, why
):
    assert finality.refresh_span(Month.parse(month), utc(fetched)) == RefreshSpan(utc(since), utc(provisional_from)), (
        why
    )


def test_nothing_is_asked_again_of_a_final_month():
    assert finality.refresh_span(FEBRUARY, utc("2024-03-01 16:00")) is None
    assert finality.refresh_span(FEBRUARY, utc("2024-03-01 15:59")) is not None


@pytest.fixture
def override():
    """Use other hours for some days, in this test alone."""
    yield exchange_calendar.set_overrides
    exchange_calendar.set_overrides({})


def closed(first, last):
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days
    return {date.fromisoformat(first) + timedelta(days=number): None for number in range(days + 1)}


def test_a_month_without_a_session_is_final_at_the_next_session_and_has_never_traded(override):
    override(closed("2024-01-31", "2024-03-10"))

    assert finality.final_at(Month(2024, 2)) == utc("2024-03-11 15:00")  # Monday, 11:00 EDT
    assert finality.final_at(Month(2024, 1)) == utc("2024-03-11 15:00")  # its last session is on the 30th
    assert finality.final_through(utc("2024-03-11 14:59")) == utc("2024-01-30 01:00")  # Monday the 29th, 20:00 EST
    assert finality.final_through(utc("2024-03-11 15:00")) == utc("2024-01-31 01:00")
    assert not finality.has_traded(Month(2024, 2), utc("2024-03-30 00:00"))
    assert finality.refresh_span(Month(2024, 2), utc("2024-02-20 00:00")).since == Month(2024, 2).start


def test_overrides_that_close_the_exchange_for_a_year_are_refused_with_the_setting_to_correct(override):
    override(closed("2024-01-01", "2026-01-01"))

    with pytest.raises(CalendarError, match=r"no session in the year after 2024-06-30: .*MOHLCV_CALENDAR"):
        finality.final_at(Month(2024, 6))
    with pytest.raises(CalendarError, match=r"no session in the year before 2025-07-02: .*MOHLCV_CALENDAR"):
        finality.final_through(utc("2025-07-01 16:00"))


hours = st.one_of(
    st.none(),
    st.tuples(st.integers(4 * 60, 20 * 60 - 1), st.integers(4 * 60 + 1, 20 * 60))
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: exchange_calendar.Hours(*(time(*divmod(minute, 60)) for minute in pair))),
)
overridden = st.dictionaries(st.dates(date(2023, 12, 20), date(2024, 3, 10)), hours, max_size=80)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(overridden, moments, st.integers(1, 3))
def test_whatever_days_are_overridden_a_month_is_decided_measured_and_drawn(override, days, moment, number):
    override(days)
    month = Month(2024, number)
    moment = max(moment.replace(year=2024), month.start)

    assert finality.final_at(month) > month.end - timedelta(days=5)
    assert finality.final_through(moment) <= moment
    finality.needs_refresh(month, moment, moment + timedelta(days=1))
    finality.refresh_span(month, moment)
    finality.has_traded(month, moment)
    starts = np.arange(month.start_second, month.end_second, 3601)
    coverage.measure(starts, month, month.end)
    prices = dict.fromkeys(("open", "high", "low", "close"), np.ones(starts.size))
    bars = bar_table.from_arrays(starts, prices, np.ones(starts.size, np.int64))
    month_charts.draw_session_prices("SPY", month, bars, month.end)
    month_charts.draw_minutes_of_day("SPY", month, starts, month.end)
    file = BarFile("SPY", RAW, month)
    reading = Reading.of(csv_codec.encode(bars))
    assert run_rules(CheckInput(file, reading, reading)).results
