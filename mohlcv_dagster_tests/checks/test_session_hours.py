"""Months of 22 to 24 hours a day, and months whose hours change in their middle: no alarm, and every fault found."""

from datetime import date

import pytest

from mohlcv_dagster.model import exchange_calendar, session_hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.reconciliation.difference_kinds import KINDS
from mohlcv_dagster.sandbox.synthetic_market import seeded_generator
from mohlcv_dagster_tests.checks import vendor_faults, whole_corruptions
from mohlcv_dagster_tests.checks.bad_prints import BAD_PRINTS, places, seeded_with
from mohlcv_dagster_tests.checks.clean_months import false_alarms
from mohlcv_dagster_tests.checks.plausibility import caught, checked
from mohlcv_dagster_tests.checks.whole_corruptions import BUSY, CLEAN, WHOLE_CORRUPTIONS, WholeCorruption
from mohlcv_dagster_tests.checks.whole_months import add, check_month, failing, whole_month
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS
from mohlcv_dagster_tests.reconciliation.reconciled_months import Case, clean

ALL_DAY, SHORT_PAUSE, LONG_PAUSE = "20:00-20:00", "21:00-20:00", "01:30-23:30"
SIXTEEN = "04:00-20:00"


def _in_the_middle(*months: str) -> dict[str, str]:
    """Each month begins with 16 hours, changes to 22 on the 10th and to 24 on the 22nd."""
    days = (("01", SIXTEEN), ("10", LONG_PAUSE), ("22", ALL_DAY))
    return {f"{month}-{day}": hours for month in months for day, hours in days}


REGIMES = {
    "24 hours": {"2012-01-01": ALL_DAY},
    "23 hours": {"2012-01-01": SHORT_PAUSE},
    "22 hours": {"2012-01-01": LONG_PAUSE},
    "changing": _in_the_middle(
        "2012-10", "2018-12", "2024-01", "2024-02", "2024-03", "2024-06", "2024-11", "2024-12", "2025-01"
    ),
}
INSIDE = {
    "24 hours": {"bars at 03:30 Eastern", "bars at 20:15 Eastern", "bars after the evening of the month before"},
    "23 hours": {"bars at 03:30 Eastern"},
    "22 hours": {"bars at 03:30 Eastern", "bars at 20:15 Eastern", "bars after the evening of the month before"},
}
"""Strays that are in hours then: nothing is wrong with them."""
AN_HOUR = "labels an hour too"
"""Such bars shift less busy minutes into the opening, and by chance one may be empty: `session_edges` warns then."""
EVENING = 3600
"""20:00 Eastern in winter, seconds after midnight UTC: from then on a bar belongs to the next day."""


def use(regime: str) -> None:
    hours = {date.fromisoformat(day): session_hours.parse(text) for day, text in REGIMES[regime].items()}
    exchange_calendar.set_overrides({}, hours)


def tried(*regimes: str) -> list[object]:
    return [pytest.param(regime, each, id=f"{regime}: {each}") for regime in regimes for each in WHOLE_CORRUPTIONS]


def told(corruption: WholeCorruption) -> dict[str, str]:
    failed = corruption.failing()
    if corruption.what.startswith(AN_HOUR):
        failed.pop("session_edges", None)
    if corruption.rule == "repeated_session":  # a calendar day's copy has an evening that may be on a Friday then
        failed.pop("trading_hours", None)
    return failed


@pytest.mark.parametrize(
    "corruption", [each for each in WHOLE_CORRUPTIONS if each.what not in INSIDE["22 hours"]], ids=str
)
def test_a_loss_fails_the_same_rules_in_a_month_whose_hours_change(corruption):
    use("changing")
    assert told(corruption) == corruption.due


@pytest.mark.slow
@pytest.mark.parametrize(("regime", "corruption"), tried("24 hours", "23 hours", "22 hours"))
def test_a_loss_fails_the_same_rules_in_a_month_of_longer_days(regime, corruption):
    use(regime)
    due = {} if corruption.what in INSIDE[regime] else dict(corruption.due)
    found = told(corruption)
    if corruption.what.startswith(AN_HOUR):  # there are bars before 04:00 then, so no pre-market is left empty
        due.pop("session_coverage", None)
        found.pop("session_coverage", None)
    assert found == due


@pytest.mark.parametrize("regime", REGIMES)
def test_no_month_raises_an_alarm_whatever_its_hours(regime):
    use(regime)
    alarms, checked = whole_corruptions.false_alarms(CLEAN)
    assert (dict(alarms), checked) == ({}, len(CLEAN))


@pytest.mark.parametrize("regime", REGIMES)
def test_no_rule_on_raw_files_aggregates_and_the_vendor_raises_one_either(regime):
    use(regime)
    assert false_alarms([("ABC", "2024-01"), ("ASC", "2024-11")]) == {}


