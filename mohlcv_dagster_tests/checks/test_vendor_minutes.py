"""The rules on minutes beside the vendor's own: when they pass, warn and fail, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.checks.check_input import CheckInput, VendorMinutes
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.registry import VENDOR_RULES, for_timeframe
from mohlcv_dagster.checks.runner import check_file, run_rules
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import AGGREGATED, MINUTE, RAW
from mohlcv_dagster_tests.checks.whole_months import whole_month
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS
from mohlcv_dagster_tests.reconciliation.reconciled_months import Bars

FILE = BarFile.parse("aggregated/1min/KO_2024_02_1min.csv")
HEADER = b"ts_event,open,high,low,close,volume\n"
SECONDS = HEADER + (
    b"2024-02-01 14:30:00+00:00,10.0,10.0,10.0,10.0,100\n"
    b"2024-02-01 14:30:59+00:00,10.1,10.2,10.1,10.2,50\n"
    b"2024-02-01 14:31:05+00:00,10.2,10.2,10.2,10.2,40\n"
)
MINUTES = HEADER + (
    b"2024-02-01 14:30:00+00:00,10.0,10.2,10.0,10.2,150\n2024-02-01 14:31:00+00:00,10.2,10.2,10.2,10.2,40\n"
)
ABSENT = Reading.of(None)


def results(own, raw, vendor, provenance=None, file=FILE):
    found = check_file(CheckInput(file, own, raw, provenance, vendor=vendor), VENDOR_RULES)
    return {result.rule.name: result for result in found}


def by_hand(vendor_minutes, seconds=SECONDS, minutes=MINUTES, **facts):
    recorded = Provenance(rows=2, sha256="", **facts)
    bars = csv_codec.decode(vendor_minutes)
    return results(Reading.of(minutes), Reading.of(seconds), VendorMinutes(bars), recorded)


def of_case(case, symbol="KO"):
    own, raw = (Reading(b"", bars.table(), None) for bars in (case.seconds.minutes(), case.seconds))
    return results(own, raw, VendorMinutes(case.vendor.table()), file=BarFile(symbol, MINUTE, case.month))


def seeded(what):
    [seed] = [seed for seed in SEEDS if seed.what == what]
    return of_case(seed.make(reconciled_months.winter()))


def test_the_family_is_for_minutes_alone_and_does_not_block():
    assert [rule.name for rule in for_timeframe(MINUTE, VENDOR_RULES)] == [
        "vendor_minutes",
        "volume_ladder",
        "thin_seconds",
    ]
    assert not any(for_timeframe(each, VENDOR_RULES) for each in (RAW, *AGGREGATED) if each != MINUTE)
    assert not any(rule.blocking for rule in VENDOR_RULES)


def test_minutes_that_are_the_vendors_own_pass_and_say_how_many():
    found = by_hand(MINUTES)
    assert all(result.passed for result in found.values())
    assert found["vendor_minutes"].message.endswith(
        "within 0.5 %. (2 minutes compared; not judged: whether labels are a second early on both sides, since no "
        "opening auction stands out)"
    )
    assert found["vendor_minutes"].facts["share of minutes that agree"] == "100.0000 %"
    assert found["vendor_minutes"].facts["minutes that differ, by kind"] == {}


def test_a_month_whose_auctions_are_at_the_opening_is_said_to_be_compared_and_no_more():
    [early] = [seed for seed in SEEDS if seed.what == "both sides one second early, the month"]
    case = early.make(reconciled_months.winter())
    seconds = replace(case.seconds, t=case.seconds.t + 1)
    found = of_case(replace(case, seconds=seconds, vendor=seconds.minutes()))

    assert found["vendor_minutes"].message.endswith(" minutes compared)")


def test_volume_may_differ_by_half_a_percent_and_no_more():
    seconds, minutes = SECONDS.replace(b"10.0,100\n", b"10.0,950\n"), MINUTES.replace(b",150\n", b",1000\n")
    for volume, passed in ((b"1005", True), (b"996", True), (b"1006", False), (b"994", False)):
        found = by_hand(MINUTES.replace(b",150\n", b",%s\n" % volume), seconds, minutes)["vendor_minutes"]
        assert (volume, found.passed) == (volume, passed)


@pytest.mark.parametrize(
    ("what", "severity"),
    [
        ("a negative volume in five of our seconds", "error"),
        ("five of the vendor's minutes negative", "error"),
        ("a session one second early", "error"),
        ("half our price, twice our volume, a session", "error"),
        ("our last half hour of the month lost", "warn"),
        ("auctions in the vendor's minutes alone", "warn"),
        ("more volume in twelve of the vendor's minutes", "warn"),
        ("a small auction print at two openings lost from ours", "warn"),
        ("a wider range with a tenth more volume in nine minutes", "warn"),
        ("the last second of six minutes lost", "warn"),
        ("a bad print in three of our seconds", "warn"),
        ("a wrong close in half the vendor's minutes", "error"),
        ("a higher high at the same volume in seven minutes", "error"),
    ],
)
def test_what_is_no_known_way_of_the_vendor_is_an_error_and_what_is_one_a_warning(what, severity):
    found = seeded(what)["vendor_minutes"]
    assert (found.passed, found.severity) == (False, severity)
    assert found.count > 0


def test_known_ways_in_more_than_a_hundredth_of_the_minutes_are_an_error():
    case = reconciled_months.winter()
    quiet = np.flatnonzero(case.vendor.t % 3600 == 900)[2:-2]
    few = quiet[: len(case.vendor.t) // 101]
    assert len(quiet) > len(few) == 27
    for at, severity in ((few, "warn"), (quiet, "error")):
        late = case.vendor.changed(at, h=case.vendor.h[at] + 0.05, v=case.vendor.v[at] * 2)
        found = of_case(replace(case, vendor=late))["vendor_minutes"]
        assert found.severity == severity
        assert found.facts["minutes that differ, by kind"] == {"late_print": len(at)}
    assert "% of the minutes have the same prices, 99.00 % is the least; the first late_print at" in found.message


@pytest.mark.parametrize(("share", "severity"), [(0.04, "warn"), (0.29, "error")])
@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_another_volume_in_more_than_a_twentieth_of_the_minutes_is_an_error_at_equal_prices(share, severity, factor):
    case = reconciled_months.winter()
    at = np.random.default_rng(29).choice(len(case.vendor.t), int(share * len(case.vendor.t)), replace=False)
    other = case.vendor.changed(at, v=np.maximum(1, case.vendor.v[at] * factor).astype(np.int64) + (factor > 1))
    found = of_case(replace(case, vendor=other))["vendor_minutes"]
    assert (found.passed, found.severity) == (False, severity)
    assert ("% of the minutes agree, 95.00 % is the least" in found.message) == (severity == "error")


def busy_month(*, seconds_lost=False, minutes_lost=False):
    """A liquid symbol's whole January without two hours of the 10th, on one side or both."""
    bars = Bars.of(whole_month("AAC", "2024-01"))
    begin = int(datetime(2024, 1, 10, 16, tzinfo=UTC).timestamp())
    seconds, minutes = (
        own.take((own.t < begin) | (own.t >= begin + 7200)) if lost else own
        for own, lost in ((bars, seconds_lost), (bars.minutes(), minutes_lost))
    )
    return of_case(reconciled_months.Case(Month(2024, 1), seconds, minutes), "AAC")["vendor_minutes"]


