"""Answers other than 200."""

from datetime import UTC, datetime

import pytest

from mohlcv_dagster.errors import BadRequestError, PlanError, RateLimitError, ServerError, UnknownKeyError
from mohlcv_dagster.providers.massive.transport import error_for, retry_after
from mohlcv_dagster_tests.real import REAL, needs_real

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, RateLimitError),
        *((status, ServerError) for status in (202, 204, 408, 413, 499, 500, 501, 502, 503, 504, 520, 523, 526, 599)),
        *((status, BadRequestError) for status in (301, 302, 307, 400, 401, 403, 404, 405, 410, 414, 422)),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"error":null}', b"\xff", b"[" * 100_000])
def test_the_status_decides_whatever_the_body_is(status, kind, body):
    error = error_for(status, {}, body, NOW)
    assert type(error) is kind
    assert error.status == status
    assert str(status) in str(error)


@pytest.mark.parametrize(("status", "kind"), [(401, UnknownKeyError), (403, PlanError), (404, BadRequestError)])
def test_a_refusal_is_the_vendors_only_in_its_own_words(status, kind):
    theirs = error_for(status, {}, b'{"status":"NOT_AUTHORIZED","request_id":"q1","message":"not entitled"}', NOW)
    page = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking</body></html>"
    others = [error_for(status, {}, body, NOW) for body in (page, b"", b'{"error":"blocked by policy"}', b"Forbidden")]

    assert type(theirs) is kind
    assert "not entitled" in str(theirs)
    assert {type(error) for error in others} == {BadRequestError}
    for error in others:
        assert "plan" not in str(error)
        assert "check the proxy, the network and MASSIVE_BASE_URL" in str(error)
    assert "Just a moment" in str(others[0])


@needs_real
@pytest.mark.parametrize(
    ("name", "status", "words", "request_id"),
    [
        ("err_400_to_before_from", 400, "cannot be a time that occurs before", "708a85cecad66756c956da798714ac63"),
        ("err_401_bad_key", 401, "Unknown API Key", "..."),
        ("err_401_no_key", 401, "API Key was not provided", "..."),
        ("err_403_not_entitled", 403, "You are not entitled", "a061d06af978e7837919266e3c20e4b8"),
        ("err_403_timeframe", 403, "Your plan doesn't include", "e2fbf8d97c383b7c9b664f74e82d0cb1"),
        ("err_404_not_found", 404, "Data not found.", "b7d56f658e5ff74246c4667b2b28be1b"),
        ("err_429_rate_limit", 429, "exceeded the maximum requests", "..."),
    ],
)
def test_the_vendors_words_and_request_id_are_kept(name, status, words, request_id):
    body = (REAL / "recorded" / f"{name}.json").read_bytes()
    error = error_for(status, {}, body, NOW)
    assert words in str(error)
    assert error.request_id == request_id


def test_long_words_are_cut():
    assert len(str(error_for(500, {}, b"x" * 10_000, NOW))) < 400


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:01:30", 90.0),
        ("Mon, 23 Nov 99999999999 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, NOW) == seconds


def test_retry_after_is_kept_with_what_is_transient():
    assert error_for(429, {"Retry-After": "7"}, b"", NOW).retry_after == 7
    assert error_for(503, {"Retry-After": "8"}, b"", NOW).retry_after == 8
