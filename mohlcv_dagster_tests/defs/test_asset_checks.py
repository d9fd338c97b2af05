"""What the checks of a run say, of one month that the run makes."""

import json

import dagster as dg

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.registry import checks_for
from mohlcv_dagster.checks.rule import RuleResult
from mohlcv_dagster.checks.runner import CheckResult
from mohlcv_dagster.defs import asset_checks
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster_tests.checks.clean_files import EQUAL_RULES, NOT_WHOLE, RAW_CHECKS, WHOLE, WHOLE_15S
from mohlcv_dagster_tests.defs.location import (
    evaluation_of,
    execute_checks_alone,
    failing_rules,
    failure_of,
    location,
    passed_by_check,
    passed_by_rule,
    rules_of,
    run,
)

JANUARY = "2024-01|SPY"
HIGH_BELOW_LOW = WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100")
ONE_SECOND_TWICE = WHOLE.replace(b"14:30:01", b"14:30:00")
RAW_QUESTIONS = {"intact", "valid", "complete", "plausible", "current"}
AGGREGATE_QUESTIONS = {"intact", "matches_raw"}


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "manifest" not in path.parts
    )


def test_each_asset_has_the_checks_that_its_reader_asks_for(tmp_path):
    graph = location(tmp_path, {}, timeframes="15s,1min,1h").resolve_asset_graph()

    names = {}
    for check in graph.asset_check_keys:
        names.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
    assert names == {
        "raw_1s": RAW_QUESTIONS,
        "aggregated/15s": AGGREGATE_QUESTIONS,
        "aggregated/1min": AGGREGATE_QUESTIONS | {"matches_vendor"},
        "aggregated/1h": AGGREGATE_QUESTIONS,
        "quality/coverage": {"vendor_incident"},
    }


def test_a_green_month_of_the_four_assets_has_twelve_evaluations_and_no_more(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE}, timeframes="15s,30s,1min")
    result = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")

    assert len(result.get_asset_check_evaluations()) == 12


def test_checks_of_form_block_and_those_on_whole_months_or_the_vendor_do_not(tmp_path):
    graph = location(tmp_path, {}, timeframes="15s,1min").resolve_asset_graph()

    for key in graph.asset_check_keys:
        assert graph.get(key).blocking is (key.name in {"intact", "valid", "matches_raw"}), key


def test_the_description_of_a_check_says_its_question_and_each_rule_with_what_is_allowed(tmp_path):
    graph = location(tmp_path, {}).resolve_asset_graph()
    key = dg.AssetCheckKey(dg.AssetKey("raw_1s"), "valid")

    question, _, *rules = graph.get(key).description.splitlines()
    assert question == "Is every bar a bar?"
    assert [line.split("`")[1] for line in rules] == [
        "no_missing_values",
        "rising_time",
        "inside_month",
        "ohlc_order",
        "positive_prices",
        "non_negative_volume",
        "volume_traded",
    ]
    assert all(" Allowed: " in line for line in rules)


