"""One fault of all minutes is named as what it is, with its own cure, and not as a minute at a time."""

from dataclasses import replace

import numpy as np
import pytest

from mohlcv_dagster.checks.check_input import CheckInput, VendorMinutes
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.registry import VENDOR_RULES
from mohlcv_dagster.checks.runner import run_rules
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster_tests.checks.vendor_faults import checked
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.reconciled_months import Bars

DAY = 86_400


def each_price(make):
    return lambda bars: replace(bars, **{name: make(getattr(bars, name)) for name in "ohlc"})


def exchanged(one, other):
    return lambda bars: replace(bars, **{one: getattr(bars, other), other: getattr(bars, one)})


def other_session(bars):
    """The regular hours of the second day in the place of the third's."""
    begin = [int(np.datetime64(f"2024-03-0{day}T14:30", "s").astype(int)) for day in (5, 6)]
    inside = [(bars.t >= at) & (bars.t < at + 6 * 3600) for at in begin]
    there = bars.take(inside[0])
    rest, moved = bars.take(~inside[1]), replace(there, t=there.t + DAY, v=there.v + 1)
    joined = Bars(*(np.concatenate([getattr(rest, name), getattr(moved, name)]) for name in "tohlcv"))
    return joined.take(np.argsort(joined.t))


def from_midday(bars):
    """A tenth of the price from an hour of the second day to its end."""
    at = (bars.t >= int(np.datetime64("2024-03-05T18:00", "s").astype(int))) & (bars.t // DAY == bars.t[0] // DAY + 1)
    return bars.changed(at, v=bars.v[at] * 10, **{name: np.round(getattr(bars, name)[at] / 10, 4) for name in "ohlc"})


def cumulated(bars):
    return replace(bars, v=np.cumsum(bars.v))


NAMED = {
    "open and close exchanged": (
        exchanged("o", "c"),
        "; with open and close exchanged, our seconds give the vendor's prices, in ",
    ),
    "high and low exchanged": (
        exchanged("h", "l"),
        "; with high and low exchanged, our seconds give the vendor's prices, in ",
    ),
    "open and low exchanged": (
        exchanged("o", "l"),
        "; with open and low exchanged, our seconds give the vendor's prices, in ",
    ),
    "a cent too high": (each_price(lambda price: np.round(price + 0.01, 2)), "; our prices are all 0.01 above the ven"),
    "rounded to dimes": (
        each_price(lambda price: np.round(price, 1)),
        "; our prices are the vendor's rounded to 1 decimal, in ",
    ),
    "rounded to dollars": (each_price(np.round), "; our prices are the vendor's rounded to 0 decimals, in "),
    "32-bit floats": (
        each_price(lambda price: price.astype(np.float32).astype(float)),
        "; our prices are the vendor's to a ten-thousandth, with decimals of arithmetic, in ",
    ),
    "a part of a session at a tenth": (
        from_midday,
        "Z the vendor's prices are 10 times ours, in part of a session, ",
    ),
    "another session": (other_session, "; our prices are the vendor's of 1 day before, at the same times, in "),
    "volumes added up": (cumulated, "; prices agree and volumes differ in nearly all minutes: the vendor's are "),
    "volumes of one share": (
        lambda bars: replace(bars, v=np.ones_like(bars.v)),
        "; prices agree and volumes differ in",
    ),
}


@pytest.mark.parametrize(("make", "told"), NAMED.values(), ids=NAMED)
def test_a_fault_of_all_minutes_is_named_as_what_it_is(make, told):
    case = reconciled_months.busy()
    found = checked(replace(case, seconds=make(case.seconds)))["vendor_minutes"]

    assert (found.passed, found.severity) == (False, "error")
    assert told in found.message
    assert not any(words in found.message for words in ("no known way", "counts trades that are in", "cancelled since"))
    assert len(found.message) < 800


@pytest.mark.parametrize("hours", [-9, -2, 1, 8, 12])
def test_labels_of_any_time_zone_are_told_as_shifted_by_its_hours(hours):
    case = reconciled_months.busy()
    moved = replace(case.seconds, t=case.seconds.t + hours * 3600)
    [cause] = replace(case, seconds=moved).reconcile().causes

    assert cause.shift == -hours * 3600


@pytest.mark.parametrize(
    ("price", "volume", "told"),
    [
        (100, 1, "prices alone differ by one factor: they are in another unit, such as cents, or adjusted while"),
        (1, 2, "volumes alone differ by one factor, which is no split: they are counted twice or in another unit"),
        (0.25, 4, "one side is adjusted for splits"),
    ],
)
def test_a_factor_that_is_no_split_is_not_told_as_one(price, volume, told):
    case = reconciled_months.busy()
    scaled = {name: np.round(getattr(case.seconds, name) * price, 4) for name in "ohlc"}
    found = checked(replace(case, seconds=replace(case.seconds, v=case.seconds.v * volume, **scaled)))["vendor_minutes"]

    assert f"split_basis: {told}" in found.message
    assert ("both were requested unadjusted" in found.message) == (price != 1)


def test_what_no_kind_explains_leads_only_where_it_is_most():
    case = reconciled_months.busy()
    minutes = case.seconds.t // 60
    first = np.diff(minutes, prepend=0) != 0
    found = checked(replace(case, seconds=case.seconds.take(~first)))["vendor_minutes"]
    kinds = found.facts["minutes that differ, by kind"]

    assert kinds["missing_second"] > kinds["unknown"] > 0
    assert ". missing_second: the vendor's minute counts trades that are in no second of ours. " in found.message


def test_minutes_that_are_not_those_of_their_seconds_are_not_compared():
    case = reconciled_months.winter()
    own, raw = case.seconds.minutes(), case.seconds
    late = replace(own, t=own.t + 59)
    file = BarFile("KO", MINUTE, case.month)
    readings = (Reading(b"", bars.table(), None) for bars in (late, raw))
    ran = run_rules(CheckInput(file, *readings, vendor=VendorMinutes(case.vendor.table())), VENDOR_RULES)

    [found] = ran.results
    why = "could not be compared with the vendor's own minutes: it does not equal what its raw file gives. Cure first"
    assert why in found.message
    assert {rule.name for rule, _ in ran.not_checked} == {"volume_ladder", "thin_seconds"}


def test_minutes_that_the_vendor_lacks_are_told_as_that_and_not_as_prints_of_ours():
    case = reconciled_months.busy()
    found = checked(replace(case, vendor=case.vendor.take(slice(0, 1500))))["vendor_minutes"]

    assert "; the vendor has none of the " in found.message
    assert ". extra_print: the vendor has no minute where our seconds have bars. Its minutes may " in found.message
    assert "cancelled since" not in found.message
