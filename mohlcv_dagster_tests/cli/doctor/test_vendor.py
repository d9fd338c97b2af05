"""The vendor: quiet where all is well, each ailment told with its cure, in few requests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mohlcv_dagster.cli.examinations import vendor
from mohlcv_dagster.cli.examinations.finding import Verdict
from mohlcv_dagster.providers.massive.retry import Clock

KEY = "a-key-that-no-word-holds"
NOW = datetime(2025, 6, 16, 12, tzinfo=UTC)


@pytest.fixture
def asked(sandbox):
    """What the vendor examination finds, by topic, and how many requests it took."""
    sandbox.clear()

    def made(*faults, ahead=0.0):
        sandbox.inject(*faults)
        clock = replace(Clock(), now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
        found = {each.topic: each for each in vendor.examine(KEY, sandbox.url, clock)}
        return found, len(sandbox.requests)

    return made


def years_ago(years):
    return f"{datetime.now(UTC).year - years}-01"


def test_all_is_well_with_a_vendor_that_gives_all_and_it_took_three_requests(asked):
    found, requests = asked()

    assert [each.verdict for each in found.values()] == [Verdict.FINE] * 4
    assert found["key"].found == "known to the vendor, which gives 2 bars in a minute of last week"
    assert found["plan"].found.endswith("more than Developer has")
    assert found["clock"].found.endswith("as the vendor's")
    assert requests == 3


@pytest.mark.parametrize(("years", "plan", "requests"), [(3, "Starter", 2), (8, "Developer", 3)])
def test_how_far_back_the_plan_reaches_is_told_by_its_name_and_day(asked, years, plan, requests):
    found, taken = asked(f"plan-date:before={years_ago(years)}")

    assert found["plan"].verdict is Verdict.FINE
    assert f"as {plan} has them" in found["plan"].found
    assert str(datetime.now(UTC).year - {"Starter": 5, "Developer": 10}[plan]) in found["plan"].found
    assert taken == requests


@pytest.mark.parametrize(
    ("fault", "topic", "verdict", "words"),
    [
        ("unknown-key", "key", Verdict.WRONG, ("the vendor does not know it (the vendor answered 401", "Copy the key")),
        ("plan-seconds", "plan", Verdict.WRONG, ("no second bars of last week (the vendor answered 403", "Starter")),
        ("rate-limit", "vendor", Verdict.WARNING, ("too many requests", "MASSIVE_REQUESTS_PER_MINUTE")),
        ("server-error", "vendor", Verdict.WRONG, ("the vendor answered 500", "Try again")),
        ("html-200", "vendor", Verdict.WRONG, ("JSON", "check the network")),
        ("reset", "vendor", Verdict.WRONG, ("cannot be reached, or the connection broke", "MASSIVE_BASE_URL")),
    ],
)
def test_an_ailment_of_the_vendor_is_told_with_its_cure_after_one_request(asked, fault, topic, verdict, words):
    told, requests = asked(fault)

    assert told[topic].verdict is verdict
    assert words[0] in told[topic].found
    assert words[1] in told[topic].cure
    assert requests == 1


def test_a_vendor_that_fails_at_the_second_question_leaves_the_reach_unknown(asked):
    found, requests = asked("server-error:window=2")

    assert (found["key"].verdict, found["plan"].verdict) == (Verdict.FINE, Verdict.WARNING)
    assert "how far back it reaches is not known" in found["plan"].found
    assert requests == 2


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (0.4, Verdict.FINE, "as the vendor's"),
        (-4.9, Verdict.FINE, "as the vendor's"),
        (7, Verdict.WARNING, "7 s ahead of the vendor's"),
        (-59, Verdict.WARNING, "59 s behind the vendor's"),
        (-3600, Verdict.WRONG, "3,600 s behind the vendor's"),
        (None, Verdict.WARNING, "not compared"),
    ],
)
def test_a_clock_that_is_off_is_told_in_seconds(ahead, verdict, words):
    found = vendor.clocks(ahead, NOW)

    assert found.verdict is verdict
    assert words in found.found
    assert found.found.startswith("2025-06-16 12:00:00Z")


def test_a_clock_an_hour_behind_is_found_by_asking(asked):
    found, _ = asked(ahead=-3600)

    assert found["clock"].verdict is Verdict.WRONG
    assert "NTP" in found["clock"].cure
