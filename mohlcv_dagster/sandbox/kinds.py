"""The kinds of fault, each with its name and its sentence. What a kind does is named here and done elsewhere.

When a fault strikes, and how often, is `faults`' business.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from mohlcv_dagster.sandbox import answers, retelling
from mohlcv_dagster.sandbox.answers import Answer, Refusal
from mohlcv_dagster.sandbox.query import Query

GATEWAY_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Delivery(Enum):
    """How a body goes over the wire, where not whole and at once."""

    TRUNCATED = "fewer bytes than announced, then the end of the connection"
    CUT = "all bytes announced, but the JSON ends early"
    CUT_GZIP = "all bytes announced, but the gzip stream ends early"
    RESET = "the connection reset before an answer"
    DRIP = "bytes one after another"


@dataclass(frozen=True)
class Kind:
    """A kind of fault; exactly one of its ways to act is set.

    Attributes:
        name: what a fault spec calls it.
        sentence: what it does, for the table in the docs.
        standing: whether it strikes for ever unless told otherwise, rather than once.
        rows: the fewest rows an answer must have for it to strike.
        seconds: what its `seconds` means if not given; 0 where it has none.
        only: the timespan it is about; empty for any.
        refuse: answers in the place of bars; called with the fault's `seconds`.
        ask: changes what is asked.
        retell: changes what is answered.
        deliver: changes how the answer travels.
    """

    name: str
    sentence: str
    standing: bool = False
    rows: int = 0
    seconds: float = 0.0
    only: str = ""
    refuse: Callable[[float], Refusal] | None = None
    ask: Callable[[Query], Query] | None = None
    retell: Callable[[Answer], Answer] | None = None
    deliver: Delivery | None = None


def _rate_limit(seconds: float) -> Refusal:
    said = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."
    refusal = answers.error(429, f"{said} https://massive.com/pricing")
    return replace(refusal, retry_after=seconds) if seconds else refusal


def _plan_seconds(_: float) -> Refusal:
    said = "Your plan doesn't include this data timeframe. Please upgrade your plan at https://massive.com/pricing"
    return answers.message(403, "NOT_AUTHORIZED", said)


PLAN_DATE: Final = "plan-date"

_ALL: Final = (
    Kind("truncated-body", "Content-Length promises more bytes than come", deliver=Delivery.TRUNCATED),
    Kind("cut-json", "the body is as long as announced, but its JSON ends in the middle", deliver=Delivery.CUT),
    Kind("truncated-gzip", "the gzip stream ends early, under a true Content-Length", deliver=Delivery.CUT_GZIP),
    Kind("html-200", "a gateway's HTML page with status 200", refuse=lambda _: Refusal(200, GATEWAY_PAGE, html=True)),
    Kind("missing-results", "rows are counted but `results` is absent", rows=1, retell=retelling.missing_results),
    Kind("null-results", "rows are counted but `results` is null", rows=1, retell=retelling.null_results),
    Kind("wrong-count", "`resultsCount` is one more than there are rows", rows=1, retell=retelling.wrong_count),
    Kind("wrong-ticker", "the answer is about another symbol", rows=1, retell=retelling.wrong_ticker),
    Kind("foreign-rows", "a row from an hour before the window comes first", rows=1, retell=retelling.foreign_rows),
    Kind("duplicated-rows", "the middle row comes twice", rows=1, retell=retelling.duplicated_rows),
    Kind("unsorted-rows", "the first row comes last", rows=2, retell=retelling.unsorted_rows),
    Kind(
        "adjusted-ignored",
        "the answer is adjusted where unadjusted was asked, and the other way round",
        rows=1,
        ask=lambda query: replace(query, adjusted=not query.adjusted),
    ),
    Kind("rate-limit", "429 without `Retry-After`", refuse=lambda _: _rate_limit(0)),
    Kind("rate-limit-retry-after", "429 with `Retry-After: seconds`", seconds=1, refuse=_rate_limit),
    Kind("server-error", "500 with a JSON body", refuse=lambda _: answers.error(500, "Internal server error")),
    Kind("bad-gateway", "502 with an HTML body", refuse=lambda _: Refusal(502, GATEWAY_PAGE, html=True)),
    Kind("reset", "the connection is reset before an answer", deliver=Delivery.RESET),
    Kind("drip", "the body comes in small pieces, over about `seconds`", seconds=30, deliver=Delivery.DRIP),
    Kind("plan-seconds", "403: the plan has no second bars", standing=True, only="second", refuse=_plan_seconds),
    Kind(
        PLAN_DATE,
        "403: the plan does not reach back before `before=YYYY-MM`",
        standing=True,
        refuse=lambda _: answers.not_entitled(),
    ),
    Kind("unknown-key", "401 whatever the key", standing=True, refuse=lambda _: answers.error(401, "Unknown API Key")),
    Kind(
        "not-found",
        "404",
        standing=True,
        refuse=lambda _: answers.message(404, "NOT_FOUND", "Data not found."),
    ),
    Kind("bad-bar", "well-formed, but one bar's high is below its low", rows=1, retell=retelling.bad_bar),
    Kind("zero-price", "well-formed, but one bar's low is zero", rows=1, retell=retelling.zero_price),
    Kind("negative-volume", "well-formed, but one bar's volume is negative", rows=1, retell=retelling.negative_volume),
    Kind(
        "null-when-empty",
        "not an error: an empty answer has `results` null instead of absent",
        standing=True,
        retell=retelling.null_when_empty,
    ),
    Kind("delayed", "not an error: `status` is DELAYED", standing=True, retell=retelling.delayed),
    Kind(
        "empty-last-page",
        "not an error: the last page has a `next_url`, and the page there is empty",
        standing=True,
        rows=1,
        retell=retelling.with_next_page,
    ),
)

KINDS: Final = {kind.name: kind for kind in _ALL}
"""Every kind by its name, in the order of the docs."""
