"""docs/settings.md, made from the settings: `python -m mohlcv_dagster_tests.settings_page > docs/settings.md`."""

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.settings import SETTINGS, Setting, Settings
from mohlcv_dagster_tests.tables import table

_HEAD = """\
# Settings

Variables of the environment, or lines of a file `.env` in the project's folder; the environment wins. A variable that
is blank has its default. `mohlcv doctor` shows each value and where it came from, and names variables that look like a
slip of the pen. This page is made from `mohlcv_dagster/settings.py`.

"""

_END = """\
## Beside these

`DAGSTER_HOME` moves Dagster's memory from `.mohlcv/home`. `NO_COLOR` takes the colours out of what `mohlcv` prints,
`FORCE_COLOR` keeps them where it is no terminal that reads it.
"""


def page() -> str:
    """The page."""
    rows = [(f"[`{each.variable}`](#{each.variable.lower()})", _code(each.default), each.meaning) for each in SETTINGS]
    return _HEAD + table(("variable", "default", "decides"), rows) + "\n" + "".join(map(_section, SETTINGS)) + _END


def _section(setting: Setting) -> str:
    lines = [
        f"## {setting.variable}\n",
        f"{setting.meaning[0].upper()}{setting.meaning[1:]}. Default: {_code(setting.default) or 'none'}.\n",
        f"May be: {setting.values}.\n",
        f"```ini\n{setting.variable}={setting.example}\n```\n",
    ]
    if setting.refused:
        lines.append(f"`{setting.variable}={setting.refused}` is refused:\n\n> {refusal(setting)}\n")
    return "\n".join(lines) + "\n"


def refusal(setting: Setting) -> str:
    """What is said of the value that cannot be meant."""
    try:
        Settings.from_environment({setting.variable: setting.refused})
    except SettingsError as error:
        return str(error)
    raise AssertionError(f"{setting.variable}={setting.refused} is not refused")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - it is what the module is for
