"""The settings, read from environment variables once into a frozen object. Nothing else reads the environment.

The file of the exchange calendar that a setting names is read here too. The module `project` has the folder and its
`.env`.
"""

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from mohlcv_dagster.errors import CalendarError, InputError, MissingKeyError, MonthError, SettingsError
from mohlcv_dagster.first_month import FIRST_OF_VENDOR, first_stored
from mohlcv_dagster.formatting import has_credentials
from mohlcv_dagster.model import exchange_calendar, timeframes
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import Timeframe

if TYPE_CHECKING:
    from mohlcv_dagster.model.calendar_file import CalendarFile

T = TypeVar("T")


class Setting(NamedTuple):
    """One environment variable: its name, its default as text, and what it decides."""

    variable: str
    default: str
    meaning: str


API_KEY: Final = Setting("MASSIVE_API_KEY", "", "the key of your Massive.com account; needed to fetch")
BASE_URL: Final = Setting("MASSIVE_BASE_URL", "https://api.massive.com", "the address of the vendor's API")
DATA_DIR: Final = Setting("MOHLCV_DATA_DIR", "data", "where the files are stored: a folder or an fsspec URL")
TIMEFRAMES: Final = Setting("MOHLCV_TIMEFRAMES", "15s,30s,1min", "which aggregates there are")
START: Final = Setting("MOHLCV_START", "2021-01", "the first month that the UI offers, unless an earlier one is stored")
ADJUSTED: Final = Setting("MASSIVE_ADJUSTED", "false", "`true`: prices and volumes adjusted for later splits")
REQUESTS_PER_MINUTE: Final = Setting("MASSIVE_REQUESTS_PER_MINUTE", "", "the most requests a minute; empty: no limit")
LIMIT_STORE: Final = Setting(
    "MASSIVE_LIMIT_STORE",
    "",
    "where processes share that limit: a file, Redis or PostgreSQL; empty: a file in the home",
)
CONCURRENCY: Final = Setting("MASSIVE_CONCURRENCY", "8", "requests in flight for one month")
CALENDAR: Final = Setting(
    "MOHLCV_CALENDAR", "", "a file of other hours of the exchange, of a day or from a day on; empty: none"
)
ALERT_URL: Final = Setting("MOHLCV_ALERT_URL", "", "where alerts go: a webhook, or a messenger in apprise's form")
ALERT_COMMAND: Final = Setting("MOHLCV_ALERT_COMMAND", "", "a command that gets alerts on its standard input")
ALERT_WARNINGS: Final = Setting("MOHLCV_ALERT_WARNINGS", "false", "`true`: alerts for checks that warn, too")
UI_URL: Final = Setting(
    "MOHLCV_UI_URL", "", "the address of the UI, for links in alerts and behind a proxy; `mohlcv up` knows its own"
)
UI_PASSWORD: Final = Setting("MOHLCV_UI_PASSWORD", "", "the password that the UI of `mohlcv up` asks for; empty: none")
PARQUET: Final = Setting("MOHLCV_PARQUET", "false", "`true`: each file of bars also as Parquet, see data/README.md")
HISTORY: Final = Setting(
    "MOHLCV_HISTORY", "true", "`false`: former versions of raw files are not kept, see docs/history.md"
)

SETTINGS: Final = (
    API_KEY,
    BASE_URL,
    DATA_DIR,
    TIMEFRAMES,
    START,
    ADJUSTED,
    REQUESTS_PER_MINUTE,
    LIMIT_STORE,
    CONCURRENCY,
    CALENDAR,
    ALERT_URL,
    ALERT_COMMAND,
    ALERT_WARNINGS,
    UI_URL,
    UI_PASSWORD,
    PARQUET,
    HISTORY,
)

