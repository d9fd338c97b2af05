"""docs/settings.md, made from the settings: `python -m mohlcv_dagster_tests.settings_page > docs/settings.md`."""

from typing import NamedTuple

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.settings import (
    ADJUSTED,
    ALERT_COMMAND,
    ALERT_URL,
    ALERT_WARNINGS,
    API_KEY,
    BASE_URL,
    CALENDAR,
    CONCURRENCY,
    DATA_DIR,
    HISTORY,
    LIMIT_STORE,
    PARQUET,
    REQUESTS_PER_MINUTE,
    SETTINGS,
    START,
    TIMEFRAMES,
    UI_PASSWORD,
    UI_URL,
    Setting,
    Settings,
)
from mohlcv_dagster_tests.tables import table

_HEAD = """\
# Settings

A setting is an environment variable, or a line of the file `.env` in the project's folder. Where both have it, the
environment wins. A variable that is blank has its default. Only settings decide where the key is sent and which files
are written; the config of a run cannot.

`mohlcv doctor` shows each value and where it comes from, and names variables that look like typing errors. This page is
made from `mohlcv_dagster/settings.py`.

"""

_END = """\
## Other variables

`DAGSTER_HOME` names another folder than `.mohlcv/home` as Dagster's home. With `NO_COLOR`, `mohlcv` prints no colours.
With `FORCE_COLOR` it prints them even where the output is not a terminal.
"""


class Told(NamedTuple):
    """What the page says of a setting, besides its default and meaning.

    Attributes:
        values: what may be written.
        example: a value.
        refused: an invalid value whose message the page shows; empty where all are valid.
    """

    values: str
    example: str
    refused: str = ""


TOLD = {
    API_KEY: Told(
        "the key as https://massive.com/dashboard shows it, section API Keys; without quotes or blanks", "your_key"
    ),
    BASE_URL: Told(
        "`https://host` or `http://host:port`, with a path where a proxy needs one; no user, password or query",
        "http://127.0.0.1:8123",
        "api.massive.com",
    ),
    DATA_DIR: Told(
        "a folder, relative to the project's or absolute; or a URL whose store's package is installed, without a "
        "password",
        "s3://bucket/bars",
        "sftp://me:secret@host/bars",
    ),
    TIMEFRAMES: Told(
        f"one or more of {', '.join(f'`{each}`' for each in timeframes.AGGREGATED)}, with commas between",
        "15s,1min,1h",
        "15s,7s",
    ),
    START: Told(
        "a month as `2024-01`, 1970-01 at the earliest; the vendor has nothing before 2003-09. Where it is not set, an "
        "earlier month that is stored is the first, `mohlcv fetch` fetches any month of the vendor, and with a data "
        "folder that is a URL it is 2003-09. The UI offers earlier months once it is set and `mohlcv up` is started "
        "again",
        "2016-01",
        "2020-13",
    ),
    ADJUSTED: Told("`true`, `yes` or `1`; `false`, `no` or `0`", "true", "maybe"),
    REQUESTS_PER_MINUTE: Told(
        "a whole number of at least 1, or nothing; all processes that share `MASSIVE_LIMIT_STORE` keep it together",
        "5",
        "0",
    ),
    LIMIT_STORE: Told(
        "a file, relative to the project's folder or absolute; `redis://` or `rediss://` (needs the extra `redis`), or "
        "`postgresql://` (the extra `postgresql`). It may hold a password: it is never shown. See "
        "[docs/stores.md](stores.md#one-rate-limit)",
        "redis://:secret@queue.example:6379/0",
        "http://queue.example",
    ),
    CONCURRENCY: Told("a whole number from 1 to 64", "16", "1000"),
    CALENDAR: Told(
        "a text file, relative to the project's folder or absolute; a line is a day and its hours in Eastern "
        "time, or `from` and the first day of other session hours",
        "days.txt",
    ),
    ALERT_URL: Told(
        "`https://host/path` of a webhook, or `slack://…`, `mailto://…`, `tgram://…` and the like, as "
        "[apprise](https://github.com/caronc/apprise/wiki) writes them; a secret: it is never shown",
        "https://hooks.example/secret",
        "hooks.example/secret",
    ),
    PARQUET: Told("`true`, `yes` or `1`; `false`, `no` or `0`", "true", "maybe"),
    HISTORY: Told("`true`, `yes` or `1`; `false`, `no` or `0`", "false", "maybe"),
    ALERT_COMMAND: Told("a command line, which may hold a secret: it is never shown", "mail -s mohlcv me@example.com"),
    ALERT_WARNINGS: Told("`true`, `yes` or `1`; `false`, `no` or `0`", "true", "maybe"),
    UI_URL: Told("`https://host` or `http://host:port`", "https://dagster.example", "dagster.example"),
    UI_PASSWORD: Told(
        "at least 12 characters, a secret: it is never shown, and not handed to the processes of runs",
        "four-words-you-made-up",
        "short",
    ),
}


def page() -> str:
    """The page."""
    rows = [(f"[`{each.variable}`](#{each.variable.lower()})", _code(each.default), each.meaning) for each in SETTINGS]
    return _HEAD + table(("variable", "default", "decides"), rows) + "\n" + "".join(map(_section, SETTINGS)) + _END


def _section(setting: Setting) -> str:
    told = TOLD[setting]
    lines = [
        f"## {setting.variable}\n",
        f"{setting.meaning[0].upper()}{setting.meaning[1:]}. Default: {_code(setting.default) or 'none'}.\n",
        f"Valid: {told.values}.\n",
        f"```ini\n{setting.variable}={told.example}\n```\n",
    ]
    if told.refused:
        lines.append(f"`{setting.variable}={told.refused}` is refused:\n\n> {refusal(setting, told.refused)}\n")
    return "\n".join(lines) + "\n"


def refusal(setting: Setting, value: str) -> str:
    """The message for an invalid value."""
    try:
        Settings.from_environment({setting.variable: value})
    except SettingsError as error:
        return str(error)
    raise AssertionError(f"{setting.variable}={value} is not refused")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - it is what the module is for
