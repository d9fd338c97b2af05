"""Faults on demand: which requests one strikes, and how often. What each kind does is in `kinds`.

A fault is written `kind` or `kind:key=value,...`, such as `truncated-body:symbol=SPY,month=2024-01,times=2`::

    symbol    only requests for this symbol
    month     only requests whose window shares a moment with this UTC month
    timespan  only second, minute or hour bars
    on        what it strikes: bars (if not given), reference, or one of its documents: details, tickers, events, splits
    times     how many requests it strikes, or `all`
    window    only the n-th request that fits, counted from 1
    seconds   what the kind says of it
    before    for plan-date on bars: the first UTC month the plan has
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Self

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.sandbox.kinds import KINDS, PLAN_DATE, Kind
from mohlcv_dagster.sandbox.query import BASES, Query
from mohlcv_dagster.sandbox.reference import ROUTES

_KEYS: Final = ("symbol", "month", "timespan", "times", "window", "seconds", "before", "on")


BARS: Final = "bars"
REFERENCE: Final = "reference"


@dataclass(frozen=True)
class Fault:
    """A fault and the requests it strikes.

    Attributes:
        kind: what it does.
        symbol: only this one; `None` for any.
        month: only windows that share a moment with it; `None` for any.
        timespan: `second`, `minute` or `hour`; `None` for any.
        times: how many requests it strikes; `None` for all.
        window: only the n-th request that fits, counted from 1; `None` for any.
        seconds: what the kind says of it.
        before: the first month a plan has; needed by plan-date on bars, ignored by others.
        on: `bars`, `reference`, or one of the documents in `reference.ROUTES`.
    """

    kind: Kind
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
            InputError: there is no such kind or key, or a value cannot be meant.
        """
        name, _, rest = spec.partition(":")
        kind = KINDS.get(name.strip())
        if kind is None:
            raise InputError(f"no fault {name!r}; choose from {', '.join(KINDS)}")
        given = dict(_setting(spec, part) for part in rest.split(",") if part.strip())
        on = _on(spec, kind, given.get("on", BARS))
        if (kind.name == PLAN_DATE and on == BARS) != ("before" in given):
            raise InputError(f"fault {spec!r}: `before` goes with {PLAN_DATE}, as in {PLAN_DATE}:before=2022-01")
        return cls(
            kind=kind,
            symbol=given.get("symbol"),
            month=_month(given.get("month")),
            timespan=_timespan(spec, given.get("timespan")),
            times=_times(spec, given.get("times", "all" if kind.standing else "1")),
            window=_count(spec, "window", given["window"]) if "window" in given else None,
            seconds=_seconds(spec, given["seconds"]) if "seconds" in given else kind.seconds,
            before=_month(given.get("before")),
            on=on,
        )

    def fits(self, query: Query, rows: int) -> bool:
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


class Faults:
    """The faults in force, and how often each has struck; safe to share between threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._fitting: list[int] = []
        self._struck: list[int] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Put a fault in force, after those that are."""
        with self._lock:
            self._faults.append(fault)
            self._fitting.append(0)
            self._struck.append(0)

    def clear(self) -> None:
        """Lift all faults."""
        with self._lock:
            self._faults, self._fitting, self._struck = [], [], []

    def strike(self, query: Query, rows: int) -> Fault | None:
        """The fault this request meets, which is then one time less in force; `None` where all goes well."""
        return self._strike(lambda fault: fault.fits(query, rows))

    def strike_reference(self, document: str, symbol: str) -> Fault | None:
        """The same for a request for a document of the reference."""
        return self._strike(lambda fault: fault.fits_reference(document, symbol))

    def _strike(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for at, fault in enumerate(self._faults):
                if fits(fault) and self._due(at, fault):
                    self._struck[at] += 1
                    return fault
        return None

    def _due(self, at: int, fault: Fault) -> bool:
        self._fitting[at] += 1
        in_turn = fault.window in (None, self._fitting[at])
        return in_turn and (fault.times is None or self._struck[at] < fault.times)


def _setting(spec: str, part: str) -> tuple[str, str]:
    key, equals, value = (piece.strip() for piece in part.partition("="))
    if key not in _KEYS or not equals or not value:
        raise InputError(f"fault {spec!r}: {part!r} is not key=value with a key of {', '.join(_KEYS)}")
    return key, value


def _month(key: str | None) -> Month | None:
    return None if key is None else Month.parse(key)


def _timespan(spec: str, name: str | None) -> str | None:
    if name is not None and name not in BASES:
        raise InputError(f"fault {spec!r}: timespan {name!r} is none of {', '.join(BASES)}")
    return name


def _on(spec: str, kind: Kind, name: str) -> str:
    if name not in (BARS, REFERENCE, *ROUTES):
        raise InputError(f"fault {spec!r}: on={name!r} is none of {', '.join((BARS, REFERENCE, *ROUTES))}")
    if name != BARS and (kind.ask or kind.retell):
        raise InputError(f"fault {spec!r}: {kind.name} is about bars, of which the reference has none")
    return name


def _times(spec: str, text: str) -> int | None:
    return None if text == "all" else _count(spec, "times", text)


def _count(spec: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InputError(f"fault {spec!r}: {key} must be a whole number from 1 up, was {text!r}")
    return int(text)


def _seconds(spec: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"fault {spec!r}: seconds must be a number from 0 up, was {text!r}")
    return seconds
