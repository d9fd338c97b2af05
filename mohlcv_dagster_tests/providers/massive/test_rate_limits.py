"""The limit of requests a minute, of one process and of several that share a store."""

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date
from functools import cache
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.errors import RateLimitError, SettingsError
from mohlcv_dagster.formatting import without_credentials
from mohlcv_dagster.providers.massive import limit_stores
from mohlcv_dagster.providers.massive.limit_stores import open_store
from mohlcv_dagster.providers.massive.rate_limits import RateLimit, RateLimiter, SharedLimiter, rate_limiter
from mohlcv_dagster.providers.massive.retry import CancelToken, Retrying, RetryPolicy
from mohlcv_dagster.sandbox import InjectedFault, Sandbox
from mohlcv_dagster_tests import redis_server
from mohlcv_dagster_tests.docs.conftest import QuietMarket
from mohlcv_dagster_tests.postgres import free_port, postgres, require
from mohlcv_dagster_tests.providers.massive.scripted import FakeTime

URL = "http://a.test"


def test_requests_up_to_the_limit_leave_at_once_and_the_next_a_minute_after_the_first():
    limiter = RateLimiter()
    assert [limiter.reserve(3, float(now)) for now in (0, 1, 2, 3, 4)] == [0, 0, 0, 57, 57]


@given(st.integers(1, 6), st.lists(st.floats(0, 40), min_size=1, max_size=40))
def test_no_minute_ever_holds_more_than_the_limit(per_minute, pauses):
    limiter, now, left = RateLimiter(), 0.0, []
    for pause in pauses:
        now += pause
        left.append(now + limiter.reserve(per_minute, now))
    left.sort()
    for first, one_too_many in zip(left, left[per_minute:], strict=False):
        assert one_too_many - first >= 60 - 1e-6


def test_one_base_url_has_one_limiter_in_the_process():
    assert rate_limiter("http://a.test") is rate_limiter("http://a.test")
    assert rate_limiter("http://a.test") is not rate_limiter("http://b.test")


