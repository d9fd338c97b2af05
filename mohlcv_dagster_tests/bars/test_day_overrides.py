from datetime import date, time

import pytest

from mohlcv_dagster.bars.day_overrides import parse
from mohlcv_dagster.bars.sessions import Hours
from mohlcv_dagster.errors import CalendarError


def test_days_are_closed_or_have_their_bells_and_comments_and_empty_lines_are_ignored():
    text = """\ufeff
# the exchange's own notice
2025-01-09  closed     # a day of mourning
2024-12-24\t09:30-13:00

2024-12-28 Closed
"""
    assert parse(text) == {
        date(2025, 1, 9): None,
        date(2024, 12, 24): Hours(time(9, 30), time(13)),
        date(2024, 12, 28): None,
    }


def test_a_file_without_days_overrides_none():
    assert parse("") == parse("# nothing yet\r\n\r\n") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2025-01-09", "line 1: '2025-01-09' cannot be meant: write a date and its hours, such as 2025-01-09 closed"),
        (
            "\n2025-01-09 closed all day",
            "line 2: '2025-01-09 closed all day' cannot be meant: write a date and its hours",
        ),
        ("\n\n9.1.2025 closed", "line 3: '9.1.2025' cannot be meant: write a day of the calendar as 2025-01-09"),
        ("2025-02-29 closed", "line 1: '2025-02-29' cannot be meant: write a day"),
        ("1970-12-31 closed", "line 1: '1970-12-31' cannot be meant: the calendar covers 1971 to 2199"),
        ("2025-01-09 shut", "line 1: 'shut' cannot be meant: write closed, or the bells in Eastern time"),
        ("2025-01-09 9:30-13:00", "line 1: '9:30-13:00' cannot be meant: write closed, or the bells"),
        ("2025-01-09 09:30-25:00", "line 1: '09:30-25:00' cannot be meant: write closed, or the bells"),
        ("2025-01-09 13:00-09:30", "line 1: '13:00-09:30' cannot be meant: write closed, or the bells"),
        ("2025-01-09 03:59-13:00", "line 1: '03:59-13:00' cannot be meant: write closed, or the bells"),
        ("2025-01-09 09:30-20:01", "line 1: '09:30-20:01' cannot be meant: write closed, or the bells"),
        (
            "2025-01-09 closed\n# twice\n2025-01-09 09:30-13:00",
            "line 3: '2025-01-09' cannot be meant: the day stands on line 1 already; keep one of the two",
        ),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_number_its_text_and_the_cure(text, told):
    with pytest.raises(CalendarError) as refused:
        parse(text)

    assert str(refused.value).startswith(told)
