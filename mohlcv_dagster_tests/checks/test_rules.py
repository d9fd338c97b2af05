"""Every rule passes on clean files, fails on the corruptions made for it, and says what to do; names are a contract."""

import importlib
import pkgutil
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mohlcv_dagster import checks
from mohlcv_dagster.checks import runner
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.registry import RULES, VENDOR_RULES, for_timeframe
from mohlcv_dagster.checks.rule import Rule, RuleOutcome
from mohlcv_dagster.checks.runner import check_file
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster_tests.checks import clean_files, form_scoreboard
from mohlcv_dagster_tests.checks.clean_files import (
    AGGREGATE,
    AGGREGATE_CHECKS,
    CLEAN,
    FORM,
    FRACTIONAL,
    HEADER,
    RAW,
    RAW_CHECKS,
    RAW_FRACTIONAL,
    WHOLE,
    WHOLE_15S,
    check_form,
)
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.real import REAL, needs_real

DOCS = Path(__file__).parents[2] / "docs"


def failed(of):
    return {result.rule.name: result for result in check_form(of) if not result.passed}


@pytest.mark.parametrize("path", CLEAN)
def test_a_clean_file_passes_every_rule_on_form(path):
    results = check_form(clean_files.clean(path))
    assert [result.message for result in results if not result.passed] == []
    assert {result.count for result in results} == {0}


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_a_corruption_fails_its_own_rule_and_no_rule_it_does_not_touch(corruption):
    results = failed(corruption.given())
    assert set(results) == {corruption.rule, *corruption.also}
    assert results[corruption.rule].severity == corruption.severity
    told = {found.rule.name for found in check_file(corruption.given()) if found.rule in FORM and not found.passed}
    assert told == set(results)


def test_each_rule_has_a_corruption_made_for_it():
    assert {rule.name for rule in FORM} == {corruption.rule for corruption in CORRUPTIONS}


def test_the_names_of_the_rules_are_the_published_ones():
    assert tuple(rule.name for rule in for_timeframe(timeframes.RAW)) == RAW_CHECKS
    for timeframe in timeframes.AGGREGATED:
        assert tuple(rule.name for rule in for_timeframe(timeframe)) == AGGREGATE_CHECKS


def rules_of_the_package():
    """Every rule that a module of the package defines, by the module and the name that it has there."""
    for info in pkgutil.iter_modules(checks.__path__, "mohlcv_dagster.checks."):
        module = importlib.import_module(info.name)
        for name, each in list(vars(module).items()):
            if isinstance(each, Rule) and each.check.__module__ == info.name:
                yield name, each


def test_every_rule_of_the_package_is_in_the_registry_once():
    every = [each for _, each in rules_of_the_package()]

    assert len(every) == 35
    assert sorted(rule.name for rule in (*RULES, *VENDOR_RULES)) == sorted(rule.name for rule in every)


@pytest.mark.parametrize(("name", "rule"), list(rules_of_the_package()), ids=lambda each: getattr(each, "name", ""))
def test_a_rule_has_the_name_of_its_function_which_takes_the_input_of_a_check_and_gives_an_outcome(name, rule):
    assert name == rule.name == rule.check.__name__
    assert get_type_hints(rule.check) == {"given": CheckInput, "return": RuleOutcome}


BLIND_SPOTS = {
    "NaN prices": "NaN prices in a whole bar",
    "zero prices": "zero prices in a whole bar",
    "unsorted rows": "unsorted rows",
    "a wrong year": "a wrong year throughout",
}


@pytest.mark.parametrize(("fault", "what"), BLIND_SPOTS.items(), ids=BLIND_SPOTS.keys())
def test_what_the_original_validator_passes_is_an_error_here(fault, what):
    (corruption,) = [corruption for corruption in CORRUPTIONS if corruption.what == what]
    result = failed(corruption.given())[corruption.rule]
    assert result.severity == "error"
    assert result.threshold


def test_the_docs_have_a_section_for_each_check_with_its_question_and_rules():
    text = (DOCS / "checks.md").read_text()
    assert form_scoreboard.filled(text) == text
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == [
        *(rule.name for rule in form_scoreboard.IN_ORDER),
        "vendor_incident",
    ]
    assert set(form_scoreboard.IN_ORDER) == {*RULES, *VENDOR_RULES}


