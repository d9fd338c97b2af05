"""The file of days that a user overrides in the exchange calendar: read, and put in force for the process.

Its form is in `bars.day_overrides`, what a day means in `bars.sessions`.
"""

from datetime import date
from pathlib import Path

from mohlcv_dagster.bars import day_overrides, sessions
from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.settings import CALENDAR, Settings


def put_in_force(settings: Settings) -> None:
    """Let the exchange calendar of this process be the exchange's own, with the days of the user's file in it.

    Raises:
        CalendarError: the file cannot be read or a line of it cannot be meant; the message names the file, the line and
            the cure.
    """
    sessions.override(_days(settings.calendar) if settings.calendar else {})


def _days(name: str) -> dict[date, sessions.Hours | None]:
    try:
        return day_overrides.parse(Path(name).expanduser().read_text(encoding="utf-8"))
    except CalendarError as error:
        raise CalendarError(f"{name} ({CALENDAR.variable}), {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(
            f"{CALENDAR.variable}={name!r} cannot be read ({error}): name a text file in UTF-8 with lines such as "
            "`2025-01-09 closed`, or leave the variable empty"
        ) from error
