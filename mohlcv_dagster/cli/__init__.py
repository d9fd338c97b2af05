"""The `mohlcv` command: its sub-commands, each loaded from its own module, and how it ends."""

import difflib
import importlib
import os
import sys
from typing import Final

import click

from mohlcv_dagster.cli import exit_codes
from mohlcv_dagster.cli.console import print_json_error, replace_unwritable, wants_json
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.cli.help_text import HelpContext, tell
from mohlcv_dagster.errors import InputError, MohlcvError

_GROUPS: Final = {
    "Start": ("demo", "up", "doctor"),
    "Get bars": ("plan", "fetch", "resample", "adopt"),
    "Look and check": ("symbols", "chart", "validate", "verify", "history"),
    "Tools": ("sandbox", "metrics", "completion"),
}
COMMANDS: Final = tuple(name for names in _GROUPS.values() for name in names)


class _UnreadError(Exception):
    """The reader of the output closed it; click would take an OSError for a failure."""


class SuggestingGroup(click.Group):
    """A group of commands that names the ones that are like an unknown word."""

    context_class = HelpContext

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of `args`.

        Raises:
            click.UsageError: there is none; the message suggests others.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            alike = difflib.get_close_matches(args[0], self.list_commands(ctx), n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(f'`{each}`' for each in alike)}?" if alike else "see the list in --help"
            raise click.UsageError(f"{error.message.rstrip('.')}; {hint}", ctx) from None

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, whose help is shown as that of the group."""
        cmd.context_class = HelpContext
        super().add_command(cmd, name)


class _Commands(SuggestingGroup):
    """Sub-commands, each loaded from the module of its name when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mohlcv_dagster.cli.{cmd_name}")
        command: click.Command = module.command
        command.context_class = HelpContext
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups."""
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        for title, names in _GROUPS.items():
            found = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, each.get_short_help_str(max(limit, 45))) for name, each in found if each])

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise _UnreadError from error
        return result


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
    """Download, resample and check 1-second OHLCV bars of US stocks, month by month.

    \b
    First steps:
      mohlcv demo                                 all steps once, without a key
      mohlcv up                                   the Dagster UI on this project's data
      mohlcv fetch --symbol SPY --last 3months    bars of the latest three months
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is


def main() -> None:
    """Run the command and exit with its code."""
    replace_unwritable()
    try:
        code = _run()
    except _UnreadError:
        # the rest of the buffer has no reader, and Python would complain about it when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.UNREAD
    sys.exit(code)


def _run() -> int:
    try:
        result = mohlcv.main(prog_name="mohlcv", standalone_mode=False)
    except click.ClickException as error:
        return _unusable(error)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except MohlcvError as error:
        code = ExitCode.UNUSABLE if isinstance(error, InputError) else ExitCode.FAILED
        return _fail(str(error), code, "mohlcv: ")
    except _UnreadError:
        raise
    except Exception as error:
        if _wraps_interrupt(error):
            return _interrupted()
        if wants_json(sys.argv[1:]):  # a bug of ours: the traceback goes to standard error
            print_json_error(f"{type(error).__name__}: {error}", ExitCode.FAILED)
        raise
    return result if isinstance(result, int) else ExitCode.DONE


def _interrupted() -> int:
    return _fail(
        "Interrupted: finished work is kept; the same command continues from there.", ExitCode.INTERRUPTED, "\n"
    )


def _wraps_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt is the cause: Python 3.11 wraps one that comes while a class is made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _unusable(error: click.ClickException) -> int:
    """Report a command line that click could not read; `error` holds the command it belongs to."""
    if not wants_json(sys.argv[1:]):
        if context := getattr(error, "ctx", None):
            tell(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n")
        tell(f"Error: {error.format_message()}")
    else:
        context = getattr(error, "ctx", None)
        usage = f"see `{context.command_path} --help`" if context else ""
        print_json_error(error.format_message(), error.exit_code, usage)
    return error.exit_code


def _fail(message: str, code: ExitCode, prefix: str) -> ExitCode:
    """Report why the command ends early, as JSON where that was requested; `prefix` is of the text only."""
    if wants_json(sys.argv[1:]):
        print_json_error(message, code)
    else:
        tell(f"{prefix}{message}")
    return code
