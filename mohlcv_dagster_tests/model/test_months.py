"""A month is a span of UTC: start inclusive, end exclusive."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.model.months import Month

months = st.builds(Month, st.integers(1970, 9998), st.integers(1, 12))


def test_a_month_s_bounds_are_its_first_instant_and_the_next_month_s():
    february = Month(2024, 2)
    assert february.start == datetime(2024, 2, 1, tzinfo=UTC)
    assert february.end == datetime(2024, 3, 1, tzinfo=UTC)
    assert (february.start_second, february.end_second) == (1_706_745_600, 1_709_251_200)


def test_december_ends_where_the_next_year_begins_also_the_last_one():
    assert Month(2023, 12).end == datetime(2024, 1, 1, tzinfo=UTC)
    assert Month(9998, 12).end == datetime(9999, 1, 1, tzinfo=UTC)


@given(months)
def test_a_month_is_read_back_from_its_key(month):
    assert Month.parse(str(month)) == month
    assert str(month) == month.start.strftime("%Y-%m")
    assert month.file_form == month.start.strftime("%Y_%m")


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31)))  # noqa: DTZ001 - hypothesis takes naive bounds
def test_every_moment_is_in_its_own_month(moment):
    moment = moment.replace(tzinfo=UTC)
    assert Month.of(moment).start <= moment < Month.of(moment).end


def test_a_moment_belongs_to_the_month_utc_has_then():
    eastern_evening = datetime(2024, 1, 31, 20, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert Month.of(eastern_evening) == Month(2024, 2)
    assert Month.of(datetime(2024, 1, 31, 20, 0)) == Month(2024, 1)  # noqa: DTZ001 - naive is what is tested
    assert Month.of(date(2024, 1, 31)) == Month(2024, 1)


@given(months.filter(lambda month: month < Month(9998, 12)))
def test_the_month_before_the_next_is_itself_and_they_touch(month):
    assert month.next().previous() == month
    assert month.next().start == month.end


def test_months_run_to_the_last_inclusive_across_a_year():
    assert [str(month) for month in Month(2023, 11).until(Month(2024, 2))] == [
        "2023-11",
        "2023-12",
        "2024-01",
        "2024-02",
    ]
    assert list(Month(2024, 2).until(Month(2024, 1))) == []


def test_months_are_ordered_as_time_is():
    assert sorted([Month(2024, 1), Month(2023, 12), Month(2023, 2)]) == [
        Month(2023, 2),
        Month(2023, 12),
        Month(2024, 1),
    ]


@pytest.mark.parametrize(
    "key", ["", "2024", "2024-1", "2024-13", "2024-00", "24-01", "2024_01", "2024-01-01", " 2024-01", "2024-01\n",
            "1969-12", "9999-01", "\u0662\u0660\u0662\u0664-01"]
)  # fmt: skip
def test_what_is_not_a_month_is_refused_with_the_form(key):
    with pytest.raises(MonthError, match="write it as 2024-01"):
        Month.parse(key)


def test_there_is_no_month_before_the_first_or_after_the_last():
    with pytest.raises(MonthError, match="1969-12 is not a month"):
        Month(1970, 1).previous()
    with pytest.raises(MonthError, match="9999-01 is not a month"):
        Month(9998, 12).next()


def test_a_month_has_two_neighbours_and_one_at_either_end_of_time():
    assert Month(2024, 1).neighbours == (Month(2023, 12), Month(2024, 2))
    assert Month(1970, 1).neighbours == (Month(1970, 2),)
    assert Month(9998, 12).neighbours == (Month(9998, 11),)