MESSAGES = {
    "a high below the close": "1 of 6 bars has high below open, low or close, or low above open or close; "
    "first at 2024-01-02 14:30:15Z (open 475.35, high 475.22, low 475.2, close 475.25). "
    "Re-materialize raw_1s for SPY 2024-01; if it stays, report the request_ids of its materialization to the vendor.",
    "rows falling in time": "5 of 6 bars have a start not later than the bar before (0 the same, 5 earlier); "
    "first at 2024-01-02 14:30:29Z (the bar before at 2024-01-02 14:31:00Z). "
    "Re-materialize raw_1s for SPY 2024-01; if it stays, report the request_ids of its materialization to the vendor.",
    "an empty time": "1 of 6 bars has a value that is missing, not a number or infinite; "
    "first at bar 3 of the file, which has no time (in ts_event). "
    "Re-materialize raw_1s for SPY 2024-01; if it stays, report the request_ids of its materialization to the vendor.",
    "a float sum's rounding noise": "aggregated/15s/SPY_2026_03_15s.csv does not equal what raw_1s/SPY/SPY_2026_03.csv "
    "gives: 1 with other values, of 2 bars expected; first at 2026-03-02 14:30:00Z (volume 300.30000000000007, "
    "expected 300.3); "
    "in total it has 9,399.91809300000007 shares, its raw file 9,399.918093. "
    "Re-materialize aggregated/15s for SPY 2026-03 once raw_1s is stored and passes its checks.",
    "the file is absent": "raw_1s/SPY/SPY_2024_01.csv is absent. Copy the file back, or re-materialize raw_1s for "
    "SPY 2024-01, which writes it again.",
    "an unsorted raw file": "aggregated/15s/SPY_2024_01_15s.csv could not be recomputed: the raw file's bars do not "
    "rise strictly in time (rising_time). Re-materialize aggregated/15s for SPY 2024-01 once raw_1s is stored and "
    "passes its checks.",
    "the last digit and line end cut off": "raw_1s/SPY/SPY_2024_01.csv ends without a line end, so its last line may "
    "be cut short. Re-materialize raw_1s for SPY 2024-01, which writes the file again.",
    "a bucket twice": "aggregated/15s/SPY_2024_01_15s.csv does not equal what raw_1s/SPY/SPY_2024_01.csv gives: "
    "1 repeated or out of order, of 3 bars expected; first at 2024-01-02 14:30:00Z (repeated or out of order); "
    "in total it has 32,288 shares, its raw file 16,654. "
    "Re-materialize aggregated/15s for SPY 2024-01 once raw_1s is stored and passes its checks.",
    "a bucket lost": "aggregated/15s/SPY_2024_01_15s.csv does not equal what raw_1s/SPY/SPY_2024_01.csv gives: "
    "1 absent, of 3 bars expected; first at 2024-01-02 14:30:15Z (absent); "
    "in total it has 16,354 shares, its raw file 16,654. "
    "Re-materialize aggregated/15s for SPY 2024-01 once raw_1s is stored and passes its checks.",
    "CRLF line ends": "raw_1s/SPY/SPY_2024_01.csv has CRLF line ends; a reader that goes by each file's own header "
    "accepts that. Re-materialize raw_1s for SPY 2024-01, which writes the file again.",
}


def result(of, name):
    (found,) = [result for result in check_form(of) if result.rule.name == name]
    return found


def of_corruption(what):
    (corruption,) = [corruption for corruption in CORRUPTIONS if corruption.what == what]
    return result(corruption.given(), corruption.rule)


def test_an_aggregate_with_a_bar_out_of_order_has_all_the_bars_that_are_expected():
    header, first, second, third = CLEAN[AGGREGATE].splitlines(keepends=True)
    of = clean_files.input_of(AGGREGATE, header + first + third + second, raw=CLEAN[RAW])

    assert result(of, "equals_recomputation").message.startswith(
        f"{AGGREGATE} does not equal what {RAW} gives: 1 repeated or out of order, of 3 bars expected; first at "
        "2024-01-02 14:30:15Z (repeated or out of order). "
    )


def raw_input(content):
    return clean_files.input_of(RAW, content, raw=None)


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_says_what_how_many_where_first_and_what_to_do(what):
    assert of_corruption(what).message == MESSAGES[what]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_every_failure_names_the_partition_and_ends_as_a_sentence(corruption):
    for found in check_form(corruption.given()):
        assert found.message.endswith((".", ")"))
        assert found.passed or f"SPY {BarFile.parse(corruption.path).month}" in found.message


