"""What `mohlcv doctor` checks: settings, this installation, the vendor. Folders are in `storage_diagnostics`.

Each check gives diagnoses, and raises no error for what it looks for. Nothing is changed.
"""

import difflib
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mohlcv_dagster.errors import (
    CalendarError,
    PlanError,
    RateLimitError,
    SettingsError,
    UnknownKeyError,
    UntrustedCertificateError,
    VendorError,
    VendorRefusedError,
)
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.account import Probe, ProbeResult
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.providers.massive.vendor_text import Secret
from mohlcv_dagster.settings import (
    API_KEY,
    BASE_URL,
    CALENDAR,
    REQUESTS_PER_MINUTE,
    SETTINGS,
    Setting,
    Settings,
    apply_calendar,
    is_secret,
)

_PREFIXES: Final = ("MOHLCV_", "MASSIVE_")
_SIMILAR: Final = 0.7
_OF_THE_TESTS: Final = frozenset({"MOHLCV_TEST_REAL", "MOHLCV_UPDATE_PICTURES"})
_FORMER_NAME: Final = "POLYGON_API_KEY"
_SHORTEST_KEY: Final = 20
_PLACEHOLDERS: Final = ("your_key", "your-key", "your_api_key_here", "your_api_key", "changeme")

_DISTRIBUTION: Final = "mohlcv-dagster"
_SYNC: Final = "Run `uv sync` in the project's folder."
_MAIN_PACKAGES: Final = ("dagster", "massive", "pandas", "pyarrow")
_EASTERN: Final = "America/New_York"

_SURELY_FINAL: Final = timedelta(days=7)
_BEYOND: Final = timedelta(days=31)
_TOLERATED_SECONDS: Final = 5.0
_WRONG_SECONDS: Final = 60.0


class Health(StrEnum):
    """The result of a diagnosis."""

    FINE = "fine"
    """As it should be."""
    WARNING = "warning"
    """It may be intended, or breaks nothing now."""
    WRONG = "wrong"
    """Something will not work."""


@dataclass(frozen=True)
class Diagnosis:
    """One line of the report.

    Attributes:
        topic: what was looked at, a word or two.
        found: what was found, a clause with the value.
        cure: what to do, a sentence; empty where there is nothing to do.
    """

    topic: str
    health: Health
    found: str
    cure: str = ""


def fine(topic: str, found: str) -> Diagnosis:
    """A diagnosis: all is well."""
    return Diagnosis(topic, Health.FINE, found)


def warning(topic: str, found: str, cure: str = "") -> Diagnosis:
    """A diagnosis: it may be intended."""
    return Diagnosis(topic, Health.WARNING, found, cure)


def wrong(topic: str, found: str, cure: str) -> Diagnosis:
    """A diagnosis: something will not work."""
    return Diagnosis(topic, Health.WRONG, found, cure)


