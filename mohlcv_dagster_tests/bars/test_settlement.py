"""Expected moments are worked by hand from the exchange's published calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import sessions, settlement
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.settlement import State


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "settles", "why"),
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
def test_a_month_settles_at_eleven_eastern_on_the_trading_day_after_its_last_session(month, settles, why):
    at = settlement.settles_at(Month.parse(month))

    assert at == utc(settles), why
    assert settlement.state(Month.parse(month), at) is State.SETTLED
    assert settlement.state(Month.parse(month), at - timedelta(seconds=1)) is State.PROVISIONAL


@pytest.mark.parametrize(
    ("fetched", "through", "why"),
    [
        ("2024-01-31 16:00", "2024-01-31 01:00", "at 11:00 EST Tuesday's session settles: it ended at 20:00 EST"),
        ("2024-01-31 15:59:59", "2024-01-30 01:00", "a second before, it is Monday's"),
        ("2024-02-03 12:00", "2024-02-02 01:00", "on Saturday Friday's is not settled, Thursday's is"),
        ("2024-02-05 16:00", "2024-02-03 01:00", "on Monday Friday's is"),
        ("2024-12-02 16:00", "2024-11-29 22:00", "an early close ends at 17:00 EST"),
        (
            "2024-03-11 15:00",
            "2024-03-09 01:00",
            "clocks went forward on Sunday: 11:00 EDT settles a day that ended EST",
        ),
        ("2024-03-12 15:00", "2024-03-12 00:00", "and the next one ended at 20:00 EDT"),
        ("2001-09-14 16:00", "2001-09-08 00:00", "while the exchange was shut nothing settled"),
    ],
)
def test_bars_are_settled_through_the_session_before_the_one_that_reached_eleven_eastern(fetched, through, why):
    assert settlement.settled_through(utc(fetched)) == utc(through), why


def test_the_settled_part_of_a_month_lies_within_the_month():
    february = Month(2024, 2)

    assert settlement.settled_until(february, utc("2024-02-01 15:00")) == february.start
    assert settlement.settled_until(february, utc("2024-02-01 16:00")) == utc("2024-02-01 01:00")
    assert settlement.settled_until(february, utc("2024-03-01 15:59")) == utc("2024-02-29 01:00")
    assert settlement.settled_until(february, utc("2024-03-01 16:00")) == february.end
    assert settlement.settled_until(Month(2024, 11), utc("2024-12-02 16:00")) == utc("2024-12-01 00:00")


@pytest.mark.parametrize(
    ("fetched", "now", "due", "why"),
    [
        ("2024-11-29 16:15", "2024-11-30 16:15", True, "the rest of Friday"),
        ("2024-11-30 16:15", "2024-12-01 16:15", False, "on Sunday there is nothing that Saturday had not"),
        ("2024-11-30 16:15", "2024-12-02 15:59", False, "on Monday before eleven neither: the month has ended"),
        ("2024-11-30 16:15", "2024-12-02 16:15", True, "then Friday, and the month, has settled"),
        ("2024-12-02 16:15", "2024-12-03 16:15", False, "a settled month is left alone"),
        ("2024-11-12 16:15", "2024-11-12 16:16", True, "a session is open"),
        ("2024-11-12 03:00", "2024-11-12 04:00", False, "it is night"),
    ],
)
def test_a_provisional_month_is_due_when_bars_came_or_settled_since(fetched, now, due, why):
    assert settlement.is_due(Month(2024, 11), utc(fetched), utc(now)) is due, why


def test_a_month_has_traded_when_its_first_evening_is_over():
    assert settlement.has_traded(Month(2024, 2), utc("2024-02-01 01:00"))  # 20:00 EST on January 31st
    assert not settlement.has_traded(Month(2024, 2), utc("2024-02-01 00:59"))
    assert not settlement.has_traded(Month(2024, 7), utc("2024-07-01 23:59"))  # in summer the 1st itself, to 20:00 EDT
    assert settlement.has_traded(Month(2024, 7), utc("2024-07-02 00:00"))


moments = st.datetimes(datetime(2023, 6, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - the strategy wants naive bounds


@settings(deadline=None)  # the first look at a year loads its calendar
@given(moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_is_settled_only_grows_and_never_holds_a_session_of_today(moment, later):
    month = Month.of(moment)
    through = settlement.settled_through(moment)

    assert through <= settlement.settled_through(moment + later)
    assert through <= moment
    session = sessions.session_on(moment.astimezone(sessions.EASTERN).date())
    assert session is None or through <= session.extended_open
    assert month.start <= settlement.settled_until(month, moment) <= month.end
    settled = settlement.state(month, moment) is State.SETTLED
    assert (settlement.settled_until(month, moment) == month.end) is settled
