"""What could not be looked at is not checked: one fault, one result, and each rule left out has a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.checks import runner
from mohlcv_dagster.checks.registry import DIFFERENCE_RULES, PROVENANCE_RULES, RULES
from mohlcv_dagster.errors import FailedRulesError
from mohlcv_dagster_tests.checks import clean_files
from mohlcv_dagster_tests.checks.clean_files import (
    AGGREGATE,
    AGGREGATE_CHECKS,
    AGGREGATE_FRACTIONAL,
    CLEAN,
    EQUAL_RULES,
    HEADER,
    INTACT_RULES,
    RAW,
    RAW_CHECKS,
    check_form,
    input_of,
    lines,
    recorded,
)
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.checks.missing_requirements import MISSING

EQUAL = "the file equals, bar for bar, what its raw file gives: the results for that apply"
AGAINST_RAW = {"volume_type", "volume_conserved", "equals_recomputation"}
DIFFERENCES = {rule.name for rule in DIFFERENCE_RULES}
GARBLED = CLEAN[RAW].replace(b"475.32", b"n/a")


def left(of):
    return {rule.name: reason for rule, reason in runner.run_rules(of).not_checked}


def failing(of):
    return {found.rule.name: found for found in runner.check_file(of) if not found.passed}


@pytest.mark.parametrize("missing", MISSING, ids=str)
def test_without_what_rules_need_one_rule_or_none_fails_and_the_rest_is_not_checked(missing):
    failing = {found.rule.name for found in missing.run().results if not found.passed}

    assert failing - set(clean_files.NOT_WHOLE) == set(missing.fails)
    assert set(missing.not_checked()) == set(missing.left)
    assert {answer.check.name for answer in missing.check_results() if not answer.is_conclusive} == set(
        missing.unanswered
    )


@pytest.mark.parametrize("path", [RAW, AGGREGATE])
@pytest.mark.parametrize(("content", "why"), [(None, "is absent"), (b"no bars", "cannot be read")])
def test_of_a_file_that_is_absent_or_cannot_be_read_one_rule_fails_and_no_other_is_checked(path, content, why):
    of = input_of(path, content, raw=CLEAN[RAW])
    [found] = runner.check_file(of)

    assert (found.rule.name, found.passed, found.severity) == ("readable", False, "error")
    assert found.message.startswith(f"{path} {why}")
    every = RAW_CHECKS if path == RAW else AGGREGATE_CHECKS
    assert left(of) == dict.fromkeys((name for name in every if name != "readable"), f"the file {why}")


def test_an_absent_file_is_cured_by_writing_it_and_the_vendor_is_not_blamed():
    [found] = runner.check_file(input_of(RAW, None, raw=None))

    assert found.cure == "Copy the file back, or re-materialize raw_1s for SPY 2024-01, which writes it again."
    assert found.message == f"{RAW} is absent. {found.cure}"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda whole: whole.replace(b"475.4,475.41", b"475.4,475.31"), id="a high too low"),
        pytest.param(lambda whole: whole.replace(b",100\n", b",-100\n"), id="a negative volume"),
        pytest.param(lambda whole: whole.replace(b"475.41", b"999.0"), id="a wick"),
        pytest.param(lambda whole: whole[: whole.index(b"14:30:07")], id="half of it"),
        pytest.param(lambda whole: b"no bars", id="no CSV"),
    ],
)
def test_the_faults_of_a_file_that_was_changed_here_are_not_reported_to_the_vendor(edit):
    of = input_of(RAW, edit(CLEAN[RAW]), raw=None, facts=recorded(CLEAN[RAW]))
    failed = [found for found in runner.check_file(of) if not found.passed and found.rule.name != "settled"]

    assert failed
    assert {found.cure for found in failed if found.rule.name not in PROVENANCE_RULES} == {
        "Re-materialize raw_1s for SPY 2024-01: the file is not the one that was written."
    }
    assert not any("vendor" in found.message for found in failed)


def test_a_file_that_cannot_be_read_is_not_the_vendors_fault():
    [found] = runner.check_file(input_of(RAW, b"no bars", raw=None))

    assert found.cure == "Re-materialize raw_1s for SPY 2024-01, which writes the file again."


def test_a_file_that_cannot_be_read_says_where_and_is_still_held_back():
    of = input_of(RAW, GARBLED, raw=None)
    results = runner.check_file(of)

    assert results[0].message.startswith(f"{RAW} cannot be read: ")
    assert "n/a" in results[0].message
    with pytest.raises(FailedRulesError, match=r"which breaks 1 rule\. readable: "):
        runner.require(of.file, results)


@pytest.mark.parametrize(("raw", "why"), [(None, "is absent"), (GARBLED, "cannot be read")])
def test_without_a_raw_file_an_aggregate_is_checked_by_itself_alone(raw, why):
    of = input_of(AGGREGATE, CLEAN[AGGREGATE], raw=raw)

    assert failing(of) == {}
    assert left(of) == dict.fromkeys(AGAINST_RAW, f"its raw file {why}")
    twice = input_of(AGGREGATE, lines(lambda rows: [rows[0], *rows])(CLEAN[AGGREGATE]), raw=raw)
    assert set(failing(twice)) == {"rising_time"}


@pytest.mark.parametrize("path", [AGGREGATE, AGGREGATE_FRACTIONAL])
def test_an_aggregate_that_equals_its_raw_file_is_not_put_to_the_rules_that_say_how_it_differs(path):
    of = clean_files.clean(path)

    assert [found.rule.name for found in runner.check_file(of)] == [
        name for name in AGGREGATE_CHECKS if name in EQUAL_RULES
    ]
    assert left(of) == dict.fromkeys((name for name in AGGREGATE_CHECKS if name not in EQUAL_RULES), EQUAL)


def test_an_aggregate_that_differs_is_put_to_every_rule():
    of = input_of(AGGREGATE, CLEAN[AGGREGATE].replace(b"15634", b"15635"), raw=CLEAN[RAW])

    assert [found.rule.name for found in runner.check_file(of)] == list(AGGREGATE_CHECKS)
    assert left(of) == {}


def test_one_rule_alone_is_put_to_an_aggregate_as_with_all_others():
    [rising] = [rule for rule in RULES if rule.name == "rising_time"]
    unsorted = lines(lambda rows: rows[::-1])(CLEAN[AGGREGATE])

    assert runner.check_file(clean_files.clean(AGGREGATE), (rising,)) == []
    assert [found.passed for found in runner.check_file(input_of(AGGREGATE, unsorted, raw=CLEAN[RAW]), (rising,))] == [
        False
    ]


def test_a_raw_file_that_nothing_can_be_made_of_is_one_finding_of_its_aggregate():
    of = input_of(AGGREGATE, CLEAN[AGGREGATE], raw=lines(lambda rows: rows[::-1])(CLEAN[RAW]))

    assert set(failing(of)) == {"equals_recomputation"}
    assert left(of) == {
        "volume_conserved": "the aggregate cannot be recomputed: the raw file's bars do not rise strictly in time "
        "(rising_time)"
    }


@pytest.mark.parametrize("corruption", [each for each in CORRUPTIONS if "aggregated" not in each.path], ids=str)
def test_what_is_found_and_what_is_not_checked_are_all_the_rules_once(corruption):
    of = corruption.given()
    run = runner.run_rules(of)

    assert [found.message for found in run.results] == [found.message for found in runner.check_file(of)]
    put = [*(found.rule.name for found in run.results), *(rule.name for rule, _ in run.not_checked)]
    assert sorted(put) == sorted(RAW_CHECKS)


TO_AGGREGATE = {
    "raw_1s/SPY/SPY_2024_01.csv": AGGREGATE,
    "raw_1s/SPY/SPY_2026_03.csv": AGGREGATE_FRACTIONAL,
}
"""An aggregate in the place of each raw file, for the faults that are seeded into that."""


def seeded_into_aggregates():
    """The aggregates' own corruptions, and each edit of a raw file's bytes that an aggregate's bytes allow."""
    for each in CORRUPTIONS:
        path = TO_AGGREGATE.get(each.path, each.path)
        if each.facts is None and each.rule in DIFFERENCES | {"readable"} and each.raw is clean_files.same:
            try:
                content = each.own(CLEAN[path])
            except (AssertionError, ValueError):  # what it edits is not in the aggregate
                continue
            yield pytest.param(path, content, id=str(each))


