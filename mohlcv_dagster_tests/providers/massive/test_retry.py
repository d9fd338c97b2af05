"""Repeating requests."""

import threading

import pytest

from mohlcv_dagster.errors import (
    DeadlineError,
    IncompletePageError,
    PlanError,
    RateLimitError,
    ServerError,
    UnknownKeyError,
    UnreachableError,
)
from mohlcv_dagster.providers.massive.retry import FetchCancelledError, Retrying, RetryPolicy
from mohlcv_dagster_tests.providers.massive.scripted import FakeTime

POLICY = RetryPolicy(
    attempt_seconds=10, request_seconds=100, month_seconds=500, tries=5, page_tries=3, first_wait=1, longest_wait=4
)


def patient(fake, until=500.0, **more):
    return Retrying(POLICY, fake.clock, until, threading.Event(), **more)


def script(*outcomes):
    """An attempt that raises or returns each outcome in turn, the last for ever; it keeps count."""

    def attempt(until):
        outcome = outcomes[min(len(attempt.deadlines), len(outcomes) - 1)]
        attempt.deadlines.append(until)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    attempt.deadlines = []
    return attempt


@pytest.mark.parametrize("error", [UnknownKeyError("no"), PlanError("no")])
def test_a_permanent_error_is_raised_at_once(error):
    fake, attempt = FakeTime(), script(error)
    with pytest.raises(type(error)) as caught:
        patient(fake).call(attempt)
    assert caught.value is error
    assert fake.passed == 0


@pytest.mark.parametrize(
    "error",
    [ServerError("x"), UnreachableError("x"), DeadlineError("x"), IncompletePageError("x"), RateLimitError("x")],
)
def test_a_transient_error_is_asked_again(error):
    attempt = script(error, error, "page")
    assert patient(FakeTime()).call(attempt) == "page"
    assert len(attempt.deadlines) == 3


def test_waits_double_up_to_the_longest_and_are_drawn_at_random():
    fake = FakeTime(draw=0.5)
    moments = []

    def attempt(until):
        moments.append(fake.passed)
        raise ServerError("x")

    with pytest.raises(ServerError):
        patient(fake).call(attempt)
    assert moments == pytest.approx([0, 0.5, 1.5, 3.5, 5.5])  # half of 1, 2, 4 and 4 seconds


def test_the_last_error_says_how_often_and_keeps_what_it_knew():
    error = ServerError("the vendor answered 503", request_id="q", status=503)
    with pytest.raises(ServerError, match=r"answered 503 \(tried 5 times in 6 s\)") as caught:
        patient(FakeTime()).call(script(error))
    assert (caught.value.request_id, caught.value.status, caught.value.__cause__) == ("q", 503, error)


def test_a_page_that_is_not_whole_has_a_number_of_tries_of_its_own():
    attempt = script(IncompletePageError("x", request_id="q"))
    with pytest.raises(IncompletePageError, match="tried 3 times") as caught:
        patient(FakeTime()).call(attempt)
    assert caught.value.request_id == "q"


def test_a_named_wait_replaces_the_drawn_one():
    fake = FakeTime(draw=0.0)
    assert patient(fake).call(script(RateLimitError("x", retry_after=30), "page")) == "page"
    assert fake.passed == pytest.approx(30)


def test_a_named_wait_beyond_the_time_left_ends_it_at_once():
    fake = FakeTime()
    with pytest.raises(RateLimitError, match="asks to wait 3600 s") as caught:
        patient(fake).call(script(RateLimitError("x", retry_after=3600)))
    assert fake.passed == 0
    assert caught.value.retry_after == 3600


def test_a_rate_limit_is_asked_against_until_the_requests_time_is_over():
    fake = FakeTime()
    attempt = script(RateLimitError("x"))
    with pytest.raises(RateLimitError):
        patient(fake).call(attempt)
    assert 60 <= fake.passed <= 100
    assert len(attempt.deadlines) > POLICY.tries


def test_the_policy_as_it_comes_outlasts_a_limit_by_the_minute_even_when_lots_fall_short():
    fake = FakeTime(draw=0.1)
    limited = Retrying(RetryPolicy(), fake.clock, 1800.0, threading.Event())

    def attempt(until):
        if fake.passed < 60:
            raise RateLimitError("x")
        return "page"

    assert limited.call(attempt) == "page"


def test_an_attempt_is_told_the_nearest_of_its_own_its_requests_and_its_months_end():
    fake = FakeTime()
    attempt = script("page")
    patient(fake).call(attempt)
    patient(fake, until=7.0).call(attempt)
    assert attempt.deadlines == [10, 7]


def test_a_month_out_of_time_is_not_asked_for_any_more():
    fake, attempt = FakeTime(), script("page")
    fake.sleep(500)
    with pytest.raises(DeadlineError, match="after 500 s"):
        patient(fake).call(attempt)
    assert attempt.deadlines == []


def test_queueing_for_a_request_counts_against_no_page():
    fake = FakeTime()
    attempt = script(ServerError("x"), ServerError("x"), "page")
    assert patient(fake, wait_turn=lambda: fake.sleep(90)).call(attempt) == "page"
    assert fake.passed > POLICY.request_seconds


def test_a_stop_ends_the_wait():
    fake = FakeTime()
    held = patient(fake)

    def attempt(until):
        held.cancel.set()
        raise ServerError("x")

    with pytest.raises(FetchCancelledError):
        held.call(attempt)
    assert fake.passed == 0