def settings(shell: Mapping[str, str], file: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Each setting: its value, where it comes from, whether it is valid; and variables that look like a typing error.

    Args:
        shell: the environment of the process, which wins.
        file: the variables of `.env`.
    """
    yield _shape_of_key(shell, file)
    for setting in SETTINGS:
        if setting != API_KEY:
            yield _setting(setting, shell, file)
    for name in sorted({*shell, *file}):
        if name.startswith(_PREFIXES) and name not in _OF_THE_TESTS and all(name != each.variable for each in SETTINGS):
            yield _unknown(name, "the environment" if name in shell else ".env")


def calendar(file: str) -> Iterator[Diagnosis]:
    """Whether the file of overridden days can be used, which is then applied; nothing where none is named."""
    if not file.strip():
        return
    try:
        apply_calendar(Settings.from_environment({CALENDAR.variable: file}))
    except CalendarError as error:
        yield wrong("calendar", str(error), f"Correct the file, or leave {CALENDAR.variable} empty.")
    else:
        days, changes = len(exchange_calendar.overrides()), len(exchange_calendar.hours_by_date().changes)
        also = f" and {quantity(changes, 'change')} of session hours" if changes else ""
        yield fine("calendar", f"{quantity(days, 'day')}{also} overridden by {file}")


def _source(setting: Setting, shell: Mapping[str, str], file: Mapping[str, str]) -> str:
    """Where the value of a setting comes from; a blank variable counts as absent."""
    if shell.get(setting.variable, "").strip():
        return "environment"
    # one that is set in the shell, though blank, hides the one of the file
    return ".env" if setting.variable not in shell and file.get(setting.variable, "").strip() else "default"


def _shape_of_key(shell: Mapping[str, str], file: Mapping[str, str]) -> Diagnosis:
    topic, found = "key", _source(API_KEY, shell, file)
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
        return wrong(topic, f"{API_KEY.variable} is still the text of the example ({found})", cure)
    shape = f"set in the {found}" if found == "environment" else f"set in {found}"
    if value[0] in "'\"`" or value[-1] in "'\"`":
        return wrong(topic, f"{shape}, in quotes that are sent with it", "Remove the quotes.")
    if len(value) < _SHORTEST_KEY:
        return warning(topic, f"{shape}, with {len(value)} characters; the vendor's keys have 32", cure)
    return fine(topic, f"{shape}, {len(value)} characters")


def _setting(setting: Setting, shell: Mapping[str, str], file: Mapping[str, str]) -> Diagnosis:
    found = _source(setting, shell, file)
    given = {**file, **shell}.get(setting.variable, "").strip()
    try:
        Settings.from_environment({setting.variable: given})
    except SettingsError as error:
        place = "the environment" if found == "environment" else found
        return wrong("setting", str(error), f"Change {setting.variable} in {place}.")
    shown = "(set)" if given and is_secret(setting) else given or setting.default or "(none)"
    return fine("setting", f"{setting.variable} = {shown}  ({found})")


def _unknown(name: str, place: str) -> Diagnosis:
    known = [each.variable for each in SETTINGS]
    similar = difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR)
    cure = f"Did you mean {similar[0]}?" if similar else f"Settings are {', '.join(known)}."
    return warning("setting", f"{name} in {place} is not a setting, and is not read", cure)


def installation() -> Iterator[Diagnosis]:
    """The versions of Python and of the packages against the bounds that our package requires, and the time zones."""
    try:
        own = metadata.metadata(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield wrong("versions", f"{_DISTRIBUTION} is not installed", _SYNC)
    else:
        bounds = SpecifierSet(own["Requires-Python"])
        yield from versions(metadata.requires(_DISTRIBUTION) or (), bounds, metadata.version)
    yield time_zones()


def versions(required: Iterable[str], python: SpecifierSet, installed: Callable[[str], str]) -> Iterator[Diagnosis]:
    """Each package outside its bounds, or one line of the main ones where none is.

    Args:
        required: the requirements in the package's metadata, such as `pandas<4,>=2.2`.
        python: the bounds of Python.
        installed: gives the version of a package, or raises `PackageNotFoundError`.
    """
    topic = "versions"
    found = {"python": platform.python_version()}
    good = python.contains(found["python"], prereleases=True)
    if not good:
        yield wrong(topic, f"python {found['python']} is not {python}", "Install a Python that is; uv can.")
    for requirement in map(Requirement, required):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found[requirement.name] = installed(requirement.name)
        except metadata.PackageNotFoundError:
            good = False
            yield wrong(topic, f"{requirement.name} is not installed", _SYNC)
            continue
        if not requirement.specifier.contains(found[requirement.name], prereleases=True):
            good = False
            yield wrong(topic, f"{requirement.name} {found[requirement.name]} is not {requirement.specifier}", _SYNC)
    if good:
        main = ", ".join(f"{name} {found[name]}" for name in ("python", *_MAIN_PACKAGES) if name in found)
        yield fine(topic, f"{main}; all {len(found)} within their bounds")


def time_zones() -> Diagnosis:
    """Whether the Eastern time zone is installed, with its daylight saving time."""
    cure = "Install the package tzdata (`uv sync`), or your system's."
    try:
        eastern = ZoneInfo(_EASTERN)
    except ZoneInfoNotFoundError:
        return wrong("time zones", f"{_EASTERN} is not installed", cure)
    # daylight saving time began on March 10th, 2024
    offsets = [datetime(2024, 3, day, 12, tzinfo=eastern).utcoffset() for day in (9, 11)]
    if offsets != [timedelta(hours=-5), timedelta(hours=-4)]:
        return wrong("time zones", f"{_EASTERN} has the wrong daylight saving time in March 2024", cure)
    place = next((folder for folder in TZPATH if Path(folder, _EASTERN).exists()), "the package tzdata")
    return fine("time zones", f"{_EASTERN} from {place}")


def vendor(api_key: str, base_url: str, clock: Clock | None = None) -> Iterator[Diagnosis]:
    """Whether the vendor answers and knows the key, how far back the plan reaches, whether our clock is right.

    Takes at most three requests: a recent session; then, while the plan allows it, one beyond the years of each lesser
    plan.

    Args:
        api_key: as it is set.
        base_url: where to ask.
        clock: gives the time.
    """
    clock = clock or Clock()
    today = clock.now().date()
    with Probe(api_key, base_url, clock) as probe:
        recent = probe.ask(today - _SURELY_FINAL)
        yield _answers(recent, base_url)
        yield from _key_and_plan(probe, recent, today)
        yield clock_error(recent.ahead, clock.now())


def _answers(recent: ProbeResult, base_url: str) -> Diagnosis:
    """Whether the vendor answers: a refusal is an answer."""
    error, topic = recent.error, "vendor"
    if error is None or isinstance(error, (UnknownKeyError, PlanError)):
        return fine(topic, f"{base_url} answers in {recent.seconds:.2f} s")
    if isinstance(error, RateLimitError):
        cure = f"Wait a minute, and set {REQUESTS_PER_MINUTE.variable} to what your plan allows."
        return warning(topic, f"{base_url} answers that there were too many requests", cure)
    if isinstance(error, UntrustedCertificateError):
        found, _, cure = str(error).partition(": ")
        return wrong(topic, found, f"{cure[0].upper()}{cure[1:]}.")
    if isinstance(error, VendorRefusedError):
        cure = f"The same request is refused again: check {BASE_URL.variable}, which is {base_url}, and any proxy."
        return wrong(topic, str(error), cure)
    cure = f"Try again later. If it stays, check the network and {BASE_URL.variable}, which is {base_url}."
    return wrong(topic, str(error), cure)


def _key_and_plan(probe: Probe, recent: ProbeResult, today: date) -> Iterator[Diagnosis]:
    if isinstance(recent.error, UnknownKeyError):
        cure = f"Copy the key again from https://massive.com/dashboard, section API Keys, into {API_KEY.variable}."
        yield wrong("key", f"the vendor does not know it ({_words(recent.error)})", cure)
    elif isinstance(recent.error, PlanError):
        cure = (
            "1-second bars need Stocks Starter or higher. The vendor refuses a date in the future in the same words: "
            "see the line on the clock."
        )
        yield wrong("plan", f"it has no 1-second bars of last week ({_words(recent.error)})", cure)
    elif recent.error is not None:
        yield warning("plan", "unknown: the vendor gave no bars", "See the line on the vendor.")
    else:
        bars = f"{quantity(recent.rows, 'bar')} in a minute of last week" if recent.rows else "no bars of last week"
        yield fine("key", f"known to the vendor, which gives {bars}")
        yield _reach(probe, today)


def _reach(probe: Probe, today: date) -> Diagnosis:
    """How far back the 1-second bars go: one request beyond the years of each plan, until one is refused."""
    bounded = [plan for plan in plans.PLANS if plan.seconds and plan.years is not None]
    for plan in bounded:
        answer = probe.ask(plan.since(today) - _BEYOND)
        if isinstance(answer.error, PlanError):
            return fine("plan", f"1-second bars from about {plan.since(today)}, as in {plan.name}")
        if answer.error is not None:
            return warning("plan", f"how far back it reaches is unknown: {answer.error}", "Run `mohlcv doctor` again.")
    return fine("plan", f"1-second bars from before {bounded[-1].since(today)}, more than {bounded[-1].name} has")


def clock_error(ahead: float | None, now: datetime) -> Diagnosis:
    """Whether this machine's clock is the vendor's.

    Args:
        ahead: seconds that ours is ahead of theirs; `None` where theirs is unknown.
        now: the time of ours, UTC.
    """
    if ahead is None:
        return warning("clock", f"{now:%Y-%m-%d %H:%M:%S}Z, not compared: the vendor gave no time")
    by = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's"
    found = f"{now:%Y-%m-%d %H:%M:%S}Z, {by}"
    cure = "Synchronize the system's clock by NTP: it decides which bars are complete and which are final."
    if abs(ahead) >= _WRONG_SECONDS:
        return wrong("clock", found, cure)
    if abs(ahead) >= _TOLERATED_SECONDS:
        return warning("clock", found, cure)
    return fine("clock", f"{now:%Y-%m-%d %H:%M:%S}Z, same as the vendor's")


def _words(error: VendorError) -> str:
    """The message of an error without its cure."""
    return str(error).partition(". ")[0].removesuffix(".'")
