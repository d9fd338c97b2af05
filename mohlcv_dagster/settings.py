"""The settings: environment variables in, one frozen object out. Nothing else reads the environment.

`SETTINGS` lists each variable with its default and meaning; `Settings.from_environment` reads them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from mohlcv_dagster.bars import timeframes
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.errors import InputError, MissingKeyError, SettingsError

T = TypeVar("T")


class Setting(NamedTuple):
    """One environment variable: its name, its default as it would be written, and what it decides."""

    variable: str
    default: str
    meaning: str


API_KEY: Final = Setting("MASSIVE_API_KEY", "", "the key of your Massive.com account; needed to fetch")
BASE_URL: Final = Setting("MASSIVE_BASE_URL", "https://api.massive.com", "where the vendor answers")
DATA_DIR: Final = Setting("MOHLCV_DATA_DIR", "data", "where the files stand: a folder or an fsspec URL")
TIMEFRAMES: Final = Setting("MOHLCV_TIMEFRAMES", "15s,30s,1min", "which aggregates there are")
START: Final = Setting("MOHLCV_START", "2003-09", "the first month that can be asked for")
ADJUSTED: Final = Setting("MASSIVE_ADJUSTED", "false", "`true`: prices and volumes adjusted for later splits")
REQUESTS_PER_MINUTE: Final = Setting(
    "MASSIVE_REQUESTS_PER_MINUTE", "", "requests a minute at the most; empty: no limit"
)
CONCURRENCY: Final = Setting("MASSIVE_CONCURRENCY", "8", "requests in flight for one month")
CALENDAR: Final = Setting("MOHLCV_CALENDAR", "", "a file of days on which the exchange keeps other hours; empty: none")
ALERT_URL: Final = Setting("MOHLCV_ALERT_URL", "", "a webhook that alerts are posted to, such as Slack's")
ALERT_COMMAND: Final = Setting("MOHLCV_ALERT_COMMAND", "", "a command that gets alerts on its standard input")
ALERT_WARNINGS: Final = Setting("MOHLCV_ALERT_WARNINGS", "false", "`true`: alerts tell of checks that warn, too")
UI_URL: Final = Setting("MOHLCV_UI_URL", "", "where the UI is, for links in alerts; `mohlcv up` knows its own")
PARQUET: Final = Setting("MOHLCV_PARQUET", "false", "`true`: each file of bars also as Parquet, see data/README.md")

SETTINGS: Final = (
    API_KEY,
    BASE_URL,
    DATA_DIR,
    TIMEFRAMES,
    START,
    ADJUSTED,
    REQUESTS_PER_MINUTE,
    CONCURRENCY,
    CALENDAR,
    ALERT_URL,
    ALERT_COMMAND,
    ALERT_WARNINGS,
    UI_URL,
    PARQUET,
)

MOST_CONCURRENT: Final = 64
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Settings:
    """What the user decided.

    Attributes:
        api_key: never shown; `None` where none was given.
        base_url: `http(s)://host`, without a slash at the end.
        data_dir: a folder, relative to the working folder or absolute, or an fsspec URL.
        timeframes: the aggregates, shortest first.
        start: the first month that can be asked for.
        adjusted: whether bars are asked for adjusted for later splits.
        requests_per_minute: `None` means no limit.
        concurrency: requests in flight for one month, 1 to 64.
        calendar: a file of days on which the exchange keeps other hours than its calendar says; `None` means no file.
        alert_url: the webhook that alerts are posted to, a secret; `None` means none.
        alert_command: the command that gets alerts, perhaps with a secret; `None` means none.
        alert_warnings: whether alerts tell of checks that warn, too.
        ui_url: where the UI is, without a slash at the end; `None` where that is not known.
        parquet: whether each stored partition is written as a Parquet file too.
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
    parquet: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings in `environment`; a variable that is absent or blank has its default.

        Raises:
            SettingsError: a variable has a value that cannot be meant; the message names both.
        """
        return cls(
            api_key=environment.get(API_KEY.variable, "").strip() or None,
            base_url=_read(environment, BASE_URL, check_base_url),
            data_dir=_read(environment, DATA_DIR, _data_dir),
            timeframes=_read(environment, TIMEFRAMES, timeframes.parse_list),
            start=_read(environment, START, Month.parse),
            adjusted=_read(environment, ADJUSTED, _truth),
            requests_per_minute=_read(environment, REQUESTS_PER_MINUTE, _limit),
            concurrency=_read(environment, CONCURRENCY, _concurrency),
            calendar=environment.get(CALENDAR.variable, "").strip() or None,
            alert_url=_read(environment, ALERT_URL, lambda text: _web_address(ALERT_URL, text)),
            alert_command=environment.get(ALERT_COMMAND.variable, "").strip() or None,
            alert_warnings=_read(environment, ALERT_WARNINGS, _truth),
            ui_url=_read(environment, UI_URL, lambda text: _web_address(UI_URL, text)),
            parquet=_read(environment, PARQUET, _truth),
        )

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
    """Whether its value is never shown: `Settings` leaves it out of its own text."""
    name = setting.variable.partition("_")[2].lower()
    return any(each.name == name and not each.repr for each in fields(Settings))


def check_base_url(text: str) -> str:
    """`text` without a slash at its end, when it can be asked under.

    Raises:
        SettingsError: it is no `http(s)://host`, or holds a user, a password, a query or a fragment. These may be
            credentials, so the message leaves them out.
    """
    url = urlsplit(text.strip())
    if url.username or url.password or url.query or url.fragment:
        raise SettingsError(
            f"{BASE_URL.variable} for {url.hostname} holds more than scheme, host, port and path: take out the rest"
        )
    if url.scheme not in {"http", "https"} or not url.hostname or not _has_good_port(url):
        raise SettingsError(
            f"{BASE_URL.variable}={text!r} cannot be used: write it as https://host or http://host:port "
            f"(default: {BASE_URL.default})"
        )
    return text.strip().rstrip("/")


def _has_good_port(url: SplitResult) -> bool:
    """Whether there is no port, or one from 1 to 65,535; urllib looks at it only when it is asked for."""
    try:
        return url.port != 0
    except ValueError:
        return False


def _web_address(setting: Setting, text: str) -> str | None:
    """`text` without a slash at its end; `None` where it is blank. A webhook's is a secret: no message quotes it."""
    if not text:
        return None
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or not _has_good_port(url):
        raise SettingsError(f"{setting.variable} cannot be used: write it as https://host/path")
    return text.rstrip("/")


def _read(environment: Mapping[str, str], setting: Setting, parse: Callable[[str], T]) -> T:
    text = environment.get(setting.variable, "").strip() or setting.default
    try:
        return parse(text)
    except SettingsError:
        raise  # it says all there is to say, and leaves out what must not be shown
    except (InputError, ValueError) as error:
        raise SettingsError(
            f"{setting.variable}={text!r} cannot be used: {error} (default: {setting.default or 'none'})"
        ) from error


def _data_dir(text: str) -> str:
    if "://" in text and urlsplit(text).password:
        raise SettingsError(
            f"{DATA_DIR.variable} holds a password, and where a file stands is recorded with it: take it out, and give "
            "the store's credentials in its own variables or files"
        )
    return text


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise ValueError("write true or false") from None


def _limit(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("write a whole number of at least 1, or leave it empty for no limit")
    return int(text)


def _concurrency(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CONCURRENT:
        raise ValueError(f"write a whole number from 1 to {MOST_CONCURRENT}")
    return int(text)