@pytest.mark.parametrize(("path", "content"), list(seeded_into_aggregates()))
def test_an_aggregate_of_a_sound_raw_file_in_which_any_rule_fails_is_not_equal_to_what_that_gives(path, content):
    of = input_of(path, content, raw=CLEAN[str(clean_files.BarFile.parse(path).raw.path)])
    by_every_rule = {found.rule.name for found in check_form(of) if not found.passed}

    if by_every_rule & DIFFERENCES:
        assert "equals_recomputation" in failing(of)
    assert set(failing(of)) == by_every_rule


EDITS = {
    "an empty price": (b"475.28", b""),
    "NaN": (b"475.28", b"nan"),
    "an infinite high": (b"475.5,", b"inf,"),
    "an empty volume": (b",15634", b","),
    "an empty time": (b"2024-01-02 14:31:00+00:00", b""),
    "a time in another month": (b"2024-01-02 14:31:00", b"2024-02-01 00:00:00"),
    "a bucket before the month": (b"2024-01-02 14:30:00", b"2023-12-31 23:59:45"),
    "off the grid": (b"14:30:15", b"14:30:16"),
    "a high below the close": (b"475.36", b"475.22"),
    "a price of zero": (b"475.28", b"0.0"),
    "a negative volume": (b",15634", b",-15634"),
    "a volume of zero": (b",15634", b",0"),
    "a repeated start": (b"14:30:15", b"14:30:00"),
    "no bar at all": (CLEAN[AGGREGATE], HEADER),
}


@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS.keys())
def test_equality_alone_sees_each_fault_that_the_other_rules_would_see(old, new):
    content = CLEAN[AGGREGATE].replace(old, new, 1)
    of = input_of(AGGREGATE, content, raw=CLEAN[RAW])
    by_the_others = {found.rule.name for found in check_form(of) if not found.passed} & DIFFERENCES

    assert by_the_others
    assert {"equals_recomputation", *by_the_others} <= set(failing(of))
    assert not set(failing(of)) & {*INTACT_RULES} - {"exact_form", "volume_type"}


@given(edits=st.lists(st.tuples(st.integers(len(HEADER), len(CLEAN[AGGREGATE]) - 1), st.sampled_from(b"0159.-,\n"))))
def test_equality_alone_sees_what_any_other_rule_sees_whatever_the_bytes(edits):
    content = bytearray(CLEAN[AGGREGATE])
    for at, byte in edits:
        content[at] = byte
    of = input_of(AGGREGATE, bytes(content), raw=CLEAN[RAW])
    by_every_rule = {found.rule.name for found in check_form(of) if not found.passed}

    assert set(failing(of)) == by_every_rule
    assert "equals_recomputation" in by_every_rule or not by_every_rule & DIFFERENCES
