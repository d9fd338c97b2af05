"""Every fault of the sandbox ends in the month of an undisturbed fetch, or in the right failure and no file changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from mohlcv_dagster.sandbox import FAULT_KINDS
from mohlcv_dagster_tests.defs.fault_lab import WINDOWS, fault
from mohlcv_dagster_tests.defs.fault_table import FOR_EVER, MINUTE_FILE, ONCE, RAW_FILE, tries
from mohlcv_dagster_tests.defs.impatient import KEY, Vendor

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"

TRANSIENT = {
    # fault: the error when it stays, tries of the page that failed, words of its cure
    "truncated-body": ("UnreachableError", 8, "check the network and MASSIVE_BASE_URL, or try again later"),
    "cut-json": ("IncompletePageError", 4, "Try again later"),
    "truncated-gzip": ("ServerError", 8, "try again later"),
    "html-200": ("IncompletePageError", 4, "Try again later"),
    "missing-results": ("IncompletePageError", 4, "resultsCount 26 does not match its 0 rows"),
    "null-results": ("IncompletePageError", 4, "resultsCount 26 does not match its 0 rows"),
    "wrong-count": ("IncompletePageError", 4, "resultsCount 27 does not match its 26 rows"),
    "wrong-ticker": ("IncompletePageError", 4, "expected ticker 'ABC', was 'ABCX'"),
    "foreign-rows": ("IncompletePageError", 4, "expected a time inside"),
    "duplicated-rows": ("IncompletePageError", 4, "times to rise strictly"),
    "unsorted-rows": ("IncompletePageError", 4, "times to rise strictly"),
    "adjusted-ignored": ("IncompletePageError", 4, "expected adjusted False, was True"),
    "rate-limit": ("RateLimitError", 21, "set MASSIVE_REQUESTS_PER_MINUTE to what it allows"),
    "rate-limit-retry-after": ("RateLimitError", 8, "the vendor asks to wait 30 s"),
    "server-error": ("ServerError", 8, "try again later"),
    "bad-gateway": ("ServerError", 8, "try again later"),
    "reset": ("UnreachableError", 8, "check the network and MASSIVE_BASE_URL, or try again later"),
    "drip": ("DeadlineError", 2, "did not finish its answer in time"),
}
REFUSED = {
    "plan-seconds": ("PlanError", 403, "plans that reach all of 2024-01: Starter, Developer, Advanced"),
    "plan-date": ("PlanError", 403, "Starter from 2021-11-23 · Developer from 2016-11-23"),
    "unknown-key": ("UnknownKeyError", 401, "check MASSIVE_API_KEY in `.env` or the environment"),
    "not-found": ("BadRequestError", 404, "check the symbol, the month and MASSIVE_BASE_URL"),
    "hostile-error": ("BadRequestError", 400, "Bearer *** ?apiKey=*** *** Basic"),
}
WRONG_BARS = {
    "bad-bar": "ohlc_order",
    "zero-price": "positive_prices",
    "negative-volume": "non_negative_volume",
}
HARMLESS = {
    "null-when-empty": 0,
    "delayed": 0,
    "escape-codes": 0,
    "key-echoed": 0,
    "huge-request-id": 0,
    "empty-last-page": WINDOWS,
}
"""And how many requests it takes beyond one a window: the made-up next page of each page with bars."""

UNAVAILABLE = {"UnreachableError", "ServerError", "RateLimitError", "DeadlineError"}


def test_every_kind_of_fault_is_struck():
    assert [*TRANSIENT, *REFUSED, *WRONG_BARS, *HARMLESS] == list(FAULT_KINDS)


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_passing_fault_costs_one_retry_and_the_month_comes_out_the_same(board, kind):
    seen = board.of(kind, ONCE)
    assert (seen.succeeded, seen.wanted, seen.failed_rules) == (True, True, ())
    assert seen.changed == {RAW_FILE, MINUTE_FILE}
    assert (seen.struck, seen.asked, seen.asked_again) == (1, WINDOWS + 1, 1)
    assert (seen.facts["requests"], seen.facts["retries"]) == (WINDOWS + 1 + 2, 1)  # two ask for the company
    assert seen.tried_again == 0


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_lasting_fault_fails_the_run_by_its_name_and_changes_no_file(board, kind):
    seen = board.of(kind, FOR_EVER)
    error, tried, words = TRANSIENT[kind]
    assert (seen.succeeded, seen.errors, seen.changed) == (False, (error,), frozenset())
    assert words in seen.reasons[0]
    assert tries(seen) == tried
    assert len(seen.reasons) == 1


@pytest.mark.parametrize("kind", [*TRANSIENT, *REFUSED])
def test_a_run_tries_again_only_what_may_be_available_later(board, kind):
    seen = board.of(kind, FOR_EVER)
    error, *_ = (TRANSIENT | REFUSED)[kind]
    expected = 2 if error in UNAVAILABLE else 0
    assert seen.tried_again == expected
    if kind in TRANSIENT:
        assert seen.most_asked == TRANSIENT[kind][1] * (1 + expected)


@pytest.mark.parametrize("times", [ONCE, FOR_EVER])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_is_final_at_once_and_changes_no_file(board, kind, times):
    seen = board.of(kind, times)
    error, status, words = REFUSED[kind]
    assert (seen.succeeded, seen.errors, seen.changed) == (False, (error,), frozenset())
    assert seen.struck >= 1
    assert (seen.asked_again, seen.tried_again) == (0, 0)
    assert seen.asked < WINDOWS
    assert words in seen.reasons[0]
    assert f"the vendor answered {status}" in seen.reasons[0]


@pytest.mark.parametrize("times", [ONCE, FOR_EVER])
@pytest.mark.parametrize("kind", WRONG_BARS)
def test_bars_that_break_a_rule_stay_to_be_looked_at_and_no_aggregate_is_made_of_them(board, kind, times):
    seen = board.of(kind, times)
    assert (seen.succeeded, seen.changed) == (False, {RAW_FILE})
    assert seen.errors == ("FailedRulesError",)
    assert seen.failed_rules[0] == WRONG_BARS[kind]
    assert seen.reasons[0].startswith("nothing is made from raw_1s/ABC/ABC_2024_01.csv, which breaks 1 rule. ")
    assert f"{WRONG_BARS[kind]}: {1 if times else WINDOWS} of 546 bars " in seen.reasons[0]
    assert "Re-materialize raw_1s for ABC 2024-01" in seen.reasons[0]
    assert (len(seen.reasons), seen.asked_again, seen.tried_again) == (1, 0, 0)


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_no_error_costs_no_retry_and_the_month_comes_out_the_same(board, kind):
    seen = board.of(kind, FOR_EVER)
    assert (seen.succeeded, seen.wanted, seen.failed_rules) == (True, True, ())
    assert seen.struck > 0
    assert seen.asked == WINDOWS + HARMLESS[kind]
    assert (seen.facts["retries"], seen.asked_again) == (0, 0)


def test_delayed_data_are_recorded_as_such(board):
    assert board.of("delayed", FOR_EVER).facts["delayed"] is True
    assert board.of("null-when-empty", FOR_EVER).facts["delayed"] is False


@pytest.mark.parametrize("kind", ["truncated-body", "null-results", "rate-limit", "reset"])
def test_a_fault_that_passes_after_striking_twice_costs_two_retries(lab, kind):
    seen = lab.run([fault(kind, 2)])
    assert (seen.succeeded, seen.wanted, seen.failed_rules) == (True, True, ())
    assert (seen.struck, seen.facts["retries"]) == (2, 2)


def test_all_passing_faults_in_one_month_cost_a_retry_each_and_it_comes_out_the_same(lab):
    kinds = [kind for kind in TRANSIENT if kind != "drip"]
    each_its_page = [replace(fault(kind, 1), window=turn) for turn, kind in enumerate(kinds, 1)]
    seen = lab.run(each_its_page, Vendor(concurrency=1))
    assert (seen.struck, seen.asked_again, seen.facts["retries"]) == (17, 17, 17)
    assert (seen.succeeded, seen.wanted) == (True, True)


@pytest.mark.parametrize("kind", ["reset", "cut-json", "unknown-key"])
def test_a_failed_fetch_where_nothing_stood_leaves_nothing_behind(lab, kind):
    seen = lab.run([fault(kind)], stored=False)
    assert (seen.succeeded, seen.changed) == (False, frozenset())


def test_a_refusal_behind_passing_faults_is_final(board):
    seen = board.away("the vendor answers 500 twice, then that the key is unknown")
    assert (seen.succeeded, seen.errors, seen.changed) == (False, ("UnknownKeyError",), frozenset())
    assert (seen.asked_again, seen.tried_again) == (2, 0)


def test_a_vendor_that_dies_in_the_middle_leaves_every_file_as_it_was(board):
    seen = board.away("the vendor stops in the middle of a month")
    assert (seen.succeeded, seen.errors, seen.changed) == (False, ("UnreachableError",), frozenset())
    assert 6 < seen.asked < WINDOWS  # six sessions before it fill 6.9 windows
    assert seen.tried_again == 2


def test_a_vendor_that_is_not_there_is_named_with_the_setting_that_names_it(board):
    seen = board.away("nobody listens at the base URL")
    assert (seen.succeeded, seen.errors, seen.changed) == (False, ("UnreachableError",), frozenset())
    assert "http://127.0.0.1:8123 cannot be reached" in seen.reasons[0]
    assert "MASSIVE_BASE_URL" in seen.reasons[0]
    assert seen.tried_again == 2


def test_a_vendor_that_is_back_when_the_run_tries_again_gives_the_same_month(board):
    seen = board.away("the vendor fails during one fetch and works when the run tries again")
    assert (seen.succeeded, seen.wanted, seen.failed_rules) == (True, True, ())
    assert (seen.tried_again, seen.struck) == (1, 8)
    assert seen.asked - (8 + WINDOWS) in (0, 1)  # one may be taken up too late


def test_a_vendor_that_gives_seconds_and_no_minutes_gives_the_same_month_with_a_warning(board):
    seen = board.away("the vendor has seconds and no minutes")
    assert (seen.succeeded, seen.wanted, seen.reasons) == (True, True, ())
    assert seen.failed_rules == ("vendor_minutes",)
    assert (seen.asked, seen.tried_again) == (WINDOWS, 0)


def test_without_a_key_nothing_is_asked(board):
    seen = board.away("no key is set")
    assert (seen.succeeded, seen.errors, seen.changed) == (False, ("MissingKeyError",), frozenset())
    assert (seen.asked, seen.tried_again) == (0, 0)
    assert "MASSIVE_API_KEY=your_key" in seen.reasons[0]
    assert ".env" in seen.reasons[0]


@pytest.mark.parametrize(
    ("circumstance", "cause", "failed", "reasons"),
    [
        ("the month is empty: the symbol was listed later", "explained", 0, 0),
        ("the month is empty: the symbol was listed all the time", "unexplained", 1, 1),
        ("the month is empty: the vendor refuses its reference data", "unknown", 1, 0),
    ],
)
def test_an_empty_month_is_asked_for_once_and_stored_with_what_is_known_of_why(
    board, circumstance, cause, failed, reasons
):
    seen = board.away(circumstance)
    assert (seen.succeeded, seen.changed) == (True, {RAW_FILE, MINUTE_FILE})
    assert (seen.asked, seen.asked_again, seen.tried_again) == (2, 0, 0)
    assert (seen.facts["empty_cause"], seen.facts["dagster/partition_row_count"]) == (cause, 0)
    assert seen.failed_rules == ("not_empty",) * failed
    assert len(seen.reasons) == reasons


def test_a_symbol_that_nobody_knows_is_asked_for_once_and_leaves_every_file_as_it_was(board):
    seen = board.away("the month is empty: the vendor knows no such symbol")
    assert (seen.succeeded, seen.errors, seen.changed) == (False, ("NoTradesError",), frozenset())
    assert (seen.asked, seen.asked_again, seen.tried_again) == (2, 0, 0)


def test_the_page_in_the_docs_is_what_was_observed_and_holds_no_key(board):
    page = board.page()
    assert KEY not in page
    assert (DOCS / "faults.md").read_text(encoding="utf-8") == page
