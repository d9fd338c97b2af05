"""The user's file of the exchange calendar: its lines, and what is refused."""

from datetime import date, time

import pytest

from mohlcv_dagster.errors import CalendarError
from mohlcv_dagster.model.calendar_file import CalendarFile, parse
from mohlcv_dagster.model.exchange_calendar import Hours


def test_days_are_closed_or_have_their_hours_and_comments_and_empty_lines_are_ignored():
    text = """\ufeff
# the exchange's own notice
2025-01-09  closed     # a day of mourning
2024-12-24\t09:30-13:00

2024-12-28 Closed
"""
    assert parse(text).days == {
        date(2025, 1, 9): None,
        date(2024, 12, 24): Hours(time(9, 30), time(13)),
        date(2024, 12, 28): None,
    }


def test_only_line_feeds_and_carriage_returns_end_a_line():
    separators = "".join(map(chr, (0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)))
    comment = "# " + "2024-12-24 closed".join(f"{each}" for each in separators)
    assert parse(f"2025-01-09 closed {comment} 2024-12-24 closed\r2025-01-10 closed\r\n").days == {
        date(2025, 1, 9): None,
        date(2025, 1, 10): None,
    }


def test_a_file_without_days_overrides_none():
    assert parse("") == parse("# nothing yet\r\n\r\n") == CalendarFile({}, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2025-01-09", "line 1: '2025-01-09' is invalid: write a date and its hours, such as 2025-01-09 closed"),
        (
            "\n2025-01-09 closed all day",
            "line 2: '2025-01-09 closed all day' is invalid: write a date and its hours",
        ),
        ("\n\n9.1.2025 closed", "line 3: '9.1.2025' is invalid: write a day of the calendar as 2025-01-09"),
        ("2025-02-29 closed", "line 1: '2025-02-29' is invalid: write a day"),
        ("1970-12-31 closed", "line 1: '1970-12-31' is invalid: the calendar covers 1971 to 2199"),
        ("2025-01-09 shut", "line 1: 'shut' is invalid: write closed, or open and close in Eastern time"),
        ("2025-01-09 9:30-13:00", "line 1: '9:30-13:00' is invalid: write closed, or open and close"),
        ("20250109 closed", "line 1: '20250109' is invalid: write a day of the calendar as 2025-01-09"),
        ("2025-W02-4 closed", "line 1: '2025-W02-4' is invalid: write a day of the calendar as 2025-01-09"),
        ("2025-01-09 09:30-25:00", "line 1: '09:30-25:00' is invalid: write closed, or open and close"),
        ("2025-01-09 13:00-09:30", "line 1: '13:00-09:30' is invalid: write closed, or open and close"),
        ("2025-01-09 03:59-13:00", "line 1: '03:59-13:00' is invalid: write closed, or open and close"),
        ("2025-01-09 09:30-20:01", "line 1: '09:30-20:01' is invalid: write closed, or open and close"),
        (
            "2025-01-09 closed\n# twice\n2025-01-09 09:30-13:00",
            "line 3: '2025-01-09' is invalid: line 1 has the same day; keep one of the two",
        ),
    ],
)
def test_an_invalid_line_is_refused_with_its_number_its_text_and_the_cure(text, told):
    with pytest.raises(CalendarError) as refused:
        parse(text)

    assert str(refused.value).startswith(told)
