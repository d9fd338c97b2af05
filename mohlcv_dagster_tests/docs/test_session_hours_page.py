"""docs/session-hours.md: its example file is read as it stands, and its table says what the hours mean."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

from mohlcv_dagster.model import exchange_calendar, session_hours
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.settings import Settings, apply_calendar

PAGE = (Path(__file__).parents[2] / "docs" / "session-hours.md").read_text(encoding="utf-8")


def test_the_example_is_a_valid_file_with_the_days_and_hours_that_it_names(tmp_path):
    [example] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "days.txt").write_text(example, encoding="utf-8")
    apply_calendar(Settings.from_environment({"MOHLCV_CALENDAR": str(tmp_path / "days.txt")}))

    opens = {
        day: exchange_calendar.session_on(date.fromisoformat(day)).extended_open.astimezone(EASTERN)
        for day in ("2027-02-26", "2027-03-01", "2027-12-31", "2028-01-03")
    }
    assert {day: f"{moment:%m-%d %H:%M}" for day, moment in opens.items()} == {
        "2027-02-26": "02-26 04:00",
        "2027-03-01": "02-28 21:00",
        "2027-12-31": "12-30 21:00",
        "2028-01-03": "01-02 20:00",
    }
    assert exchange_calendar.session_on(date(2024, 12, 24)).early_close


def test_the_hours_of_the_table_are_as_long_as_it_says():
    rows = re.findall(r"^\| `([\d:-]+)` \| (\d+) hours", PAGE, re.MULTILINE)
    lengths = {}
    for text, _ in rows:
        exchange_calendar.set_overrides({}, {date(2027, 1, 1): session_hours.parse(text)})
        lengths[text] = exchange_calendar.session_on(date(2027, 2, 10)).seconds // 3600

    assert len(rows) == 4
    assert lengths == {text: int(hours) for text, hours in rows}


def test_the_print_that_the_page_names_is_in_the_file_that_it_says():
    exchange_calendar.set_overrides({}, {date(2027, 1, 1): session_hours.parse("20:00-20:00")})
    moment = datetime(2027, 1, 31, 21, tzinfo=EASTERN)

    assert "2027-01-31 21:00 Eastern is labelled 2027-02-01 02:00 UTC, stands in the file of 2027-02" in PAGE
    assert moment.astimezone(UTC) == datetime(2027, 2, 1, 2, tzinfo=UTC)
    assert str(Month.of(moment)) == "2027-02"
    assert exchange_calendar.trading_day_of(moment) == date(2027, 2, 1)
