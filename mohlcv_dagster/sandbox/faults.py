"""Faults on demand: the kinds, how a fault is written, and which requests it affects.

A fault is written `kind` or `kind:key=value,...`, such as `truncated-body:symbol=SPY,month=2024-01,times=2`::

    symbol    only requests for this symbol
    month     only requests whose window shares a moment with this UTC month
    timespan  only second, minute or hour bars
    on        what it affects: bars (if not given), reference, or one of its documents: details, tickers, events, splits
    times     how many requests it affects, or `all`
    window    only the n-th request that fits, counted from 1
    seconds   as the kind describes it
    before    for plan-date on bars: the first UTC month the plan has
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, Self
from urllib.parse import quote

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.sandbox import response_faults as change
from mohlcv_dagster.sandbox.pages import BASES, BarsQuery
from mohlcv_dagster.sandbox.reference import ROUTES
from mohlcv_dagster.sandbox.response_faults import WireFault
from mohlcv_dagster.sandbox.responses import (
    BarsResponse,
    FixedResponse,
    error_response,
    message_response,
    not_entitled,
    not_found,
)

BARS: Final = "bars"
REFERENCE: Final = "reference"
PLAN_DATE: Final = "plan-date"
GATEWAY_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault; exactly one of `refuse`, `ask`, `change`, `deliver` and `words` is set, or `refuse` and `words`.

    Attributes:
        name: what a fault spec calls it.
        sentence: what it does, for the table in the docs.
        permanent: whether it affects all requests by default, rather than one.
        rows: the fewest rows an answer must have.
        seconds: its `seconds` if not given; 0 where it has none.
        only: the timespan it is about; empty for any.
        refuse: answers instead of bars; called with the fault's `seconds`.
        ask: changes the request.
        change: changes the response.
        deliver: changes how the response travels.
        words: gives what stands in place of `request_id`, names and messages; called with the request's API key.
    """

    name: str
    sentence: str
    permanent: bool = False
    rows: int = 0
    seconds: float = 0.0
    only: str = ""
    refuse: Callable[[float], FixedResponse] | None = None
    ask: Callable[[BarsQuery], BarsQuery] | None = None
    change: Callable[[BarsResponse], BarsResponse] | None = None
    deliver: WireFault | None = None
    words: Callable[[str], str] | None = None


def _gateway_page(status: int) -> Callable[[float], FixedResponse]:
    return lambda _: FixedResponse(status, GATEWAY_PAGE, html=True)


def _error(status: int, text: str) -> Callable[[float], FixedResponse]:
    return lambda _: error_response(status, text)


def _rate_limit(seconds: float) -> FixedResponse:
    text = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."
    refusal = error_response(429, f"{text} https://massive.com/pricing")
    return replace(refusal, retry_after=seconds) if seconds else refusal


def _plan_seconds(_: float) -> FixedResponse:
    text = "Your plan doesn't include this data timeframe. Please upgrade your plan at https://massive.com/pricing"
    return message_response(403, "NOT_AUTHORIZED", text)


_CODES: Final = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u200b\x00\r\nmohlcv: all checks passed"
"""What renames a terminal's window, clears it, turns the writing round, and begins a line of its own."""
_HUGE: Final = "x" * 1_000_000


def _echo(key: str) -> str:
    """The key as it is sent, in a URL and in base64."""
    in_base64 = b64encode(f"user:{key}".encode()).decode()
    in_full = "".join(f"%{ord(each):02x}" for each in key)
    return f"Bearer {key} ?apiKey={quote(key, safe='')} {in_full} Basic {in_base64}"


