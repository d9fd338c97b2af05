"""Where the command speaks: a terminal at its own width, anything else in lines that are never cut."""

from rich.console import Console

_WIDTH_OF_A_FILE = 160


def open_console() -> Console:
    """Standard output; numbers and paths are not coloured of themselves."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
