"""Hours of trading days as data: how they are written, from which day on they are valid, and the sessions they make."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model import calendar_file, exchange_calendar, finality, session_hours
from mohlcv_dagster.model.exchange_calendar import Hours
from mohlcv_dagster.model.finality import RefreshSpan
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.session_hours import SessionHours


def use(text: str) -> None:
    found = calendar_file.parse(text)
    exchange_calendar.set_overrides(found.days, found.hours)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(day: str) -> list[tuple[str, str]]:
    session = exchange_calendar.session_on(date.fromisoformat(day))
    return [(f"{opens:%m-%d %H:%M}", f"{closes:%m-%d %H:%M}") for opens, closes in session.spans]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("04:00-20:00", (240, 1200)),
        ("01:30-20:00", (90, 1200)),
        ("01:30-23:30", (90, 1200, (1200, 1410))),  # what is after 20:00 is the next day's evening
        ("21:00-20:00", (0, 1200, (1260, 1440))),
        ("20:00-20:00", (0, 1200, (1200, 1440))),
        ("00:00-24:00", (0, 1200, (1200, 1440))),
        ("22:00-18:00", (0, 1080, (1320, 1440))),
    ],
)
def test_hours_are_those_of_the_day_and_of_the_evening_before_it(text, hours):
    assert session_hours.parse(text) == SessionHours(*hours)


@pytest.mark.parametrize("text", ["04:00-20:00", "01:30-20:00", "01:30-23:30", "21:00-20:00", "20:00-20:00"])
def test_hours_are_told_as_they_were_written(text):
    assert session_hours.parse(text).clock == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("4:00-20:00", "line 1: '4:00-20:00' is invalid: write open and close in Eastern time, such as 04:00-20:00"),
        ("closed", "line 1: 'closed' is invalid: write open and close in Eastern time"),
        ("25:00-20:00", "line 1: '25:00-20:00' is invalid: write open and close"),
        ("04:00-24:30", "line 1: '04:00-24:30' is invalid: a clock goes from 00:00 to 24:00"),
        ("24:00-20:00", "line 1: '24:00-20:00' is invalid: a clock goes from 00:00 to 24:00, and 24:00 is an end only"),
        ("10:00-20:00", "line 1: '10:00-20:00' is invalid: the hours must hold 09:30-16:00"),
        ("04:00-15:59", "line 1: '04:00-15:59' is invalid: the hours must hold 09:30-16:00"),
        (
            "19:00-18:00",
            "line 1: '19:00-18:00' is invalid: the hours must hold 09:30-16:00, and a trading",
        ),
        ("23:00-21:00", "line 1: '23:00-21:00' is invalid: the hours must hold 09:30-16:00"),
    ],
)
def test_other_hours_are_refused_with_what_to_write(text, told):
    with pytest.raises(CalendarError) as refused:
        calendar_file.parse(f"from 2027-03-01 {text}")

    assert str(refused.value).startswith(told)


def test_a_file_has_days_and_changes_of_hours_and_a_day_may_be_both():
    text = "from 2026-12-07  21:00-20:00  # a Monday\n2026-12-07 closed\nfrom 2027-03-01 20:00-20:00\n"
    found = calendar_file.parse(text)

    assert found.days == {date(2026, 12, 7): None}
    assert {day: hours.clock for day, hours in found.hours.items()} == {
        date(2026, 12, 7): "21:00-20:00",
        date(2027, 3, 1): "20:00-20:00",
    }
    with pytest.raises(CalendarError, match=r"line 2: '2027-03-01' is invalid: line 1 has the same day; keep one"):
        calendar_file.parse("from 2027-03-01 20:00-20:00\nfrom 2027-03-01 04:00-20:00")
    with pytest.raises(CalendarError, match=r"line 1: 'from 2027-03-01' is invalid: write a date and its hours"):
        calendar_file.parse("from 2027-03-01")


def test_without_a_line_every_day_ever_is_from_four_to_eight():
    by_date = exchange_calendar.hours_by_date()

    assert by_date.changes == {}
    assert {by_date.on(date(year, 12, 31)).clock for year in range(1971, 2200)} == {"04:00-20:00"}


# 10 August 2026 is a Monday, clocks are at EDT: 20:00 is 00:00Z of the next day
CHANGING = "from 2026-08-12 01:30-23:30\nfrom 2026-08-19 20:00-20:00\n"


def test_hours_that_change_in_the_middle_of_a_month_are_those_of_each_trading_day():
    use(CHANGING)

    assert spans("2026-08-11") == [("08-11 08:00", "08-12 00:00")]
    assert spans("2026-08-12") == [("08-12 00:00", "08-12 03:30"), ("08-12 05:30", "08-13 00:00")]
    assert spans("2026-08-17") == [("08-17 00:00", "08-17 03:30"), ("08-17 05:30", "08-18 00:00")]  # Sunday evening
    assert spans("2026-08-19") == [("08-19 00:00", "08-20 00:00")]
    assert exchange_calendar.source().endswith("XNYS; 01:30-23:30 from 2026-08-12; 20:00-20:00 from 2026-08-19")


def test_an_evening_belongs_to_the_next_day_and_before_the_change_no_day_has_one():
    use(CHANGING)
    days = {
        "2026-08-11 23:59": date(2026, 8, 11),
        "2026-08-12 00:00": date(2026, 8, 12),  # 20:00 EDT
        "2026-08-11 03:59": date(2026, 8, 10),  # to midnight
        "2026-08-16 01:00": date(2026, 8, 16),  # a Saturday's evening is no session's
        "2026-08-17 01:00": date(2026, 8, 17),
    }
    assert {text: exchange_calendar.trading_day_of(utc(text)) for text in days} == days


def test_a_holiday_and_its_eve_have_none_and_its_own_evening_is_the_next_sessions():
    use("from 2026-01-01 21:00-20:00")

    assert exchange_calendar.session_on(date(2026, 11, 26)) is None  # Thanksgiving
    assert spans("2026-11-25") == [("11-25 02:00", "11-26 01:00")]
    assert spans("2026-11-27") == [("11-27 02:00", "11-27 22:00")]  # an early close: to 17:00
    assert spans("2026-11-30") == [("11-30 02:00", "12-01 01:00")]


def test_both_changes_of_clocks_move_the_evening_with_them():
    use("from 2026-01-01 20:00-20:00")

    assert spans("2026-03-06") == [("03-06 01:00", "03-07 01:00")]  # Friday, EST
    assert spans("2026-03-09") == [("03-09 00:00", "03-10 00:00")]  # Sunday evening, EDT
    assert spans("2026-10-30") == [("10-30 00:00", "10-31 00:00")]
    assert spans("2026-11-02") == [("11-02 01:00", "11-03 01:00")]


def test_a_print_on_the_evening_before_a_month_is_of_the_file_and_of_the_session_of_that_month():
    use("from 2026-12-07 20:00-20:00")
    moment = utc("2027-02-01 02:00")  # Sunday 2027-01-31, 21:00 Eastern
    [first, *_] = exchange_calendar.sessions_overlapping(Month(2027, 2))

    assert Month.of(moment) == Month(2027, 2)
    assert exchange_calendar.trading_day_of(moment) == first.date == date(2027, 2, 1)
    assert first.extended_open <= moment
    assert all(session.extended_close <= moment for session in exchange_calendar.sessions_overlapping(Month(2027, 1)))


def test_a_months_end_is_final_by_its_own_last_session_whatever_the_hours():
    """January's file ends on Sunday at 19:00 Eastern, before the evening of February 1st begins."""
    use("from 2026-12-07 20:00-20:00")

    assert finality.final_at(Month(2027, 1)) == utc("2027-02-01 16:00")  # Monday, 11:00 EST, of Friday's session
    assert finality.final_at(Month(2027, 2)) == utc("2027-03-01 16:00")
    assert finality.final_through(utc("2027-02-01 02:00")) == utc("2027-01-29 01:00")  # Sunday: Thursday's end
    assert finality.final_through(utc("2027-02-01 16:00")) == utc("2027-01-30 01:00")  # Friday's
    assert not finality.needs_refresh(Month(2027, 2), utc("2027-02-06 12:00"), utc("2027-02-07 23:00"))  # a weekend
    assert finality.needs_refresh(Month(2027, 2), utc("2027-02-06 12:00"), utc("2027-02-08 01:01"))  # Sunday 20:01
    assert not finality.has_traded(Month(2027, 2), utc("2027-02-01 20:00"))
    assert finality.has_traded(Month(2027, 2), utc("2027-02-02 01:00"))
    assert finality.refresh_span(Month(2027, 2), utc("2027-02-10 17:00")) == RefreshSpan(
        utc("2027-02-09 20:00"), utc("2027-02-10 01:00")
    )


