"""Where the command speaks: a terminal at its own width, anything else in lines that are never cut."""

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.markup import escape

OK: Final = "[green]✓[/]"
WARNED: Final = "[yellow]![/]"
FAILED: Final = "[red]✗[/]"

_WIDTH_OF_A_FILE: Final = 160


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error; numbers and paths are not coloured of themselves."""
    console = Console(highlight=False, soft_wrap=True, stderr=stderr)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


def show_reasons(console: Console, label: str, reasons: Iterable[str]) -> None:
    """Say why `label` failed, a line a reason, in its own words: brackets in them are no colours."""
    for reason in reasons:
        console.print(f"{FAILED} {label}:  {escape(reason)}")