_ALL: Final = (
    FaultKind("truncated-body", "Content-Length promises more bytes than come", deliver=WireFault.TRUNCATED),
    FaultKind(
        "cut-json", "the body is as long as announced, but its JSON ends in the middle", deliver=WireFault.CUT_JSON
    ),
    FaultKind("truncated-gzip", "the gzip stream ends early, under a true Content-Length", deliver=WireFault.CUT_GZIP),
    FaultKind("html-200", "a gateway's HTML page with status 200", refuse=_gateway_page(200)),
    FaultKind("missing-results", "rows are counted but `results` is absent", rows=1, change=change.missing_results),
    FaultKind("null-results", "rows are counted but `results` is null", rows=1, change=change.null_results),
    FaultKind("wrong-count", "`resultsCount` is one more than there are rows", rows=1, change=change.wrong_count),
    FaultKind("wrong-ticker", "the answer is about another symbol", rows=1, change=change.wrong_ticker),
    FaultKind("foreign-rows", "a row from an hour before the window comes first", rows=1, change=change.foreign_rows),
    FaultKind("duplicated-rows", "the middle row comes twice", rows=1, change=change.duplicated_rows),
    FaultKind("unsorted-rows", "the first row comes last", rows=2, change=change.unsorted_rows),
    FaultKind(
        "adjusted-ignored",
        "the answer is adjusted where unadjusted was requested, and the reverse",
        rows=1,
        ask=lambda query: replace(query, adjusted=not query.adjusted),
    ),
    FaultKind("rate-limit", "429 without `Retry-After`", refuse=lambda _: _rate_limit(0)),
    FaultKind("rate-limit-retry-after", "429 with `Retry-After: seconds`", seconds=1, refuse=_rate_limit),
    FaultKind("server-error", "500 with a JSON body", refuse=_error(500, "Internal server error")),
    FaultKind("bad-gateway", "502 with an HTML body", refuse=_gateway_page(502)),
    FaultKind("reset", "the connection is reset before an answer", deliver=WireFault.RESET),
    FaultKind("drip", "the body comes in small pieces, over about `seconds`", seconds=30, deliver=WireFault.DRIP),
    FaultKind("plan-seconds", "403: the plan has no second bars", permanent=True, only="second", refuse=_plan_seconds),
    FaultKind(
        PLAN_DATE,
        "403: the plan does not reach back before `before=YYYY-MM`",
        permanent=True,
        refuse=lambda _: not_entitled(),
    ),
    FaultKind("unknown-key", "401 whatever the key", permanent=True, refuse=_error(401, "Unknown API Key")),
    FaultKind("not-found", "404", permanent=True, refuse=lambda _: not_found()),
    FaultKind(
        "hostile-error",
        "400 whose message is the API key, codes that control a terminal, and a million characters",
        permanent=True,
        refuse=_error(400, "Bad request"),
        words=lambda key: f"{_echo(key)} {_CODES} {_HUGE}",
    ),
    FaultKind("bad-bar", "well-formed, but one bar's high is below its low", rows=1, change=change.bad_bar),
    FaultKind("zero-price", "well-formed, but one bar's low is zero", rows=1, change=change.zero_price),
    FaultKind(
        "negative-volume", "well-formed, but one bar's volume is negative", rows=1, change=change.negative_volume
    ),
    FaultKind(
        "null-when-empty",
        "not an error: an empty answer has `results` null instead of absent",
        permanent=True,
        change=change.null_when_empty,
    ),
    FaultKind("delayed", "not an error: `status` is DELAYED", permanent=True, change=change.delayed),
    FaultKind(
        "escape-codes",
        "not an error: `request_id` and names hold codes that control a terminal",
        permanent=True,
        words=lambda _: _CODES,
    ),
    FaultKind("key-echoed", "not an error: `request_id` and names hold the API key", permanent=True, words=_echo),
    FaultKind(
        "huge-request-id",
        "not an error: `request_id` and names have a million characters",
        permanent=True,
        words=lambda _: _HUGE,
    ),
    FaultKind(
        "empty-last-page",
        "not an error: the last page has a `next_url`, and the page there is empty",
        permanent=True,
        rows=1,
        change=change.with_next_page,
    ),
)

FAULT_KINDS: Final = {kind.name: kind for kind in _ALL}
"""Every kind by its name, in the order of the docs."""


def _parse_choice(*choices: str) -> Callable[[str, str], str]:
    def parse(where: str, text: str) -> str:
        if text not in choices:
            raise InputError(f"{where} {text!r} is none of {', '.join(choices)}")
        return text

    return parse