def test_nothing_new_can_come_in_a_pause():
    use("from 2026-12-07 01:30-23:30")

    asked = utc("2027-02-10 04:35"), utc("2027-02-10 06:25")  # 23:35 and 01:25 Eastern
    assert not finality.needs_refresh(Month(2027, 2), *asked)
    assert finality.needs_refresh(Month(2027, 2), asked[0], asked[1] + timedelta(minutes=6))


clocks = st.sampled_from(
    ["04:00-20:00", "01:30-20:00", "01:30-23:30", "21:00-20:00", "20:00-20:00", "20:30-16:00", "09:30-16:00"]
)
changes = st.dictionaries(st.dates(date(2024, 2, 1), date(2024, 4, 30)), clocks, max_size=6)
regular = st.sampled_from([None, (4 * 60, 20 * 60), (9 * 60 + 30, 13 * 60), (12 * 60, 20 * 60)])
own = st.dictionaries(st.dates(date(2024, 2, 1), date(2024, 4, 30)), regular, max_size=20)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, own)
def test_sessions_rise_and_no_second_belongs_to_two_of_them(hours, days):
    clock = {at: Hours(*(time(*divmod(minute, 60)) for minute in pair)) if pair else None for at, pair in days.items()}
    exchange_calendar.set_overrides(clock, {day: session_hours.parse(text) for day, text in hours.items()})
    sessions = exchange_calendar.sessions_between(date(2024, 1, 25), date(2024, 5, 7))
    moments = [moment for session in sessions for span in session.spans for moment in span]

    assert moments == sorted(moments)
    assert all(opens < closes for session in sessions for opens, closes in session.spans)
    for session in sessions:
        opens, closes = session.spans[-1]
        assert opens <= session.regular_open < session.regular_close <= closes
        assert {exchange_calendar.trading_day_of(span[0]) for span in session.spans} == {session.date}
        last = exchange_calendar.trading_day_of(closes - timedelta(seconds=1))
        assert last == session.date
        assert Month.of(session.extended_open) == Month.of(session.date)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes)
def test_every_session_is_in_the_months_that_its_hours_share(hours):
    exchange_calendar.set_overrides({}, {day: session_hours.parse(text) for day, text in hours.items()})
    every = exchange_calendar.sessions_between(date(2024, 1, 1), date(2024, 5, 31))
    for month in (Month(2024, 2), Month(2024, 3), Month(2024, 4)):
        shared = [s for s in every if any(a < month.end and b > month.start for a, b in s.spans)]
        assert list(exchange_calendar.sessions_overlapping(month)) == shared