def test_threads_share_the_moments_without_losing_one():
    limiter, waits = RateLimiter(), []
    threads = [threading.Thread(target=lambda: waits.append(limiter.reserve(5, 0.0))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 5 + [60.0] * 5 + [120.0] * 5 + [180.0] * 5


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    redis_server.require()
    with redis_server.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def postgresql_url(tmp_path_factory):
    require()
    pytest.importorskip("psycopg", reason="the client of PostgreSQL is not installed: uv sync --group stores")
    address = urlsplit(f"postgresql://tester:secret@127.0.0.1:{free_port()}/limits")
    with postgres(tmp_path_factory.mktemp("limits") / "server", address):
        yield address.geturl()


STORES = [
    "file",
    pytest.param("redis_url", marks=pytest.mark.slow),
    pytest.param("postgresql_url", marks=pytest.mark.slow),
]


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    """The address of a store, which other tests may have used under other names."""
    return str(tmp_path / "limit.sqlite") if request.param == "file" else request.getfixturevalue(request.param)


@pytest.fixture
def sharing():
    """Makes limiters, as other processes have them, whose connections end with the test."""
    made = []
    yield lambda *given: made.append(SharedLimiter(*given)) or made[-1]
    for limiter in made:
        limiter.close()


def at_once(works):
    """What each work returns, all of them begun together."""
    results, begin = [None] * len(works), threading.Barrier(len(works))

    def run(number):
        begin.wait()
        results[number] = works[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_four_that_share_a_store_book_no_more_than_the_limit_in_any_minute(store, sharing, request):
    limiters = [sharing(store, request.node.name) for _ in range(4)]

    def book(limiter):
        now = time.time()
        return [time.time() - now + limiter.reserve(20, time.monotonic()) for _ in range(10)]

    shares = at_once([lambda each=each: book(each) for each in limiters])
    booked = sorted(moment for share in shares for moment in share)

    assert len(booked) == 40
    assert all(later - earlier >= 59.9 for earlier, later in zip(booked, booked[20:], strict=False))
    assert booked[-1] < 62  # forty in two minutes: none was lost


@cache
def _bars_of_one_day(timeframe):
    return QuietMarket().bars("SPY", date(2024, 1, 2), timeframe, adjusted=False)


class OneDay(QuietMarket):
    """It answers fast: the tests are of the limit."""

    def days(self, symbol, first, last):
        return [date(2024, 1, 2)] if first <= date(2024, 1, 2) <= last else []

    def bars(self, symbol, day, timeframe, *, adjusted):
        return _bars_of_one_day(timeframe)


class Timed(list):
    """Requests as the sandbox appends them, and when each came."""

    def __init__(self):
        super().__init__()
        self.moments = []

    def append(self, request):
        self.moments.append((time.monotonic(), "".join(request.path.split("/")[4:5])))
        super().append(request)


def fetching(sandbox, store, symbols, seconds):
    """The moments and symbols of the requests that processes send meanwhile, one process for each symbol."""
    words = [sys.executable, "-m", "mohlcv_dagster_tests.programs.limited_fetches", sandbox.url, str(store)]
    started = [
        subprocess.Popen([*words, symbol, str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for symbol in symbols
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    return sorted(each for each in sandbox.requests.moments if each[1] != "FIRST")


@pytest.mark.slow
def test_four_processes_that_fetch_send_the_limit_together_and_get_a_like_share_each(store):
    with Sandbox(OneDay()) as sandbox:
        sandbox.requests = Timed()
        sent = fetching(sandbox, store, ["A", "B", "C", "D"], 11)

    moments = [moment for moment, _ in sent]
    most = max(sum(begin <= each < begin + 10 for each in moments) for begin in moments)
    assert 0.95 * 100 <= most <= 1.05 * 100  # of 20 in two seconds; some are late on their way
    shares = Counter(symbol for _, symbol in sent)
    assert min(shares[each] for each in "ABCD") >= 0.7 * len(sent) / 4, shares


@pytest.mark.slow
def test_a_429_with_retry_after_stops_all_processes_for_as_long(tmp_path):
    fault = InjectedFault.parse("rate-limit-retry-after:seconds=3,symbol=A,times=1")
    with Sandbox(OneDay(), faults=[fault]) as sandbox:
        sandbox.requests = Timed()
        sent = fetching(sandbox, tmp_path / "limit.sqlite", ["A", "B", "C", "D"], 6)
        refused = next(
            moment
            for moment, each in zip(sandbox.requests.moments, sandbox.requests, strict=True)
            if each.status == 429
        )

    # what was under way arrives yet
    assert not [each for each in sent if refused[0] + 0.3 < each[0] < refused[0] + 2.9]
    assert {symbol for moment, symbol in sent if moment > refused[0] + 2.9} == set("ABCD")


def test_a_wait_that_the_vendor_asks_of_one_holds_back_all_that_share_the_store(store, sharing, request):
    one, other = (sharing(store, request.node.name) for _ in range(2))
    assert other.reserve(20, time.monotonic()) == 0
    one.hold(30.0, time.monotonic())
    one.hold(3.0, time.monotonic())  # a shorter one does not end the longer

    assert other.held(time.monotonic())
    assert 29 < other.reserve(20, time.monotonic()) <= 30
    assert 29 < one.reserve(20, time.monotonic()) <= 30


def test_a_request_that_has_booked_a_moment_books_another_when_the_vendor_asks_to_wait_meanwhile():
    fake, limit = FakeTime(), RateLimit(1, RateLimiter())
    first, second = (Retrying.starting_now(RetryPolicy(), fake.clock, limit) for _ in range(2))
    outcomes = [RateLimitError("x", retry_after=90), "page"]

    def attempt(until):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return fake.passed

    assert first.call(attempt) >= 90
    before = fake.passed
    assert second.call(lambda until: fake.passed) >= before + 60


def test_waiting_for_a_turn_counts_against_no_month():
    fake = FakeTime()
    waiting = Retrying(RetryPolicy(), fake.clock, 1800.0, CancelToken(), wait_turn=lambda: fake.sleep(4000))
    assert waiting.call(lambda until: until - fake.passed) == 60  # the time of one attempt


@pytest.mark.parametrize("address", ["redis://:secret@127.0.0.1:{}/0", "postgresql://me:secret@127.0.0.1:{}/x"])
def test_a_store_that_cannot_be_reached_is_told_once_and_each_process_goes_on_with_its_own_limit(
    address, sharing, caplog
):
    limiter, now = sharing(address.format(free_port()), URL), time.monotonic()
    began = time.monotonic()

    assert [limiter.reserve(2, now) for _ in range(3)] == [0, 0, 60]
    assert time.monotonic() - began < 3
    [told] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "MASSIVE_LIMIT_STORE" in told
    assert "start the store, or correct the setting" in told
    assert "secret" not in caplog.text


def test_what_was_sent_through_the_store_counts_when_the_store_fails(tmp_path, sharing, monkeypatch):
    file = tmp_path / "limit.sqlite"
    limiter, now = sharing(str(file), URL), time.monotonic()
    assert [limiter.reserve(2, now) for _ in range(2)] == [0, 0]

    monkeypatch.setattr(limit_stores, "PATIENCE", 0.1)
    limiter.close()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as stuck:
        stuck.execute("BEGIN EXCLUSIVE")
        assert 59 < limiter.reserve(2, now) <= 60


def test_a_file_that_is_no_store_is_told_with_its_name(tmp_path, sharing, caplog):
    file = tmp_path / "limit.sqlite"
    file.write_bytes(b"no database" * 1000)
    assert sharing(str(file), URL).reserve(2, time.monotonic()) == 0
    assert f"{file}, cannot be used (file is not a database)" in caplog.text


def test_a_store_that_answers_again_is_used_again(tmp_path, sharing):
    folder = tmp_path / "later"
    limiter, now = sharing(str(folder / "limit.sqlite"), URL), time.monotonic()
    limiter.reserve(1, now)
    folder.mkdir()
    limiter.reserve(1, now + 31)
    assert (folder / "limit.sqlite").exists()


HOLDING = """
import sqlite3, sys, time
stuck = sqlite3.connect(sys.argv[1], isolation_level=None)
stuck.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(60)
"""


def test_a_process_that_is_killed_with_the_files_lock_blocks_no_other(tmp_path):
    file = str(tmp_path / "limit.sqlite")
    with contextlib.closing(open_store(file, URL, 60.0)) as store:
        store.book(5)
    with subprocess.Popen([sys.executable, "-c", HOLDING, file], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
    began = time.monotonic()
    with contextlib.closing(open_store(file, URL, 60.0)) as store:
        assert store.book(5) == 0
    assert time.monotonic() - began < 2


def test_a_store_whose_package_is_not_installed_is_refused_with_the_cure(monkeypatch):
    monkeypatch.setattr(limit_stores, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"redis://h, needs the package redis: run `uv add redis`") as caught:
        RateLimit.of(URL, 5, "redis://:secret@h")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://me:secret@host:6379/0?password=secret", "redis://host:6379/0"),
        ("postgresql://me:secret@[::1]/db#secret", "postgresql://::1/db"),
        ("redis://me:secret@host:port", "redis://…"),
        ("/srv/limit.sqlite", "/srv/limit.sqlite"),
    ],
)
def test_an_address_is_shown_without_credentials(address, shown):
    assert without_credentials(address) == shown


def test_a_forked_process_has_a_limiter_of_its_own(monkeypatch):
    before = rate_limiter(URL)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert rate_limiter(URL) is not before
