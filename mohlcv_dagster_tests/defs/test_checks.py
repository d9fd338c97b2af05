import hashlib
import json
from datetime import UTC, datetime

import dagster as dg

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import records
from mohlcv_dagster_tests.bars.clean_files import (
    AGGREGATE_CHECKS,
    NOT_BLOCKING,
    NOT_WHOLE,
    RAW_CHECKS,
    WHOLE,
    WHOLE_15S,
    WHOLE_RULES,
)
from mohlcv_dagster_tests.defs.location import location, run

JANUARY = "2024-01|SPY"
HIGH_BELOW_LOW = WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100")
ONE_SECOND_TWICE = WHOLE.replace(b"14:30:01", b"14:30:00")


def verdicts(result):
    return {
        (evaluation.asset_key.to_user_string(), evaluation.check_name): evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
    }


def failed_in_form(result):
    evaluations = result.get_asset_check_evaluations()
    return [each for each in evaluations if not each.passed and each.check_name not in WHOLE_RULES]


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "manifest" not in path.parts
    )


def latest_evaluation(instance, asset, name, partition):
    """The newest evaluation of a check for a partition, from the event log as the UI reads it."""
    key = dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    evaluations = [record.event.dagster_event.event_specific_data for record in history if record.event]
    return next(evaluation for evaluation in evaluations if evaluation.partition == partition)


def execute_checks_alone(definitions, instance, asset, partition, *names):
    """What the UI's Execute on the checks tab does: run checks of a stored partition without materializing it."""
    keys = {dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name) for name in names}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection=keys
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False, run_config=quiet)


def test_every_rule_is_a_check_of_its_asset_under_its_own_name(tmp_path):
    graph = location(tmp_path, {}, timeframes="15s,1h").resolve_asset_graph()

    names = {}
    for check in graph.asset_check_keys:
        names.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
    assert names == {
        "raw_1s": set(RAW_CHECKS),
        "aggregated/15s": set(AGGREGATE_CHECKS),
        "aggregated/1h": set(AGGREGATE_CHECKS),
        "quality/coverage": {"vendor_incident"},
    }


def test_checks_of_form_that_are_errors_block_and_those_on_whole_months_or_warnings_do_not(tmp_path):
    graph = location(tmp_path, {}).resolve_asset_graph()

    for key in graph.asset_check_keys:
        assert graph.get(key).blocking is (key.name not in NOT_BLOCKING), key


def test_a_clean_month_passes_every_check_of_form_and_each_carries_the_partition(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    result = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")

    raw = {name: name not in NOT_WHOLE for name in RAW_CHECKS}
    assert verdicts(result) == {("raw_1s", name): passed for name, passed in raw.items()} | {
        ("aggregated/15s", name): True for name in AGGREGATE_CHECKS
    }
    assert {evaluation.partition for evaluation in result.get_asset_check_evaluations()} == {JANUARY}
    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == WHOLE
    assert (tmp_path / "aggregated/15s/SPY_2024_01_15s.csv").read_bytes() == WHOLE_15S


def test_a_broken_raw_month_stays_to_be_looked_at_and_nothing_is_folded_from_it(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): HIGH_BELOW_LOW})
    result = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s", expect=False)

    assert [key for key, passed in verdicts(result).items() if not passed] == [
        ("raw_1s", "ohlc_order"),
        ("raw_1s", "sessions_present"),
    ]
    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == HIGH_BELOW_LOW
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_an_aggregate_asked_for_alone_is_not_folded_from_a_broken_raw_month_either(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): HIGH_BELOW_LOW})
    run(definitions, instance, JANUARY, "raw_1s", expect=False)
    result = run(definitions, instance, JANUARY, "aggregated/15s", expect=False)

    failure = result.failure_data_for_node("aggregated__15s").user_failure_data
    assert failure.description.startswith("nothing is made from raw_1s/SPY/SPY_2024_01.csv, which breaks 1 rule")
    assert "ohlc_order: 1 of 6 bars" in failure.description
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_an_aggregate_is_not_folded_from_a_raw_file_that_somebody_edited(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(WHOLE.replace(b",15234\n", b",15235\n"))
    result = run(definitions, instance, JANUARY, "aggregated/15s", expect=False)

    assert "as_recorded" in result.failure_data_for_node("aggregated__15s").user_failure_data.description
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_a_failing_evaluation_shows_count_threshold_sentence_and_the_first_offending_bars(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): ONE_SECOND_TWICE})
    result = run(definitions, instance, JANUARY, "raw_1s", expect=False)

    [failed] = failed_in_form(result)
    assert failed.check_name == "rising_time"
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    assert "1 of 6 bars" in failed.description
    assert "2024-01-02 14:30:00Z" in failed.description
    assert failed.metadata["offending bars"].value == 1
    assert failed.metadata["bars looked at"].value == "6"
    assert failed.metadata["threshold"].value == "0 bars"
    [row] = failed.metadata["first offending bars"].value.records
    assert row.data["ts_event"] == "2024-01-02 14:30:00+00:00"
    assert row.data["volume"] == 100


