"""Settings: each value and where it came from, one that cannot be meant, and variables that look like a slip."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from mohlcv_dagster import calendar_file
from mohlcv_dagster.cli.examinations.finding import Finding, fine, warning, wrong
from mohlcv_dagster.errors import CalendarError, SettingsError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.providers.massive.account import Secret
from mohlcv_dagster.settings import API_KEY, CALENDAR, SETTINGS, Setting, Settings, is_secret

TOPIC: Final = "setting"
_PREFIXES: Final = ("MOHLCV_", "MASSIVE_")
_ALIKE: Final = 0.7
_OF_THE_TESTS: Final = frozenset({"MOHLCV_TEST_REAL", "MOHLCV_UPDATE_PICTURES"})
_FORMER_NAME: Final = "POLYGON_API_KEY"
_SHORTEST_KEY: Final = 20
_PLACEHOLDERS: Final = ("your_key", "your-key", "your_api_key_here", "your_api_key", "changeme")


def examine(shell: Mapping[str, str], file: Mapping[str, str]) -> Iterator[Finding]:
    """What is found of the variables.

    Args:
        shell: the environment of the process, which wins.
        file: the variables of `.env`.
    """
    yield _key(shell, file)
    for setting in SETTINGS:
        if setting != API_KEY:
            yield _setting(setting, shell, file)
    for name in sorted({*shell, *file}):
        if name.startswith(_PREFIXES) and name not in _OF_THE_TESTS and all(name != each.variable for each in SETTINGS):
            yield _unknown(name, "the environment" if name in shell else ".env")


def calendar(file: str) -> Iterator[Finding]:
    """Whether the file of overridden days can be used; it is in force then. Nothing where none is named."""
    if not file.strip():
        return
    try:
        calendar_file.apply_overrides(Settings.from_environment({CALENDAR.variable: file}))
    except CalendarError as error:
        yield wrong("calendar", str(error), f"Correct the file, or leave {CALENDAR.variable} empty.")
    else:
        days = len(exchange_calendar.overrides())
        yield fine("calendar", f"{days:,} day{'' if days == 1 else 's'} overridden by {file}")


def source(setting: Setting, shell: Mapping[str, str], file: Mapping[str, str]) -> str:
    """Where the value of a setting comes from; a variable that is blank is as good as absent."""
    if shell.get(setting.variable, "").strip():
        return "environment"
    # one that is set in the shell, though blank, hides the one of the file
    return ".env" if setting.variable not in shell and file.get(setting.variable, "").strip() else "default"


def _key(shell: Mapping[str, str], file: Mapping[str, str]) -> Finding:
    topic, found = "key", source(API_KEY, shell, file)
    if found == "default":
        other = f", though {_FORMER_NAME} is, which is not read" if _FORMER_NAME in {*shell, *file} else ""
        return wrong(
            topic,
            f"{API_KEY.variable} is not set{other}",
            f"Write `{API_KEY.variable}=your_key` into .env in the project's folder; the key is at "
            "https://massive.com/dashboard, section API Keys. Without one, `mohlcv demo` works.",
        )
    value = {**file, **shell}[API_KEY.variable].strip()
    cure = "Copy the key again from https://massive.com/dashboard, section API Keys."
    try:
        Secret(value)
    except SettingsError as error:
        return wrong(topic, f"{error} ({found})", cure)
    if value.lower() in _PLACEHOLDERS:
        return wrong(topic, f"{API_KEY.variable} is still the example's words ({found})", cure)
    shape = f"set in the {found}" if found == "environment" else f"set in {found}"
    if value[0] in "'\"`" or value[-1] in "'\"`":
        return wrong(topic, f"{shape}, in quotes that are sent with it", "Take the quotes away.")
    if len(value) < _SHORTEST_KEY:
        return warning(topic, f"{shape}, with {len(value)} characters; the vendor's keys have 32", cure)
    return fine(topic, f"{shape}, {len(value)} characters")


def _setting(setting: Setting, shell: Mapping[str, str], file: Mapping[str, str]) -> Finding:
    found = source(setting, shell, file)
    given = {**file, **shell}.get(setting.variable, "").strip()
    try:
        Settings.from_environment({setting.variable: given})
    except SettingsError as error:
        place = "the environment" if found == "environment" else found
        return wrong(TOPIC, str(error), f"Change {setting.variable} in {place}.")
    shown = "(set)" if given and is_secret(setting) else given or setting.default or "(none)"
    return fine(TOPIC, f"{setting.variable} = {shown}  ({found})")


def _unknown(name: str, place: str) -> Finding:
    known = [each.variable for each in SETTINGS]
    alike = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    cure = f"Is {alike[0]} meant?" if alike else f"Settings are {', '.join(known)}."
    return warning(TOPIC, f"{name} in {place} is no setting, and is not read", cure)