WEB: Final = frozenset({"http", "https"})
MOST_CONCURRENT: Final = 64
SHORTEST_PASSWORD: Final = 12
_LARGEST: Final = 1 << 20
"""Bytes of a file that a user writes: such a file has some lines."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9]+")
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Settings:
    """The values of all settings; `SETTINGS` says what each decides. `None` where none was given, or known.

    Attributes:
        api_key: a secret, as are `limit_store`, `alert_url`, `alert_command` and `ui_password`.
        base_url: `http(s)://host`, without a slash at the end.
        data_dir: a folder, relative to the working folder or absolute, or an fsspec URL.
        timeframes: the aggregates, shortest first.
        requests_per_minute: `None` means no limit.
        start: the first month that has a partition.
        start_given: whether the user named it; else an earlier one can be asked for by name.
        concurrency: requests in flight for one month, 1 to 64.
        limit_store: a file or a URL, by which processes share the limit; `None` where each counts for itself.
        ui_url: without a slash at the end.
    """

    api_key: str | None = field(repr=False)
    base_url: str
    data_dir: str
    timeframes: tuple[Timeframe, ...]
    start: Month
    adjusted: bool
    requests_per_minute: int | None
    concurrency: int
    calendar: str | None
    alert_url: str | None = field(default=None, repr=False)
    alert_command: str | None = field(default=None, repr=False)
    alert_warnings: bool = False
    ui_url: str | None = None
    ui_password: str | None = field(default=None, repr=False)
    parquet: bool = False
    history: bool = True
    limit_store: str | None = field(default=None, repr=False)
    start_given: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings in `environment`; a variable that is absent or blank has its default.

        Raises:
            SettingsError: a value is invalid; the message names the variable and the value.
        """
        data_dir = _read(environment, DATA_DIR, _parse_data_dir)
        start, start_given = _read(environment, START, Month.parse), bool(environment.get(START.variable, "").strip())
        return cls(
            api_key=environment.get(API_KEY.variable, "").strip() or None,
            base_url=_read(environment, BASE_URL, check_base_url),
            data_dir=data_dir,
            timeframes=_read(environment, TIMEFRAMES, timeframes.parse_list),
            start=start if start_given else min(start, max(FIRST_OF_VENDOR, first_stored(data_dir) or start)),
            start_given=start_given,
            adjusted=_read(environment, ADJUSTED, _parse_boolean),
            requests_per_minute=_read(environment, REQUESTS_PER_MINUTE, _parse_limit),
            concurrency=_read(environment, CONCURRENCY, _parse_concurrency),
            calendar=_read(environment, CALENDAR, _parse_calendar),
            alert_url=_read(environment, ALERT_URL, _parse_alert_url),
            alert_command=environment.get(ALERT_COMMAND.variable, "").strip() or None,
            alert_warnings=_read(environment, ALERT_WARNINGS, _parse_boolean),
            ui_url=_read(environment, UI_URL, lambda text: _parse_url(UI_URL, text)),
            ui_password=_read(environment, UI_PASSWORD, _parse_password),
            parquet=_read(environment, PARQUET, _parse_boolean),
            history=_read(environment, HISTORY, _parse_boolean),
            limit_store=_read(environment, LIMIT_STORE, _parse_limit_store) or _limit_file(environment),
        )

    def reaching(self, month: Month) -> Self:
        """These settings with a partition for `month`, which a user has named.

        Raises:
            MonthError: it is before the first month that the user chose, or that the vendor has.
        """
        if month >= self.start:
            return self
        if not self.start_given and month >= FIRST_OF_VENDOR:
            return replace(self, start=month)
        first = self.start if self.start_given else FIRST_OF_VENDOR
        raise MonthError(f"{month} is before {first}, the first month of {START.variable}; set it earlier")

    def require_key(self) -> str:
        """The API key.

        Raises:
            MissingKeyError: none was given.
        """
        if self.api_key is None:
            raise MissingKeyError(
                f"{API_KEY.variable} is not set: write `{API_KEY.variable}=your_key` into the file .env in the "
                "project's folder (copy the key from https://massive.com/dashboard, section API Keys) and start again. "
                "To try without a key, run `uv run mohlcv demo`."
            )
        return self.api_key


def is_secret(setting: Setting) -> bool:
    """Whether its value is never shown: `Settings` leaves it out of its repr."""
    name = setting.variable.partition("_")[2].lower()
    return any(each.name == name and not each.repr for each in fields(Settings))


def check_base_url(text: str) -> str:
    """A valid address of the vendor, without a slash at its end.

    Raises:
        SettingsError: it is not `http(s)://host`, or has a user, a password, a query or a fragment. These may be
            credentials, so the message does not quote it then.
    """
    text = text.strip()
    form = f"write it as https://host or http://host:port (default: {BASE_URL.default})"
    if "@" in text or has_credentials(text):
        raise SettingsError(
            f"{BASE_URL.variable} holds more than scheme, host, port and path, such as a user or a query: {form}"
        )
    if not _is_web_address(text):
        raise SettingsError(f"{BASE_URL.variable}={text!r} cannot be used: {form}")
    return text.rstrip("/")


def _is_web_address(text: str) -> bool:
    """Whether it is http(s) without a user, in the characters that a request can carry."""
    sendable = text.isascii() and text.isprintable() and " " not in text
    return sendable and _is_address(text, *WEB) and "@" not in urlsplit(text).netloc


def _is_address(text: str, *schemes: str) -> bool:
    """Whether it is a URL of one of these schemes with a host and a valid port."""
    try:
        url = urlsplit(text)
        return url.scheme in schemes and bool(url.hostname) and url.port != 0  # not checked before it is asked for
    except ValueError:
        return False


