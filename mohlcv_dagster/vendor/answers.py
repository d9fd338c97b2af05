"""What an HTTP answer that is no page of bars means: status and body to an error of the tree. No request is made here.

======================================== ======================= ==========
status                                   error                   try again
======================================== ======================= ==========
401                                      `UnknownKeyError`       no
403                                      `PlanError`             no
429                                      `RateLimitError`        yes
408, 413, 499, 5xx (so 520-526 as well)  `ServerError`           yes
2xx other than 200                       `ServerError`           yes
3xx and 4xx else, such as 400 and 404    `BadRequestError`       no
======================================== ======================= ==========
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from mohlcv_dagster.errors import (
    BadRequestError,
    PlanError,
    RateLimitError,
    ServerError,
    UnknownKeyError,
    VendorError,
)

_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 499})
_EXCERPT: Final = 200
_SERVER_FAULT: Final = 500


@dataclass(frozen=True)
class Answer:
    """An HTTP answer read to its end.

    Attributes:
        status: the HTTP status.
        headers: by name, in any case.
        body: decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def error_for(answer: Answer, now: datetime) -> VendorError:
    """The error an answer other than 200 stands for, in the vendor's words where it used any.

    Args:
        answer: of any status but 200.
        now: aware; what a `Retry-After` given as a date is counted from.
    """
    words, request_id = _said(answer.body)
    status = answer.status
    said = f"the vendor answered {status}: {words}"
    wait = retry_after(answer.headers.get("Retry-After"), now)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{said}. Too many requests for the plan: set MASSIVE_REQUESTS_PER_MINUTE to what it allows"
        return RateLimitError(message, request_id=request_id, status=status, retry_after=wait)
    if status in _TRANSIENT or status >= _SERVER_FAULT or status < HTTPStatus.MULTIPLE_CHOICES:
        message = f"{said}. It comes from the vendor or a gateway before it: try again later"
        return ServerError(message, request_id=request_id, status=status, retry_after=wait)
    return _refusal(status, said, request_id)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, never negative; `None` where it is absent or means nothing.

    Args:
        header: seconds, or an HTTP date (RFC 9110, section 10.2.3).
        now: aware; what a date is counted from.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _until(header, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:  # a header that means nothing is as good as none: the backoff decides
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _refusal(status: int, said: str, request_id: str | None) -> VendorError:
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{said}. The vendor does not know the API key: check MASSIVE_API_KEY in `.env` or the environment"
        return UnknownKeyError(message, request_id=request_id, status=status)
    if status == HTTPStatus.FORBIDDEN:
        return PlanError(said, request_id=request_id, status=status)
    if status < HTTPStatus.BAD_REQUEST:
        message = f"{said}. Redirects are not followed with a key in hand: check MASSIVE_BASE_URL"
        return BadRequestError(message, request_id=request_id, status=status)
    message = f"{said}. Asking again will not help: check the symbol, the month and MASSIVE_BASE_URL"
    return BadRequestError(message, request_id=request_id, status=status)


def _said(body: bytes) -> tuple[str, str | None]:
    """The vendor's words and its request id."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return (repr(text[:_EXCERPT]) if text else "no words"), None
    words = document.get("error") or document.get("message") or document.get("status") or "no words"
    request_id = document.get("request_id")
    return repr(str(words)[:_EXCERPT]), str(request_id)[:_EXCERPT] if request_id else None
