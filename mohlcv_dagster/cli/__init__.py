"""The `mohlcv` command, thin: it reads options, calls the rooms below, and says what happened.

Exit codes: 0 all is well · 1 something failed, and was said · 2 the command line cannot be meant · 130 interrupted.
"""

import importlib
import sys
from typing import Final

import click

from mohlcv_dagster.errors import InputError, MohlcvError

COMMANDS: Final = ("demo", "up", "sandbox", "fetch", "resample", "validate", "symbols", "adopt", "verify")
FAILED: Final = 1
UNUSABLE: Final = 2
INTERRUPTED: Final = 130


class _Commands(click.Group):
    """Sub-commands, each loaded from the module of its name when it is called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mohlcv_dagster.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.command(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # the original scripts spelled --output_dir
        "token_normalize_func": lambda token: token.replace("_", "-"),
        "max_content_width": 100,
    },
)
@click.version_option(package_name="mohlcv-dagster", prog_name="mohlcv")
def mohlcv() -> None:
    """1-second OHLCV bars of US stocks, month by month: downloaded whole, folded exactly, proven right.

    \b
    First steps:
      mohlcv demo                                   the whole job, with no key
      mohlcv up                                     the Dagster UI on this project's data
      mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-03-31
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        code = mohlcv.main(prog_name="mohlcv", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted: what was finished is kept, the same command goes on from there.", err=True)
        sys.exit(INTERRUPTED)
    except MohlcvError as error:
        click.echo(f"mohlcv: {error}", err=True)
        sys.exit(UNUSABLE if isinstance(error, InputError) else FAILED)
    sys.exit(code if isinstance(code, int) else 0)