def test_at_most_twenty_offending_bars_are_kept_in_the_event_log(tmp_path, instance):
    header, first = WHOLE.splitlines(keepends=True)[:2]
    backwards = b"".join(first.replace(b"14:30:00", b"14:29:%02d" % (59 - second)) for second in range(40))
    result = run(
        location(tmp_path, {("SPY", "2024-01"): header + backwards}), instance, JANUARY, "raw_1s", expect=False
    )

    [failed] = failed_in_form(result)
    assert failed.metadata["offending bars"].value == 39
    assert len(failed.metadata["first offending bars"].value.records) == 20


def test_bars_with_missing_or_infinite_values_are_shown_in_a_form_that_json_can_carry(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    broken = WHOLE.replace(b"475.32,475.45", b"inf,").replace(
        b"475.3,475.3,475.3,475.3,720", b"nan,475.3,475.3,475.3,720"
    )
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(broken)
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "no_missing_values")

    [failed] = result.get_asset_check_evaluations()
    rows = [record.data for record in failed.metadata["first offending bars"].value.records]
    assert [(row["open"], row["high"]) for row in rows] == [("inf", None), ("nan", 475.3)]
    json.dumps(rows, allow_nan=False)


def test_checks_run_alone_on_a_stored_partition_and_only_those_asked_for(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    result = execute_checks_alone(definitions, instance, "aggregated/15s", JANUARY, "aligned", "volume_conserved")

    assert verdicts(result) == {("aggregated/15s", "aligned"): True, ("aggregated/15s", "volume_conserved"): True}


def test_a_stored_file_that_was_deleted_fails_every_check_and_none_raises(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").unlink()
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, *RAW_CHECKS)

    assert set(verdicts(result).values()) == {False}
    assert len(verdicts(result)) == len(RAW_CHECKS)


def test_an_aggregate_whose_raw_file_is_gone_is_not_called_right(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").unlink()
    result = execute_checks_alone(
        definitions, instance, "aggregated/15s", JANUARY, "equals_recomputation", "volume_conserved", "aligned"
    )

    assert verdicts(result) == {
        ("aggregated/15s", "equals_recomputation"): False,
        ("aggregated/15s", "volume_conserved"): False,
        ("aggregated/15s", "aligned"): True,
    }


def test_a_file_this_home_never_wrote_warns_and_does_not_block(tmp_path, instance):
    definitions = location(tmp_path, {})
    at = tmp_path / "raw_1s/SPY/SPY_2024_01.csv"
    at.parent.mkdir(parents=True)
    at.write_bytes(WHOLE)
    instance.add_dynamic_partitions("symbol", ["SPY"])
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, *RAW_CHECKS)

    assert [name for (_, name), passed in verdicts(result).items() if not passed] == [
        "as_recorded",
        *NOT_WHOLE,
        "settled",
    ]
    failed = {each.check_name: each for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed["as_recorded"].severity == dg.AssetCheckSeverity.WARN
    assert not failed["sessions_present"].blocking


def test_executing_all_checks_without_a_partition_judges_every_stored_one(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE, ("QQQ", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    run(definitions, instance, "2024-01|QQQ", "raw_1s")
    (tmp_path / "raw_1s/QQQ/QQQ_2024_01.csv").write_bytes(HIGH_BELOW_LOW)
    result = execute_checks_alone(definitions, instance, "raw_1s", None, "ohlc_order", "rising_time")

    own = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert own["rising_time"].passed
    assert not own["ohlc_order"].passed
    assert own["ohlc_order"].description.startswith("1 of 2 stored partitions fails.")
    [row] = own["ohlc_order"].metadata["first failing partitions"].value.records
    assert row.data["partition"] == "2024-01|QQQ"
    assert "1 of 6 bars" in row.data["found"]
    for partition, passed in ((JANUARY, True), ("2024-01|QQQ", False)):
        latest = latest_evaluation(instance, "raw_1s", "ohlc_order", partition)
        assert latest.passed is passed
        assert latest.blocking is True


def test_a_partition_that_no_file_can_hold_does_not_hold_up_executing_all_checks(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    instance.report_runless_asset_event(dg.AssetMaterialization("raw_1s", partition="2024-01|../SPY"))
    result = execute_checks_alone(definitions, instance, "raw_1s", None, "ohlc_order", "largest_gap")

    sums = {
        found.check_name: found.description for found in result.get_asset_check_evaluations() if not found.partition
    }
    assert sums == dict.fromkeys(("ohlc_order", "largest_gap"), "0 of 1 stored partitions fail.")


def test_executing_all_checks_where_nothing_is_stored_says_so_and_does_not_pass(tmp_path, instance):
    result = execute_checks_alone(location(tmp_path, {}), instance, "raw_1s", None, "ohlc_order")

    [found] = result.get_asset_check_evaluations()
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.description.startswith("No partition is stored: materialize one.")


def test_a_materialization_records_what_was_written_and_how_it_was_fetched(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    result = run(definitions, instance, JANUARY, "raw_1s")

    [made] = result.asset_materializations_for_node("raw_1s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert facts["dagster/partition_row_count"] == 6
    assert facts["dagster/uri"] == (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").as_uri()
    assert facts["size_bytes"] == len(WHOLE)
    assert facts["sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert facts["first_bar"] == "2024-01-02 14:30:00+00:00"
    assert facts["last_bar"] == "2024-01-02 14:31:00+00:00"
    assert facts["volume_type"] == "int64"
    assert "dagster/column_schema" not in facts  # it is the asset's own
    assert facts["vendor"] == "stand-in at http://127.0.0.1:1"
    assert facts["adjusted"] is False
    assert facts["requests"] == 25
    assert facts["fetch_seconds"] == 1.235
    assert facts["fetched_at"] == datetime(2026, 3, 5, 12, 0, tzinfo=UTC).timestamp()
    assert facts["request_ids"] == ["first", "second"]


def test_what_passes_tells_only_what_its_checks_definition_does_not(tmp_path, instance):
    result = run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s")

    [passed] = [each for each in result.get_asset_check_evaluations() if each.check_name == "ohlc_order"]
    assert {name: value.value for name, value in passed.metadata.items()} == {"bars looked at": "6"}
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    assert {name for output in outputs for name in output.metadata} == set()
    assert {output.output_name.removeprefix("raw_1s_") for output in outputs} >= set(RAW_CHECKS)


def test_an_aggregate_records_where_its_raw_bars_came_from_and_which_they_were(tmp_path, instance):
    result = run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s", "aggregated/15s")

    [made] = result.asset_materializations_for_node("aggregated__15s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert facts["vendor"] == "stand-in at http://127.0.0.1:1"
    assert facts["adjusted"] is False
    assert facts["fetched_at"] == datetime(2026, 3, 5, 12, 0, tzinfo=UTC).timestamp()
    assert facts["raw_sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert facts["dagster/partition_row_count"] == 3


def test_the_record_of_a_file_is_that_of_its_latest_materialization(tmp_path, instance):
    file = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
    assert records.latest(instance, file) is None

    run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s")
    run(
        location(tmp_path, {("SPY", "2024-01"): WHOLE[: WHOLE.index(b"2024-01-02 14:30:07")]}),
        instance,
        JANUARY,
        "raw_1s",
    )
    record = records.latest(instance, file)

    assert record.rows == 2
    assert record.complete_through == datetime(2024, 2, 1, tzinfo=UTC)
