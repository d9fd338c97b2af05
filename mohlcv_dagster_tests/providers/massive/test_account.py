"""The key and the address, never shown; and single questions, each asked once, of a sandbox with faults."""

import logging
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mohlcv_dagster.errors import (
    IncompletePageError,
    MissingKeyError,
    PlanError,
    RateLimitError,
    ServerError,
    SettingsError,
    UnknownKeyError,
    UnreachableError,
    VendorError,
)
from mohlcv_dagster.providers.massive.account import Probe
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy
from mohlcv_dagster_tests.providers.massive.scripted import KEY, MONTH, START, Reply, page, row

RECORDED_403 = (
    b'{"status":"NOT_AUTHORIZED","request_id":"a061","message":"You are not entitled to this data. Please upgrade"}'
)


@pytest.mark.parametrize("key", ["", "  \n"])
def test_a_missing_key_names_the_file_and_the_variable(key):
    with pytest.raises(MissingKeyError, match=r"\.env.*MASSIVE_API_KEY"):
        MassiveProvider(key)


@pytest.mark.parametrize("url", ["", "api.massive.com", "ftp://x", "http://", "http://me:pw@host", "http://host?x=1"])
def test_a_base_url_that_cannot_be_meant_is_refused_without_showing_a_password(url):
    with pytest.raises(SettingsError) as caught:
        MassiveProvider(KEY, url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b'{"status":"ERROR","request_id":"%s","error":"Unknown API Key %s"}' % (KEY.encode(), KEY.encode()), 401),
        Reply(b"<html>%s%s" % (b"." * 185, KEY.encode()), 500),
        Reply(RECORDED_403.replace(b"upgrade", KEY.encode()), 403),
        Reply(KEY.encode()),
        Reply(b'{"results":[{"t":"%s"}]}' % KEY.encode()),
        Reply(b'{"ticker":"%s","status":"OK","resultsCount":0,"adjusted":false}' % KEY.encode()),
        Reply(b'{"status":"%s","request_id":"%s","resultsCount":0}' % (KEY.encode(), KEY.encode())),
        Reply(reset=True),
    ],
)
def test_the_key_appears_in_no_error_log_or_repr(server, fake, reply, caplog, capsys):
    server.answer = lambda asked: reply
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, "urllib3"),  # a client of another test may have set its level
        MassiveProvider(KEY, server.url, clock=fake.clock) as vendor,
        pytest.raises(VendorError) as caught,
    ):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")
    printed = capsys.readouterr()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + printed.out + printed.err
    assert "urllib3" in caplog.text
    for shown in (told, repr(caught.value), str(vars(caught.value)), repr(vendor), str(caught.value.__cause__)):
        assert KEY[:8] not in shown


def test_a_request_id_that_echoes_the_key_is_masked(vendor, server):
    server.answer = lambda asked: page(asked, [row(START)], request_id=KEY)
    assert vendor.fetch_month("SPY", MONTH, timeframe="minute").request_ids == ("***",)


@pytest.mark.parametrize("word", ["x", "sandbox"])
def test_a_word_in_place_of_a_key_does_not_mangle_what_is_said(server, word):
    server.answer = lambda asked: page(asked, [row(START)], request_id="sandbox-9ec5")
    with MassiveProvider(word, server.url) as vendor:
        assert vendor.fetch_month("SPY", MONTH, timeframe="minute").request_ids == ("sandbox-9ec5",)
    server.answer = lambda asked: Reply(b'{"status":"ERROR","error":"exactly one box in the sandbox"}', 400)
    with (
        MassiveProvider(word, server.url) as vendor,
        pytest.raises(VendorError, match="exactly one box in the sandbox"),
    ):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")


def test_a_key_that_no_header_can_carry_is_refused_unshown():
    with pytest.raises(SettingsError) as caught:
        MassiveProvider("pk-one\npk-two")
    assert "pk-" not in str(caught.value)


def test_the_clients_own_handler_is_taken_off_its_logger(vendor):
    vendor.fetch_month("SPY", MONTH)
    assert not [
        handler for handler in logging.getLogger("RESTClient").handlers if type(handler) is logging.StreamHandler
    ]


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
        ("html-200", IncompletePageError),
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
