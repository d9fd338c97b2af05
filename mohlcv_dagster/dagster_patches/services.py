"""The processes of `mohlcv up`: the code server, the daemon and, in this one, the UI behind `SameOrigin` and `Login`.

As `dagster dev` does, which cannot be used: its webserver answers any web page, and no option puts anything in front of
it. Private names are needed for the code server that the daemon and the UI share (it listens on a Unix socket, which no
browser can reach; on Windows on a port of the loopback, by gRPC, which no page can speak) and for the workspace. With a
Dagster that lacks one of them this ends with a sentence: the UI is never served without `SameOrigin`.

What dies is started again: the daemon from here, the code server by its proxy (`reviving_proxy`), the proxy by Dagster.
As a command (`python -m mohlcv_dagster.dagster_patches.services PARENT HOST PORT …`) it is that process, until SIGINT
or SIGTERM, or until the process PARENT, which started it, is gone. It prints `--ready` once it answers, and warnings
and errors; with `--verbose` all that Dagster says.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import dagster as dg
import uvicorn

from mohlcv_dagster.dagster_patches import home_databases, home_errors, quiet_runs, run_processes
from mohlcv_dagster.dagster_patches.supervision import Restarts, end_with, ending
from mohlcv_dagster.errors import HomeError
from mohlcv_dagster.login import Login
from mohlcv_dagster.same_origin import SameOrigin
from mohlcv_dagster.settings import UI_PASSWORD, Settings

if TYPE_CHECKING:
    from socket import socket

    from dagster._core.workspace.load_target import WorkspaceLoadTarget

Daemon: TypeAlias = "subprocess.Popen[bytes]"
PROVEN: Final = "dagster and dagster-webserver 1.13, from 1.13.20 on"
_LOG: Final = logging.getLogger("dagster")
_POLL_MS: Final = 2000
_DATABASE: Final = {"statement_timeout": 15_000, "pool_recycle": 3600, "max_overflow": 20}
"""Milliseconds, seconds and connections: what dagster-webserver has by default, as has the interval above."""
_VARIABLES: Final = {
    # as `dagster dev`: the code server logs an error of a location once, and without Dagster's own frames
    "DAGSTER_IS_DEV_CLI": "1",
    "DAGSTER_verbose": "",
    # seconds between two looks whether the code servers' proxies are there: they are started again
    "DAGSTER_CODE_SERVER_AUTO_RESTART_INTERVAL": "1",
    # a backfill waits for a code server that is away, where it would fail
    "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "1",
}
_DAEMON: Final = "mohlcv_dagster.dagster_patches.daemon_process"
_LOOK_EVERY: Final = 0.5
_DAEMON_ENDS: Final = 45.0
_REQUESTS_END: Final = 5
"""Seconds; together less than `mohlcv up` waits for this process."""


def main(words: list[str] | None = None) -> int:
    """Serve the code locations of a workspace file or of a module; the exit code.

    Args:
        words: of the command line, without the program.
    """
    parser = argparse.ArgumentParser(prog="services")
    parser.add_argument("parent", type=int)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--ready", default="")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("-w", "--workspace")
    place.add_argument("-m", "--module")
    asked = parser.parse_args(words)
    end_with(asked.parent)
    os.environ.update(_VARIABLES if asked.verbose else {**_VARIABLES, quiet_runs.VARIABLE: "WARNING"})
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    try:
        with home_errors.explained(Path(os.environ["DAGSTER_HOME"])):
            return _serve(asked, _target(asked.workspace, asked.module))
    except KeyboardInterrupt:
        return 0
    except HomeError as error:
        sys.stderr.write(f"mohlcv: {error}\n")
        return 1
    except ImportError as error:
        installed = f"dagster {version('dagster')} and dagster-webserver {version('dagster-webserver')}"
        _LOG.error("The UI cannot be served with %s (%s): install %s", installed, error, PROVEN)
        return 1


def _target(workspace: str | None, module: str | None) -> "WorkspaceLoadTarget":
    """What is to be loaded."""
    from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget  # noqa: PLC0415 - main reports what is missing

    if workspace is not None:
        return WorkspaceFileTarget([workspace])
    return ModuleTarget(str(module), attribute=None, working_directory=None, location_name=None)


def _serve(asked: argparse.Namespace, target: "WorkspaceLoadTarget") -> int:
    from dagster._utils.log import configure_loggers  # noqa: PLC0415 - main reports what is missing

    settings = Settings.from_environment(os.environ)
    os.environ.pop(UI_PASSWORD.variable, None)  # neither the code servers nor the runs get it
    level = "info" if asked.verbose else "warning"
    configure_loggers(log_level=level.upper())
    with ExitStack() as stack:
        instance = stack.enter_context(home_databases.opened(Path(os.environ["DAGSTER_HOME"]), keep_outputs=True))
        workspace = stack.enter_context(_code_servers(instance, target))
        if not asked.read_only:
            stack.enter_context(_daemon(workspace, level))
        ui = stack.enter_context(_ui(instance, workspace, read_only=asked.read_only))
        if settings.ui_password is not None:
            ui = Login(ui, settings.ui_password)
        config = uvicorn.Config(
            SameOrigin(ui, asked.host, asked.port, address=settings.ui_url),
            host=asked.host,
            port=asked.port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=_REQUESTS_END,
        )
        return _until_interrupted(_AnnouncedServer(config, asked.ready))


class _AnnouncedServer(uvicorn.Server):
    """A server that prints a line once it answers."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: "list[socket] | None" = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self._ready and self.started:
            sys.stdout.write(f"{self._ready}\n")
            sys.stdout.flush()


