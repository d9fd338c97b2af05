"""The rules on provenance: final or provisional, revised, on which splits; each says so in a user's words."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mohlcv_dagster.checks import runner
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import Severity
from mohlcv_dagster.checks.runner import check_file
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster_tests.checks import clean_files
from mohlcv_dagster_tests.checks.clean_files import AGGREGATE, CLEAN, LIFE, RAW, WHOLE, input_of, recorded

SETTLED = replace(
    recorded(CLEAN[RAW]),
    fetched_at=datetime(2024, 2, 1, 16, tzinfo=UTC),
    complete_through=datetime(2024, 2, 1, tzinfo=UTC),
)
PROVISIONAL = replace(
    SETTLED,
    fetched_at=datetime(2024, 1, 15, 17, 0, 1, tzinfo=UTC),
    complete_through=datetime(2024, 1, 15, 17, tzinfo=UTC),
)


def failing(path, facts, *, content=True):
    own = CLEAN[path] if content else None
    found = runner.check_file(input_of(path, own, raw=CLEAN[RAW], facts=facts))
    return {result.rule.name: result for result in found if result.rule in LIFE and not result.passed}


def test_the_names_of_the_rules_are_the_published_ones_and_they_only_tell():
    assert [rule.name for rule in LIFE] == ["settled", "revised"]
    assert [(rule.severity, rule.blocking) for rule in LIFE] == [(Severity.WARN, False)] * 2


@pytest.mark.parametrize("path", [RAW, AGGREGATE])
def test_a_settled_month_that_was_not_revised_passes(path):
    assert failing(path, SETTLED) == {}
    assert failing(path, replace(SETTLED, revised=RevisionCounts(6))) == {}


def test_a_provisional_month_warns_with_when_it_is_complete_when_it_settles_and_what_to_do():
    found = failing(RAW, PROVISIONAL)

    assert set(found) == {"settled"}
    assert found["settled"].severity is Severity.WARN
    assert not found["settled"].blocking
    assert found["settled"].message == (
        "SPY 2024-01 is provisional: until it is final, bars may be missing or be revised. It was fetched at "
        "2024-01-15 17:00:01Z, is complete through 2024-01-15 17:00:00Z and is final from 2024-02-01 16:00:00Z, 11:00 "
        "Eastern on the trading day after its last session. Re-materialize raw_1s for SPY 2024-01 from then on; only "
        "what is missing or not final is requested then. The automation, once turned on, does it daily."
    )


def test_that_a_month_is_provisional_is_told_of_its_raw_file_alone():
    assert failing(AGGREGATE, PROVISIONAL) == {}


def test_a_second_before_settlement_is_before_it():
    assert set(failing(RAW, replace(SETTLED, fetched_at=datetime(2024, 2, 1, 15, 59, 59, tzinfo=UTC)))) == {"settled"}


@pytest.mark.parametrize("facts", [None, replace(SETTLED, fetched_at=None)], ids=["no record", "no time in it"])
def test_where_the_time_of_fetching_is_unknown_that_is_said_and_not_guessed(facts):
    found = runner.check_file(CheckInput.of(BarFile.parse(RAW), CLEAN[RAW], provenance=facts))
    [settled] = [result for result in found if result.rule.name == "settled"]

    assert not settled.passed
    assert settled.message.startswith("Whether SPY 2024-01 is final is unknown: when it was fetched is not recorded. ")
    assert "It is final from 2024-02-01 16:00:00Z" in settled.message


def test_a_month_beyond_the_calendar_is_unknown_too():
    path = "raw_1s/SPY/SPY_2250_01.csv"
    found = runner.check_file(input_of(path, CLEAN[RAW], raw=None, facts=SETTLED))
    [settled] = [result for result in found if result.rule.name == "settled"]

    assert not settled.passed
    assert "is unknown: the exchange calendar covers" in settled.message


def test_a_revised_month_warns_with_the_counts_and_where_the_bars_are_shown():
    found = failing(RAW, replace(SETTLED, revised=RevisionCounts(compared=9000, changed=3, gained=1, lost=2)))

    assert set(found) == {"revised"}
    assert (found["revised"].severity, found["revised"].count, found["revised"].of) == (Severity.WARN, 6, 9000)
    assert found["revised"].message == (
        "6 final bars are not as they were before the fetch at 2024-02-01 16:00:00Z: 3 changed, 1 added, 2 lost, of "
        "9,000 compared. The file has the new bars. The first are shown before and after under `revision` in the "
        "metadata of this materialization of raw_1s; look at them, and make again what was made from SPY 2024-01 "
        "earlier."
    )


def test_an_aggregate_is_not_checked_on_the_revision_of_its_raw_month():
    assert failing(AGGREGATE, replace(SETTLED, revised=RevisionCounts(6, changed=1))) == {}


def test_of_an_absent_file_the_record_is_not_checked():
    assert failing(RAW, PROVISIONAL, content=False) == {}


FETCHED = datetime(2024, 2, 5, tzinfo=UTC)
LATER = Split(date(2024, 6, 10), 1, 10)
EARLIER = Split(date(2021, 7, 20), 1, 4)
ADJUSTED = replace(
    clean_files.recorded(WHOLE), adjusted=True, fetched_at=FETCHED, splits=(EARLIER, LATER), splits_now=(EARLIER,)
)


def result(name, recorded, content=WHOLE, path=RAW, raw=None):
    of = CheckInput.of(BarFile.parse(path), content, raw=raw, provenance=recorded)
    (found,) = [found for found in check_file(of) if found.rule.name == name]
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
    assert result("split_basis", recorded).passed


def test_a_pass_says_on_what_it_rests():
    unadjusted = replace(ADJUSTED, adjusted=False)
    assert result("split_basis", unadjusted).message.endswith("(unadjusted: no later split rewrites them)")
    assert "whether they are adjusted is not recorded" in result("split_basis", None).message


def test_a_later_split_makes_an_adjusted_month_stale_with_the_reason():
    found = result("split_basis", replace(ADJUSTED, splits_now=(EARLIER, LATER)))
    assert (found.passed, found.severity, found.count, found.of) == (False, "error", 6, 6)
    assert found.message == (
        f"{RAW}, fetched at 2024-02-05 00:00:00Z, is not adjusted for 1 split of SPY known by now: "
        "10 for 1 on 2024-06-10. Prices and volumes of 6 of 6 bars are on the old basis, other months may be on "
        "today's. Re-materialize raw_1s for SPY 2024-01, and each month whose check fails in the same way."
    )
    assert not found.blocking


def test_a_split_within_the_month_leaves_the_bars_after_it_alone():
    content = WHOLE.replace(b"2024-01-02 14:31:00", b"2024-01-03 14:31:00")
    recorded = replace(ADJUSTED, sha256=clean_files.recorded(content).sha256)
    found = result("split_basis", replace(recorded, splits_now=(Split(date(2024, 1, 3), 1, 2),)), content)
    assert (found.passed, found.count) == (False, 5)


def test_adjusted_bars_whose_splits_were_not_told_are_unknown():
    found = result("split_basis", replace(ADJUSTED, splits=None))
    assert (found.passed, found.severity) == (False, "warn")
    assert "for which splits is unknown" in found.message


def test_adjusted_bars_whose_splits_were_not_told_are_stale_by_a_split_executed_after_their_fetch():
    assert result("split_basis", replace(ADJUSTED, splits=None, splits_now=(LATER,))).severity == "error"
