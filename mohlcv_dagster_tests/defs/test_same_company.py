"""A symbol of two companies, one after the other: the sandbox, the real client, the real graph, and what it says."""

import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.providers.massive import companies
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.impatient import ImpatientMassive
from mohlcv_dagster_tests.defs.location import execute_checks_alone, latest_evaluation, rules_of, run

FORMER, EMPTY, NOW, NEXT = (f"2022-{number:02d}|TWICE" for number in (1, 5, 6, 7))


@pytest.fixture
def sandbox():
    companies.forget()  # a port may be given twice
    with Sandbox(SyntheticMarket()) as sandbox:
        yield sandbox


@pytest.fixture
def fetch(sandbox, tmp_path, instance):
    massive = ImpatientMassive(base_url=sandbox.url, adjusted=False, attempt_seconds=5)
    settings = Settings.from_environment({"MOHLCV_DATA_DIR": str(tmp_path), "MOHLCV_TIMEFRAMES": "1min"})

    def fetch(*partitions):
        for partition in partitions:
            run(build(settings, massive=massive), instance, partition, "raw_1s")

    def check(partition):
        execute_checks_alone(build(settings, massive=massive), instance, "raw_1s", partition, "plausible")

    fetch.check = check
    return fetch


def told(instance, partition, rule="same_company"):
    return rules_of(latest_evaluation(instance, "raw_1s", "plausible", partition))[rule]


def test_each_side_of_an_empty_time_between_two_companies_warns_with_both(fetch, instance):
    months = [f"2022-{number:02d}|TWICE" for number in range(1, 8)]
    fetch(*months)
    former, now, later = (told(instance, partition) for partition in (FORMER, NOW, NEXT))

    assert former["result"] == "warning"  # by the reference data, before any other month was stored
    assert "TWICE was Elder Fund (BBG" in former["what was found"]
    assert "is Newcorp Inc. (BBG" in former["what was found"]
    assert now["result"] == "warning"  # looked over four empty months
    assert "TWICE 2022-06 is of Newcorp Inc." in now["what was found"]
    assert "2022-01 is of Elder Fund" in now["what was found"]
    assert later["result"] == "passed"
    assert "as in 2022-06" in later["what was found"]
    assert told(instance, NOW, "open_jumps")["result"] == "warning"


def test_a_month_fetched_alone_says_whose_it_is_and_that_there_is_nothing_to_compare_with(fetch, instance, tmp_path):
    fetch(NEXT)
    found = told(instance, NEXT)
    file = BarFile.parse("raw_1s/TWICE/TWICE_2022_07.csv")
    recorded = records.latest(instance, file).company

    assert found["result"] == "passed"
    assert "Newcorp Inc." in found["what was found"]
    assert "not judged: of no stored month before or after it is the company known" in found["what was found"]
    assert (recorded.name, str(recorded.as_of)) == ("Newcorp Inc.", "2022-07-29")
    assert manifest.read_if_valid(Archive(str(tmp_path)), file).company == recorded


def test_a_vendor_without_reference_data_fails_no_month_and_the_rule_says_why(fetch, sandbox, instance):
    sandbox.inject("plan-date:on=reference")
    fetch(NEXT)
    found = told(instance, NEXT)

    assert found["result"] == "passed"
    assert (
        "not judged: the company is not recorded: the plan of this API key has no reference"
        in (found["what was found"])
    )


def test_a_month_that_was_recorded_before_companies_were_is_compared_once_its_neighbour_is_not(fetch, instance):
    fetch(FORMER, NOW)
    fetch.check(FORMER)

    assert told(instance, FORMER)["result"] == "warning"


@pytest.mark.slow
@pytest.mark.parametrize("months", [1, 3])
def test_a_year_in_one_process_takes_two_requests_more_than_its_bars(fetch, sandbox, months):
    fetch(*(f"2024-{number:02d}|TSLA" for number in range(1, 1 + months)))

    assert sum("/reference/" in request.path for request in sandbox.requests) == 2
