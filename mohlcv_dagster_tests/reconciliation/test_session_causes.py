"""Shifts and factors that explain whole sessions are found; labels that are early on both sides, by the auction."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.reconciliation import DifferenceKind, shows_openings
from mohlcv_dagster_tests.real import needs_real
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.mismatches import seed_named
from mohlcv_dagster_tests.reconciliation.reconciled_months import Case

MONTH = Month(2024, 7)
ALL = "the sessions 2024-01-31 to 2024-02-29"
BELLS = [1719840600, 1719927000, 1720013400]
"""13:30 UTC of 1, 2 and 3 July 2024."""


def case(leads, *, largest=100_000):
    """Sessions of 72 busy seconds around the bell, whose largest volume stands so many seconds before it."""
    t = np.concatenate([bell + np.arange(-60, 12) for bell in BELLS[: len(leads)]])
    v = np.full(len(t), 100)
    v[np.isin(t, [bell - lead for bell, lead in zip(BELLS, leads, strict=False)])] = largest
    price = np.full(len(t), 10.0)
    bars = reconciled_months.Bars.of(bar_table.from_arrays(t, dict.fromkeys(bar_files.PRICES, price), v))
    return Case(MONTH, bars, bars.minutes())


def test_an_auction_before_the_bell_on_both_sides_is_an_early_label_told_with_its_days():
    found = case([1, 1, 1]).reconcile()
    assert dict(found.counts) == {DifferenceKind.SHIFTED_LABEL: 3}
    [cause] = found.causes
    assert cause.sentence == (
        "every label of the sessions 2024-07-01 to 2024-07-03 is 1 second early on both sides: "
        "the opening auction is before the opening"
    )
    starts = bar_table.seconds(found.differing).tolist()
    assert starts == [bell - 60 for bell in BELLS]


def quiet_case(leads):
    """Sessions of a bar every ten seconds around the bell, and an auction so many seconds before it."""
    bells = [*BELLS, 1720186200, 1720445400][: len(leads)]
    auctions = np.array(bells) - np.array(leads)
    t = np.union1d(np.concatenate([bell + np.arange(-57, 12, 10) for bell in bells]), auctions)
    v = np.where(np.isin(t, auctions), 5_000, 100)
    bars = reconciled_months.Bars.of(
        bar_table.from_arrays(t, dict.fromkeys(bar_files.PRICES, np.full(len(t), 10.0)), v)
    )
    return Case(MONTH, bars, bars.minutes())


@pytest.mark.parametrize(("leads", "early"), [([1] * 5, 5), ([1, 1, 1, 1, 0], 4), ([1] * 3, 0), ([0, 1, 0, 1, 1], 0)])
def test_a_symbol_that_does_not_trade_every_second_shows_early_labels_in_four_sessions_or_more(leads, early):
    assert quiet_case(leads).reconcile().counts.get(DifferenceKind.SHIFTED_LABEL, 0) == early


@pytest.mark.parametrize(
    ("leads", "shown"),
    [([0, 0, 0], True), ([0, 0, -1], True), ([-1, -2, -3], False), ([5, 0, -1], False), ([0], False)],
)
def test_whether_labels_are_early_is_shown_by_auctions_in_the_opening_second(leads, shown):
    assert shows_openings(case(leads).seconds.table(), MONTH) is shown


@pytest.mark.parametrize(
    ("leads", "largest"),
    [
        pytest.param([0, 0, 0], 100_000, id="at the bell"),
        pytest.param([-1, -1, -1], 100_000, id="a second after it, as some auctions are"),
        pytest.param([2, 2, 2], 100_000, id="two seconds before it"),
        pytest.param([1], 100_000, id="in one session, which a block may be"),
        pytest.param([1, 1, 0], 100_000, id="in two sessions of three"),
        pytest.param([1, 1, 1], 190, id="less than twice any other"),
    ],
)
def test_what_may_be_as_it_should_is_not_called_early(leads, largest):
    found = case(leads, largest=largest).reconcile()
    assert (dict(found.counts), found.causes) == ({}, ())


def test_early_seconds_beside_right_minutes_are_told_as_ours_alone():
    right = case([0, 0, 0])
    found = replace(right, seconds=replace(right.seconds, t=right.seconds.t - 1)).reconcile()
    assert set(found.counts) == {DifferenceKind.SHIFTED_LABEL}
    assert not any(cause.both for cause in found.causes)


@pytest.mark.parametrize(("symbol", "shift"), [("SPY", 0), ("SPY", 1), ("TSLA", 0), ("TSLA", 1)])
def test_busy_synthetic_sessions_are_not_called_early(symbol, shift):
    days = tuple(date(2024, 1, day) for day in (2, 3, 4))
    clean = reconciled_months.clean(symbol, Month(2024, 1), days)
    moved = replace(clean.seconds, t=clean.seconds.t + shift)
    assert dict(replace(clean, seconds=moved, vendor=moved.minutes()).reconcile().counts) == {}


@needs_real
@pytest.mark.parametrize(("shift", "told"), [(-1, 2), (0, 0), (1, 0)])
def test_real_seconds_labelled_early_are_told_although_the_minutes_made_of_them_agree(shift, told):
    real = reconciled_months.real()
    moved = replace(real.seconds, t=real.seconds.t + shift)
    found = replace(real, seconds=moved, vendor=moved.minutes()).reconcile()
    assert sum(found.counts.values()) == found.counts.get(DifferenceKind.SHIFTED_LABEL, 0) == told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("a session one second early", "every label of 2024-02-01 is 1 second early"),
        ("a session one second late", "every label of 2024-02-01 is 1 second late"),
        ("the month one second early", f"every label of {ALL} is 1 second early"),
        ("a session an hour early", "every label of 2024-02-01 is 1 hour early"),
        (
            "half our price, twice our volume, a session",
            "the vendor's minutes of 2024-02-01 have prices 2 times and volumes 1/2 times ours",
        ),
        (
            "the vendor adjusted 3 for 2, the month",
            f"the vendor's minutes of {ALL} have prices 2/3 times and volumes 3/2 times ours",
        ),
    ],
)
def test_what_explains_a_session_is_told_once_with_its_days(words, sentence):
    found = seed_named(words).make(reconciled_months.winter()).reconcile()
    assert [cause.sentence for cause in found.causes] == [sentence]


def test_two_sessions_shifted_in_opposite_ways_are_told_apart():
    case = reconciled_months.winter()
    early = seed_named("a session one second early").make(case)
    last = early.day_of(early.seconds.t) == date(2024, 2, 28).toordinal()
    both = replace(early, seconds=early.seconds.changed(last, t=early.seconds.t[last] + 1))
    assert [cause.sentence for cause in both.reconcile().causes] == [
        "every label of 2024-02-01 is 1 second early",
        "every label of 2024-02-28 is 1 second late",
    ]


@pytest.mark.parametrize("other", ["auctions in the vendor's minutes alone", "the last second of six minutes lost"])
def test_what_differs_next_to_a_shift_is_still_put_in_its_kind(other):
    case = seed_named(other).make(reconciled_months.winter())
    found = seed_named("the month one second early").make(case).reconcile()
    assert found.counts[seed_named(other).kind] == case.touched
    assert set(found.counts) == {DifferenceKind.SHIFTED_LABEL, seed_named(other).kind}


def test_wrong_closes_of_shifted_seconds_are_told_as_both():
    case = seed_named("a wrong close in half the vendor's minutes").make(reconciled_months.winter())
    alone = case.reconcile().counts[DifferenceKind.UNKNOWN]
    found = seed_named("the month one second early").make(case).reconcile()
    assert [cause.shift for cause in found.causes] == [1]
    assert found.counts[DifferenceKind.UNKNOWN] == alone


def test_a_shift_is_seen_among_other_differences_in_a_tenth_of_the_minutes():
    case = reconciled_months.winter()
    many = np.arange(len(case.vendor.t)) % 10 == 3
    revised = replace(case, vendor=case.vendor.changed(many, v=case.vendor.v[many] * 2))
    found = seed_named("the month one second early").make(revised).reconcile()
    assert [cause.shift for cause in found.causes] == [1]
    assert found.counts[DifferenceKind.SHIFTED_LABEL] > 400
    assert DifferenceKind.UNKNOWN not in found.counts


def test_a_session_that_one_side_lacks_is_no_shift():
    case = reconciled_months.winter()
    day = case.day_of(case.seconds.t)
    found = replace(case, seconds=case.seconds.take(day != date(2024, 2, 2).toordinal())).reconcile()
    assert (found.causes, set(found.counts)) == ((), {DifferenceKind.MISSING_SECOND})
    assert found.counts[DifferenceKind.MISSING_SECOND] > 500


@needs_real
def test_volumes_of_another_market_at_the_same_prices_are_no_factor():
    case = reconciled_months.real("fractional")
    shuffled = np.random.default_rng(7).permutation(case.vendor.v) + 0.001
    found = replace(case, vendor=replace(case.vendor, v=shuffled)).reconcile()
    assert found.causes == ()
    assert DifferenceKind.SPLIT_BASIS not in found.counts
