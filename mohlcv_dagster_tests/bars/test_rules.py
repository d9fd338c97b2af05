"""Every rule passes on clean files and fails on the corruptions made for it; its name and docs are a contract."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from mohlcv_dagster.bars.rules import AGAINST_VENDOR, FORM, RULES, Evidence, for_timeframe, judge
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.model import timeframes
from mohlcv_dagster_tests.bars import clean_files, form_scoreboard
from mohlcv_dagster_tests.bars.clean_files import AGGREGATE_CHECKS, CLEAN, RAW_CHECKS, judge_form
from mohlcv_dagster_tests.bars.corruptions import CORRUPTIONS

DOCS = Path(__file__).parents[2] / "docs"


def failed(of):
    return {finding.rule.name: finding for finding in judge_form(of) if not finding.passed}


@pytest.mark.parametrize("path", CLEAN)
def test_a_clean_file_passes_every_rule_on_form(path):
    findings = judge_form(clean_files.clean(path))
    assert [finding.message for finding in findings if not finding.passed] == []
    assert {finding.count for finding in findings} == {0}


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_a_corruption_fails_its_own_rule_and_no_rule_it_does_not_touch(corruption):
    findings = failed(corruption.evidence())
    assert set(findings) == {corruption.rule, *corruption.also}
    assert findings[corruption.rule].severity == corruption.severity
    told = {found.rule.name for found in judge(corruption.evidence()) if found.rule in FORM and not found.passed}
    assert told == set(findings)


def test_each_rule_has_a_corruption_made_for_it():
    assert {rule.name for rule in FORM} == {corruption.rule for corruption in CORRUPTIONS}


def test_the_names_of_the_rules_are_the_published_ones():
    assert tuple(rule.name for rule in for_timeframe(timeframes.RAW)) == RAW_CHECKS
    for timeframe in timeframes.AGGREGATED:
        assert tuple(rule.name for rule in for_timeframe(timeframe)) == AGGREGATE_CHECKS


@pytest.mark.parametrize("rule", [*RULES, *AGAINST_VENDOR], ids=lambda rule: rule.name)
def test_a_rule_is_judged_by_the_function_of_its_name_which_takes_evidence_and_gives_an_outcome(rule):
    assert inspect.isfunction(rule.check)
    assert rule.check.__module__ == f"mohlcv_dagster.bars.rules.{rule.judged_in}"
    assert get_type_hints(rule.check) == {"evidence": Evidence, "return": Outcome}


BLIND_SPOTS = {
    "NaN prices": "NaN prices in a whole bar",
    "zero prices": "zero prices in a whole bar",
    "unsorted rows": "unsorted rows",
    "a wrong year": "a wrong year throughout",
}


@pytest.mark.parametrize(("fault", "what"), BLIND_SPOTS.items(), ids=BLIND_SPOTS.keys())
def test_what_the_original_validator_passes_is_an_error_here(fault, what):
    (corruption,) = [corruption for corruption in CORRUPTIONS if corruption.what == what]
    finding = failed(corruption.evidence())[corruption.rule]
    assert finding.severity == "error"
    assert finding.threshold


def test_the_docs_have_a_section_for_each_check_with_its_question_and_rules():
    text = (DOCS / "checks.md").read_text()
    assert form_scoreboard.filled(text) == text
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == [
        *(rule.name for rule in form_scoreboard.IN_ORDER),
        "vendor_incident",
    ]
    assert set(form_scoreboard.IN_ORDER) == {*RULES, *AGAINST_VENDOR}
