"""`mohlcv doctor`: what keeps this installation from working, and the cure. What is looked at is in `examinations`."""

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.console import FAILED, OK, WARNED, open_console
from mohlcv_dagster.cli.documents import json_option, print_document
from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.cli.homes import DAGSTER_HOME, Home, env_file, project_root
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.settings import API_KEY, BASE_URL, CALENDAR, DATA_DIR, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from mohlcv_dagster.cli.examinations.finding import Finding

_MARKS: Final = {"fine": OK, "warning": WARNED, "wrong": FAILED}


@click.command("doctor", short_help="Say what keeps it from working, and the cure.")
@click.option("--offline", is_flag=True, help="Ask nothing of the vendor, nor of a store behind a URL.")
@json_option
def command(*, offline: bool, as_json: bool) -> int:
    """Look at key, plan, clock, disk, files, home, settings and versions; say what is wrong and the cure.

    Nothing is changed. With a key set the vendor is asked up to three times for a minute of bars. Leaves with 1 when
    something is wrong, with 0 when there are warnings only.

    \b
    Examples:
      mohlcv doctor
      mohlcv doctor --offline --json
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    console = None if as_json else open_console()
    findings: list[Finding] = []
    for finding in _examine(offline=offline):
        findings.append(finding)
        if console is not None:
            _show(console, finding)
    counts = Counter(finding.verdict.value for finding in findings)
    if console is None:
        print_document(_document(findings, counts))
    else:
        warnings = f"{counts['warning']} warning{'' if counts['warning'] == 1 else 's'}"
        console.print(f"\n{counts['wrong']} wrong, {warnings}, {counts['fine']} fine.")
    return ExitCode.FAILED if counts["wrong"] else ExitCode.DONE


def _examine(*, offline: bool) -> "Iterator[Finding]":
    """Every finding, what is quick to find first."""
    from mohlcv_dagster.cli.examinations import folder, home, machine, settings, vendor  # noqa: PLC0415 - not for --help
    from mohlcv_dagster.cli.examinations.finding import warning, wrong  # noqa: PLC0415 - as above

    root = project_root()
    try:
        told = env_file(root)
        place = Home.real(root)
    except SettingsError as error:
        yield wrong("setting", str(error), "Save the file .env again, as plain text in UTF-8.")
        yield from machine.examine()
        return
    yield from settings.examine(os.environ, told)
    yield from settings.calendar(place.environment.get(CALENDAR.variable, ""))
    yield from machine.examine()
    yield from folder.examine(place.environment[DATA_DIR.variable], offline=offline)
    yield from home.examine(place.path, told=bool({**told, **os.environ}.get(DAGSTER_HOME)))
    try:
        sound = Settings.from_environment(
            {each.variable: place.environment.get(each.variable, "") for each in (API_KEY, BASE_URL)}
        )
    except SettingsError:
        yield warning("vendor", f"not asked: {BASE_URL.variable} cannot be used")
        return
    if offline or sound.api_key is None:
        why = "--offline" if offline else f"{API_KEY.variable} is not set"
        yield warning("vendor", f"not asked about key, plan and clock: {why}")
        return
    try:
        yield from vendor.examine(sound.api_key, sound.base_url)
    except SettingsError:
        yield warning("vendor", "not asked: the key cannot be sent")  # said above, with the cure


def _show(console: "Console", finding: "Finding") -> None:
    from rich.markup import escape  # noqa: PLC0415 - as above

    console.print(f"{_MARKS[finding.verdict.value]} {finding.topic:<12} {escape(finding.found)}")
    if finding.cure:
        console.print(f"  {'':<12} {escape(finding.cure)}")


def _document(findings: "list[Finding]", counts: Counter[str]) -> dict[str, object]:
    """As docs/plan-and-doctor.md describes it."""
    return {
        "healthy": not counts["wrong"],
        "findings": [
            {
                "topic": finding.topic,
                "verdict": finding.verdict.value,
                "found": finding.found,
                "cure": finding.cure or None,
            }
            for finding in findings
        ],
    }
