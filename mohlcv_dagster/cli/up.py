"""`mohlcv up`: the Dagster UI and its daemon on a home that stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Final

import click

from mohlcv_dagster.cli.homes import Home, project_root

LOOPBACK: Final = "127.0.0.1"
_PATIENCE: Final = 20.0
_SUPERSEDED: Final = "ignore:Function `dev_command` is superseded"
"""`dagster dev` is asked for on purpose: `dg` would be one more package."""


@click.command("up")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI.")
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on; the UI has no login.")
@click.option("--sandbox", is_flag=True, help="Serve the stand-in vendor too, with a home and files of its own.")
def command(port: int, host: str, *, sandbox: bool) -> int:
    """Open the Dagster UI on this project's data, with the daemon that runs backfills; Ctrl-C ends it.

    \b
    Examples:
      mohlcv up
      mohlcv up --sandbox        try it without a key; also shows what `mohlcv demo` made
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    with ExitStack() as stack:
        if sandbox:
            from mohlcv_dagster.sandbox import Sandbox, Synthetic  # noqa: PLC0415 - only when asked for

            served = stack.enter_context(Sandbox(Synthetic()))
            home = Home.sandboxed(project_root(), served.url).prepare()
            click.echo(f"The sandbox answers at {served.url} in place of Massive.com.")
        else:
            home = Home.real(project_root()).prepare()
        home.settings()
        click.echo(f"Dagster UI: http://{host}:{port}   home: {home.path}   Ctrl-C ends it.")
        return _serve(dagster_dev(host, port, project_root()))


def dagster_dev(host: str, port: int, root: Path) -> list[str]:
    """The command that serves the UI, the daemon and the code location."""
    workspace = root / "workspace.yaml"
    location = ["-w", str(workspace)] if workspace.exists() else ["-m", "mohlcv_dagster.definitions"]
    return [sys.executable, "-m", "dagster", "dev", "-h", host, "-p", str(port), *location]


def _serve(words: Sequence[str]) -> int:
    """Run `words` until they end or a signal asks for it; what they started ends with them."""
    quiet = {"PYTHONWARNINGS": _SUPERSEDED, **os.environ}
    process = subprocess.Popen(words, env=quiet)  # noqa: S603 - our own words, no shell

    def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is signal's
        process.send_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # the terminal has sent the same signal to the child
        return 0 if process.wait(_PATIENCE) is not None else 1
    finally:
        signal.signal(signal.SIGTERM, before)