def test_two_hours_without_a_minute_on_either_side_pass_and_are_told_as_a_halt():
    found = busy_month(seconds_lost=True, minutes_lost=True)
    assert found.passed
    assert "; neither side has a minute of 2024-01-10 from 11:00:00 to 13:00:00 Eastern, as in a halt of trading" in (
        found.message
    )


def test_two_hours_of_the_vendors_minutes_without_ours_are_an_error_that_says_they_are_lost():
    found = busy_month(seconds_lost=True)
    assert (found.passed, found.severity) == (False, "error")
    lost = "we have none of the 120 minutes that the vendor has from 2024-01-10 16:00:00Z to 2024-01-10 17:59:00Z: lost"
    assert f"; {lost}. missing_second: " in found.message


def test_a_whole_month_says_nothing_of_halts():
    assert "halted" not in busy_month().message


def test_a_wrong_close_is_told_with_both_values_its_meaning_and_the_cure():
    found = by_hand(MINUTES.replace(b"10.2,10.2,40\n", b"10.2,10.1,40\n"))["vendor_minutes"]
    assert found.message == (
        "1 of 2 minutes differs from the vendor's own: 1 unknown; 50.00 % of the minutes have the same prices, 99.00 % "
        "is the least; the first unknown at 2024-02-01 14:31:00Z (close 10.2, the vendor's 10.1). "
        "unknown: no known way of the vendor explains it. "
        "Re-materialize raw_1s; if it stays, do not rely on the month and report the minutes to the vendor. "
        "docs/reconciliation.md has the meaning of each kind, and what shows it."
    )
    [row] = found.bars.to_pylist()
    assert (row["kind"], row["close"], row["vendor_close"], row["volume"]) == ("unknown", 10.2, 10.1, 40)


