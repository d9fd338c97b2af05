"""`--json`: one JSON document on standard output, errors included; everything else goes to standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

OPTION: Final = "--json"

json_option: Final = click.option(
    OPTION, "as_json", is_flag=True, help="Print one JSON document; everything else goes to standard error."
)
"""The option, for any command that a script may ask; its argument is `as_json`."""


def asked(words: Sequence[str]) -> bool:
    """Whether the command line asks for a document: told from its words, since it may be they that cannot be read."""
    return OPTION in words


def print_document(document: Mapping[str, object]) -> None:
    """Print the one document; moments, days, months and the like become their text."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_error(message: str, code: int, cure: str = "") -> None:
    """Print the document of a command that could not do what was asked: `error`, `exit_code` and perhaps `cure`."""
    print_document({"error": message, **({"cure": cure} if cure else {}), "exit_code": int(code)})


def print_beside(text: str, *, as_json: bool) -> None:
    """Print what a person reads: on standard output, or beside a document on standard error."""
    click.echo(text, file=sys.stderr if as_json else sys.stdout)
