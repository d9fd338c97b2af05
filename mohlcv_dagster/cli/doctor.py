"""`mohlcv doctor`: report what is wrong with this installation, and the cure."""

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.console import FAILED, OK, WARNED, json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import DAGSTER_HOME, Home
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.project import exposure, project_root, read_env_file
from mohlcv_dagster.settings import API_KEY, BASE_URL, CALENDAR, DATA_DIR, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from mohlcv_dagster.cli.diagnostics import Diagnosis

_MARKS: Final = {"fine": OK, "warning": WARNED, "wrong": FAILED}


@click.command("doctor", short_help="Report what is wrong, and the cure.")
@click.option("--offline", is_flag=True, help="Ask neither the vendor nor a store behind a URL.")
@json_option
def command(*, offline: bool, as_json: bool) -> int:
    """Check key, plan, clock, disk, files, home, settings and versions; report what is wrong, and the cure.

    Files of bars are not changed. With a key set, the vendor is asked up to three times for a minute of bars. Exits
    with 1 when something is wrong, with 0 when there are only warnings.

    \b
    Examples:
      mohlcv doctor
      mohlcv doctor --offline --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    console = None if as_json else open_console()
    diagnoses: list[Diagnosis] = []
    for diagnosis in _diagnose(offline=offline):
        diagnoses.append(diagnosis)
        if console is not None:
            _show(console, diagnosis)
    counts = Counter(diagnosis.health.value for diagnosis in diagnoses)
    if console is None:
        print_json(_document(diagnoses, counts))
    else:
        warnings = quantity(counts["warning"], "warning")
        console.print(f"\n{counts['wrong']} wrong, {warnings}, {counts['fine']} fine.")
    return ExitCode.FAILED if counts["wrong"] else ExitCode.DONE


def _diagnose(*, offline: bool) -> "Iterator[Diagnosis]":
    """Every diagnosis, the quick ones first."""
    from mohlcv_dagster.cli import diagnostics, storage_diagnostics  # noqa: PLC0415 - not for the help text

    root = project_root()
    try:
        file = read_env_file(root)
        home = Home.real(root, warn=False)
    except SettingsError as error:
        yield diagnostics.wrong("setting", str(error), "Save the file .env again, as plain text in UTF-8.")
        yield from diagnostics.installation()
        return
    environment = home.environment
    from_variable = bool({**file, **os.environ}.get(DAGSTER_HOME))
    if exposed := exposure(root, file):
        found, _, cure = exposed.partition(": ")
        yield diagnostics.warning("setting", found, f"{cure[0].upper()}{cure[1:]}.")
    yield from diagnostics.settings(os.environ, file)
    yield from diagnostics.calendar(environment.get(CALENDAR.variable, ""))
    yield from diagnostics.installation()
    yield from storage_diagnostics.data_folder(environment[DATA_DIR.variable], offline=offline)
    yield from storage_diagnostics.dagster_home(home, from_variable=from_variable)
    yield from _diagnose_rate_limit(home, offline=offline)
    yield from _diagnose_vendor(home, offline=offline)


def _diagnose_rate_limit(home: Home, *, offline: bool) -> "Iterator[Diagnosis]":
    """Nothing where no limit is set, or the settings are invalid, which has lines of its own."""
    try:
        settings = home.settings()
    except SettingsError:
        return
    if settings.requests_per_minute is not None and settings.limit_store is not None:
        from mohlcv_dagster.cli.limit_diagnostics import rate_limit  # noqa: PLC0415 - only where there is a limit

        yield rate_limit(settings.requests_per_minute, settings.limit_store, made=home.exists, offline=offline)


def _diagnose_vendor(home: Home, *, offline: bool) -> "Iterator[Diagnosis]":
    from mohlcv_dagster.cli.diagnostics import vendor, warning  # noqa: PLC0415 - not for the help text

    variables = {each.variable: home.environment.get(each.variable, "") for each in (API_KEY, BASE_URL)}
    try:
        settings = Settings.from_environment(variables)
    except SettingsError:
        yield warning("vendor", f"not asked: {BASE_URL.variable} is invalid")
        return
    if offline or settings.api_key is None:
        why = "--offline" if offline else f"{API_KEY.variable} is not set"
        yield warning("vendor", f"not asked about key, plan and clock: {why}")
        return
    try:
        yield from vendor(settings.api_key, settings.base_url)
    except SettingsError:
        yield warning("vendor", "not asked: the key cannot be sent")  # the line on the key has the cure


def _show(console: "Console", diagnosis: "Diagnosis") -> None:
    from rich.markup import escape  # noqa: PLC0415 - not for the help text

    console.print(f"{_MARKS[diagnosis.health.value]} {diagnosis.topic:<12} {escape(diagnosis.found)}")
    if diagnosis.cure:
        console.print(f"  {'':<12} {escape(diagnosis.cure)}")


def _document(diagnoses: "list[Diagnosis]", counts: Counter[str]) -> dict[str, object]:
    """As docs/plan-and-doctor.md describes it."""
    return {
        "healthy": not counts["wrong"],
        "findings": [
            {"topic": each.topic, "verdict": each.health.value, "found": each.found, "cure": each.cure or None}
            for each in diagnoses
        ],
    }
