"""Raw bars whose labels are wrong throughout, without the vendor: an error that says what they look like."""

import numpy as np
import pytest

from mohlcv_dagster_tests.checks.whole_months import check_month, failing, whole_month
from mohlcv_dagster_tests.reconciliation.reconciled_months import Bars

AAC = "AAC"


def moved(seconds, since=0):
    bars = Bars.of(whole_month(AAC, "2024-06"))
    late = bars.changed(bars.t >= since, t=bars.t[bars.t >= since] + seconds)
    return late.take(np.argsort(late.t, kind="stable")).table()


def test_a_month_whose_bars_are_all_outside_regular_hours_is_an_error_and_no_quiet_symbol():
    bars = Bars.of(whole_month(AAC, "2024-06"))
    night = bars.take(bars.t % 86_400 >= 20 * 3600).table()
    found = check_month(night, AAC, "2024-06")["sessions_present"]

    assert (found.passed, found.severity) == (False, "error")
    assert f"although it has {night.num_rows:,} bars" in found.message
    assert "quiet" not in found.message


@pytest.mark.parametrize("hours", [-4, -1, 1, 9])
def test_labels_of_another_time_zone_are_told_with_the_hours_that_they_are_off(hours):
    told = check_month(moved(hours * 3600), AAC, "2024-06")["trading_hours"].message

    off = f"{abs(hours)} hour{'s' * (abs(hours) > 1)} {'late' if hours > 0 else 'early'}"
    assert f"; labels look {off}, as of another time zone or after a change of clocks" in told


def test_labels_that_are_an_hour_late_from_a_day_on_are_told_too():
    since = int(np.datetime64("2024-06-17", "s").astype(int))

    assert "labels look 1 hour late" in check_month(moved(3600, since), AAC, "2024-06")["trading_hours"].message


def test_a_few_bars_outside_hours_are_no_other_time_zone():
    bars = Bars.of(whole_month(AAC, "2024-06"))
    late = bars.changed(slice(-3, None), t=bars.t[-3:] + 7200).table()
    found = check_month(late, AAC, "2024-06")

    assert "trading_hours" in failing(found)
    assert "labels look" not in found["trading_hours"].message
