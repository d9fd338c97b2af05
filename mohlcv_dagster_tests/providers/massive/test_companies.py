"""Which company had a symbol, asked of the sandbox by the real client: how many requests, and what fails nothing."""

from datetime import date

import pytest

from mohlcv_dagster.model.company import Company
from mohlcv_dagster.providers.massive import companies
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import RetryPolicy
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket


@pytest.fixture
def sandbox():
    companies.forget()  # a port may be given twice
    with Sandbox(SyntheticMarket()) as sandbox:
        yield sandbox


@pytest.fixture
def ask(sandbox):
    """Ask for the company on days, each by a provider of its own in this process."""

    def asked(symbol, *days, known=()):
        found, before = [], len(sandbox.requests)
        for day in map(date.fromisoformat, days):
            with MassiveProvider("any-key", sandbox.url, retry=RetryPolicy(tries=1, page_tries=1)) as vendor:
                found.append(vendor.company(symbol, day, known))
        assert sum(each.requests for each in found) == len(sandbox.requests) - before
        return found

    return asked


def test_a_year_of_months_takes_two_requests(ask, sandbox):
    found = ask("TSLA", *(f"2024-{number:02d}-28" for number in range(1, 13)))

    assert len(sandbox.requests) == 2
    assert {(each.company.name, each.company.conflict) for each in found} == {("Tesla, Inc.", "")}
    assert [each.company.as_of for each in found[:3]] == [date(2024, 1, 28), date(2024, 2, 28), date(2024, 3, 28)]
    assert all(each.company.figi and each.company.cik for each in found)


def test_what_was_recorded_with_another_month_saves_the_overview(ask, sandbox):
    [january] = ask("TSLA", "2024-01-31")
    companies.forget()
    sandbox.clear()
    ask("TSLA", "2024-02-29", known=[january.company])

    assert [request.path for request in sandbox.requests] == ["/vX/reference/tickers/TSLA/events"]


def test_a_symbol_of_two_companies_has_another_one_before_and_the_reason(ask):
    former, renamed, now = (each.company for each in ask("TWICE", "2022-01-28", "2022-06-30", "2022-07-29"))

    assert (former.name, renamed.name, now.name) == ("Elder Fund", "Newcorp Inc.", "Newcorp Inc.")
    assert former.is_same_as(now) is False
    assert renamed.is_same_as(now) is True
    assert former.conflict.startswith(f"TWICE was Elder Fund ({former.figi}) on 2022-01-28 and is Newcorp Inc.")
    assert (renamed.conflict, now.conflict) == ("", "")


def test_a_renamed_company_keeps_its_number_under_both_symbols(ask):
    [before], [after] = ask("FB", "2022-05-31"), ask("META", "2022-07-29")

    assert before.company.is_same_as(after.company) is True


def test_a_refusal_is_the_reason_and_nobody_is_asked_again(ask, sandbox):
    sandbox.inject("plan-date:on=reference")
    found = ask("TSLA", "2024-01-31", "2024-02-29")

    assert [each.company for each in found] == [None, None]
    assert all("has no reference data" in each.why_unknown for each in found)
    assert len(sandbox.requests) == 1


def test_without_the_list_of_changes_the_overview_of_today_tells_of_the_months_between(ask, sandbox):
    sandbox.inject("not-found:on=events")
    found = ask("SPY", "2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30")

    assert len({each.company.figi for each in found}) == 1
    assert [each.requests for each in found] == [2, 1, 0, 0]


def test_a_symbol_that_no_company_had_is_unknown_with_the_reason(ask):
    [found] = ask("ZZNO", "2024-01-31")

    assert (found.company, found.why_unknown) == (
        None,
        "the vendor's reference knows no company of ZZNO on 2024-01-31",
    )


def test_a_symbol_that_the_reference_does_not_know_costs_no_request_from_its_third_month_on(ask):
    found = ask("ZZNO", *(f"2024-{number:02d}-28" for number in range(1, 13)))

    assert [each.requests for each in found] == [2, 1, 1, *[0] * 9]
    assert {each.company for each in found} == {None}
    assert found[-1].why_unknown == "the vendor's reference knows no company of ZZNO on 2024-12-28"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"figi": "A", "cik": "1"}, {"figi": "A", "cik": "2", "name": "Renamed"}, True),
        ({"figi": "A", "cik": "1"}, {"figi": "B", "cik": "1"}, False),
        ({"cik": "1"}, {"figi": "B", "cik": "1"}, True),
        ({"cik": "1", "name": "X"}, {"cik": "2", "name": "X"}, False),
        ({"figi": "A"}, {"cik": "1"}, None),
        ({"name": "X"}, {"name": "Y"}, None),
    ],
)
def test_companies_are_compared_by_figi_then_by_cik_and_never_by_name(one, other, same):
    day = date(2024, 1, 31)
    assert Company(day, **one).is_same_as(Company(day, **other)) is same
