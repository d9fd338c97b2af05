"""Where the command speaks: a terminal at its own width, anything else in lines that are never cut.

rich keeps to `NO_COLOR`, and to `FORCE_COLOR` where there is no terminal; colour then is all that is forced.
"""

import sys
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.markup import escape

from mohlcv_dagster.cli.exit_codes import ExitCode

OK: Final = "[green]✓[/]"
WARNED: Final = "[yellow]![/]"
FAILED: Final = "[red]✗[/]"

_WIDTH_OF_A_FILE: Final = 160


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave with a code of its own: whoever reads may stop when they have seen enough."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(ExitCode.UNREAD) from None

    def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002 - the signature is rich's
        """Hide the cursor, or show it again, where there is one: a line that moves in a file has none."""
        return super().show_cursor(show) if self.is_interactive else False


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error; numbers and paths are not coloured of themselves."""
    # FORCE_COLOR has rich take a file for a terminal: no line may move in it, and none be cut
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    console = _Console(highlight=False, soft_wrap=True, stderr=stderr, force_interactive=None if terminal else False)
    if not terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


def show_reasons(console: Console, label: str, reasons: Iterable[str]) -> None:
    """Say why `label` failed, a line a reason, in its own words: brackets in them are no colours."""
    for reason in reasons:
        console.print(f"{FAILED} {label}:  {escape(reason)}")
