"""How months appear in the quality table: status, reason, counts of rules."""

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from mohlcv_dagster.defs.failures import StepFailure, reason
from mohlcv_dagster.model.quality_rows import MonthStatus
from mohlcv_dagster_tests.defs.month_log import MONTHS, Log
from mohlcv_dagster_tests.defs.twelve_checks import CHECKS


@pytest.fixture
def log(instance, tmp_path):
    return Log(instance, tmp_path)


def test_a_failed_run_makes_a_row_with_its_sentence_also_over_an_earlier_file(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.ended("failed")
    log.planned("raw_1s", "2024-02|SPY")
    log.made("raw_1s", "2024-02|SPY")
    log.planned("raw_1s", "2024-02|SPY")
    log.ended("failed")

    first, second = (log.read()["SPY", month].quality for month in MONTHS)

    assert (first.status, first.why, first.rows) == (MonthStatus.FAILED, "The vendor was away.", None)
    assert (second.status, second.why, second.rows) == (MonthStatus.FAILED, "The vendor was away.", 7)


def test_a_month_made_again_after_it_failed_is_stored(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.ended("failed")
    log.read()
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")

    assert log.read()["SPY", "2024-01"].quality.status is MonthStatus.STORED


def test_what_was_asked_for_and_is_not_there_is_in_progress_then_missing_and_gone_with_its_symbol(log):
    log.planned("raw_1s", "2024-01|SPY")
    assert log.read()["SPY", "2024-01"].quality.status is MonthStatus.IN_PROGRESS

    log.ended("canceled")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.status, row.why, row.worst) == (MonthStatus.MISSING, None, None)

    log.symbol_removed("SPY")
    assert log.read() == {}


def test_a_month_on_another_basis_is_stale_without_a_check_by_splits_recorded_with_a_later_month(log):
    split = {"executed": "2024-02-15", "from": 1, "to": 4}
    log.made("raw_1s", "2024-01|SPY", adjusted=True, splits=[], fetched_at=moment(2024, 2, 2))
    log.made("raw_1s", "2024-02|SPY", adjusted=True, splits=[split], fetched_at=moment(2024, 3, 2))
    log.made("raw_1s", "2024-01|QQQ", adjusted=False, fetched_at=moment(2024, 2, 2))

    log.rules = replace(log.rules, adjusted=True)
    stale = {key: row.quality.stale for key, row in log.read().items()}
    assert stale["SPY", "2024-01"][0] == (
        "raw_1s is on another basis: it is adjusted as of 2024-02-02, and not for a later split (4 for 1 on 2024-02-15)"
    )
    assert not any("basis" in each for each in stale["SPY", "2024-02"])
    assert stale["QQQ", "2024-01"][0] == (
        "raw_1s is on another basis: it is unadjusted, and adjusted prices are asked for"
    )
    log.rules = replace(log.rules, adjusted=False)
    other = {key for key, row in log.read().items() if any("another basis" in each for each in row.quality.stale)}
    assert other == {("SPY", "2024-01"), ("SPY", "2024-02")}


def moment(*day):
    return dg.MetadataValue.timestamp(datetime(*day, tzinfo=UTC))


def test_an_aggregate_that_failed_fails_its_month_unless_errors_in_the_raw_file_held_it_back(log):
    for symbol, result in (("SPY", "passed"), ("QQQ", "error")):
        log.planned("aggregated/15s", f"2024-01|{symbol}")
        log.made("raw_1s", f"2024-01|{symbol}")
        log.evaluated("raw_1s", f"2024-01|{symbol}", result)
        log.ended("failed")

    found = {symbol: each.quality for (symbol, _), each in log.read().items()}

    assert (found["SPY"].status, found["SPY"].why) == (MonthStatus.FAILED, "The vendor was away.")
    assert (found["QQQ"].status, found["QQQ"].worst) == (MonthStatus.STORED, "error")
    assert found["QQQ"].stale == ("aggregated/15s is missing",)


def test_rules_are_counted_and_named_and_those_that_could_not_be_checked_are_not_judged(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")
    every = sum(len(rules) for check, rules in CHECKS.items() if check.asset_key == dg.AssetKey("raw_1s"))
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.worst) == (0, every, None)  # planned, and never evaluated

    log.evaluated("raw_1s", "2024-01|SPY", "warning")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.worst, row.is_checked) == (every, 0, "warn", True)
    assert row.failing == tuple(
        f"raw_1s: {rule}" for rule in ("readable", "no_missing_values", "not_empty", "spikes", "settled")
    )

    log.evaluated_again("raw_1s", "2024-01|SPY", "not judged")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.failing, row.is_checked) == (every - 5, 5, (), False)


def test_an_evaluation_of_the_former_form_counts_as_its_rule(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|QQQ")
    key = dg.AssetKey("raw_1s")
    [made] = log.instance.fetch_materializations(key, limit=1).records
    for rule, passed in (("ohlc_order", False), ("readable", True)):
        former = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=rule,
            passed=passed,
            partition="2024-01|QQQ",
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
            ),
        )
        log.tell(dg.DagsterEventType.ASSET_CHECK_EVALUATION, former, log.latest().run_id)

    row = log.read()["QQQ", "2024-01"].quality

    assert (row.failing, row.errors, row.judged, row.not_judged) == (("raw_1s: ohlc_order",), 1, 2, 0)


def test_each_month_of_a_run_of_several_has_its_own_sentence():
    failures = [StepFailure("2 failed", {"2024-01|SPY": "no such day", "2024-02|SPY": "key refused"})]

    assert reason(failures, "2024-02|SPY") == "key refused"
    assert reason(failures, "2024-01|SPY") == "no such day"
    assert reason(failures, "2024-03|SPY") == "2 failed"
    assert reason([StepFailure("x " * 300, {})], "x|Y").endswith("…")
    assert reason([], "x|Y") == ""
