"""The processes of `mohlcv up`: the code server, the daemon and, in this one, the UI behind `SameOrigin`.

As `dagster dev` does, which cannot be used: its webserver answers any web page, and no option puts anything in front of
it. Private names are needed for the code server that the daemon and the UI share (it listens on a Unix socket, which no
browser can reach; on Windows on a port of the loopback, by gRPC, which no page can speak) and for the workspace. With a
Dagster that lacks one of them this ends with a sentence: the UI is never served without `SameOrigin`.

As a command (`python -m mohlcv_dagster.dagster_patches.services HOST PORT …`) it is that process, until SIGINT or
SIGTERM.
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
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import dagster as dg
import uvicorn

from mohlcv_dagster.dagster_patches import run_processes
from mohlcv_dagster.same_origin import SameOrigin

if TYPE_CHECKING:
    from dagster._core.workspace.load_target import WorkspaceLoadTarget

Daemon: TypeAlias = "subprocess.Popen[bytes]"
PROVEN: Final = "dagster and dagster-webserver 1.13, from 1.13.20 on"
_LOG: Final = logging.getLogger("dagster")
_POLL_MS: Final = 2000
_DATABASE: Final = {"statement_timeout": 15_000, "pool_recycle": 3600, "max_overflow": 20}
"""Milliseconds, seconds and connections: what dagster-webserver has by default, as has the interval above."""
_AS_DAGSTER_DEV: Final = {"DAGSTER_IS_DEV_CLI": "1", "DAGSTER_verbose": ""}
"""For the code server: it logs an error of a location once, and without Dagster's own frames."""
_DAEMON_ENDS: Final = 45.0
_REQUESTS_END: Final = 5
"""Seconds; together less than `mohlcv up` waits for this process."""


def main(words: list[str] | None = None) -> int:
    """Serve the code locations of a workspace file or of a module; the exit code.

    Args:
        words: of the command line, without the program.
    """
    parser = argparse.ArgumentParser(prog="services")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("-w", "--workspace")
    place.add_argument("-m", "--module")
    asked = parser.parse_args(words)
    os.environ.update(_AS_DAGSTER_DEV)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    try:
        return _serve(asked.host, asked.port, _target(asked.workspace, asked.module))
    except KeyboardInterrupt:
        return 0
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


def _serve(host: str, port: int, target: "WorkspaceLoadTarget") -> int:
    from dagster._utils.log import configure_loggers  # noqa: PLC0415 - main reports what is missing

    configure_loggers(log_level="INFO")
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.get())
        workspace = stack.enter_context(_code_servers(instance, target))
        daemon = stack.enter_context(_daemon(workspace))
        ui = stack.enter_context(_ui(instance, workspace))
        config = uvicorn.Config(
            SameOrigin(ui, host, port),
            host=host,
            port=port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=_REQUESTS_END,
        )
        return _until_ended(uvicorn.Server(config), daemon)


def _until_ended(server: uvicorn.Server, daemon: Daemon) -> int:
    """Answer requests until a signal comes, or the daemon is gone; the exit code."""

    def watch() -> None:
        daemon.wait()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    _LOG.info("Serving the Dagster UI in process %s", os.getpid())
    try:
        server.run()  # which raises the signal again that ended it
    except KeyboardInterrupt:
        return 0
    if daemon.poll() is not None:
        _LOG.error("Dagster's daemon has ended with %s; its last messages are above", daemon.returncode)
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
def _daemon(workspace: Path) -> Iterator[Daemon]:
    """Run the daemon; it is asked to end as the block is left."""
    from dagster_shared.ipc import get_ipc_shutdown_pipe, open_ipc_subprocess  # noqa: PLC0415 - main reports what is missing
    from dagster_shared.ipc import send_ipc_shutdown_message as end  # noqa: PLC0415 - as above

    reads, writes = get_ipc_shutdown_pipe()
    words = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace), "--shutdown-pipe", str(reads)]
    process = open_ipc_subprocess(words, pass_fds=[reads])
    try:
        yield process
    finally:
        end(writes)
        _ended(process)


def _ended(daemon: Daemon) -> None:
    try:
        daemon.wait(_DAEMON_ENDS)
    except subprocess.TimeoutExpired:
        _LOG.warning("Dagster's daemon has not ended within %g seconds, and is killed", _DAEMON_ENDS)
        daemon.kill()
        daemon.wait()


@contextmanager
def _ui(instance: dg.DagsterInstance, workspace: Path) -> Iterator[Any]:
    """Dagster's ASGI app, which nothing protects."""
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415 - main reports what is missing
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415 - as above
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415 - as above

    instance.optimize_for_webserver(**_DATABASE)
    target = WorkspaceFileTarget([str(workspace)])
    with WorkspaceProcessContext(instance, target, version=version("dagster-webserver")) as context:
        yield create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS)


if __name__ == "__main__":
    sys.exit(main())