STRAYS = {
    ("2024-01-05", "03:30"): True,  # 04:00 to 20:00
    ("2024-01-05", "20:30"): True,
    ("2024-01-07", "21:00"): True,  # a Sunday
    ("2024-01-09", "20:30"): False,  # the evening before the first day that has one
    ("2024-01-10", "00:30"): True,  # 23:30 to 01:30 is a pause
    ("2024-01-12", "03:30"): False,
    ("2024-01-12", "20:30"): True,  # a Friday
    ("2024-01-13", "10:00"): True,
    ("2024-01-14", "21:00"): True,  # a Sunday, and Monday is a holiday
    ("2024-01-15", "10:00"): True,
    ("2024-01-15", "21:00"): False,  # the holiday's evening is Tuesday's
    ("2024-01-21", "20:00"): False,  # a Sunday's evening is Monday's, of 24 hours
    ("2024-01-23", "00:30"): False,
    ("2024-01-26", "20:00"): True,  # the week ends on Friday at 20:00
    ("2024-01-27", "00:30"): True,
}


@pytest.mark.parametrize(("day", "clock"), STRAYS)
def test_a_bar_is_outside_hours_by_the_hours_of_the_day_that_it_belongs_to(day, clock):
    use("changing")
    minute = f"{clock[:3]}{int(clock[3:]) + 1:02d}"
    stray = add(date.fromisoformat(day), clock, minute)(whole_month(BUSY, "2024-01"))

    expected = {"trading_hours": "warn"} if STRAYS[day, clock] else {}
    assert failing(check_month(stray, BUSY, "2024-01")) == expected


def test_the_message_names_the_day_that_an_evening_bar_belongs_to():
    use("24 hours")
    stray = add(date(2024, 1, 14), "21:00", "21:01")(whole_month(BUSY, "2024-01"))

    told = check_month(stray, BUSY, "2024-01")["trading_hours"].message
    assert "(Sunday 2024-01-14 21:00:00 Eastern, of 2024-01-15, not a trading day)" in told


def test_without_the_line_of_the_new_hours_evenings_are_outside():
    use("24 hours")
    bars = whole_month(BUSY, "2024-01")
    exchange_calendar.set_overrides({})

    assert failing(check_month(bars, BUSY, "2024-01")) == {"trading_hours": "warn"}


def missed(regime: str) -> list[str]:
    """The bad prints put into a month that the rule made for them does not warn of."""
    use(regime)
    bars = whole_month(BUSY, "2024-01")
    there = places(bars, seeded_generator(BUSY, regime), EVENING)
    tried = [(kind, place, there[place]) for kind in BAD_PRINTS for place in kind.where if place in there]
    found = [
        caught(checked(BUSY, "2024-01", seeded_with(bars, [(kind, at)]), kind.rule), bars, kind, at)
        for kind, _, at in tried
    ]
    assert len(tried) > 70
    return [f"{kind} at {place}" for (kind, place, _), well in zip(tried, found, strict=True) if not well]


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_a_bad_print_is_found_whatever_the_hours(regime):
    assert missed(regime) == []


def test_a_night_jump_is_found_where_one_day_ends_as_the_next_begins():
    use("24 hours")
    bars = whole_month(BUSY, "2024-01")
    there = places(bars, seeded_generator(BUSY), EVENING)
    jumps = [kind for kind in BAD_PRINTS if kind.where == ("night",)]
    found = [checked(BUSY, "2024-01", seeded_with(bars, [(kind, there["night"])]), "open_jumps") for kind in jumps]

    assert len(jumps) == 11
    assert [each.count for each in found] == [1] * len(jumps)


def beside_the_vendor() -> Case:
    """Sessions of which no two are on neighbouring days, so that labels of one can be moved."""
    days = ((1, 31), (2, 2), (2, 6), (2, 27), (2, 29))
    return clean("KO", Month(2024, 2), tuple(date(2024, month, day) for month, day in days))


@pytest.mark.parametrize("regime", ["24 hours", "22 hours", "changing"])
def test_a_difference_from_the_vendors_minutes_is_of_its_kind_whatever_the_hours(regime):
    use(regime)
    case, lost = beside_the_vendor(), []
    for seed in SEEDS:
        found = vendor_faults.checked(seed.make(case))["vendor_minutes"]
        severe = found.severity == "error" or not KINDS[seed.kind].wrong
        if found.passed or not severe or seed.kind not in found.facts["minutes that differ, by kind"]:
            lost.append(seed.what)

    assert lost == []
    assert all(each.passed for each in vendor_faults.checked(case).values())
