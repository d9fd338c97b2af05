"""The rules on a month's life: quiet on settled, unrevised months; each seeded fault is told in a user's words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.rules import LIFE, Severity
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster_tests.bars import clean_files
from mohlcv_dagster_tests.bars.clean_files import AGGREGATE, CLEAN, RAW, evidence, recorded

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
    found = rules.judge(evidence(path, own, raw=CLEAN[RAW], facts=facts))
    return {finding.rule.name: finding for finding in found if finding.rule in LIFE and not finding.passed}


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
    assert not found["settled"].holds_back
    assert found["settled"].message == (
        "SPY 2024-01 is provisional: until it settles, bars may be missing or be revised. It was fetched at 2024-01-15 "
        "17:00:01Z, is complete through 2024-01-15 17:00:00Z and settles at 2024-02-01 16:00:00Z, 11:00 Eastern on the "
        "trading day after its last session. Re-materialize raw_1s for SPY 2024-01 from then on; only what is missing "
        "or unsettled is asked for then. The automation, once turned on, does it daily."
    )


def test_that_a_month_is_provisional_is_told_of_its_raw_file_alone():
    assert failing(AGGREGATE, PROVISIONAL) == {}


def test_a_second_before_settlement_is_before_it():
    assert set(failing(RAW, replace(SETTLED, fetched_at=datetime(2024, 2, 1, 15, 59, 59, tzinfo=UTC)))) == {"settled"}


@pytest.mark.parametrize("facts", [None, replace(SETTLED, fetched_at=None)], ids=["no record", "no time in it"])
def test_where_the_time_of_fetching_is_unknown_that_is_said_and_not_guessed(facts):
    found = rules.judge(clean_files.Evidence.of(clean_files.BarFile.parse(RAW), CLEAN[RAW], recorded=facts))
    [settled] = [finding for finding in found if finding.rule.name == "settled"]

    assert not settled.passed
    assert settled.message.startswith(
        "Whether SPY 2024-01 is settled is unknown: when it was fetched is not recorded. "
    )
    assert "It settles at 2024-02-01 16:00:00Z" in settled.message


def test_a_month_beyond_the_calendar_is_unknown_too():
    path = "raw_1s/SPY/SPY_2250_01.csv"
    found = rules.judge(evidence(path, CLEAN[RAW], raw=None, facts=SETTLED))
    [settled] = [finding for finding in found if finding.rule.name == "settled"]

    assert not settled.passed
    assert "is unknown: the exchange calendar covers" in settled.message


def test_a_revised_month_warns_with_the_counts_and_where_the_bars_are_shown():
    found = failing(RAW, replace(SETTLED, revised=RevisionCounts(compared=9000, changed=3, gained=1, lost=2)))

    assert set(found) == {"revised"}
    assert (found["revised"].severity, found["revised"].count, found["revised"].of) == (Severity.WARN, 6, 9000)
    assert found["revised"].message == (
        "6 settled bars are not as they were before the fetch at 2024-02-01 16:00:00Z: 3 changed, 1 added, 2 lost, of "
        "9,000 compared. The file has the new bars. The first are shown before and after under `revision` in the "
        "metadata of this materialization of raw_1s; look at them, and make anew what was made of SPY 2024-01 before."
    )


def test_an_aggregate_is_not_judged_on_the_revision_of_its_raw_month():
    assert failing(AGGREGATE, replace(SETTLED, revised=RevisionCounts(6, changed=1))) == {}


def test_of_an_absent_file_the_record_is_not_judged():
    assert failing(RAW, PROVISIONAL, content=False) == {}
