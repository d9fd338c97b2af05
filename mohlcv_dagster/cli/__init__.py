"""The `mohlcv` command, thin: it reads options, calls the rooms below, and says what happened.

How it leaves is in `exit_codes`; what a script gets of it, errors included, in `documents`.
"""

import importlib
import os
import sys
from typing import Final

import click

from mohlcv_dagster.cli import completing, documents, exit_codes
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.errors import InputError, MohlcvError

COMMANDS: Final = (
    "demo",
    "up",
    "sandbox",
    "fetch",
    "resample",
    "validate",
    "plan",
    "symbols",
    "adopt",
    "verify",
    "doctor",
    "completion",
)


class _UnreadError(Exception):
    """Whoever read the output left first; click would take an OSError for a failure."""


class _Commands(click.Group):
    """Sub-commands, each loaded from the module of its name when it is called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mohlcv_dagster.cli.{cmd_name}")
        command: click.Command = module.command
        return completing.taught(command)

    def invoke(self, ctx: click.Context) -> object:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise _UnreadError from error
        return done


@click.command(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # the original scripts spelled --output_dir
        "token_normalize_func": lambda token: token.replace("_", "-"),
        "max_content_width": 100,
    },
    epilog=exit_codes.epilog(),
)
@click.version_option(package_name="mohlcv-dagster", prog_name="mohlcv")
def mohlcv() -> None:
    """1-second OHLCV bars of US stocks, month by month: downloaded whole, folded exactly, proven right.

    \b
    First steps:
      mohlcv demo                                   the whole job, with no key
      mohlcv up                                     the Dagster UI on this project's data
      mohlcv doctor                                 what keeps it from working, and the cure
      mohlcv plan --symbol SPY --start 2024-01-01 --end 2024-03-31
      mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-03-31
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        code = _run()
    except _UnreadError:
        # what is left in the buffer has no reader, and Python would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.UNREAD
    sys.exit(code)


def _run() -> int:
    try:
        code = mohlcv.main(prog_name="mohlcv", standalone_mode=False)
    except click.ClickException as error:
        return _unusable(error)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except MohlcvError as error:
        unusable = isinstance(error, InputError)
        return _said(str(error), ExitCode.UNUSABLE if unusable else ExitCode.FAILED, "mohlcv: ")
    except _UnreadError:
        raise
    except Exception as error:
        if _wraps_interrupt(error):
            return _interrupted()
        if documents.asked(sys.argv[1:]):  # a fault of ours: the traceback goes to standard error
            documents.print_error(f"{type(error).__name__}: {error}", ExitCode.FAILED)
        raise
    return code if isinstance(code, int) else ExitCode.DONE


def _interrupted() -> int:
    said = "Interrupted: what was finished is kept, the same command goes on from there."
    return _said(said, ExitCode.INTERRUPTED)


def _wraps_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt is at the bottom of it: Python 3.11 wraps one that comes while a class is made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _unusable(error: click.ClickException) -> int:
    """Say what click could not read; `error` holds the command it belongs to."""
    if not documents.asked(sys.argv[1:]):
        error.show()
    else:
        context = getattr(error, "ctx", None)
        usage = f"see `{context.command_path} --help`" if context else ""
        documents.print_error(error.format_message(), error.exit_code, usage)
    return error.exit_code


def _said(message: str, code: ExitCode, before: str = "") -> ExitCode:
    """Say why the command ends early, as a document where one was asked for."""
    if documents.asked(sys.argv[1:]):
        documents.print_error(message, code)
    else:
        click.echo(f"{before}{message}" if before else f"\n{message}", err=True)
    return code
