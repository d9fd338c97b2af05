"""Labels that are early on both sides are told by the opening auction; what cannot be told is not."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.reconciliation import Kind
from mohlcv_dagster_tests.bars import reconciled_months
from mohlcv_dagster_tests.bars.reconciled_months import Case
from mohlcv_dagster_tests.real import needs_real

MONTH = Month(2024, 7)
BELLS = [1719840600, 1719927000, 1720013400]
"""13:30 UTC of 1, 2 and 3 July 2024."""


def case(leads, *, largest=100_000):
    """Sessions of 72 busy seconds around the bell, whose largest volume stands so many seconds before it."""
    t = np.concatenate([bell + np.arange(-60, 12) for bell in BELLS[: len(leads)]])
    v = np.full(len(t), 100)
    v[np.isin(t, [bell - lead for bell, lead in zip(BELLS, leads, strict=False)])] = largest
    price = np.full(len(t), 10.0)
    bars = reconciled_months.Bars.of(schema.from_arrays(t, dict.fromkeys(schema.PRICES, price), v))
    return Case(MONTH, bars, bars.minutes())


def test_an_auction_before_the_bell_on_both_sides_is_an_early_label_told_with_its_days():
    found = case([1, 1, 1]).reconcile()
    assert dict(found.counts) == {Kind.SHIFTED_LABEL: 3}
    [cause] = found.causes
    assert cause.sentence == (
        "every label of the sessions 2024-07-01 to 2024-07-03 is 1 second early on both sides: "
        "the opening auction stands before the bell"
    )
    starts = schema.seconds(found.differing).tolist()
    assert starts == [bell - 60 for bell in BELLS]


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
    assert set(found.counts) == {Kind.SHIFTED_LABEL}
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
    assert sum(found.counts.values()) == found.counts.get(Kind.SHIFTED_LABEL, 0) == told
