"""Why a month is empty: worked by hand from days of public record."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.model.listings import (
    EmptyMonthCause,
    Listing,
    Split,
    executed_by,
    explain_empty_month,
    missing_splits,
)
from mohlcv_dagster.model.months import Month

TSLA = Listing("TSLA", known=True, exists=True, name="Tesla, Inc.", listed=date(2010, 6, 29), renames=())
TWTR = Listing("TWTR", known=True, exists=True, listed=date(2013, 11, 7), delisted=date(2022, 10, 28), renames=())
CHAIN = ((date(2012, 5, 18), "FB"), (date(2022, 6, 9), "META"))
META = Listing("META", known=True, exists=True, name="Meta", listed=date(2012, 5, 18), renames=CHAIN)


def why(listing, key, through=None):
    month = Month.parse(key)
    return explain_empty_month(listing, month, through or month.end)


@pytest.mark.parametrize(
    ("listing", "month", "reason"),
    [
        (TSLA, "2010-05", "Tesla, Inc. was listed 2010-06-29, after this month"),
        (TSLA, "2003-09", "Tesla, Inc. was listed 2010-06-29, after this month"),
        (TWTR, "2022-11", "TWTR was delisted 2022-10-28, before this month"),
        (TWTR, "2013-10", "TWTR was listed 2013-11-07, after this month"),
        (META, "2022-05", "Meta was FB in this month and the change was on 2022-06-09: its bars are those of FB"),
        (META, "2012-06", "Meta was FB in this month"),
        (META, "2012-04", "Meta was listed 2012-05-18, after this month"),
    ],
)
def test_a_month_in_which_nobody_could_trade_the_symbol_is_explained(listing, month, reason):
    empty = why(listing, month)
    assert empty.cause is EmptyMonthCause.EXPLAINED
    assert empty.reason.startswith(reason)


def test_the_old_symbol_of_a_company_is_explained_after_the_change():
    facebook = Listing("FB", known=True, exists=True, name="Meta", listed=date(2012, 5, 18), renames=CHAIN)
    empty = why(facebook, "2022-07")
    assert empty.cause is EmptyMonthCause.EXPLAINED
    assert empty.reason.startswith("Meta was META in this month and the change was on 2022-06-09")
    assert why(facebook, "2022-05").cause is EmptyMonthCause.UNEXPLAINED


@pytest.mark.parametrize(
    ("listing", "month", "reason"),
    [
        (
            TSLA,
            "2010-07",
            "Tesla, Inc. has been listed since 2010-06-29 and was TSLA all month, in which the exchange held 21",
        ),
        (
            TWTR,
            "2022-09",
            "TWTR has been listed since 2013-11-07 and was TWTR all month, in which the exchange held 21",
        ),
        (
            META,
            "2022-07",
            "Meta has been listed since 2012-05-18 and was META all month, in which the exchange held 20",
        ),
    ],
)
def test_a_month_through_which_the_symbol_was_listed_is_not_explained(listing, month, reason):
    empty = why(listing, month)
    assert (empty.cause, empty.reason) == (EmptyMonthCause.UNEXPLAINED, f"{reason} sessions")


@pytest.mark.parametrize(
    ("listing", "month", "reason"),
    [
        (TSLA, "2010-06", "Tesla, Inc. was listed 2010-06-29, within this month; the exchange held 2 sessions"),
        (TWTR, "2022-10", "TWTR was delisted 2022-10-28, within this month; the exchange held 19 sessions"),
        (META, "2022-06", "Meta changed its symbol within this month, on 2022-06-09"),
        (
            Listing("X", known=True, exists=True, listed=date(2024, 1, 31)),
            "2024-01",
            "X was listed 2024-01-31, within this month; the exchange held 1 session in which",
        ),
        (Listing("X", known=True, exists=True), "2024-01", "the vendor does not say since when X is listed"),
        (
            Listing("X", known=True, exists=True, listed=date(2000, 1, 3)),
            "2024-01",
            "X has been listed since 2000-01-03, but its former symbols are unknown",
        ),
        (
            Listing("X", known=False, why_unknown="the plan has none"),
            "2024-01",
            "whether it was listed then is unknown: the plan has none",
        ),
    ],
)
def test_what_cannot_be_told_is_unknown_and_says_what(listing, month, reason):
    empty = why(listing, month)
    assert empty.cause is EmptyMonthCause.UNKNOWN
    assert empty.reason.startswith(reason)


def test_a_symbol_that_nobody_has_or_had_is_told_as_such():
    empty = why(Listing("SYP", known=True), "2024-01")
    assert (empty.cause, empty.reason) == (
        EmptyMonthCause.NO_SUCH_SYMBOL,
        "the vendor knows no symbol SYP, of today or before",
    )


def test_a_month_whose_first_session_is_not_over_may_well_be_empty():
    morning = datetime(2024, 1, 2, 20, 59, 59, tzinfo=UTC)  # the session of 2024-01-02 closes at 16:00 Eastern, 21:00Z
    assert why(TSLA, "2024-01", morning) == explain_empty_month(TSLA, Month(2024, 1), morning)
    assert why(TSLA, "2024-01", morning).cause is EmptyMonthCause.EXPLAINED
    assert "no session of the exchange was over by 2024-01-02 20:59Z" in why(TSLA, "2024-01", morning).reason
    assert why(TSLA, "2024-01", datetime(2024, 1, 2, 21, tzinfo=UTC)).reason.endswith("the exchange held 1 session")


def test_a_chain_of_symbols_that_does_not_name_the_one_asked_for_says_nothing():
    alphabet = Listing(
        "GOOGL", known=True, exists=True, listed=date(2004, 8, 19), renames=((date(2015, 10, 6), "GOOG"),)
    )
    assert why(alphabet, "2014-01").cause is EmptyMonthCause.UNEXPLAINED


days = st.dates(date(2020, 1, 1), date(2021, 12, 31))


@settings(deadline=None)  # the first month of a year loads its calendar
@given(
    listed=st.none() | days,
    delisted=st.none() | days,
    changes=st.none() | st.lists(st.tuples(days, st.sampled_from(["A", "B", "C"])), unique_by=lambda each: each[0]),
    month=st.builds(Month, st.integers(2020, 2021), st.integers(1, 12)),
)
def test_a_month_is_called_wrong_only_where_the_symbol_was_borne_and_listed_on_each_of_its_days(
    listed, delisted, changes, month
):
    renames = None if changes is None else tuple(sorted(changes))
    listing = Listing("A", known=True, exists=True, listed=listed, delisted=delisted, renames=renames)
    if explain_empty_month(listing, month, month.end).cause is not EmptyMonthCause.UNEXPLAINED:
        return
    assert listed is not None
    assert listed <= month.start.date()
    assert delisted is None or delisted >= month.end.date()
    assert renames is not None
    if any(symbol == "A" for _, symbol in renames):
        for day in (month.start.date(), date(month.year, month.month, 15), date(month.year, month.month, 28)):
            assert [symbol for since, symbol in renames if since <= day][-1:] in (["A"], [])


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
