"""The server: a stand-in vendor on loopback, in a thread of this process or for as long as it is let run."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.sandbox import answers, delivery
from mohlcv_dagster.sandbox.delivery import Packer, Wires
from mohlcv_dagster.sandbox.desk import Desk, Reply
from mohlcv_dagster.sandbox.faults import Fault, Faults
from mohlcv_dagster.sandbox.ledger import Ledger
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.reference import ROUTES

HOST: Final = "127.0.0.1"

_AGGREGATES: Final = "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}"
_Ask = Callable[[str, Mapping[str, str], Mapping[str, str]], Reply]
_KEEP_ALIVE: Final = 75
_GRACE: Final = 1


@dataclass(frozen=True)
class Served:
    """A request that was answered.

    Attributes:
        path: as it came.
        query: the query string's parameters, an API key among them left out.
        status: the HTTP status; 0 where the connection was reset.
        fault: the name of the fault it met; `None` where all went well.
    """

    path: str
    query: dict[str, str]
    status: int
    fault: str | None


class Sandbox:
    """A stand-in vendor, as a context manager: it serves from `__enter__` to `__exit__`, in a thread of its own.

    ::

        with Sandbox(Synthetic(), faults=["server-error:times=2"]) as sandbox:
            RESTClient("any key", base=sandbox.url)

    Args:
        market: where the bars come from, such as `Synthetic()` or `Replayed(folder)`.
        faults: faults in force from the start, or their specs.
        port: on 127.0.0.1; 0 takes a free one.
        latency: seconds each request waits before it is looked at.
        keys: the API keys that are known; none means that any will do.
        clock: Unix seconds, now: later bars do not exist, and asking for them is refused.

    Raises:
        InputError: a fault's spec cannot be meant.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own, and all but the market are named
        self,
        market: Market,
        *,
        faults: Iterable[Fault | str] = (),
        port: int = 0,
        latency: float = 0.0,
        keys: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.requests: list[Served] = []
        self._faults = Faults(map(_fault, faults))
        self._desk = Desk(Ledger(market), self._faults, keys, clock)
        self._port = port
        self._latency = latency
        self._packer = Packer()
        self._wires = Wires()
        self._stopping = Event()
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(self._configuration())
        self._thread = Thread(target=self._run, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8765`; for `MASSIVE_BASE_URL`."""
        return f"http://{HOST}:{self._port}"

    def inject(self, *faults: Fault | str) -> None:
        """Put further faults in force."""
        for fault in faults:
            self._faults.add(_fault(fault))

    def clear(self) -> None:
        """Lift all faults and forget the requests served."""
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
        ready(self.url)
        self._run()

    def close(self) -> None:
        """Stop serving and wait for the thread; a drip under way is broken off. Closing twice is closing once."""
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
        routes = [Route(_AGGREGATES, self._endpoint(self._desk.reply))]
        routes += [
            Route(path, self._endpoint(partial(self._desk.reference, document))) for document, path in ROUTES.items()
        ]
        return uvicorn.Config(
            Starlette(routes=routes, exception_handlers={404: self._unknown}),
            http=self._wires.protocol(),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
        )

    def _endpoint(self, ask: _Ask) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            await asyncio.sleep(self._latency)
            return await asyncio.to_thread(self._respond, request, ask)

        return endpoint

    def _respond(self, request: Request, ask: _Ask) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
        parameters = dict(request.query_params)
        key = parameters.pop("apiKey", "") or bearer
        return self._reply(request, ask(key, request.path_params, parameters), parameters)

    async def _unknown(self, request: Request, _: Exception) -> Response:
        return self._reply(request, Reply(answers.message(404, "NOT_FOUND", "Data not found.")), {})

    def _reply(self, request: Request, reply: Reply, parameters: dict[str, str]) -> Response:
        gzip = "gzip" in request.headers.get("accept-encoding", "")
        response = delivery.respond(reply, self._packer, self._wires, self._stopping, gzip=gzip)
        fault = None if reply.fault is None else reply.fault.kind.name
        status = 0 if isinstance(response, delivery.Reset) else response.status_code
        self.requests.append(Served(request.url.path, parameters, status, fault))
        return response


def _fault(fault: Fault | str) -> Fault:
    return Fault.parse(fault) if isinstance(fault, str) else fault