def _parse_url(setting: Setting, text: str) -> str | None:
    """A valid address without a slash at its end; `None` for none. It may be a secret: no message quotes it."""
    if not text:
        return None
    if not _is_web_address(text) or (setting == UI_URL and has_credentials(text)):
        raise SettingsError(
            f"{setting.variable} cannot be used: write it as https://host/path, without a user, "
            f"{'a query or a fragment' if setting == UI_URL else 'blanks percent-encoded (%20)'}"
        )
    return text.rstrip("/")


def _parse_alert_url(text: str) -> str | None:
    """A webhook's address, or a messenger's, such as `slack://…`, which apprise reads when there is an alert."""
    scheme, mark, rest = text.partition("://")
    if mark and rest and scheme not in WEB and _SCHEME.fullmatch(scheme) and text.isprintable():
        return text
    return _parse_url(ALERT_URL, text)


def _parse_calendar(text: str) -> str | None:
    if "://" in text:
        raise SettingsError(f"{CALENDAR.variable} holds the address of a page: name a file on this machine")
    return text or None


def _read(environment: Mapping[str, str], setting: Setting, parse: Callable[[str], T]) -> T:
    text = environment.get(setting.variable, "").strip() or setting.default
    try:
        return parse(text)
    except SettingsError:
        raise  # its message is complete, and leaves out secrets
    except (InputError, ValueError) as error:
        raise SettingsError(
            f"{setting.variable}={text!r} cannot be used: {error} (default: {setting.default or 'none'})"
        ) from error


def _parse_data_dir(text: str) -> str:
    if "://" in text and has_credentials(text):
        raise SettingsError(
            f"{DATA_DIR.variable} holds a password, a query or a fragment, and the address of a file is recorded with "
            "it: take it out, and give the store's credentials in its own variables or files"
        )
    return text


def _parse_password(text: str) -> str | None:
    if text and len(text) < SHORTEST_PASSWORD:
        raise SettingsError(f"{UI_PASSWORD.variable} is too short: write at least {SHORTEST_PASSWORD} characters")
    return text or None


def _parse_boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("write true or false") from None


def _parse_limit(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError("write a whole number of at least 1, or leave it empty for no limit")
    return int(text)


def _parse_limit_store(text: str) -> str | None:
    """A file or the URL of a store; `None` for none. It may hold a password: no message quotes it."""
    if "://" not in text:
        return text or None
    if not _is_address(text, "redis", "rediss", "postgresql", "postgres"):
        raise SettingsError(
            f"{LIMIT_STORE.variable} cannot be used: write a file on this machine, redis://host:6379/0, rediss:// for "
            "TLS, or postgresql://user:password@host/database"
        )
    return text


def _limit_file(environment: Mapping[str, str]) -> str | None:
    """The file in Dagster's home, so that all processes of the home share the limit; `None` where there is no home."""
    home = environment.get("DAGSTER_HOME", "").strip()
    return str(Path(home) / "rate_limit.sqlite") if home else None


def _parse_concurrency(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST_CONCURRENT:
        raise ValueError(f"write a whole number from 1 to {MOST_CONCURRENT}")
    return int(text)


def apply_calendar(settings: Settings) -> None:
    """Override days and hours of the exchange calendar of this process by the user's file; none where no file is set.

    Raises:
        CalendarError: the file cannot be read or a line is invalid; the message has the file, the line and the cure.
    """
    if not settings.calendar:
        return exchange_calendar.set_overrides({})
    found = _read_calendar(settings.calendar)
    return exchange_calendar.set_overrides(found.days, found.hours)


def _read_calendar(name: str) -> "CalendarFile":
    from mohlcv_dagster.model import calendar_file  # noqa: PLC0415 - only where there is such a file

    try:
        return calendar_file.parse(text_of(Path(name).expanduser()))
    except CalendarError as error:
        raise CalendarError(f"{name} ({CALENDAR.variable}), {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(
            f"{CALENDAR.variable}={name!r} cannot be read ({error}): name a text file in UTF-8 with lines such as "
            "`2025-01-09 closed`, or leave the variable empty"
        ) from error


def text_of(file: Path) -> str:
    """The text of a file, without the byte order mark that some editors of Windows write.

    Raises:
        OSError: it is not there, is no regular file (a pipe would be waited for without end) or is too large.
        UnicodeDecodeError: it is not UTF-8.
    """
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    if status.st_size > _LARGEST:
        raise OSError(f"it has {status.st_size:,} bytes, more than {_LARGEST:,}")
    return file.read_text(encoding="utf-8-sig")
