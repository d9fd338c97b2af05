"""The proxy before a code server, which starts it again when it dies.

Dagster 1.13 starts the code server behind a proxy once, and again only when somebody reloads the location in the UI:
until then no run starts, and backfills fail. Private names are the parts of the proxy that hold the server's process
and start another; with a Dagster that lacks one, its own proxy is used.
"""

import time
from threading import Event, Thread
from typing import Any, Final

from dagster._core.remote_representation.grpc_server_registry import ServerRegistryEntry
from dagster._grpc import proxy_server

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once
from mohlcv_dagster.dagster_patches.supervision import Restarts, ending

EVERY: Final = 0.5
"""Seconds between two looks at the process."""
_NEEDED: Final = ("_reload_location", "cleanup")
_OWN: Final = "DagsterProxyApiServicer"


def install() -> None:
    """Have this process serve the proxy below in place of Dagster's own."""
    if reason := obstacle(proxy_server, (_OWN,)) or obstacle(getattr(proxy_server, _OWN), _NEEDED):
        warn_once("Starting a code server again", reason)
    else:
        setattr(proxy_server, _OWN, RevivingProxy)


class RevivingProxy(proxy_server.DagsterProxyApiServicer):
    """Dagster's proxy with a watch on the code server's process; made with the arguments of Dagster's own."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - they are Dagster's
        super().__init__(*args, **options)
        self._revived = False
        Thread(target=self._watch, name="code-server-watch", daemon=True).start()

    def _watch(self) -> None:
        restarts = Restarts()
        while not self._is_ending(EVERY):
            how = self._end_of_server()
            if how is not None:
                delay = restarts.died()
                self._logger.warning("The code server has ended %s; it is started again in %g seconds", how, delay)
                if not self._is_ending(delay):
                    self._revive()

    def _is_ending(self, seconds: float) -> bool:
        """Wait; whether the proxy was told to end, or ends, meanwhile."""
        over = time.monotonic() + seconds
        while not self._shutdown_once_executions_finish_event.is_set():
            if self._server_termination_event.wait(min(EVERY, max(0.0, over - time.monotonic()))):
                return True
            if time.monotonic() >= over:
                return False
        return True

    def _end_of_server(self) -> str | None:
        """How the process of the code server ended; `None` where it runs, or where its code has an error."""
        entry = self._grpc_server_registry.get_grpc_server_entry(self._origin)
        if isinstance(entry, ServerRegistryEntry):
            code = entry.process.server_process.poll()
            return None if code is None else ending(code)
        return "before it could be reached" if self._revived else None

    def _revive(self) -> None:
        with self._reload_lock:
            heartbeat: Event | None = self._client_heartbeat_shutdown_event
            self._revived = True
            self._reload_location()  # type: ignore[no-untyped-call]
            if heartbeat is not None and heartbeat is not self._client_heartbeat_shutdown_event:
                heartbeat.set()  # of the client of the server that is gone
