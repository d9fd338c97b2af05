"""`mohlcv metrics`: serve what Prometheus scrapes, until Ctrl-C."""

import signal
import threading
from typing import Final

import click

from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.up import LOOPBACK
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.project import project_root
from mohlcv_dagster.same_origin import authority

PORT: Final = 9464
_HOST: Final = "Address to listen on. Nobody is asked for a password; other computers read counts alone."


@click.command("metrics", short_help="Serve metrics for Prometheus.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default=LOOPBACK, show_default=True, help=_HOST)
def command(port: int, host: str) -> int:
    """Serve metrics of this project's runs, months and requests for Prometheus; Ctrl-C ends it.

    It reads Dagster's home and `quality/coverage`, and writes nothing: one such process suffices for all hosts that
    share a database. docs/metrics.md has the metrics, a dashboard and alerts.

    \b
    Examples:
      mohlcv metrics
      mohlcv metrics --port 9500
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 - not for the help text

    from mohlcv_dagster.defs.home_metrics import HomeCollector  # noqa: PLC0415 - it loads Dagster

    # a shell starts background jobs with SIGINT ignored: `kill -INT` must end them nevertheless
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = Home.real(project_root())
    with home.instance() as instance:
        collector = HomeCollector(instance, Paths(home.settings().data_dir).archive())
        click.echo(f"Reading the records of {home.path} …")
        collector.collect()
        registry = CollectorRegistry()
        registry.register(collector)
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as error:
            raise SettingsError(
                f"port {port} of {host} cannot be served ({error.strerror}): choose another with --port"
            ) from error
        click.echo(f"Metrics: http://{authority(host, port)}/metrics   home: {home.path}   Ctrl-C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("\nThe metrics have ended.")
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
    return 0
