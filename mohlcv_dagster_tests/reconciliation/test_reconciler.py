"""Every seeded difference lands in its kind and in no other; clean minutes, synthetic and real, have none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import BarsError, UnsortedBarsError
from mohlcv_dagster.reconciliation import KINDS, DifferenceKind
from mohlcv_dagster_tests.real import needs_real
from mohlcv_dagster_tests.reconciliation import reconciled_months, reconciliation_table
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS, Seed, seed_named

DOCS = Path(__file__).parents[2] / "docs"
EVENING = ("cut in Eastern days", "half hour of the month")
"""Need a month that begins or ends with an evening session."""
AROUND_THE_CLOCK = ("a session an hour",)
"""Makes one hour run into the next where trading never stops."""


def without(*words):
    return [seed for seed in SEEDS if not any(word in seed.what for word in words)]


def assert_found(seed: Seed, case):
    seeded = seed.make(case)
    found = seeded.reconcile()
    assert set(found.counts) == {seed.kind}, found.counts
    assert seeded.touched in (None, found.counts[seed.kind])
    assert bool(found.causes) is (seed.kind in {DifferenceKind.SHIFTED_LABEL, DifferenceKind.SPLIT_BASIS})
    assert found.agreeing == found.minutes - found.differing.num_rows
    return found


@pytest.mark.parametrize(
    "case", [reconciled_months.winter, reconciled_months.fractional, reconciled_months.thin], ids=lambda f: f.__name__
)
def test_clean_minutes_agree_in_all_fields(case):
    found = case().reconcile()
    assert (dict(found.counts), found.causes, found.inverted.num_rows) == ({}, (), 0)
    assert found.agreeing == found.minutes == found.prices_agree > 1000
    assert (found.largest_price, found.largest_volume, found.off_within) == (0, 0, 0)


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_seeded_difference_lands_in_its_kind_and_in_no_other(seed):
    found = assert_found(seed, reconciled_months.winter())
    assert (found.pattern is not None) == (seed.what == "every price a tick too high")


@pytest.mark.parametrize("seed", without(*EVENING), ids=str)
def test_so_it_does_with_fractional_volumes(seed):
    assert_found(seed, reconciled_months.fractional())


@pytest.mark.parametrize("seed", [seed for seed in without(*EVENING) if KINDS[seed.kind].wrong], ids=str)
def test_so_it_does_in_a_stock_that_trades_seldom(seed):
    assert_found(seed, reconciled_months.thin())


@needs_real
@pytest.mark.parametrize("name", ["SPY_2013_10", "fractional"])
def test_real_minutes_agree_with_real_seconds_in_all_fields(name):
    found = reconciled_months.real(name).reconcile()
    assert (dict(found.counts), found.agreeing) == ({}, found.minutes)
    assert found.minutes == {"SPY_2013_10": 1648, "fractional": 1419}[name]


@needs_real
@pytest.mark.parametrize("seed", without(*EVENING), ids=str)
def test_a_difference_seeded_into_real_bars_lands_in_its_kind_and_in_no_other(seed):
    assert_found(seed, reconciled_months.real())


@needs_real
@pytest.mark.parametrize("seed", without(*EVENING, *AROUND_THE_CLOCK, "auction", "filled in", "both sides"), ids=str)
def test_so_it_does_where_trading_never_stops(seed):
    assert_found(seed, reconciled_months.real("fractional"))


def test_every_kind_has_a_seed():
    assert {seed.kind for seed in SEEDS} == set(KINDS)


def test_the_page_in_the_docs_is_what_is_found():
    assert (DOCS / "reconciliation.md").read_text(encoding="utf-8") == reconciliation_table.page()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98))
def test_a_wrong_close_however_often_is_never_benign_and_never_a_shift(seed, share):
    case, chance = reconciled_months.fractional(), np.random.default_rng(seed)
    wrong = chance.random(len(case.vendor.t)) < share
    closes = case.vendor.c[wrong] + chance.choice([-0.02, -0.01, 0.01, 0.02], int(wrong.sum()))
    found = replace(case, vendor=case.vendor.changed(wrong, c=closes)).reconcile()
    assert found.counts == {DifferenceKind.UNKNOWN: int(wrong.sum())}
    assert found.causes == ()


def test_only_minutes_wholly_before_the_moment_the_month_is_complete_through_are_compared():
    case = reconciled_months.winter()
    opening = datetime(2024, 2, 1, 14, 30, tzinfo=UTC)
    end = int(opening.timestamp())
    short = replace(case, seconds=case.seconds.take(case.seconds.t < end + 30))
    assert short.reconcile().counts != {}
    for moment in (opening, opening + timedelta(seconds=30), opening + timedelta(seconds=59)):
        found = short.reconcile(moment)
        assert (dict(found.counts), found.minutes) == ({}, int((case.vendor.t < end).sum()))


def test_a_month_without_a_minute_on_either_side_has_no_difference():
    case = reconciled_months.winter()
    nothing = replace(case, seconds=case.seconds.take(slice(0, 0)), vendor=case.vendor.take(slice(0, 0)))
    found = nothing.reconcile()
    assert (found.minutes, dict(found.counts), found.price_share) == (0, {}, 1)


@pytest.mark.parametrize("side", ["seconds", "vendor"])
def test_a_side_that_is_empty_is_told_minute_by_minute(side):
    case = reconciled_months.winter()
    found = replace(case, **{side: getattr(case, side).take(slice(0, 0))}).reconcile()
    assert sum(found.counts.values()) == found.minutes == len(case.vendor.t)
    assert found.price_share == 0


def test_bars_that_do_not_rise_or_are_not_finite_are_refused():
    case = reconciled_months.winter()
    with pytest.raises(UnsortedBarsError, match="the minutes of the vendor do not rise strictly"):
        replace(case, vendor=case.vendor.take(slice(None, None, -1))).reconcile()
    with pytest.raises(BarsError, match="the minutes of the vendor have a close that is missing or not finite"):
        replace(case, vendor=case.vendor.changed(3, c=np.nan)).reconcile()


def test_our_seconds_with_more_volume_than_the_vendors_minute_are_listed_and_a_shift_alone_is_not():
    extra = seed_named("a bad print in three of our seconds").make(reconciled_months.winter()).reconcile()
    assert extra.inverted.num_rows == 3
    assert all(np.array(extra.inverted["volume"]) > np.array(extra.inverted["vendor_volume"]))
    assert seed_named("the month one second early").make(reconciled_months.winter()).reconcile().inverted.num_rows == 0
