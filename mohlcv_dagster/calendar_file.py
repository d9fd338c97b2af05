"""Reads the file in which a user overrides days of the exchange calendar, and applies it to the process."""

from datetime import date
from pathlib import Path

from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.settings import CALENDAR, Settings


def apply_overrides(settings: Settings) -> None:
    """Override the days of the user's file in the exchange calendar of this process; none where no file is set.

    Raises:
        CalendarError: the file cannot be read or a line is invalid; the message has the file, the line and the cure.
    """
    exchange_calendar.set_overrides(_read(settings.calendar) if settings.calendar else {})


def _read(name: str) -> dict[date, exchange_calendar.Hours | None]:
    try:
        return exchange_calendar.parse_overrides(Path(name).expanduser().read_text(encoding="utf-8"))
    except CalendarError as error:
        raise CalendarError(f"{name} ({CALENDAR.variable}), {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(
            f"{CALENDAR.variable}={name!r} cannot be read ({error}): name a text file in UTF-8 with lines such as "
            "`2025-01-09 closed`, or leave the variable empty"
        ) from error
