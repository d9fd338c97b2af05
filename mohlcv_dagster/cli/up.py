"""`mohlcv up`: serve the Dagster UI and its daemon on the project's home."""

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
from filelock import FileLock, Timeout

from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.dagster_patches.supervision import Restarts, ending
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.project import project_root
from mohlcv_dagster.same_origin import ANY_ADDRESS, authority
from mohlcv_dagster.settings import UI_PASSWORD, UI_URL

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 3000
DEFAULT_URL: Final = f"http://{LOOPBACK}:{PORT}"
_PATIENCE: Final = 60.0
_HOST: Final = (
    f"Address or name to listen on. One that other computers reach needs a password in {UI_PASSWORD.variable}."
)
_READ_ONLY: Final = "Show the UI without anything that launches or changes; no daemon runs. It may run beside another."


@click.command("up", short_help="Open the Dagster UI on this project's data.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI.")
@click.option("--host", default=LOOPBACK, show_default=True, help=_HOST)
@click.option("--without-login", is_flag=True, help="Ask for no password: a proxy does, or everybody may come in.")
@click.option("--read-only", is_flag=True, help=_READ_ONLY)
@click.option("--sandbox", is_flag=True, help="Also serve the sandbox vendor, with its own home and files.")
@click.option("--fault", "faults", multiple=True, metavar="SPEC", help="Of the sandbox; see docs/sandbox.md.")
@click.option("--verbose", is_flag=True, help="Print all that Dagster says, not warnings and errors alone.")
def command(  # noqa: PLR0913 - an argument for each option
    port: int,
    host: str,
    *,
    without_login: bool,
    read_only: bool,
    sandbox: bool,
    faults: tuple[str, ...],
    verbose: bool,
) -> int:
    """Open the Dagster UI on this project's data, with the daemon that runs backfills; Ctrl-C ends it.

    \b
    Examples:
      mohlcv up
      mohlcv up --sandbox        without a key; also shows the files of `mohlcv demo`
      mohlcv up --sandbox --fault not-found:symbol=SPY,month=2024-02
      mohlcv up --read-only --port 3001
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    if faults and not sandbox:
        raise click.UsageError("--fault makes the sandbox misbehave: add --sandbox")
    with ExitStack() as stack:
        if sandbox:
            from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket  # noqa: PLC0415 - only when requested

            served = stack.enter_context(Sandbox(SyntheticMarket(), faults=faults))
            home = Home.sandboxed(project_root(), served.url)
        else:
            home = Home.real(project_root())
        if home.settings().ui_password is None and not without_login:
            _refuse_others(host)
        home.prepare()
        if without_login:
            os.environ.pop(UI_PASSWORD.variable, None)
        url = f"http://{authority(socket.gethostname() if host in ANY_ADDRESS else host, port)}"
        url = os.environ.setdefault(UI_URL.variable, url).rstrip("/")  # for links in alerts
        _refuse_taken(host, port)
        if not read_only:
            stack.enter_context(_locked(home))
        flags = [*(["--read-only"] if read_only else []), *(["--verbose"] if verbose else [])]
        ready = f"{'Ready, with made-up bars' if sandbox else 'Ready'}: {landing_page(url)}  (Ctrl-C ends it)"
        return _serve([*services(host, port, project_root()), "--ready", ready, *flags], home.path, project_root())


def landing_page(url: str) -> str:
    """The page to open first in the UI at `url`: the quality of all months."""
    return f"{url}/assets/quality/coverage?view=events"


def services(host: str, port: int, root: Path) -> list[str]:
    """The command that serves the UI, the code location and, unless it is told to be read only, the daemon."""
    workspace = root / "workspace.yaml"
    location = ["-w", str(workspace)] if workspace.exists() else ["-m", "mohlcv_dagster.definitions"]
    words = [sys.executable, "-m", "mohlcv_dagster.dagster_patches.services", str(os.getpid())]
    return [*words, host, str(port), *location]


def _refuse_others(host: str) -> None:
    """Refuse to listen where other computers come in while no password is asked for.

    Raises:
        SettingsError: `host` is not on the loopback alone.
    """
    try:
        addresses = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)}
    except OSError:
        return  # `_refuse_taken` says so
    if not all(ipaddress.ip_address(each).is_loopback for each in addresses):
        raise SettingsError(
            f"--host {host} lets other computers use the UI, and it asks for no password: set {UI_PASSWORD.variable}, "
            "or write --without-login where a proxy asks for one"
        )


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    """Hold the lock of the home while the block runs.

    Raises:
        SettingsError: another `mohlcv up` holds it.
    """
    try:
        with FileLock(home.up_lock, timeout=0):
            yield
    except Timeout as error:
        raise SettingsError(f"the UI is already running on {home.path}: use that one, or stop it first") from error


def _refuse_taken(host: str, port: int) -> None:
    """Refuse a port that is taken, before Dagster finds out, which takes longer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"port {port} of {host} cannot be served ({error.strerror}): is the UI already running? "
                "If not, choose another with --port"
            ) from error


def _serve(words: Sequence[str], folder: Path, root: Path) -> int:
    """Run a command until it ends or a signal asks for it; all its processes end with it. Killed, it is run again.

    Args:
        words: the command.
        folder: its working folder. Not the project's own: Dagster would read the `.env` there, which would then win
            over the shell, and lead a sandbox's bars to the real data folder.
        root: the project, whose own modules stay importable.
    """
    # a shell starts background jobs with SIGINT ignored, and Dagster would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    modules = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(root)]))
    environment = {**os.environ, "PYTHONPATH": modules}
    restarts = Restarts()
    while True:
        process = subprocess.Popen(words, cwd=folder, env=environment, start_new_session=True)  # noqa: S603 - our own words, no shell
        try:
            code = process.wait()
            if code >= 0:
                return code
            delay = restarts.died()
            click.echo(f"The UI has ended {ending(code)}; it is started again in {delay:g} seconds.", err=True)
            time.sleep(delay)
        except KeyboardInterrupt:
            return _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> int:
    """Have Dagster stop its services, and wait; after `_PATIENCE`, or a second Ctrl-C, kill them."""
    click.echo("\nStopping Dagster; runs in progress go on to their end, others wait for the next start.", err=True)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 1
    return 0