def test_a_shift_is_told_once_and_not_a_minute_at_a_time():
    found = seeded("the month one second early")["vendor_minutes"]
    assert (
        "553 shifted_label; every label of the sessions 2024-01-31 to 2024-02-29 is 1 second early; " in found.message
    )
    assert found.message.count(" is 1 second early") == 1


def test_another_basis_is_told_with_the_one_that_was_asked_for():
    halves = HEADER + b"".join(b"2024-02-01 14:%02d:00+00:00,10.0,10.2,10.0,10.2,150\n" % minute for minute in range(9))
    found = by_hand(halves.replace(b"10.", b"5."), halves, halves, adjusted=False)["vendor_minutes"]
    assert (found.severity, found.facts["minutes that differ, by kind"]) == ("error", {"unknown": 9})
    fives = halves.replace(b"10.0", b"5.0").replace(b"10.2", b"5.1").replace(b",150", b",300")
    found = by_hand(fives, halves, halves, adjusted=False)["vendor_minutes"]
    assert (found.severity, found.facts["minutes that differ, by kind"]) == ("error", {"split_basis": 9})
    told = "the vendor's minutes of 2024-02-01 have prices 1/2 times and volumes 2 times ours"
    assert f"{told}; both were requested unadjusted; " in found.message


def test_a_sample_shows_some_of_each_kind():
    seeds = {seed.what: seed for seed in SEEDS}
    case = reconciled_months.winter()
    for what in ("auctions in the vendor's minutes alone", "a higher high at the same volume in seven minutes"):
        made = seeds[what].make(case)
        case = replace(made, touched=None)
    bars = of_case(case)["vendor_minutes"].bars
    assert set(bars["kind"].to_pylist()[:4]) == {"auction_print", "unknown"}
    assert bars.num_rows == 14


def test_our_seconds_with_more_volume_than_the_vendors_minute_warn_with_the_first():
    ladder = by_hand(MINUTES.replace(b",150\n", b",149\n"))["volume_ladder"]
    assert (ladder.passed, ladder.severity, ladder.count) == (False, "warn", 1)
    assert ladder.message.startswith(
        "1 of 2 minutes of the vendor's has less volume than our seconds in it; first at 2024-02-01 14:30:00Z "
        "(volume 150, the vendor's 149). Our seconds may have a print twice, or one that was cancelled since: "
    )


def test_minutes_after_the_moment_the_raw_month_is_complete_through_are_not_compared():
    more = MINUTES + b"2024-02-01 14:32:00+00:00,9.0,9.0,9.0,9.0,9\n"
    assert not by_hand(more)["vendor_minutes"].passed
    found = by_hand(more, complete_through=datetime(2024, 2, 1, 14, 32, 30, tzinfo=UTC))["vendor_minutes"]
    assert (found.passed, found.of) == (True, 2)


