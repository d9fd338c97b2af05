"""The scoreboard has every check, each with faults seeded for it, and says what the rules say."""

import re

import pytest

from mohlcv_dagster_tests.checks import scoreboard
from mohlcv_dagster_tests.checks.bad_prints import BAD_PRINTS
from mohlcv_dagster_tests.checks.clean_files import check_form
from mohlcv_dagster_tests.checks.clean_months import false_alarms, false_incidents
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.checks.recorded_faults import ON_RECORDS, RECORDED_FAULTS
from mohlcv_dagster_tests.checks.scoreboard import DOCS, NAMES, PAGES, Seeded
from mohlcv_dagster_tests.checks.vendor_faults import LADDER, LOST_MINUTES, THIN, checked, ladder_found, minutes_found
from mohlcv_dagster_tests.checks.whole_corruptions import WHOLE_CORRUPTIONS
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS
from mohlcv_dagster_tests.reconciliation.reconciled_months import winter

PAGE = (DOCS / "scoreboard.md").read_text(encoding="utf-8")


def test_every_check_is_on_the_page_once_with_faults_that_were_seeded_and_all_but_bad_prints_found():
    rows = re.findall(r"^\| \[`(\w+)`\]\(checks\.md#\w+\) \| ([\d,]+) of ([\d,]+) \| ([a-z, ]+) \|", PAGE, re.MULTILINE)

    assert tuple(name for name, *_ in rows) == NAMES
    assert [name for name, _, seeded, _ in rows if int(seeded.replace(",", "")) < 2] == []
    assert [name for name, found, seeded, _ in rows if found != seeded] == ["spikes", "wicks"]
    assert {severity for *_, severity in rows} <= {"error", "warn", "error, warn"}


def test_every_fault_of_the_tables_is_on_the_page_that_it_names():
    faults = {each.what for each in (*CORRUPTIONS, *WHOLE_CORRUPTIONS, *RECORDED_FAULTS)}

    assert {what for what in faults if f"| {what} |" not in PAGE} == set()
    prints = (DOCS / "plausibility.md").read_text(encoding="utf-8")
    assert [kind.what for kind in BAD_PRINTS if f"| {kind.what} |" not in prints] == []


@pytest.mark.parametrize("fault", RECORDED_FAULTS, ids=str)
def test_a_fault_of_a_record_fails_its_own_rule_and_no_other_on_records(fault):
    assert {name: found.severity for name, found in fault.failing().items()} == {fault.rule: fault.severity}
    assert fault.rule in ON_RECORDS


def test_what_is_seeded_beside_the_vendor_and_other_symbols_is_found():
    one_of_each_kind = {seed.kind: seed for seed in SEEDS}.values()

    assert [seed.what for seed in one_of_each_kind if not minutes_found(seed)[0]] == []
    assert {what: ladder_found(make) for what, make in LADDER.items()} == dict.fromkeys(LADDER, (True, "warn"))
    assert {thin.what: thin.found() for thin in THIN} == {thin.what: (True, thin.severity) for thin in THIN}
    assert [lost.what for lost in LOST_MINUTES if not lost.found(0)] == []


def test_months_clean_in_every_way_raise_no_alarm():
    assert false_alarms([("ABC", "2024-01"), ("ASC", "2024-11")]) == {}
    assert false_incidents(["2024-11"]) == (0, 1)


def test_a_missed_fault_is_counted_and_not_hidden():
    seeded = [Seeded(name, "something", 1, 1, "error", "#a-files-form") for name in NAMES]
    missed = [Seeded("settled", "missed", 0, 3, "", "#what-is-recorded-of-a-month")]
    board = scoreboard.summary([*seeded, *missed], dict.fromkeys(NAMES, "0 of 20") | {"settled": "2 of 20"})

    told = "[a file's form](#a-files-form) [what is recorded of a month](#what-is-recorded-of-a-month)"
    assert f"| [`settled`](checks.md#settled) | 1 of 4 | error | 2 of 20 | {told} |" in board
    assert board.count("| 1 of 1 |") == len(NAMES) - 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_is_what_is_measured():
    assert PAGES["scoreboard.md"]() == PAGE


def messages():
    for corruption in CORRUPTIONS:
        yield from (found.message for found in check_form(corruption.given()) if not found.passed)
    for fault in RECORDED_FAULTS:
        yield from (found.message for found in fault.failing().values())
    for make in (*(seed.make for seed in SEEDS), *LADDER.values()):
        yield from (found.message for found in checked(make(winter())).values() if not found.passed)
    yield from (found.message for thin in THIN for found in thin.results().values() if not found.passed)


WRONG = {
    "a doubled stop": r"\.\.|;\.|:\.",
    "a plural of one": r"(?<!of )(?<![\d,.])1 (bars|minutes|sessions|lines|splits|opens)\b",
    "a word of the code": r"\b(requires|None|nan|NaT|Outcome|given)\b",
    "a time without its zone": r"\d\d:\d\d:\d\d(?![\d:.]*Z|[\d.]*\+00:00|,\d|[\d.]*')(?! Eastern)",
    "the noise of a float": r"vendor's \d+\.\d{13,}",
}


def test_no_failing_message_has_a_slip_of_style_and_each_ends_in_what_to_do():
    said = set(messages())
    told = {re.sub(r"(?<![a-z])'[^']*[,:][^']*'", "a line of the file", text) for text in said}

    assert len(said) > 80
    assert {(name, text) for text in told for name, wrong in WRONG.items() if re.search(wrong, text)} == set()
    assert {text for text in said if not re.search(r"[Rr]e-materialize|Restore|[Ll]ook|Compare|docs/", text)} == set()
    assert {text for text in said if not text.endswith(".")} == set()
