"""The checks: each rule of a file is in exactly one of them, and what its rules say makes one answer."""

import pytest

from mohlcv_dagster.checks import runner
from mohlcv_dagster.checks.registry import VENDOR_RULES, checks_for, for_timeframe
from mohlcv_dagster.checks.rule import Severity
from mohlcv_dagster.checks.runner import check_results
from mohlcv_dagster.model.timeframes import AGGREGATED, MINUTE, RAW
from mohlcv_dagster_tests.checks import clean_files
from mohlcv_dagster_tests.checks.clean_files import AGGREGATE, CLEAN, input_of, recorded, swap

EVERY = (RAW, *AGGREGATED)
BARS = [
    "no_missing_values",
    "rising_time",
    "inside_month",
    "ohlc_order",
    "positive_prices",
    "non_negative_volume",
    "volume_traded",
]
OF_RAW = {
    "intact": ["readable", "as_recorded", "exact_form", "volume_type", "volume_precision", "price_precision"],
    "valid": BARS,
    "complete": [
        "not_empty",
        "sessions_present",
        "minute_occupancy",
        "session_edges",
        "largest_gap",
        "session_coverage",
        "repeated_session",
        "second_bars",
        "trading_hours",
    ],
    "plausible": [
        "spikes",
        "wicks",
        "open_jumps",
        "level_shifts",
        "stale_prices",
        "fields_together",
        "volume_level",
        "same_company",
    ],
    "current": ["settled", "revised", "split_basis"],
}
OF_AGGREGATES = {
    "intact": OF_RAW["intact"][:-1],
    "matches_raw": ["equals_recomputation", "volume_conserved", "aligned", "not_empty", *BARS],
}
OF_MINUTES = {**OF_AGGREGATES, "matches_vendor": ["vendor_minutes", "volume_ladder", "thin_seconds"]}
BLOCKING = {"intact", "valid", "matches_raw"}


@pytest.mark.parametrize("timeframe", EVERY, ids=str)
def test_the_checks_and_their_rules_are_the_published_ones_in_the_order_of_the_dashboard(timeframe):
    due = OF_RAW if timeframe == RAW else OF_MINUTES if timeframe == MINUTE else OF_AGGREGATES
    made = {check.name: [rule.name for rule in check.rules] for check in checks_for(timeframe)}

    assert made == due
    assert list(made) == list(due)


def test_a_symbol_month_has_twelve_checks():
    default = [RAW, *(each for each in AGGREGATED if each.name in {"15s", "30s", "1min"})]
    assert sum(len(checks_for(each)) for each in default) == 12


@pytest.mark.parametrize("timeframe", EVERY, ids=str)
def test_every_rule_of_a_file_is_in_exactly_one_check(timeframe):
    grouped = [rule.name for check in checks_for(timeframe) for rule in check.rules]
    due = [rule.name for rule in (*for_timeframe(timeframe), *for_timeframe(timeframe, VENDOR_RULES))]

    assert sorted(grouped) == sorted(due)
    assert len(grouped) == len(set(grouped))
    assert all(check.decisive in check.rules for check in checks_for(timeframe))


@pytest.mark.parametrize("timeframe", EVERY, ids=str)
def test_a_check_blocks_where_a_rule_in_it_does_and_asks_the_vendor_where_one_does(timeframe):
    for check in checks_for(timeframe):
        assert check.blocking == any(rule.blocking for rule in check.rules) == (check.name in BLOCKING)
        assert check.asks_vendor == any(rule in VENDOR_RULES for rule in check.rules)
        assert check.question.endswith("?")


def answered(of):
    run = runner.run_rules(of)
    found = check_results(checks_for(of.file.timeframe), run.results, run.not_checked)
    return {answer.check.name: answer for answer in found}


def test_an_answer_has_the_severity_of_its_worst_rule_and_names_errors_first():
    content = swap("475.36", "475.22")(CLEAN[clean_files.RAW]).replace(b",100\n", b",0\n")
    answer = answered(input_of(clean_files.RAW, content, raw=None))["valid"]

    assert [found.rule.name for found in answer.failing] == ["ohlc_order", "volume_traded"]
    assert (answer.is_conclusive, answer.passed, answer.severity, answer.blocking) == (
        True,
        False,
        Severity.ERROR,
        True,
    )


def test_a_warning_alone_warns_and_does_not_block():
    content = CLEAN[clean_files.RAW].replace(b",100\n", b",0\n")
    answer = answered(input_of(clean_files.RAW, content, raw=None))["valid"]

    assert (answer.passed, answer.severity, answer.blocking) == (False, Severity.WARN, False)


def test_a_file_that_cannot_be_read_has_one_answer():
    of = input_of(clean_files.RAW, b"no bars", raw=None)
    given = {name: answer for name, answer in answered(of).items() if answer.is_conclusive}

    assert set(given) == {"intact"}
    assert [found.rule.name for found in given["intact"].failing] == ["readable"]
    assert given["intact"].blocking


def test_an_aggregate_without_its_raw_file_is_not_said_to_match_it():
    found = answered(input_of(AGGREGATE, CLEAN[AGGREGATE], raw=None))

    assert found["intact"].passed
    assert (found["matches_raw"].is_conclusive, found["matches_raw"].passed) == (False, False)
    assert {rule.name for rule, _ in found["matches_raw"].not_checked} == {"equals_recomputation", "volume_conserved"}


def test_an_aggregate_without_its_raw_file_that_is_wrong_by_itself_is_said_to_be():
    content = CLEAN[AGGREGATE].replace(b"14:30:15", b"14:30:16")
    answer = answered(input_of(AGGREGATE, content, raw=None))["matches_raw"]

    assert answer.is_conclusive
    assert [found.rule.name for found in answer.failing] == ["aligned"]


def test_a_month_beyond_the_calendar_is_not_said_to_be_complete():
    content = clean_files.HEADER + b"1970-06-10 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n"
    of = input_of("raw_1s/SPY/SPY_1970_06.csv", content, raw=None, facts=recorded(content))
    found = answered(of)

    assert not found["complete"].is_conclusive
    assert found["plausible"].passed


def test_a_check_whose_rules_were_not_put_to_a_file_has_no_answer():
    of = clean_files.clean(clean_files.RAW)
    [plausible] = [check for check in checks_for(RAW) if check.name == "plausible"]
    run = runner.run_rules(of, plausible.rules)

    assert [each.check.name for each in check_results(checks_for(RAW), run.results, run.not_checked)] == ["plausible"]