def test_a_failure_counts_and_holds_every_offending_bar():
    found = of_corruption("a wrong year throughout")
    assert (found.count, found.of, found.bars.num_rows) == (6, 6, 6)
    assert found.bars["ts_event"][0].as_py() == datetime(2023, 1, 2, 14, 30, tzinfo=UTC)


def test_a_bar_out_of_order_is_shown_beside_the_time_before_it():
    (bar,) = of_corruption("unsorted rows").bars.to_pylist()
    assert bar["ts_event"] == datetime(2024, 1, 2, 14, 30, 0, tzinfo=UTC)
    assert bar["previous_ts_event"] == datetime(2024, 1, 2, 14, 30, 1, tzinfo=UTC)


def test_a_bar_off_the_grid_is_shown_beside_its_bucket():
    (bar,) = of_corruption("a bucket labelled one second late").bars.to_pylist()
    assert bar["bucket_start"] == datetime(2024, 1, 2, 14, 30, 15, tzinfo=UTC)


def test_a_bar_with_missing_values_names_its_columns():
    (bar,) = of_corruption("NaN prices in a whole bar").bars.to_pylist()
    assert bar["columns"] == "open, high, low, close"


def test_a_line_in_another_form_is_shown_beside_the_line_that_is_due():
    (bar,) = of_corruption("a price with a trailing zero").bars.to_pylist()
    assert bar["line"] == 2
    assert bar["found"] == "2024-01-02 14:30:00+00:00,475.32,475.450,475.28,475.4,15234"
    assert bar["expected"] == "2024-01-02 14:30:00+00:00,475.32,475.45,475.28,475.4,15234"


def test_lines_that_cannot_be_matched_to_bars_are_counted_and_no_bar_is_blamed():
    found = of_corruption("a blank line in between")
    assert (found.count, found.bars.num_rows) == (7, 0)
    assert "7 lines differ; first line 3, which is '' where '2024-01-02 14:30:01" in found.message


def test_a_lost_bucket_is_shown_with_what_was_due_and_nothing_found():
    (bar,) = of_corruption("a bucket lost").bars.to_pylist()
    assert bar["ts_event"] == datetime(2024, 1, 2, 14, 30, 15, tzinfo=UTC)
    assert (bar["open"], bar["volume"]) == (None, None)
    assert (bar["expected_open"], bar["expected_close"], bar["expected_volume"]) == (475.35, 475.3, 300)


def test_a_filled_bucket_is_shown_with_nothing_due():
    (bar,) = of_corruption("a quiet bucket filled in").bars.to_pylist()
    assert (bar["open"], bar["expected_open"]) == (475.3, None)


def test_a_wrong_open_is_shown_beside_the_open_that_is_due():
    (bar,) = of_corruption("an open that is not the first, in order of size").bars.to_pylist()
    assert (bar["open"], bar["expected_open"], bar["close"], bar["expected_close"]) == (475.4, 475.32, 475.35, 475.35)


@pytest.mark.parametrize("moment", [b"2024-01-01 00:00:00", b"2024-01-31 23:59:59"], ids=["first", "last"])
def test_a_month_of_one_bar_at_its_edge_passes(moment):
    content = HEADER + moment + b"+00:00,475.3,475.3,475.3,475.3,7\n"
    assert [found.message for found in check_form(raw_input(content)) if not found.passed] == []


def test_huge_and_odd_values_are_checked_one_by_one():
    rows = (
        b"2024-01-02 14:30:00+00:00,1e+308,1e+308,5e-324,1e+308,9007199254740993\n"
        b"2024-01-02 14:30:01+00:00,-0.0,1e+22,-0.0,1e-05,9223372036854775807\n"
    )
    results = {found.rule.name: found for found in check_form(raw_input(HEADER + rows))}
    assert [name for name, found in results.items() if not found.passed] == ["positive_prices", "price_precision"]
    assert results["positive_prices"].count == 1


def test_volumes_too_large_to_be_summed_fail_the_aggregate_instead_of_wrapping_around():
    row = b"2024-01-02 14:30:%02d+00:00,1.0,1.0,1.0,1.0,9223372036854775807\n"
    due = HEADER + b"2024-01-02 14:30:00+00:00,1.0,1.0,1.0,1.0,-2\n"
    found = result(clean_files.input_of(AGGREGATE, due, raw=HEADER + row % 0 + row % 1), "equals_recomputation")
    assert not found.passed
    assert "too large to be summed exactly" in found.message


