"""The file `.env` of a project: its variables, and whether other users of the machine can read or change it."""

import io
import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import click
import dotenv

from mohlcv_dagster.errors import FileError, SettingsError
from mohlcv_dagster.settings import SETTINGS, is_secret
from mohlcv_dagster.storage.locations import open_file, regular

NAME: Final = ".env"
_LARGEST: Final = 1 << 20
"""Bytes; a file of settings has some lines."""


def read(root: Path) -> dict[str, str]:
    """The variables of the file `.env` in `root`; none where there is no file.

    Raises:
        SettingsError: it cannot be read, is not a regular file, or is far larger than any such file.
    """
    file = root / NAME
    try:
        with open_file(file) as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SettingsError(f"{file} has more than {_LARGEST:,} bytes: write one setting a line, and nothing else")
        # with the byte order mark that some editors of Windows write, or without
        values = dotenv.dotenv_values(stream=io.StringIO(content.decode("utf-8-sig")))
    except FileNotFoundError:
        return {}
    except (FileError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): save it as plain text in UTF-8") from error
    return {name: value for name, value in values.items() if value is not None}


def exposure(root: Path, values: Mapping[str, str]) -> str | None:
    """That every user of this machine can change `.env`, or read a secret in it, with the cure; `None` if not so.

    Windows has no such modes.

    Args:
        root: the folder of the file.
        values: its variables.
    """
    file = root / NAME
    if os.name == "nt" or not file.exists():
        return None
    mode = regular(file).st_mode
    secret = any(is_secret(each) and values.get(each.variable, "").strip() for each in SETTINGS)
    if not mode & stat.S_IWOTH and not (secret and mode & stat.S_IROTH):
        return None
    what = "changed" if mode & stat.S_IWOTH else "read, with the secrets in it,"
    return f"{file} can be {what} by every user of this machine: run `chmod 600 {file}`"


@cache
def warn_once(root: Path) -> None:
    """Say on standard error that `.env` is exposed, once in a process."""
    found = exposure(root, read(root))
    if found:
        click.echo(f"mohlcv: {found}", err=True)
