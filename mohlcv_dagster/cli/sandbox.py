"""`mohlcv sandbox`: serve the local stand-in for the vendor until Ctrl-C."""

import shlex
import signal
from pathlib import Path

import click

from mohlcv_dagster.cli.dagster_home import DAGSTER_HOME, Home
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import API_KEY, BASE_URL, DATA_DIR


@click.command("sandbox", short_help="Serve a stand-in for Massive.com.")
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve the bars of this folder, second/SYMBOL_YYYY_MM.csv and minute/SYMBOL_YYYY_MM.csv, not synthetic ones.",
)
@click.option(
    "--port", default=8123, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option("--fault", "faults", multiple=True, metavar="SPEC", help="A fault to answer with; see docs/sandbox.md.")
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds before each answer.")
@click.option("--key", "keys", multiple=True, help="Accept only this API key; give it again for more.  [default: any]")
def command(replay: Path | None, port: int, faults: tuple[str, ...], latency: float, keys: tuple[str, ...]) -> None:
    """Serve a stand-in for Massive.com on loopback; its bars are synthetic, or replayed from a folder.

    \b
    Examples:
      mohlcv sandbox
      mohlcv sandbox --replay recordings --port 8123
      mohlcv sandbox --fault truncated-body:symbol=SPY,times=2
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox, SyntheticMarket  # noqa: PLC0415 - not for the help text

    # a shell starts background jobs with SIGINT ignored: `kill -INT` must end them nevertheless
    signal.signal(signal.SIGINT, signal.default_int_handler)
    market = ReplayedMarket(replay) if replay else SyntheticMarket()
    try:
        Sandbox(market, faults=faults, port=port, latency=latency, keys=keys).serve(_announce)
    except KeyboardInterrupt:  # the way to end it: nothing was interrupted
        click.echo("\nThe sandbox has ended.")


def _announce(url: str) -> None:
    click.echo(f"The sandbox answers at {url}; Ctrl-C ends it. To use it instead of Massive.com, with its own files:")
    environment = Home.sandboxed(project_root(), url).environment
    names = (BASE_URL.variable, API_KEY.variable, DATA_DIR.variable, DAGSTER_HOME)
    click.echo(f"  export {' '.join(f'{name}={shlex.quote(environment[name])}' for name in names)}")