def _until_interrupted(server: uvicorn.Server) -> int:
    """Answer requests until a signal comes; the exit code."""
    _LOG.info("Serving the Dagster UI in process %s", os.getpid())
    try:
        server.run()  # which raises the signal again that ended it
    except KeyboardInterrupt:
        return 0
    return 1


@contextmanager
def _code_servers(instance: dg.DagsterInstance, target: "WorkspaceLoadTarget") -> Iterator[Path]:
    """Run a code server for each location; a workspace file that leads to them."""
    from dagster._cli.proxy_server_manager import ProxyServerManager  # noqa: PLC0415 - main reports what is missing

    with (
        run_processes.forking_code_servers(),
        ProxyServerManager(instance, target, "warning") as servers,
        TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "workspace.yaml"
        file.write_text(json.dumps({"load_from": servers.get_code_server_specs()}), encoding="utf-8")  # JSON is YAML
        yield file


@contextmanager
def _daemon(workspace: Path, level: str) -> Iterator[None]:
    """Run the daemon, and start it again when it dies; it is asked to end as the block is left."""
    from dagster_shared import ipc  # noqa: PLC0415 - main reports what is missing

    over = threading.Event()

    def watch() -> None:
        restarts = Restarts()
        while not over.is_set():
            code = _run_daemon(ipc, workspace, level, over)
            if not over.is_set():
                delay = restarts.died()
                _LOG.error("Dagster's daemon has ended %s; it is started again in %g seconds", ending(code), delay)
                over.wait(delay)

    thread = threading.Thread(target=watch, name="daemon-watch")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run_daemon(ipc: ModuleType, workspace: Path, level: str, over: threading.Event) -> int:
    """Run the daemon until it ends by itself or `over` is set, with `dagster_shared.ipc`; its exit code."""
    reads, writes = ipc.get_ipc_shutdown_pipe()
    words = [sys.executable, "-m", _DAEMON, str(os.getpid()), "run", "-w", str(workspace), "--log-level", level]
    process: Daemon = ipc.open_ipc_subprocess([*words, "--shutdown-pipe", str(reads)], pass_fds=[reads])
    try:
        while process.poll() is None and not over.wait(_LOOK_EVERY):
            pass
    finally:
        ipc.send_ipc_shutdown_message(writes)
        _ended(process)
        os.close(reads)
    return process.returncode


def _ended(daemon: Daemon) -> None:
    try:
        daemon.wait(_DAEMON_ENDS)
    except subprocess.TimeoutExpired:
        _LOG.warning("Dagster's daemon has not ended within %g seconds, and is killed", _DAEMON_ENDS)
        daemon.kill()
        daemon.wait()


@contextmanager
def _ui(instance: dg.DagsterInstance, workspace: Path, *, read_only: bool) -> Iterator[Any]:
    """Dagster's ASGI app, which nothing protects."""
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415 - main reports what is missing
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415 - as above
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415 - as above

    instance.optimize_for_webserver(**_DATABASE)
    target = WorkspaceFileTarget([str(workspace)])
    with WorkspaceProcessContext(
        instance, target, version=version("dagster-webserver"), read_only=read_only
    ) as context:
        yield create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS)


if __name__ == "__main__":
    sys.exit(main())