@pytest.mark.parametrize(
    "content",
    [
        HEADER,
        HEADER.rstrip(b"\n"),
        HEADER.replace(b"\n", b"\r\n"),
        clean_files.widen(HEADER),
        clean_files.reorder(HEADER).rstrip(b"\n"),
    ],
)
def test_a_month_without_bars_fails_as_empty_and_is_otherwise_checked(content):
    results = {found.rule.name: found for found in check_form(raw_input(content))}
    assert not results["not_empty"].passed
    assert results["ohlc_order"].passed


def test_a_raw_file_read_once_serves_many_aggregates():
    raw = Reading.of(WHOLE)
    results = check_form(
        CheckInput.of(BarFile.parse(AGGREGATE), WHOLE_15S, raw=raw, provenance=clean_files.recorded(WHOLE_15S))
    )
    assert all(found.passed for found in results)


def test_a_changed_row_count_is_told_even_where_the_digest_is_the_recorded_one():
    facts = Provenance(rows=7, sha256=clean_files.recorded(WHOLE).sha256)
    found = result(CheckInput.of(BarFile.parse(RAW), WHOLE, provenance=facts), "as_recorded")
    assert "it has 6 bars, 7 were recorded" in found.message


def test_bars_of_no_reading_are_not_asked_for_in_silence():
    with pytest.raises(ValueError, match="although it is absent"):
        _ = Reading.of(None).present


@given(edits=st.lists(st.tuples(st.integers(0, len(WHOLE_15S) - 1), st.sampled_from(b'0159.,-+:e\nnaif \r"\x00\xff'))))
def test_any_bytes_are_checked_and_pass_only_as_recorded(edits):
    content = bytearray(WHOLE_15S)
    for at, byte in edits:
        content[at] = byte
    facts = clean_files.recorded(WHOLE_15S)
    run = runner.run_rules(clean_files.input_of(AGGREGATE, bytes(content), raw=WHOLE, facts=facts))
    assert all(found.passed for found in run.results) == (content == WHOLE_15S)
    put = {found.rule.name for found in run.results} | {rule.name for rule, _ in run.not_checked}
    assert put == set(clean_files.AGGREGATE_CHECKS)


@given(content=st.binary(max_size=80))
@example(b"0000-01-01 00:00:00+00:00,1,1,1,1,1\n")  # no year of the calendar, nor of Python
@example(b"0001-01-01 00:00:00+00:00,1,1,1,1,1\n")  # the evening of the year before, Eastern
@example(b"1970-01-01 00:00:00+00:00,1,1,1,1,1\n")
@example(b"9999-12-31 23:59:59+00:00,1,1,1,1,1\n")
def test_rubbish_is_checked_by_every_rule_or_is_not_readable_without_an_exception(content):
    checked = [found.rule.name for found in runner.check_file(raw_input(HEADER + content))]
    assert checked in (list(clean_files.RAW_CHECKS), ["readable"])


@needs_real
@pytest.mark.parametrize("timeframe", ["15s", "30s", "1min"])
def test_a_real_month_and_its_expected_aggregates_pass_every_rule_on_form(timeframe):
    raw = (REAL / "second" / "SPY_2013_10.csv").read_bytes()
    own = (REAL / "expected" / f"SPY_2013_10_{timeframe}.csv").read_bytes()
    checked = [
        *check_form(clean_files.input_of("raw_1s/SPY/SPY_2013_10.csv", raw, raw=None)),
        *check_form(clean_files.input_of(f"aggregated/{timeframe}/SPY_2013_10_{timeframe}.csv", own, raw=raw)),
    ]
    assert [found.message for found in checked if not found.passed] == []


def test_a_volume_of_a_few_millionths_of_a_share_is_one_like_any_other():
    tiny = FRACTIONAL.replace(b",0.1\n", b",2.3e-05\n")
    recorded = Provenance(4, sha256(tiny).hexdigest())

    results = check_form(CheckInput.of(BarFile.parse(RAW_FRACTIONAL), tiny, provenance=recorded))

    assert [result.rule.name for result in results if not result.passed] == []