def _parse_count(where: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InputError(f"{where} must be an integer of at least 1, was {text!r}")
    return int(text)


def _parse_seconds(where: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{where} must be a number of at least 0, was {text!r}")
    return seconds


_PARSERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "symbol": lambda _, text: text,
    "month": lambda _, text: Month.parse(text),
    "timespan": _parse_choice(*BASES),
    "times": lambda where, text: None if text == "all" else _parse_count(where, text),
    "window": _parse_count,
    "seconds": _parse_seconds,
    "before": lambda _, text: Month.parse(text),
    "on": _parse_choice(BARS, REFERENCE, *ROUTES),
}
"""How each key of a spec is read; called with the beginning of an error message, and the text."""


@dataclass(frozen=True)
class InjectedFault:
    """A fault and the requests it affects; the module describes each key. `None` means any, or all."""

    kind: FaultKind
    symbol: str | None = None
    month: Month | None = None
    timespan: str | None = None
    times: int | None = 1
    window: int | None = None
    seconds: float = 0.0
    before: Month | None = None
    on: str = BARS

    @classmethod
    def parse(cls, spec: str) -> Self:
        """The fault a spec describes; see the module.

        Raises:
            InputError: the kind or a key is unknown, or a value is invalid.
        """
        name, _, rest = spec.partition(":")
        kind = FAULT_KINDS.get(name.strip())
        if kind is None:
            raise InputError(f"no fault {name!r}; choose from {', '.join(FAULT_KINDS)}")
        values: dict[str, Any] = {"times": None if kind.permanent else 1, "seconds": kind.seconds}
        for part in filter(str.strip, rest.split(",")):
            key, equals, text = (piece.strip() for piece in part.partition("="))
            if key not in _PARSERS or not equals or not text:
                raise InputError(f"fault {spec!r}: {part!r} is not key=value with a key of {', '.join(_PARSERS)}")
            values[key] = _PARSERS[key](f"fault {spec!r}: {key}", text)
        fault = cls(kind=kind, **values)
        if fault.on != BARS and (kind.ask or kind.change):
            raise InputError(f"fault {spec!r}: {kind.name} is about bars, and the reference has none")
        if (kind.name == PLAN_DATE and fault.on == BARS) != (fault.before is not None):
            raise InputError(f"fault {spec!r}: `before` goes with {PLAN_DATE}, as in {PLAN_DATE}:before=2022-01")
        return fault

    def fits(self, query: BarsQuery, rows: int) -> bool:
        """Whether it is about this request, the answer to which has `rows` rows."""
        begin, end = query.first / 1000, query.last / 1000
        return (
            self.on == BARS
            and rows >= self.kind.rows
            and self.symbol in (None, query.symbol)
            and self.timespan in (None, query.base.name)
            and self.kind.only in ("", query.base.name)
            and (self.month is None or (begin < self.month.end_second and end >= self.month.start_second))
            and (self.before is None or begin < self.before.start_second)
        )

    def fits_reference(self, document: str, symbol: str) -> bool:
        """Whether it is about this request for a document of the reference."""
        return self.on in (REFERENCE, document) and self.symbol in (None, symbol)


@dataclass
class _Counted:
    """A fault with how many requests it fitted and how many it affected."""

    fault: InjectedFault
    fitting: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Whether it affects this request, which fits; counts it."""
        self.fitting += 1
        in_turn = self.fault.window in (None, self.fitting)
        strikes = in_turn and (self.fault.times is None or self.struck < self.fault.times)
        self.struck += strikes
        return strikes


class ActiveFaults:
    """The active faults and how often each was used; safe to share between threads."""

    def __init__(self, faults: Iterable[InjectedFault] = ()) -> None:
        self._lock = Lock()
        self._faults = [_Counted(fault) for fault in faults]

    def add(self, fault: InjectedFault) -> None:
        """Add a fault, after the active ones."""
        with self._lock:
            self._faults.append(_Counted(fault))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, query: BarsQuery, rows: int) -> InjectedFault | None:
        """The fault for this request for bars, counted as used; `None` for none."""
        return self._strike(lambda fault: fault.fits(query, rows))

    def strike_reference(self, document: str, symbol: str) -> InjectedFault | None:
        """The same for a request for a document of the reference."""
        return self._strike(lambda fault: fault.fits_reference(document, symbol))

    def _strike(self, fits: Callable[[InjectedFault], bool]) -> InjectedFault | None:
        with self._lock:
            return next((each.fault for each in self._faults if fits(each.fault) and each.strikes()), None)