def test_a_clean_month_passes_every_rule_of_form_and_each_evaluation_carries_the_partition(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    result = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")

    raw = {name: name not in NOT_WHOLE for name in RAW_CHECKS}
    assert passed_by_rule(result) == {("raw_1s", name, JANUARY): passed for name, passed in raw.items()} | {
        ("aggregated/15s", name, JANUARY): True for name in EQUAL_RULES
    }
    assert passed_by_check(result) == {("raw_1s", name, JANUARY): name != "complete" for name in RAW_QUESTIONS} | {
        ("aggregated/15s", name, JANUARY): True for name in AGGREGATE_QUESTIONS
    }
    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == WHOLE
    assert (tmp_path / "aggregated/15s/SPY_2024_01_15s.csv").read_bytes() == WHOLE_15S


def test_a_broken_raw_month_stays_to_be_looked_at_and_nothing_is_made_from_it(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): HIGH_BELOW_LOW})
    result = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s", expect=False)

    assert failing_rules(result) == [("raw_1s", "ohlc_order", JANUARY), ("raw_1s", "sessions_present", JANUARY)]
    said = failure_of(result).description
    assert said.startswith("nothing is made from raw_1s/SPY/SPY_2024_01.csv, which breaks 1 rule")
    assert "ohlc_order: 1 of 6 bars" in said
    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == HIGH_BELOW_LOW
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_an_aggregate_asked_for_alone_is_not_made_from_a_broken_raw_month_either(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): HIGH_BELOW_LOW})
    run(definitions, instance, JANUARY, "raw_1s", expect=False)
    result = run(definitions, instance, JANUARY, "aggregated/15s", expect=False)

    failure = failure_of(result)
    assert failure.description.startswith("nothing is made from raw_1s/SPY/SPY_2024_01.csv, which breaks 1 rule")
    assert "ohlc_order: 1 of 6 bars" in failure.description
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_an_aggregate_is_not_made_from_a_raw_file_that_somebody_edited(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(WHOLE.replace(b",15234\n", b",15235\n"))
    result = run(definitions, instance, JANUARY, "aggregated/15s", expect=False)

    assert "as_recorded" in failure_of(result).description
    assert files(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]


def test_a_failing_evaluation_shows_rule_sentence_count_what_is_allowed_and_the_first_offending_bars(
    tmp_path, instance
):
    definitions = location(tmp_path, {("SPY", "2024-01"): ONE_SECOND_TWICE})
    result = run(definitions, instance, JANUARY, "raw_1s", expect=False)

    failed = evaluation_of(result, "raw_1s", "valid")
    assert failed.passed is False
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    assert failed.description.startswith("rising_time: ")
    assert "1 of 6 bars" in failed.description
    assert "2024-01-02 14:30:00Z" in failed.description
    first, *others = rules_of(failed).values()
    assert (first["rule"], first["result"], first["count"]) == ("rising_time", "error", 1)
    assert failed.description == f"rising_time: {first['what was found']}"
    assert {(row["result"], row["count"]) for row in others} == {("passed", 0)}
    assert failed.metadata["threshold of rising_time"].value == "0 bars"
    [row] = failed.metadata["the first offending bars of rising_time"].value.records
    assert row.data["ts_event"] == "2024-01-02 14:30:00+00:00"
    assert row.data["volume"] == 100


def test_an_evaluation_is_as_severe_as_the_worst_of_its_rules_names_that_first_and_counts_the_others(
    tmp_path, instance
):
    no_volume = HIGH_BELOW_LOW.replace(b"475.3,475.3,475.3,475.3,720", b"475.3,475.3,475.3,475.3,0")
    backwards = no_volume.replace(b"14:30:07", b"14:30:01")
    definitions = location(tmp_path, {("SPY", "2024-01"): backwards})
    result = run(definitions, instance, JANUARY, "raw_1s", expect=False)

    failed = evaluation_of(result, "raw_1s", "valid")
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    assert failed.description.startswith("rising_time: 1 of 6 bars")
    assert failed.description.endswith(" 2 more rules fail.")
    failing = [(name, row["result"]) for name, row in rules_of(failed).items() if row["result"] != "passed"]
    assert failing == [("rising_time", "error"), ("ohlc_order", "error"), ("volume_traded", "warning")]
    warns = evaluation_of(result, "raw_1s", "complete")
    assert (warns.passed, warns.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_at_most_twenty_offending_bars_are_kept_in_the_event_log(tmp_path, instance):
    header, first = WHOLE.splitlines(keepends=True)[:2]
    backwards = b"".join(first.replace(b"14:30:00", b"14:29:%02d" % (59 - second)) for second in range(40))
    result = run(
        location(tmp_path, {("SPY", "2024-01"): header + backwards}), instance, JANUARY, "raw_1s", expect=False
    )

    failed = evaluation_of(result, "raw_1s", "valid")
    assert rules_of(failed)["rising_time"]["count"] == 39
    assert len(failed.metadata["the first offending bars of rising_time"].value.records) == 20


def test_bars_with_missing_or_infinite_values_are_shown_in_a_form_that_json_can_carry(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    run(definitions, instance, JANUARY, "raw_1s")
    broken = WHOLE.replace(b"475.32,475.45", b"inf,").replace(
        b"475.3,475.3,475.3,475.3,720", b"nan,475.3,475.3,475.3,720"
    )
    (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").write_bytes(broken)
    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "valid")

    failed = evaluation_of(result, "raw_1s", "valid")
    rows = [record.data for record in failed.metadata["the first offending bars of no_missing_values"].value.records]
    assert [(row["open"], row["high"]) for row in rows] == [("inf", None), ("nan", 475.3)]
    json.dumps(rows, allow_nan=False)


def test_what_passes_tells_only_what_its_checks_definition_does_not(tmp_path, instance):
    result = run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s")

    passed = evaluation_of(result, "raw_1s", "valid")
    assert passed.description == "6 bars, all 7 rules passed."
    assert set(passed.metadata) == {"rules"}
    assert rules_of(passed)["ohlc_order"] == {
        "rule": "ohlc_order",
        "result": "passed",
        "count": 0,
        "what was found": "",
    }
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    assert {name for output in outputs for name in output.metadata} == {"__source_asset_observation__"}  # no event


def test_what_the_vendor_named_does_not_break_the_table_of_rules_that_passed():
    [check] = [check for check in checks_for(RAW) if check.name == "complete"]
    [rule] = [rule for rule in check.rules if rule.name == check.decisive.name]
    named = "ACME | Sons\nInc. was listed later"
    found = RuleResult(rule, True, rule.severity, 0, 0, f"{rule.sentence} ({named})", bar_table.empty())
    file = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")

    table = asset_checks.evaluation(CheckResult(check, (found,), ()), file, None).metadata["rules"].value
    assert table.splitlines() == [
        "|rule|result|count|what was found|",
        "|---|---|---|---|",
        r"|sessions_present|passed|0|ACME \| Sons Inc. was listed later|",
    ]