@pytest.mark.parametrize("vendor", [None, VendorMinutes(None, "the plan does not reach 2024-02.")])
def test_a_vendor_that_did_not_answer_is_one_warning_that_says_why(vendor):
    why = "it was not asked" if vendor is None else "the plan does not reach 2024-02"
    given = CheckInput(FILE, Reading.of(MINUTES), Reading.of(SECONDS), vendor=vendor)

    [found] = check_file(given, VENDOR_RULES)
    assert (found.rule.name, found.passed, found.severity, found.count) == ("vendor_minutes", False, "warn", 0)
    assert found.message == (
        f"aggregated/1min/KO_2024_02_1min.csv could not be compared with the vendor's own minutes: {why}. "
        "Execute the check of aggregated/1min for KO 2024-02 again once that is cured."
    )
    assert {rule.name: reason for rule, reason in run_rules(given, VENDOR_RULES).not_checked} == dict.fromkeys(
        ("volume_ladder", "thin_seconds"), f"the vendor's own minutes are not known: {why}"
    )


def test_a_missing_file_of_ours_leaves_the_vendor_unasked_and_nothing_checked():
    for own, raw, why in (
        (ABSENT, Reading.of(SECONDS), "the file is absent"),
        (Reading.of(b"no bars"), Reading.of(SECONDS), "the file cannot be read"),
        (Reading.of(MINUTES), ABSENT, "its raw file is absent"),
    ):
        given = CheckInput(FILE, own, raw)
        assert check_file(given, VENDOR_RULES) == []
        assert [(rule.name, reason) for rule, reason in run_rules(given, VENDOR_RULES).not_checked] == [
            ("vendor_minutes", why),
            ("volume_ladder", why),
            ("thin_seconds", why),
        ]


def test_a_vendor_that_proves_it_has_no_minute_differs_in_all():
    found = results(Reading.of(MINUTES), Reading.of(SECONDS), VendorMinutes(bar_table.empty()))["vendor_minutes"]
    assert (found.severity, found.count, found.of) == ("error", 2, 2)
    assert found.message == (
        "the vendor has no minutes of KO 2024-02 at all, our seconds give 2 minutes. Is the symbol right, and does the "
        "plan have its minutes? Execute the check of aggregated/1min for KO 2024-02 again later; if the vendor still "
        "has none, report it to the vendor."
    )


def test_a_month_of_which_we_have_no_minute_is_told_as_that():
    ours = Reading.of(HEADER)
    found = results(ours, ours, VendorMinutes(csv_codec.decode(MINUTES)))["vendor_minutes"]
    assert (found.severity, found.count) == ("error", 2)
    assert found.message == (
        "we have no minutes of KO 2024-02 at all, the vendor has 2 minutes. "
        "Re-materialize raw_1s for KO 2024-02, then aggregated/1min."
    )


@pytest.mark.parametrize(("volume", "told"), [(b"0", "100.0000"), (b"1", "99.3333"), (b"15000", "99.0000")])
def test_the_largest_deviation_of_a_volume_is_a_share_of_the_larger(volume, told):
    found = by_hand(MINUTES.replace(b",150\n", b",%s\n" % volume))["vendor_minutes"]
    assert found.facts["largest deviation"] == f"price 0 USD, volume {told} % of the larger"


def test_seconds_that_do_not_rise_cannot_be_compared_and_that_is_an_error():
    header, first, *rest = SECONDS.splitlines(keepends=True)
    checked = by_hand(MINUTES, header + b"".join(rest) + first)
    found = checked["vendor_minutes"]
    assert set(checked) == {"vendor_minutes"}
    assert (found.passed, found.severity) == (False, "error")
    assert "could not be compared with the vendor's own minutes: the seconds do not rise strictly" in found.message


def test_seconds_and_minutes_that_agree_on_a_negative_volume_do_not_pass():
    seconds = SECONDS.replace(b",50\n", b",-50\n")
    minutes = MINUTES.replace(b",150\n", b",50\n")
    assert Bars.of(csv_codec.decode(seconds)).minutes().v.tolist() == [50, 40]
    found = by_hand(minutes, seconds, minutes)["vendor_minutes"]
    assert (found.passed, found.severity, found.count) == (False, "error", 1)
    assert "the first negative_volume at 2024-02-01 14:30:00Z (the same on both sides)" in found.message
