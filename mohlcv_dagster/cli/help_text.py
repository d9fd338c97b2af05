"""How help and errors of the command line are shown: within the terminal's width."""

import re
import shutil
import sys
import textwrap
from typing import Final

import click

_REMARK: Final = re.compile(r"(\s*\S.*?)\s{3,}(\S.*)")
_HANGING: Final = "    "


class _Formatter(click.HelpFormatter):
    """Wraps examples too, which click leaves as they are."""

    def write_text(self, text: str) -> None:
        """Write paragraphs; a line of an example that is too long goes on, indented, in the next one."""
        indent = " " * self.current_indent
        wrapped = click.wrap_text(
            text, max(self.width, 11), initial_indent=indent, subsequent_indent=indent, preserve_paragraphs=True
        )
        for line in wrapped.splitlines():
            self.write(f"{fitted(line, self.width)}\n")


class HelpContext(click.Context):
    """The context of a command whose help is within the terminal's width."""

    formatter_class = _Formatter


def fitted(line: str, width: int) -> str:
    """`line` in lines of at most `width` characters, but for longer words; those after the first are indented.

    A remark, which three spaces separate from what it is about, has a line of its own then.
    """
    if len(line) <= width:
        return line
    remark = _REMARK.fullmatch(line)
    parts = remark.groups() if remark else (line,)
    indent = line[: len(line) - len(line.lstrip())] + _HANGING
    lines: list[str] = []
    for part in parts:
        start = indent if lines else ""
        lines += _wrapped(start + part, width, indent)
    return "\n".join(lines)


def tell(text: str, *, err: bool = True) -> None:
    """Print a text for a person, on a terminal within its width."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(part for line in text.split("\n") for part in _wrapped(line, width) or [""])
    click.echo(text, err=err)


def _wrapped(line: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
