"""The server: the answer to each request, and HTTP on loopback, in a thread of this process or in the foreground."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mohlcv_dagster.errors import InputError, SettingsError
from mohlcv_dagster.same_origin import SameOrigin
from mohlcv_dagster.sandbox.faults import ActiveFaults, InjectedFault
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.pages import BarsQuery, MarketPages, bars_response, parse_query
from mohlcv_dagster.sandbox.reference import ROUTES, reference_response
from mohlcv_dagster.sandbox.response_faults import (
    Connections,
    DripBody,
    Reset,
    TruncatedBody,
    WireFault,
    cut_body,
    with_words,
)
from mohlcv_dagster.sandbox.responses import (
    BarsResponse,
    BodyEncoder,
    FixedResponse,
    error_response,
    gzip_body,
    not_entitled,
    not_found,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Reply:
    """The answer to one request.

    Attributes:
        response: bars, or a response without rows.
        fault: the fault that was applied; `None` for none.
        cache_key: equal for answers of equal rows; `None` where the rows are not the market's own.
    """

    response: BarsResponse | FixedResponse
    fault: InjectedFault | None = None
    cache_key: tuple[object, ...] | None = None


class Router:
    """Answers requests, without HTTP; safe to share between threads.

    Args:
        market: where the bars come from.
        faults: the active faults.
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
            return Reply(not_entitled()) if query.begins > now else self._bars(query, path["to"], now, key)
        except InputError as error:
            return Reply(error_response(400, str(error)))

    def reference(self, document: str, key: str, path: Mapping[str, str], parameters: Mapping[str, str]) -> Reply:
        """The reply to a request for `document`, one of `reference.ROUTES`; the other arguments as for bars."""
        refused = self._refused_key(key)
        if refused is not None:
            return Reply(refused)
        fault = self._faults.strike_reference(document, path.get("ticker") or parameters.get("ticker", ""))
        if fault is not None and fault.kind.refuse is not None:
            return Reply(_reworded(fault.kind.refuse(fault.seconds), fault, key), fault)
        try:
            response = reference_response(self._pages.market, document, path, parameters, self._clock())
            return Reply(_reworded(response, fault, key), fault)
        except ValueError as error:
            return Reply(error_response(400, f"Could not parse a parameter: {error}"))

    def _refused_key(self, key: str) -> FixedResponse | None:
        if not key:
            return error_response(401, "API Key was not provided")
        return error_response(401, "Unknown API Key") if self._keys and key not in self._keys else None

    def _bars(self, query: BarsQuery, to: str, now: int, key: str) -> Reply:
        page = self._pages.page(query, now)
        fault = self._faults.strike(query, page.count)
        if fault is None:
            return Reply(bars_response(query, to, page), cache_key=(query, to, page.count, page.final))
        kind = fault.kind
        if kind.refuse is not None:
            return Reply(_reworded(kind.refuse(fault.seconds), fault, key), fault)
        if kind.ask is not None:
            query = kind.ask(query)
            page = self._pages.page(query, now)
        response = bars_response(query, to, page)
        return Reply(_reworded(response if kind.change is None else kind.change(response), fault, key), fault)


def _reworded(
    response: BarsResponse | FixedResponse, fault: InjectedFault | None, key: str
) -> BarsResponse | FixedResponse:
    """The response with the fault's words in it, where it has some."""
    if fault is None or fault.kind.words is None:
        return response
    return with_words(response, fault.kind.words(key))


HOST: Final = "127.0.0.1"

_AGGREGATES: Final = "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}"
_Handler = Callable[[str, Mapping[str, str], Mapping[str, str]], Reply]
_KEEP_ALIVE_SECONDS: Final = 75
_SHUTDOWN_SECONDS: Final = 1
_JSON: Final = "application/json"


@dataclass(frozen=True)
class ServedRequest:
    """A request that was answered.

    Attributes:
        path: as it came.
        query: the query string's parameters, without an API key.
        status: the HTTP status; 0 where the connection was reset.
        fault: the name of the fault that was applied; `None` for none.
    """

    path: str
    query: dict[str, str]
    status: int
    fault: str | None


class _Server(uvicorn.Server):
    """Uvicorn's server, which says when it answers; from then on it handles signals."""

    ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready is not None:
            self.ready()


