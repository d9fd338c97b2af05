"""What each request is answered: bars, a reference document or a refusal, and the fault that strikes it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.sandbox.faults import ActiveFaults, InjectedFault
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.pages import BarsQuery, MarketPages, bars_response, parse_query
from mohlcv_dagster.sandbox.reference import reference_response
from mohlcv_dagster.sandbox.responses import BarsResponse, FixedResponse, error_response, not_entitled


@dataclass(frozen=True)
class Reply:
    """The answer to one request.

    Attributes:
        response: bars, or a response without rows.
        fault: the fault that struck; `None` where none did.
        cache_key: equal for answers of equal rows; `None` where the rows are not the market's own.
    """

    response: BarsResponse | FixedResponse
    fault: InjectedFault | None = None
    cache_key: tuple[object, ...] | None = None


class Router:
    """Answers requests, without HTTP; safe to share between threads.

    Args:
        market: where the bars come from.
        faults: the faults in force.
        keys: the API keys that are known; none means that any will do.
        clock: Unix seconds, now: later bars do not exist.
    """

    def __init__(self, market: Market, faults: ActiveFaults, keys: Collection[str], clock: Callable[[], float]) -> None:
        self._pages = MarketPages(market)
        self._faults = faults
        self._keys = frozenset(keys)
        self._clock = clock

    def bars(self, key: str, path: Mapping[str, str], parameters: Mapping[str, str]) -> Reply:
        """The reply to a request for bars: its API key (empty for none), parts of the path, and query parameters."""
        refused = self._refused_key(key)
        if refused is not None:
            return Reply(refused)
        now = int(self._clock() * 1000)
        try:
            query = parse_query(path, parameters)
            return Reply(not_entitled()) if query.begins > now else self._bars(query, path["to"], now)
        except InputError as error:
            return Reply(error_response(400, str(error)))

    def reference(self, document: str, key: str, path: Mapping[str, str], parameters: Mapping[str, str]) -> Reply:
        """The reply to a request for `document`, one of `reference.ROUTES`; the other arguments as for bars."""
        refused = self._refused_key(key)
        if refused is not None:
            return Reply(refused)
        fault = self._faults.strike_reference(document, path.get("ticker") or parameters.get("ticker", ""))
        if fault is not None and fault.kind.refuse is not None:
            return Reply(fault.kind.refuse(fault.seconds), fault)
        try:
            return Reply(reference_response(self._pages.market, document, path, parameters, self._clock()), fault)
        except ValueError as error:
            return Reply(error_response(400, f"Could not parse a parameter: {error}"))

    def _refused_key(self, key: str) -> FixedResponse | None:
        if not key:
            return error_response(401, "API Key was not provided")
        return error_response(401, "Unknown API Key") if self._keys and key not in self._keys else None

    def _bars(self, query: BarsQuery, to: str, now: int) -> Reply:
        page = self._pages.page(query, now)
        fault = self._faults.strike(query, page.count)
        if fault is None:
            return Reply(bars_response(query, to, page), cache_key=(query, to, page.count, page.final))
        kind = fault.kind
        if kind.refuse is not None:
            return Reply(kind.refuse(fault.seconds), fault)
        if kind.ask is not None:
            query = kind.ask(query)
            page = self._pages.page(query, now)
        response = bars_response(query, to, page)
        return Reply(response if kind.change is None else kind.change(response), fault)
