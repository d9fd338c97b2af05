"""The project's folder, and the variables that its file `.env` and the process give to the settings."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.settings import CALENDAR, DATA_DIR, LIMIT_STORE, SETTINGS, is_secret, text_of

ENV_FILE: Final = ".env"


def read_env_file(root: Path) -> dict[str, str]:
    """The variables of the file `.env` in `root`; none where there is no file.

    Raises:
        SettingsError: it cannot be read, is not a regular file, or is far larger than any such file.
    """
    import io  # noqa: PLC0415 - Dagster reads `.env` itself: only the command needs this

    import dotenv  # noqa: PLC0415 - as above

    file = root / ENV_FILE
    try:
        values = dotenv.dotenv_values(stream=io.StringIO(text_of(file)))
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): save it as plain text in UTF-8") from error
    for name, value in values.items():
        if not name or "\0" in name or "=" in name or "\0" in (value or ""):  # no environment takes it
            raise SettingsError(
                f"{file} cannot be used: the line of {name!r} has a NUL, or no name: correct or delete it"
            )
    return {name: value for name, value in values.items() if value is not None}


def project_root() -> Path:
    """The folder that relative paths start from: the nearest with a `workspace.yaml`, else the working folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "workspace.yaml").exists()), here)


def project_environment(root: Path, own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a project: the process's win over those of `.env`. The folders and files named are absolute.

    Args:
        root: the project's folder, which relative paths start from.
        own: the variables of `.env`, as `read_env_file` gives them.
    """
    environment = {**own, **os.environ}
    data_dir = environment.get(DATA_DIR.variable, "").strip() or DATA_DIR.default
    if "://" not in data_dir:
        environment[DATA_DIR.variable] = _absolute(root, data_dir)
    for each in (CALENDAR, LIMIT_STORE):
        name = environment.get(each.variable, "").strip()
        if name and (each == CALENDAR or "://" not in name):
            environment[each.variable] = _absolute(root, name)
    return environment


def _absolute(root: Path, name: str) -> str:
    # a shell does not expand ~ within quotes and in .env: a folder of that name would be made
    return str((root / Path(name).expanduser()).absolute())


def exposure(root: Path, values: Mapping[str, str]) -> str | None:
    """That every user of this machine can change `.env`, or read a secret in it, with the cure; `None` if not so.

    Windows has no such modes.

    Args:
        root: the folder of the file.
        values: its variables.
    """
    file = root / ENV_FILE
    if os.name == "nt" or not file.is_file():
        return None
    mode = file.stat().st_mode
    secret = any(is_secret(each) and values.get(each.variable, "").strip() for each in SETTINGS)
    if not mode & stat.S_IWOTH and not (secret and mode & stat.S_IROTH):
        return None
    what = "changed" if mode & stat.S_IWOTH else "read, with the secrets in it,"
    return f"{file} can be {what} by every user of this machine: run `chmod 600 {file}`"
