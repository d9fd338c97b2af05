"""Makes `mohlcv_dagster/model/exchange_days.py` from the calendar library.

`uv run python -m mohlcv_dagster_tests.model.exchange_days > mohlcv_dagster/model/exchange_days.py` writes it
again after an update of the library; a test compares the file with what this makes.
"""

import sys
import warnings
from collections import defaultdict
from datetime import date, timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

YEARS = range(1971, 2200)
EASTERN = ZoneInfo("America/New_York")
_SATURDAY = 5

_HEAD = '''"""The weekdays on which the New York Stock Exchange is closed or closes early. Generated data.

Made from the calendar library by `python -m mohlcv_dagster_tests.model.exchange_days`; do not edit it: a day of
your own goes into the file that `MOHLCV_CALENDAR` names. What the days mean is in `exchange_calendar`.
"""

from typing import Final

SOURCE: Final = "exchange_calendars {version}, XNYS"
"""The library the days were taken from, its version, and its name for the exchange."""

YEARS: Final = """
'''
_TAIL = '''"""
"""A line for each year: `0704` is July 4th, closed; `0703-1300` is July 3rd, closing at 13:00 Eastern."""
'''


def library_hours() -> dict[date, tuple[str, str]]:
    """Every session from 1971 to 2199: its Eastern opening and closing time, `HH:MM`."""
    import exchange_calendars  # noqa: PLC0415 - loads pandas

    with warnings.catch_warnings():
        # the library's own use of pandas is behind the newest pandas
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XNYS", start=f"{YEARS[0]}-01-01", end=f"{YEARS[-1]}-12-31")
        schedule = calendar.schedule
        hours = zip(
            *(schedule[name].dt.tz_convert(EASTERN).dt.strftime("%H:%M") for name in ("open", "close")), strict=True
        )
        return {day.date(): each for day, each in zip(schedule.index, hours, strict=True)}


def module() -> str:
    """The text of the module."""
    hours = library_hours()
    years = defaultdict(list)
    day = date(YEARS[0], 1, 1)
    while day.year in YEARS:
        opened, closed = hours.get(day, ("", ""))
        assert opened in {"", "09:30"}, f"{day} opens at {opened}: the form of the module knows early closes only"
        assert day.weekday() < _SATURDAY or not opened, f"{day} is a session at a weekend: the form knows none"
        if day.weekday() < _SATURDAY and (opened, closed) != ("09:30", "16:00"):
            years[day.year].append(f"{day:%m%d}" + (f"-{closed.replace(':', '')}" if opened else ""))
        day += timedelta(days=1)
    lines = "".join(f"{year} {' '.join(years[year])}\n" for year in YEARS)
    return _HEAD.format(version=version("exchange_calendars")) + lines + _TAIL


if __name__ == "__main__":
    sys.stdout.write(module())
