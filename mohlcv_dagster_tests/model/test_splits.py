from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.splits import Split, executed_by, missing_splits

FOUR = Split(date(2020, 8, 31), 1, 4)
SEVEN = Split(date(2014, 6, 9), 1, 7)


@pytest.mark.parametrize(
    ("executed", "month", "affected"),
    [
        (date(2020, 8, 31), "2020-07", True),
        (date(2020, 8, 31), "2020-08", True),  # its bars up to the 30th
        (date(2020, 8, 31), "2020-09", False),
        (date(2024, 7, 1), "2024-07", True),  # 00:00Z of the month to 04:00Z, midnight in New York
        (date(2024, 1, 1), "2024-01", True),
        (date(2024, 1, 1), "2024-02", False),
    ],
)
def test_a_split_affects_the_months_that_have_a_moment_before_its_eastern_day(executed, month, affected):
    assert Split(executed, 1, 2).affects(Month.parse(month)) is affected


def test_a_split_is_executed_from_midnight_in_new_york():
    assert executed_by([FOUR, SEVEN], datetime(2020, 8, 31, 3, 59, tzinfo=UTC)) == (SEVEN,)
    assert executed_by([FOUR, SEVEN], datetime(2020, 8, 31, 4, 0, tzinfo=UTC)) == (SEVEN, FOUR)


def test_bars_lack_the_splits_executed_after_they_were_fetched_though_announced_before():
    fetched = datetime(2020, 8, 10, tzinfo=UTC)
    assert missing_splits(Month(2020, 7), fetched, (SEVEN, FOUR), (SEVEN, FOUR)) == (FOUR,)
    assert missing_splits(Month(2020, 9), fetched, (SEVEN, FOUR), (SEVEN, FOUR)) == ()


def test_bars_lack_a_split_that_the_vendor_learnt_of_late():
    fetched = datetime(2020, 9, 10, tzinfo=UTC)
    assert missing_splits(Month(2020, 7), fetched, (SEVEN,), (SEVEN, FOUR)) == (FOUR,)
    assert missing_splits(Month(2020, 7), fetched, None, (SEVEN, FOUR)) == ()
    assert missing_splits(Month(2020, 7), datetime(2020, 8, 10, tzinfo=UTC), None, (SEVEN, FOUR)) == (FOUR,)


def test_a_corrected_ratio_is_another_split():
    fetched, wrong = datetime(2020, 9, 10, tzinfo=UTC), Split(FOUR.executed, 1, 5)
    assert missing_splits(Month(2020, 7), fetched, (wrong,), (FOUR,)) == (FOUR,)


def test_a_split_reads_as_people_say_it():
    assert str(FOUR) == "4 for 1 on 2020-08-31"
    assert str(Split(date(2024, 1, 2), 8, 1)) == "1 for 8 on 2024-01-02"


moments = st.datetimes(datetime(2005, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
splits = st.builds(Split, st.dates(date(2005, 1, 1), date(2024, 12, 31)), st.just(1.0), st.sampled_from([2.0, 4.0]))


@given(
    known=st.frozensets(splits),
    fetched=moments,
    later=moments,
    month=st.builds(Month, st.integers(2005, 2024), st.integers(1, 12)),
)
def test_bars_lack_exactly_the_splits_executed_between_their_fetch_and_now_that_are_after_the_months_start(
    known, fetched, later, month
):
    now = executed_by(known, later)
    lacking = missing_splits(month, fetched, known, now)
    for split in known:
        begins = datetime(split.executed.year, split.executed.month, split.executed.day, 4, tzinfo=UTC)  # or 05:00Z
        between = fetched + timedelta(hours=1) < begins < later - timedelta(hours=1)
        if between and begins > month.start + timedelta(hours=1):
            assert split in lacking
        if begins > later + timedelta(hours=1) or begins < fetched - timedelta(hours=1) or begins < month.start:
            assert split not in lacking
