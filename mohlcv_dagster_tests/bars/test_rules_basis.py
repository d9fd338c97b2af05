"""Adjusted bars and splits of later; a month without bars and its reason. The tiny files are `clean_files`'."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mohlcv_dagster.bars.rules import Evidence, judge, require
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason
from mohlcv_dagster.model.splits import Split
from mohlcv_dagster_tests.bars import clean_files
from mohlcv_dagster_tests.bars.clean_files import HEADER, RAW, WHOLE

FETCHED = datetime(2024, 2, 5, tzinfo=UTC)
LATER = Split(date(2024, 6, 10), 1, 10)
EARLIER = Split(date(2021, 7, 20), 1, 4)
ADJUSTED = replace(
    clean_files.recorded(WHOLE), adjusted=True, fetched_at=FETCHED, splits=(EARLIER, LATER), splits_now=(EARLIER,)
)


def finding(name, recorded, content=WHOLE, path=RAW, raw=None):
    of = Evidence.of(BarFile.parse(path), content, raw=raw, recorded=recorded)
    (found,) = [found for found in judge(of) if found.rule.name == name]
    return found


@pytest.mark.parametrize(
    "recorded",
    [
        ADJUSTED,
        replace(ADJUSTED, splits=(), splits_now=()),
        replace(
            ADJUSTED, splits=(EARLIER, LATER), splits_now=(EARLIER, LATER), fetched_at=datetime(2024, 7, 1, tzinfo=UTC)
        ),
        replace(ADJUSTED, splits=(), splits_now=(Split(date(2024, 1, 1), 1, 2),)),  # its bars are all after it
        replace(ADJUSTED, adjusted=False, splits=None, splits_now=(LATER,)),
        replace(ADJUSTED, adjusted=None, splits=None),
        None,
    ],
)
def test_bars_on_the_basis_of_today_pass(recorded):
    assert finding("split_basis", recorded).passed


def test_a_pass_says_on_what_it_rests():
    unadjusted = replace(ADJUSTED, adjusted=False)
    assert finding("split_basis", unadjusted).message.endswith("(unadjusted: no later split rewrites them)")
    assert "whether they are adjusted is not recorded" in finding("split_basis", None).message


def test_a_later_split_makes_an_adjusted_month_stale_with_the_reason():
    found = finding("split_basis", replace(ADJUSTED, splits_now=(EARLIER, LATER)))
    assert (found.passed, found.severity, found.count, found.of) == (False, "error", 6, 6)
    assert found.message == (
        f"{RAW}, fetched at 2024-02-05 00:00:00Z, is not adjusted for a split of SPY known by now: "
        "10 for 1 on 2024-06-10. Prices and volumes of 6 of 6 bars are on the former basis, other months may be on "
        "today's. Re-materialize raw_1s for SPY 2024-01, and each month whose check says the same."
    )
    assert not found.holds_back


def test_a_split_within_the_month_leaves_the_bars_after_it_alone():
    content = WHOLE.replace(b"2024-01-02 14:31:00", b"2024-01-03 14:31:00")
    recorded = replace(ADJUSTED, sha256=clean_files.recorded(content).sha256)
    found = finding("split_basis", replace(recorded, splits_now=(Split(date(2024, 1, 3), 1, 2),)), content)
    assert (found.passed, found.count) == (False, 5)


def test_adjusted_bars_whose_splits_were_not_told_are_unknown():
    found = finding("split_basis", replace(ADJUSTED, splits=None))
    assert (found.passed, found.severity) == (False, "warn")
    assert "for which splits is unknown" in found.message


def test_adjusted_bars_whose_splits_were_not_told_are_stale_by_a_split_executed_after_their_fetch():
    assert finding("split_basis", replace(ADJUSTED, splits=None, splits_now=(LATER,))).severity == "error"


def empty(cause, because="listed 2010-06-29, after this month"):
    return replace(clean_files.recorded(HEADER), empty=EmptyMonthReason(cause, because))


def test_an_empty_month_that_is_explained_passes_with_the_reason():
    found = finding("not_empty", empty(EmptyMonthCause.EXPLAINED), HEADER)
    assert found.passed
    assert found.message == (
        "The month has bars, or was proven empty and cannot have any. (no bars: every window of the month was answered "
        "whole and empty, as it must be: listed 2010-06-29, after this month)"
    )


@pytest.mark.parametrize(
    ("recorded", "severity"),
    [
        (empty(EmptyMonthCause.UNKNOWN), "warn"),
        (empty(EmptyMonthCause.UNEXPLAINED), "error"),
        (clean_files.recorded(HEADER), "error"),
        (None, "error"),
    ],
)
def test_an_empty_month_that_is_not_explained_fails_and_holds_nothing_back(recorded, severity):
    found = finding("not_empty", recorded, HEADER)
    assert (found.passed, found.severity, found.holds_back) == (False, severity, False)
    assert "Is the symbol right, and was it listed then?" in found.message


@pytest.mark.parametrize("cause", [EmptyMonthCause.EXPLAINED, EmptyMonthCause.UNKNOWN, EmptyMonthCause.UNEXPLAINED])
def test_an_empty_month_and_its_empty_aggregates_are_right_in_every_other_way(cause):
    for path, raw, faults in ((RAW, None, {"not_empty", "settled"}), (clean_files.AGGREGATE, HEADER, set())):
        of = Evidence.of(BarFile.parse(path), HEADER, raw=raw, recorded=empty(cause))
        findings = judge(of)
        assert {found.rule.name for found in findings if not found.passed} <= faults
        require(of.file, findings)


def test_a_reason_does_not_excuse_a_file_that_was_emptied_later():
    findings = judge(Evidence.of(BarFile.parse(RAW), HEADER, recorded=clean_files.recorded(WHOLE)))
    failed = {found.rule.name for found in findings if not found.passed}
    assert failed == {"as_recorded", "not_empty", "sessions_present", "settled"}
