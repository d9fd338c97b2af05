"""Checks executed alone on what is stored, as from the UI: of a partition, and of all that are stored."""

import dagster as dg
import pytest

from mohlcv_dagster_tests.checks.clean_files import NOT_WHOLE, WHOLE, WHOLE_15S
from mohlcv_dagster_tests.defs.location import (
    evaluation_of,
    execute_checks_alone,
    failing_rules,
    latest_evaluation,
    location,
    passed_by_check,
    passed_by_rule,
    rule_results,
    run,
)

JANUARY = "2024-01|SPY"
HIGH_BELOW_LOW = WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100")
RAW_QUESTIONS = ("intact", "valid", "complete", "plausible", "current")
AGGREGATE_QUESTIONS = ("intact", "matches_raw")


def test_checks_run_alone_on_a_stored_partition_and_only_those_asked_for(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    result = execute_checks_alone(definitions, instance, "aggregated/15s", JANUARY, "matches_raw")

    assert result.success
    assert passed_by_check(result) == {("aggregated/15s", "matches_raw", JANUARY): True}
    assert passed_by_rule(result) == {("aggregated/15s", "equals_recomputation", JANUARY): True}


def test_a_check_that_fails_in_a_run_of_checks_alone_fails_no_run(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(HIGH_BELOW_LOW)
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "intact", "valid")

    assert result.success
    assert failing_rules(result) == [("raw_1s", "as_recorded", JANUARY), ("raw_1s", "ohlc_order", JANUARY)]


@pytest.mark.parametrize("content", [None, b"<html>502 Bad Gateway</html>"], ids=["absent", "unreadable"])
def test_of_a_file_that_cannot_be_looked_at_only_intact_fails_and_nothing_else_is_said(tmp_path, instance, content):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    path = tmp_path / "raw_1s/SPY/SPY_2024_01.csv"
    path.unlink() if content is None else path.write_bytes(content)
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, *RAW_QUESTIONS)

    assert result.success
    assert passed_by_check(result) == {("raw_1s", "intact", JANUARY): False}
    assert evaluation_of(result, "raw_1s", "intact").description.startswith("readable: ")
    assert {rule: found for (_, rule, _), found in rule_results(result).items()} == {
        "readable": "error",
        "as_recorded": "not judged",
        "exact_form": "not judged",
        "volume_type": "not judged",
        "volume_precision": "not judged",
        "price_precision": "not judged",
    }


def test_an_aggregate_whose_raw_file_is_gone_is_not_called_right(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").unlink()
    result = execute_checks_alone(definitions, instance, "aggregated/15s", JANUARY, *AGGREGATE_QUESTIONS)

    assert passed_by_check(result) == {("aggregated/15s", "intact", JANUARY): True}


def test_an_aggregate_that_differs_is_put_to_the_rules_that_say_how(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    path = tmp_path / "aggregated/15s/SPY_2024_01_15s.csv"
    path.write_bytes(WHOLE_15S.replace(b",720\n", b",721\n").replace(b"14:31:00", b"14:31:05"))
    result = execute_checks_alone(definitions, instance, "aggregated/15s", JANUARY, "matches_raw")

    assert {rule for _, rule, _ in failing_rules(result)} == {"equals_recomputation", "volume_conserved", "aligned"}
    assert passed_by_rule(result)["aggregated/15s", "ohlc_order", JANUARY]
    failed = evaluation_of(result, "aggregated/15s", "matches_raw")
    assert failed.description.startswith("equals_recomputation: ")
    assert failed.description.endswith(" 2 more rules fail.")


def test_a_file_this_home_never_wrote_warns_and_does_not_block(tmp_path, instance):
    definitions = location(tmp_path, {})
    at = tmp_path / "raw_1s/SPY/SPY_2024_01.csv"
    at.parent.mkdir(parents=True)
    at.write_bytes(WHOLE)
    instance.add_dynamic_partitions("symbol", ["SPY"])
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, *RAW_QUESTIONS)

    assert [rule for _, rule, _ in failing_rules(result)] == ["as_recorded", *NOT_WHOLE, "settled"]
    failed = {each.check_name: each for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed["intact"].severity == dg.AssetCheckSeverity.WARN
    assert not failed["complete"].blocking


def test_executing_all_checks_without_a_partition_checks_every_stored_one(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE, ("QQQ", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    run(definitions, instance, "2024-01|QQQ", "raw_1s")
    (tmp_path / "raw_1s/QQQ/QQQ_2024_01.csv").write_bytes(HIGH_BELOW_LOW)
    result = execute_checks_alone(definitions, instance, "raw_1s", None, "valid", "plausible")

    assert result.success
    assert passed_by_check(result) == {
        ("raw_1s", "valid", JANUARY): True,
        ("raw_1s", "plausible", JANUARY): True,
        ("raw_1s", "valid", "2024-01|QQQ"): False,
        ("raw_1s", "plausible", "2024-01|QQQ"): True,
        ("raw_1s", "valid", None): False,
        ("raw_1s", "plausible", None): True,
    }
    assert failing_rules(result) == [("raw_1s", "ohlc_order", "2024-01|QQQ")]
    [sum_of_all] = [
        each for each in result.get_asset_check_evaluations() if each.partition is None and each.check_name == "valid"
    ]
    assert sum_of_all.description == "1 of 2 stored partitions fails."
    assert sum_of_all.severity == dg.AssetCheckSeverity.ERROR
    [row] = sum_of_all.metadata["first failing partitions"].value.records
    assert row.data["partition"] == "2024-01|QQQ"
    assert row.data["found"].startswith("ohlc_order: 1 of 6 bars")
    for partition, passed in ((JANUARY, True), ("2024-01|QQQ", False)):
        assert latest_evaluation(instance, "raw_1s", "valid", partition).passed is passed


def test_a_partition_that_no_file_can_hold_does_not_hold_up_executing_all_checks(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    instance.report_runless_asset_event(dg.AssetMaterialization("raw_1s", partition="2024-01|../SPY"))
    result = execute_checks_alone(definitions, instance, "raw_1s", None, "valid", "complete")

    sums = {
        found.check_name: found.description for found in result.get_asset_check_evaluations() if not found.partition
    }
    assert sums == {
        "valid": "0 of 1 stored partitions fail.",
        "complete": "1 of 1 stored partitions fails.",  # six bars are no month
    }


def test_executing_all_checks_where_nothing_is_stored_says_so_and_does_not_pass(tmp_path, instance):
    result = execute_checks_alone(location(tmp_path, {}), instance, "raw_1s", None, "valid")

    [found] = result.get_asset_check_evaluations()
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.description.startswith("No partition is stored: materialize one.")