class Sandbox:
    """A stand-in vendor, as a context manager: it serves from `__enter__` to `__exit__`, in a thread of its own.

    ::

        with Sandbox(SyntheticMarket(), faults=["server-error:times=2"]) as sandbox:
            RESTClient("any key", base=sandbox.url)

    Args:
        market: where the bars come from, such as `SyntheticMarket()` or `ReplayedMarket(folder)`.
        faults: faults active from the start, or their specs.
        port: on 127.0.0.1; 0 takes a free one.
        latency: seconds before each request is handled.
        keys: the API keys that are known; none means that any will do.
        clock: Unix seconds, now: later bars do not exist, and requests for them are refused.

    Raises:
        InputError: a fault's spec is invalid.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own, and all but the market are named
        self,
        market: Market,
        *,
        faults: Iterable[InjectedFault | str] = (),
        port: int = 0,
        latency: float = 0.0,
        keys: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.requests: list[ServedRequest] = []
        self._faults = ActiveFaults(map(_parse_fault, faults))
        self._router = Router(market, self._faults, keys, clock)
        self._port = port
        self._latency = latency
        self._encoder = BodyEncoder()
        self._connections = Connections()
        self._stopping = Event()
        self._socket: socket.socket | None = None
        self._server = _Server(self._configuration())
        self._thread = Thread(target=self._run, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8765`; for `MASSIVE_BASE_URL`."""
        return f"http://{HOST}:{self._port}"

    def inject(self, *faults: InjectedFault | str) -> None:
        """Add further faults."""
        for fault in faults:
            self._faults.add(_parse_fault(fault))

    def clear(self) -> None:
        """Remove all faults and forget the requests served."""
        self._faults.clear()
        self.requests.clear()

    def serve(self, ready: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM, in the main thread; uvicorn raises the signal again after closing.

        Args:
            ready: called with `url` once a client can connect.

        Raises:
            SettingsError: the port is taken.
        """
        self._listen()
        self._server.ready = partial(ready, self.url)
        self._run()

    def close(self) -> None:
        """Stop serving and wait for the thread; a slow answer in progress is cut off. It may be closed twice."""
        self._stopping.set()
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        self._listen()
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.001)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        # the protocol is named because asyncio sets TCP_NODELAY only then; without it small answers wait 40 ms
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._port))
        except OSError as error:
            listener.close()
            raise SettingsError(f"port {self._port} of {HOST} cannot be served: {error}; choose another") from error
        listener.listen(128)
        self._socket = listener
        self._port = listener.getsockname()[1]

    def _run(self) -> None:
        self._server.run(sockets=None if self._socket is None else [self._socket])

    def _configuration(self) -> uvicorn.Config:
        routes = [Route(_AGGREGATES, self._endpoint(self._router.bars))]
        routes += [
            Route(path, self._endpoint(partial(self._router.reference, document))) for document, path in ROUTES.items()
        ]
        return uvicorn.Config(
            self._for_programs(Starlette(routes=routes, exception_handlers={404: self._unknown})),
            http=self._connections.protocol(),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )

    def _for_programs(self, app: Starlette) -> "ASGIApp":
        """The app without a web page's requests: one could read a recording, or use up a fault that strikes once."""

        async def guarded(scope: "Scope", receive: "Receive", send: "Send") -> None:
            guard = SameOrigin(app, HOST, self._port, name="The sandbox", cure="use one of these")
            await guard(scope, receive, send)

        return guarded

    def _endpoint(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            await asyncio.sleep(self._latency)
            return await asyncio.to_thread(self._handle, request, handler)

        return endpoint

    def _handle(self, request: Request, handler: _Handler) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
        parameters = dict(request.query_params)
        key = parameters.pop("apiKey", "") or bearer
        return self._respond(request, handler(key, request.path_params, parameters), parameters)

    async def _unknown(self, request: Request, _: Exception) -> Response:
        return self._respond(request, Reply(not_found()), {})

    def _respond(self, request: Request, reply: Reply, parameters: dict[str, str]) -> Response:
        gzip = "gzip" in request.headers.get("accept-encoding", "")
        response = self._http_response(reply, gzip=gzip)
        fault = None if reply.fault is None else reply.fault.kind.name
        status = 0 if isinstance(response, Reset) else response.status_code
        self.requests.append(ServedRequest(request.url.path, parameters, status, fault))
        return response

    def _http_response(self, reply: Reply, *, gzip: bool) -> Response:
        """The response that carries a reply, its delivery broken where a fault does that."""
        wire_fault = None if reply.fault is None else reply.fault.kind.deliver
        if wire_fault is WireFault.RESET:
            return Reset(self._connections)
        gzip = gzip or wire_fault is WireFault.CUT_GZIP
        body = self._body(reply, wire_fault, gzip=gzip)
        headers = _headers(reply.response) | ({"content-encoding": "gzip"} if gzip else {})
        if wire_fault is WireFault.TRUNCATED:
            return TruncatedBody(body, headers, self._connections)
        if wire_fault is WireFault.DRIP and reply.fault is not None:
            return DripBody(body, headers, reply.fault.seconds, self._connections, self._stopping)
        return Response(body, reply.response.status if isinstance(reply.response, FixedResponse) else 200, headers)

    def _body(self, reply: Reply, wire_fault: WireFault | None, *, gzip: bool) -> bytes:
        if wire_fault is WireFault.CUT_JSON:
            cut = cut_body(self._encoder.plain(reply.response))
            return gzip_body(cut) if gzip else cut
        if not gzip:
            return self._encoder.plain(reply.response)
        body = self._encoder.gzipped(reply.response, reply.cache_key)
        return cut_body(body) if wire_fault is WireFault.CUT_GZIP else body


def _headers(response: BarsResponse | FixedResponse) -> dict[str, str]:
    if isinstance(response, BarsResponse):
        return {"content-type": _JSON}
    headers = {"content-type": "text/html" if response.html else _JSON}
    return headers if response.retry_after is None else headers | {"retry-after": f"{response.retry_after:g}"}


def _parse_fault(fault: InjectedFault | str) -> InjectedFault:
    return InjectedFault.parse(fault) if isinstance(fault, str) else fault
