"""A vendor that fails: what is asked again, what is not, and what is said of it."""

import socket
import threading
from datetime import UTC, datetime

import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.errors import (
    BadRequestError,
    DeadlineError,
    IncompletePageError,
    PlanError,
    RateLimitError,
    ServerError,
    UnknownKeyError,
    UnreachableError,
)
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import RetryPolicy
from mohlcv_dagster_tests.providers.massive.scripted import (
    BARS,
    KEY,
    MONTH,
    SECONDS,
    FakeTime,
    Reply,
    faithful,
    page,
    row,
    zipped,
)

RECORDED_403 = (
    b'{"status":"NOT_AUTHORIZED","request_id":"a061","message":"You are not entitled to this data. Please upgrade"}'
)


@pytest.fixture
def young(server):
    """The month is two days old: three windows, with the first two bars, in two requests."""
    with MassiveProvider(KEY, server.url, clock=FakeTime(datetime(2024, 2, 3, tzinfo=UTC)).clock) as vendor:
        yield vendor


def starts(fetched):
    return bar_table.seconds(fetched.bars).tolist()


def failing_first(replies, then=BARS):
    """Each of `replies` once to whoever comes first, faithful afterwards."""
    waiting = list(replies)
    lock = threading.Lock()

    def answer(asked):
        with lock:
            reply = waiting.pop(0) if waiting else faithful(then)
        return reply(asked) if callable(reply) else reply

    return answer


