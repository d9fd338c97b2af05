"""Each loss fails exactly the rules it should, clean months of busy and quiet symbols fail none, and the words help."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.runner import check_file, evaluate, require, run_rules
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason, ListedDays
from mohlcv_dagster_tests.checks import whole_corruptions
from mohlcv_dagster_tests.checks.clean_files import (
    AGGREGATE,
    COMPLETENESS,
    FIELDS,
    HEADER,
    PLAUSIBLE_RULES,
    RAW,
    WHOLE,
    recorded,
)
from mohlcv_dagster_tests.checks.whole_corruptions import BUSY, CLEAN, CLEAN_MONTHS, WHOLE_CORRUPTIONS
from mohlcv_dagster_tests.checks.whole_months import add, check_month, drop, drop_all, drop_days, failing, whole_month

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXY"


def loss(what):
    (corruption,) = [corruption for corruption in WHOLE_CORRUPTIONS if corruption.what == what]
    return corruption


@pytest.mark.parametrize("corruption", WHOLE_CORRUPTIONS, ids=str)
def test_a_loss_fails_exactly_the_rules_it_should_with_their_severities(corruption):
    assert corruption.failing() == corruption.due


@pytest.mark.slow
@pytest.mark.parametrize("corruption", [each for each in WHOLE_CORRUPTIONS if each.seeded], ids=str)
def test_a_loss_fails_the_same_rules_wherever_it_is_seeded(corruption):
    for seed in range(60):
        assert corruption.failing(seed) == corruption.due, seed


def test_each_rule_has_a_loss_made_for_it():
    tried = {corruption.rule for corruption in WHOLE_CORRUPTIONS}

    assert tried - set(PLAUSIBLE_RULES) == {rule.name for rule in (*COMPLETENESS, *FIELDS)}


@pytest.mark.parametrize(("symbol", "month"), CLEAN)
def test_a_clean_month_raises_no_alarm_be_the_symbol_busy_or_quiet(symbol, month):
    alarms, checked = whole_corruptions.false_alarms([(symbol, month)])
    assert (dict(alarms), checked) == ({}, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_clean_months_of_many_symbols_raise_no_alarm():
    symbols = [f"B{letter}{other}" for letter in LETTERS for other in "ABC"]
    alarms, checked = whole_corruptions.false_alarms(
        (symbol, month) for symbol in symbols for month in CLEAN_MONTHS[:4]
    )
    assert (dict(alarms), checked) == ({}, 300)


def test_none_of_them_blocks():
    assert [rule.name for rule in COMPLETENESS if rule.blocking] == []


def test_the_scoreboard_has_a_row_for_each_loss_and_says_how_many_of_those_seeded_were_found():
    missed = replace(loss("a session lost"), what="nothing lost", seeded=lambda *_: lambda bars: bars)
    rows = whole_corruptions.found(
        2, [loss("every minute of an hour lost, on each day"), loss("February 29 lost"), missed]
    )

    assert list(rows) == [
        ("minute_occupancy", "every minute of an hour lost, on each day", "2 of 2", "error"),
        ("sessions_present", "February 29 lost", "1 of 1", "error"),
        ("sessions_present", "nothing lost", "0 of 2", "error"),
    ]


HAS = "raw_1s/AAC/AAC_2024_01.csv has "
ASK = "re-materialize raw_1s for AAC 2024-01; if it stays, report the request_ids of its materialization to the vendor."
MESSAGES = {
    "a session": (
        drop_days([date(2024, 1, 10)]),
        "sessions_present",
        f"{HAS}no bar in the regular hours of 1 of 21 sessions: 2024-01-10. If it was listed then, {ASK}",
    ),
    "a week": (
        drop_days([date(2024, 1, day) for day in range(8, 13)]),
        "sessions_present",
        (
            f"{HAS}no bar in the regular hours of 5 of 21 sessions: 2024-01-08, 2024-01-09, 2024-01-10 and 2 more. "
            f"If it was listed then, {ASK}"
        ),
    ),
    "an hour": (
        drop_all([(date(2024, 1, 10), "11:00", "11:30"), (date(2024, 1, 10), "12:00", "12:30")]),
        "minute_occupancy",
        (
            f"{HAS}bars in 99.27 % of the 8,190 regular minutes of 21 sessions; 1 of them is short, the worst "
            "2024-01-10 with 84.62 % (60 of 390 minutes empty, the first at 2024-01-10 16:00:00Z). "
            f"If trading was not halted then, {ASK}"
        ),
    ),
    "the first ten minutes": (
        lambda bars: drop(date(2024, 1, 10), "09:30", "09:40")(add(date(2024, 1, 10), "09:40", "09:41")(bars)),
        "session_edges",
        (
            f"{HAS}no bar in the first regular minute of 1 of 21 sessions; first in the opening minute of 2024-01-10, "
            "2024-01-10 14:30:00Z: the nearest bar starts at 2024-01-10 14:40:00Z. "
            f"If trading was not halted then, {ASK}"
        ),
    ),
    "an hour, as a gap": (
        lambda bars: drop(date(2024, 1, 10), "11:00", "12:00")(add(date(2024, 1, 10), "10:50", "12:10")(bars)),
        "largest_gap",
        (
            f"{HAS}a gap of over 5 minutes in the regular hours of 1 of 21 sessions; the longest is "
            "60 minutes on 2024-01-10, 2024-01-10 16:00:00Z to 2024-01-10 17:00:00Z (11:00:00 to 12:00:00 Eastern); "
            "trading may have been halted in 1 session, or bars are lost: the vendor's own minutes show which, see "
            f"matches_vendor of aggregated/1min. If trading was not halted then, {ASK}"
        ),
    ),
    "a holiday": (
        add(date(2024, 1, 15), "10:00", "10:05"),
        "trading_hours",
        (
            "300 of {rows:,} bars have a start outside trading hours; first at 2024-01-15 15:00:00Z (Monday 2024-01-15 "
            "10:00:00 Eastern, not a trading day). They are kept and resampled like all others. Where the exchange "
            "kept other hours, name the day, or from which day on it trades longer, in the file of MOHLCV_CALENDAR; "
            "else re-materialize raw_1s for AAC 2024-01, and if they stay, report the request_ids of its "
            "materialization to the vendor."
        ),
    ),
}


@pytest.mark.parametrize(("edit", "rule", "message"), MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_says_what_is_wrong_how_many_where_first_and_what_to_do(edit, rule, message):
    bars = edit(whole_month(BUSY, "2024-01"))
    assert check_month(bars, BUSY, "2024-01")[rule].message == message.format(rows=bars.num_rows)


def test_the_rows_of_a_finding_begin_with_a_moment_and_are_what_the_rule_counts():
    bars = drop_all([(date(2024, 1, day), "09:30", "10:00") for day in (10, 12)])(
        drop_days([date(2024, 1, 17)])(whole_month(BUSY, "2024-01"))
    )
    results = check_month(bars, BUSY, "2024-01")
    opening = datetime(2024, 1, 10, 14, 30, tzinfo=UTC)

    assert {
        name: (found.count, found.bars.num_rows, found.bars.column_names[0]) for name, found in results.items()
    } == {
        "sessions_present": (1, 1, "ts_event"),
        "minute_occupancy": (2, 2, "ts_event"),
        "session_edges": (2, 2, "ts_event"),
        "largest_gap": (2, 2, "ts_event"),
        "session_coverage": (0, 0, "ts_event"),
        "repeated_session": (0, 0, "ts_event"),
        "fields_together": (0, 0, "ts_event"),
        "volume_level": (0, 0, "ts_event"),
        "second_bars": (0, 0, "ts_event"),
        "trading_hours": (0, 0, "ts_event"),
    }
    assert results["sessions_present"].bars.to_pylist()[0] == {
        "ts_event": datetime(2024, 1, 17, 14, 30, tzinfo=UTC),
        "session": "2024-01-17",
        "closes": datetime(2024, 1, 17, 21, tzinfo=UTC),
        "bars": 0,
    }
    assert results["minute_occupancy"].bars.to_pylist()[0] == {
        "ts_event": opening,
        "session": "2024-01-10",
        "occupancy": 0.9231,
        "empty_minutes": 30,
        "regular_minutes": 390,
    }
    assert results["session_edges"].bars.to_pylist()[0]["edge"] == "opening"
    gap = results["largest_gap"].bars.to_pylist()[0]
    assert (gap["ts_event"], gap["seconds"] // 60) == (opening, 30)


def test_a_quiet_symbol_is_checked_by_its_own_pace_and_not_by_the_minute_and_the_rules_say_why():
    results = check_month(drop(date(2024, 1, 10), "11:00", "14:00")(whole_month("ABC", "2024-01")), "ABC", "2024-01")

    assert failing(results) == {"largest_gap": "warn"}
    assert "the least likely on 2024-01-10, 10:55:00 to 14:03:00 Eastern" in results["largest_gap"].message
    [gap] = results["largest_gap"].bars.to_pylist()
    assert (gap["session"], gap["seconds"]) == ("2024-01-10", 188 * 60)
    for name in ("minute_occupancy", "session_edges"):
        assert "(does not apply: a quiet symbol, median occupancy 55.9 %)" in results[name].message


def test_a_lost_session_of_a_quiet_symbol_is_told_as_perhaps_none():
    found = check_month(drop_days([date(2024, 1, 10)])(whole_month("ABC", "2024-01")), "ABC", "2024-01")

    assert "1 of 21 sessions: 2024-01-10 (a quiet symbol: perhaps nothing traded)." in found["sessions_present"].message


def test_a_session_under_way_is_checked_when_it_is_over():
    at_noon = datetime(2024, 1, 10, 17, tzinfo=UTC)
    bars = drop_days([date(2024, 1, day) for day in range(11, 32)])(
        drop(date(2024, 1, 10), "12:00", "24:00")(whole_month(BUSY, "2024-01"))
    )
    bell = datetime(2024, 1, 10, 21, tzinfo=UTC)

    assert failing(check_month(bars, BUSY, "2024-01", through=at_noon)) == {}
    assert failing(check_month(bars, BUSY, "2024-01", through=bell)) == {
        "minute_occupancy": "error",
        "session_edges": "warn",
        "largest_gap": "error",
    }
    before_the_first_bell = check_month(
        bars.slice(0, 100), BUSY, "2024-01", through=datetime(2024, 1, 2, 9, 5, tzinfo=UTC)
    )
    assert failing(before_the_first_bell) == {}
    assert "(does not apply: no session of the month is over yet)" in before_the_first_bell["largest_gap"].message


@pytest.mark.parametrize(("stretch", "days"), [(("11:00", "13:00"), (10,)), (("15:00", "15:15"), (8, 9, 10, 11))])
def test_a_halt_of_trading_is_a_warning_that_says_so_and_nothing_else(stretch, days):
    halted = drop_all([(date(2024, 1, day), *stretch) for day in days])(whole_month(BUSY, "2024-01"))
    found = check_month(halted, BUSY, "2024-01")

    assert failing(found) == {"largest_gap": "warn"}
    assert f"trading may have been halted in {len(days)} session" in found["largest_gap"].message


@pytest.mark.parametrize(
    "stretches",
    [
        [(10, "14:00", "16:00")],
        [(10, "09:30", "11:30")],
        [(10, "10:30", "11:00"), (10, "13:00", "15:00")],
        [(day, "11:00", "13:00") for day in (3, 4, 5, 8, 9, 10)],
    ],
    ids=["to the close", "from the opening", "beside another gap", "on six days"],
)
def test_what_no_halt_looks_like_stays_an_error(stretches):
    lost = drop_all([(date(2024, 1, day), *clocks) for day, *clocks in stretches])(whole_month(BUSY, "2024-01"))
    found = check_month(lost, BUSY, "2024-01")

    assert failing(found)["largest_gap"] == "error"
    assert "halted in" not in found["largest_gap"].message


def test_a_session_that_is_lost_after_the_listing_is_missed_and_one_before_it_is_not():
    after = drop_days([date(2024, 1, day) for day in (*range(1, 10), 16)])(whole_month(BUSY, "2024-01"))
    found = check_month(after, BUSY, "2024-01", listed=ListedDays(date(2024, 1, 10)))

    assert failing(found) == {"sessions_present": "error"}
    assert "in the regular hours of 1 of 15 sessions on which AAC was listed by then, of 21: 2024-01-16" in (
        found["sessions_present"].message
    )


def test_a_listing_that_bars_prove_wrong_excuses_no_session():
    lost = drop_days([date(2024, 1, 3)])(whole_month(BUSY, "2024-01"))

    assert failing(check_month(lost, BUSY, "2024-01", listed=ListedDays(date(2024, 1, 10)))) == {
        "sessions_present": "error"
    }


def test_where_nothing_is_recorded_the_whole_month_is_expected_and_each_message_says_so():
    content = HEADER + b"2024-01-10 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n"
    given = CheckInput.of(BarFile.parse("raw_1s/SPY/SPY_2024_01.csv"), content)
    said = {rule.name: evaluate(rule, given).message for rule in COMPLETENESS}
    assumed = "it is not recorded up to when its bars were requested, so the complete month is expected"

    assert "20 of 21 sessions: 2024-01-02, 2024-01-03, 2024-01-04 and 17 more" in said["sessions_present"]
    assert {name for name, message in said.items() if assumed in message} == set(said) - {
        "session_coverage",
        "repeated_session",
        "second_bars",
        "trading_hours",
    }


def test_a_month_the_calendar_does_not_cover_is_not_checked_by_the_rules_that_need_it():
    content = HEADER + b"1970-06-10 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n"
    given = CheckInput.of(BarFile.parse("raw_1s/SPY/SPY_1970_06.csv"), content)
    left = {rule.name: why for rule, why in run_rules(given).not_checked}

    assert check_file(given, COMPLETENESS) == []
    assert set(left) == {*(rule.name for rule in COMPLETENESS), "stale_prices"}
    assert set(left.values()) == {"the exchange calendar covers 1971 to 2199, not 1970"}


@pytest.fixture
def own_days():
    yield exchange_calendar.set_overrides
    exchange_calendar.set_overrides({})


def test_a_day_that_the_user_closed_is_not_missed_and_its_bars_are_out_of_hours(own_days):
    whole = whole_month(BUSY, "2024-01")
    own_days({date(2024, 1, 10): None})

    assert failing(check_month(drop_days([date(2024, 1, 10)])(whole), BUSY, "2024-01")) == {}
    assert failing(check_month(whole, BUSY, "2024-01")) == {"trading_hours": "warn"}


def empty_file(provenance):
    of = CheckInput.of(BarFile.parse(RAW), HEADER, provenance=provenance)
    return {found.rule.name: found for found in check_file(of)}


def empty(cause, because="listed 2010-06-29, after this month"):
    return replace(recorded(HEADER), empty=EmptyMonthReason(cause, because))


def test_an_empty_month_that_is_explained_passes_with_the_reason():
    found = empty_file(empty(EmptyMonthCause.EXPLAINED))["not_empty"]
    assert found.passed
    assert found.message == (
        "The month has bars, or was proven empty for a known reason. (no bars: the vendor answered every window of the "
        "month completely, with none, as expected: listed 2010-06-29, after this month)"
    )


@pytest.mark.parametrize(
    ("provenance", "severity"),
    [
        (empty(EmptyMonthCause.UNKNOWN), "warn"),
        (empty(EmptyMonthCause.UNEXPLAINED), "error"),
        (recorded(HEADER), "error"),
        (None, "error"),
    ],
)
def test_an_empty_month_that_is_not_explained_fails_and_does_not_block(provenance, severity):
    found = empty_file(provenance)["not_empty"]
    assert (found.passed, found.severity, found.blocking) == (False, severity, False)
    assert "Is the symbol right, and was it listed then?" in found.message


@pytest.mark.parametrize("cause", [EmptyMonthCause.EXPLAINED, EmptyMonthCause.UNKNOWN, EmptyMonthCause.UNEXPLAINED])
def test_an_empty_month_and_its_empty_aggregates_are_right_in_every_other_way(cause):
    for path, raw, faults in ((RAW, None, {"not_empty", "settled"}), (AGGREGATE, HEADER, set())):
        of = CheckInput.of(BarFile.parse(path), HEADER, raw=raw, provenance=empty(cause))
        results = check_file(of)
        assert {found.rule.name for found in results if not found.passed} <= faults
        require(of.file, results)


def test_a_reason_does_not_excuse_a_file_that_was_emptied_later():
    failed = {name for name, found in empty_file(recorded(WHOLE)).items() if not found.passed}
    assert failed == {"as_recorded", "not_empty", "sessions_present", "settled"}
