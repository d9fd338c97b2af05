"""Single questions, each asked once, of a sandbox with faults."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mohlcv_dagster.errors import (
    PageNotWholeError,
    PlanError,
    RateLimitError,
    ServerError,
    SettingsError,
    UnknownKeyError,
    UnreachableError,
)
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.probe import Probe
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy

TUESDAY = datetime(2024, 1, 16, tzinfo=UTC).date()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(QuietSpy()) as sandbox:
        yield sandbox


@pytest.fixture
def ask(sandbox):
    sandbox.clear()

    def asked(day=TUESDAY, *, faults=(), clock=None, key="a-key-that-no-word-holds"):
        sandbox.inject(*faults)
        with Probe(key, sandbox.url, clock) as probe:
            return probe.ask(day)

    return asked


def test_the_first_minute_of_the_session_is_asked_for_in_one_request(ask, sandbox):
    answered = ask()

    assert (answered.error, answered.rows) == (None, 2)
    # 09:30 Eastern of January 16th is 14:30 UTC
    assert sandbox.requests[0].path.endswith("/SPY/range/1/second/1705415400000/1705415459999")
    assert len(sandbox.requests) == 1


def test_of_a_day_without_a_session_the_one_before_is_meant(ask, sandbox):
    ask(datetime(2024, 1, 15, tzinfo=UTC).date())  # Martin Luther King's, a Monday

    assert "1705069800000" in sandbox.requests[0].path  # Friday the 12th


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("unknown-key", UnknownKeyError),
        ("plan-seconds", PlanError),
        ("rate-limit", RateLimitError),
        ("server-error", ServerError),
        ("html-200", PageNotWholeError),
        ("reset", UnreachableError),
    ],
)
def test_what_goes_wrong_is_told_by_its_type_and_never_asked_again(ask, sandbox, fault, error):
    answered = ask(faults=[fault])

    assert isinstance(answered.error, error)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("ahead", [-3600, 0, 90])
def test_how_far_our_clock_is_ahead_is_told_by_any_answer_refusals_too(ask, ahead):
    clock = replace(Clock(), now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))

    assert ask(clock=clock).ahead == pytest.approx(ahead, abs=2)
    assert ask(clock=clock, faults=["unknown-key"]).ahead == pytest.approx(ahead, abs=2)


def test_where_no_answer_came_no_time_is_told(ask):
    assert ask(faults=["reset"]).ahead is None


def test_a_key_that_cannot_be_sent_is_refused_and_a_question_needs_an_open_probe(sandbox):
    with pytest.raises(SettingsError):
        Probe("two words", sandbox.url)
    with pytest.raises(RuntimeError, match="context manager"):
        Probe("one-word-of-a-key", sandbox.url).ask(TUESDAY)