@pytest.mark.parametrize(
    "bad",
    [
        Reply(b"<html>502</html>"),
        Reply(b""),
        Reply(b"null"),
        Reply(b'{"status":"ERROR","error":"try again"}'),
        Reply(b"x" * 500, cut=100),
        Reply(b"{}", chunked_cut=True),
        Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
        Reply(b"{}", headers={"Content-Encoding": "br"}),
        Reply(reset=True),
        Reply(b"", 204),
        *(Reply(b"<html>", status) for status in (408, 413, 429, 499, 500, 502, 503, 504, 520, 526)),
        lambda asked: zipped(page(asked, [row(asked.start // 1000)]), cut=3),
        lambda asked: page(asked, [row(asked.start // 1000)], results=...),
        lambda asked: page(asked, [row(asked.start // 1000)], results=None),
        lambda asked: page(asked, [row(asked.start // 1000)], resultsCount=2),
        lambda asked: page(asked, [row(asked.start // 1000)], ticker="QQQ"),
        lambda asked: page(asked, [row(asked.start // 1000)], adjusted=True),
        lambda asked: page(asked, [row(asked.start // 1000 - 1)]),
        lambda asked: page(asked, [row(asked.start // 1000)] * 2),
        lambda asked: page(asked, [], next_url="https://api.massive.com/elsewhere?cursor=x"),
    ],
)
def test_a_passing_fault_is_asked_again_and_the_month_comes_out_the_same(young, server, bad):
    server.answer = failing_first([bad, bad])
    fetched = young.fetch_month("SPY", MONTH)
    assert starts(fetched) == SECONDS[:2]
    assert (fetched.requests, fetched.retries) == (2 + 2, 2)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (
            Reply(b'{"status":"ERROR","request_id":"q1","error":"Unknown API Key"}', 401),
            UnknownKeyError,
            "MASSIVE_API_KEY",
        ),
        (Reply(b'{"status":"ERROR","request_id":"q1","error":"bad"}', 400), BadRequestError, "check the symbol"),
        (
            Reply(b'{"status":"NOT_FOUND","request_id":"q1","message":"Data not found."}', 404),
            BadRequestError,
            "not found",
        ),
        (Reply(b"", 301, {"Location": "http://127.0.0.1:1/"}), BadRequestError, "MASSIVE_BASE_URL"),
        (Reply(RECORDED_403, 403), PlanError, "You are not entitled"),
        (Reply(RECORDED_403, 200), PlanError, "You are not entitled"),
        (Reply(b"<html>Just a moment", 403), BadRequestError, "check the proxy"),
    ],
)
def test_a_permanent_refusal_is_not_asked_again(server, fake, reply, error, words):
    server.answer = lambda asked: reply
    with (
        MassiveProvider(KEY, server.url, concurrency=1, clock=fake.clock) as vendor,
        pytest.raises(error, match=words) as caught,
    ):
        vendor.fetch_month("SPY", MONTH)
    assert len(server.asked) <= 2  # the window that was refused, and at most one taken up before it was called off
    assert caught.value.status == reply.status
    assert fake.passed == 0


def test_a_plan_error_says_which_plans_would_do(vendor, server):
    server.answer = lambda asked: Reply(RECORDED_403, 403)
    with pytest.raises(PlanError) as caught:
        vendor.fetch_month("SPY", Month(2013, 10))
    assert caught.value.request_id == "a061"
    message = str(caught.value)
    assert "plans that reach all of 2013-10: Advanced" in message
    assert "Basic none · Starter from 2021-11-23 · Developer from 2016-11-23 · Advanced from 2003-09-10" in message
    assert "future" in message


@pytest.mark.parametrize(
    ("reply", "error", "tries"),
    [
        (Reply(b"", 503), ServerError, 8),
        (Reply(reset=True), UnreachableError, 8),
        (Reply(b"<html>"), IncompletePageError, 4),
    ],
)
def test_a_lasting_fault_fails_the_month_after_all_tries(server, fake, reply, error, tries):
    server.answer = lambda asked: reply
    with (
        MassiveProvider(KEY, server.url, concurrency=1, clock=fake.clock) as vendor,
        pytest.raises(error, match=f"tried {tries} times"),
    ):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert len(server.asked) == tries


def test_an_error_with_the_status_200_is_told_in_the_vendors_words(vendor, server):
    server.answer = lambda asked: Reply(b'{"status":"ERROR","request_id":"q1","error":"Internal: shard 7"}')
    with pytest.raises(IncompletePageError, match="was 'ERROR': 'Internal: shard 7'"):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")


def test_a_page_that_is_never_whole_names_its_request_id_place_and_fault(vendor, server):
    server.answer = lambda asked: page(asked, [], ticker="QQQ", request_id="abc123")
    with pytest.raises(IncompletePageError) as caught:
        vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert caught.value.request_id == "abc123"
    assert "SPY minute bars 2024-02-01 00:00:00..2024-02-29 23:59:59 UTC" in str(caught.value)
    assert "expected ticker 'SPY', was 'QQQ'" in str(caught.value)


def test_a_rate_limit_of_a_minute_is_outlasted(vendor, server, fake):
    limited = lambda asked: Reply(b"", 429) if fake.passed < 65 else faithful(BARS)(asked)  # noqa: E731  # one line
    server.answer = limited
    assert starts(vendor.fetch_month("SPY", MONTH)) == SECONDS


def test_a_rate_limit_that_does_not_end_names_the_setting(vendor, server, fake):
    server.answer = lambda asked: Reply(b'{"status":"ERROR","error":"You\'ve exceeded the maximum requests"}', 429)
    with pytest.raises(RateLimitError, match="MASSIVE_REQUESTS_PER_MINUTE"):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert 60 <= fake.passed <= RetryPolicy().request_seconds


def test_retry_after_is_waited_for(server):
    fake = FakeTime(draw=0.0)
    server.answer = failing_first([Reply(b"", 429, {"Retry-After": "17"})])
    with MassiveProvider(KEY, server.url, clock=fake.clock) as vendor:
        vendor.fetch_month("SPY", MONTH)
    assert fake.passed == pytest.approx(17)


@pytest.mark.parametrize(
    ("reply", "seconds", "words"),
    [
        (Reply(b"x" * 400, drip=0.02), 0.2, r"in time|stopped sending"),
        (Reply(drip_headers=True), 0.2, "in time"),
        (Reply(silent=1), 0.1, r"stopped sending|in time"),
    ],
)
def test_a_dripping_body_dripping_headers_and_a_silent_server_are_cut_off(server, reply, seconds, words):
    server.answer = lambda asked: reply
    hasty = RetryPolicy(attempt_seconds=seconds, tries=1)
    with MassiveProvider(KEY, server.url, retry=hasty) as vendor, pytest.raises(DeadlineError, match=words):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")


def test_a_vendor_that_is_not_there_is_named(fake):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with MassiveProvider(KEY, url, clock=fake.clock) as vendor, pytest.raises(UnreachableError) as caught:
            vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert url in str(caught.value)
    assert "MASSIVE_BASE_URL" in str(caught.value)


def test_an_interrupt_calls_off_what_has_not_begun_and_cuts_off_what_is_under_way(server):
    def interrupt(progress):
        if progress.windows_done == 2:
            raise KeyboardInterrupt

    first_two = threading.BoundedSemaphore(2)
    server.answer = lambda asked: faithful(BARS)(asked) if first_two.acquire(blocking=False) else Reply(silent=5)
    with MassiveProvider(KEY, server.url, concurrency=2, fill=1) as vendor, pytest.raises(KeyboardInterrupt):
        vendor.fetch_month("SPY", MONTH, on_progress=interrupt)
    for thread in threading.enumerate():
        if thread.name.startswith("massive"):
            thread.join(2)
            assert not thread.is_alive()
    assert len(server.asked) <= 4
